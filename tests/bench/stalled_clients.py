"""What clients that stop reading cost a background process and the other clients.

``python -m tests.bench.stalled_clients`` downloads 64 files at a time in the
background. First alone, then beside clients that attach, ask for all rows and never
read, it measures the speed of the downloads and the time of a ``ping`` on a connection
that reads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tui.background.address import address_of, running
from tui.background.client import Connection, connect
from tui.background.protocol import PROTOCOL
from tui.core.text.units import format_rate
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

NAME = "bench"
FILES = 64
SIZE = 4 << 30
PING_INTERVAL_S = 0.01


class Figures(NamedTuple):
    """What was measured for a while."""

    speed: float
    """Bytes per second."""
    p50_s: float
    p99_s: float


async def measure(connection: Connection, seconds: float) -> Figures:
    """Ping for some seconds; return speed and times."""
    before = (await connection.request("status"))["fetched"]
    started, times = time.monotonic(), []
    while time.monotonic() - started < seconds:
        sent = time.monotonic()
        await connection.request("ping")
        times.append(time.monotonic() - sent)
        await asyncio.sleep(PING_INTERVAL_S)
    after = (await connection.request("status"))["fetched"]
    elapsed = time.monotonic() - started
    cuts = statistics.quantiles(times, n=100)
    return Figures((after - before) / elapsed, cuts[49], cuts[98])


def stalled_client() -> socket.socket:
    """Attach, ask for all rows, and never read."""
    record = running(address_of(NAME))
    assert record is not None
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(record.socket))
    hello = {"protocol": PROTOCOL, "client": "stalled"}
    requests = [
        ("hello", hello),
        ("attach", {}),
        ("view.set", {"ids": [*range(FILES)]}),
    ]
    for id, (method, params) in enumerate(requests):
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        peer.sendall(json.dumps(message).encode() + b"\n")
    return peer


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="fetchtui-bench-"))
    os.environ["FETCHTUI_STATE_DIR"] = str(folder / "state")
    try:
        async with ScriptedServer() as server:
            script = ResponseScript(Pattern(SIZE), rate=options.rate / FILES)
            urls = [server.add(f"/{n}.bin", script) for n in range(FILES)]
            (folder / "list.txt").write_text("\n".join(urls))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "tui", "-b", "--name", NAME),
                *("-c", str(FILES), "-s", "1", "-o", str(folder / "out")),
                str(folder / "list.txt"),
                stdout=asyncio.subprocess.DEVNULL,
            )
            assert await process.wait() == 0
            async with await connect(address_of(NAME)) as connection:
                await connection.greet("bench")
                await asyncio.sleep(3)  # until all downloads run
                rows = {"alone": await measure(connection, options.seconds)}
                peers = [stalled_client() for _ in range(options.clients)]
                name = f"{options.clients} clients that do not read"
                rows[name] = await measure(connection, options.seconds)
                for peer in peers:
                    peer.close()
                await connection.request("stop")
                await connection.closed
        for name, row in rows.items():
            print(
                f"{name:<28} {format_rate(row.speed):>11}   ping p50"
                f" {row.p50_s * 1000:.1f} ms, p99 {row.p99_s * 1000:.1f} ms"
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="per measurement")
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--rate", type=int, default=20_000_000, help="bytes/s in total")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

"""What the calls of a client that polls cost, with very many downloads.

``python -m tests.rpc.cost`` (``--lines 1000000``) queues downloads in an engine, lets
one run against a server that never answers, and cancels a third of them. Then it makes
each call several times, after a few downloads have changed, and prints the processor
time of the first and the middle one, and the longest time without a turn of the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.engine import open_engine
from tui.rpc.config import RpcConfig
from tui.rpc.web.server import RpcServer

if TYPE_CHECKING:
    from tui.core.service import DownloadService

_SLICE = 5_000
_TIMES = 7
_KEYS = ["gid", "status", "totalLength", "completedLength"]


class Turns:
    """Notes the longest processor time between two turns of the loop."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            self.longest_s = max(self.longest_s, time.thread_time() - before)


async def fill(service: DownloadService, port: int, lines: int) -> None:
    """Queue downloads, and end a third of them."""
    for start in range(0, lines, _SLICE):
        numbers = range(start, min(lines, start + _SLICE))
        urls = [f"http://127.0.0.1:{port}/file-{n:07d}.bin" for n in numbers]
        ids = service.add(DownloadRequest((url,)) for url in urls)
        if start < lines // 3:
            service.cancel(ids)
        await asyncio.sleep(0)


async def measure(lines: int, directory: Path) -> None:
    """Make the calls and print what they cost."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = await open_engine(Settings(output_dir=directory, concurrency=1))
        rpc = RpcServer(engine, RpcConfig("127.0.0.1", 0, "secret"))
        await rpc.open()
        await fill(engine, silent.getsockname()[1], lines)
        methods = rpc.methods.by_name
        await methods["aria2.changeGlobalOption"]([{"max-download-result": str(lines)}])
        before = time.thread_time()
        waiting = await methods["aria2.tellWaiting"]([-1, 1, ["gid"]])
        spent = (time.thread_time() - before) * 1000
        print(f"the first call, which makes the lists: {spent:.0f} ms")
        gid = waiting[0]["gid"]
        far = lines // 3 - 100
        calls: list[tuple[str, list[Any]]] = [
            ("getGlobalStat", []),
            ("tellActive", [_KEYS]),
            ("tellWaiting", [0, 100, _KEYS]),
            ("tellWaiting", [far, 100, _KEYS]),
            ("tellWaiting", [-far, 100, _KEYS]),
            ("tellStopped", [0, 100, _KEYS]),
            ("tellStopped", [far, 100, _KEYS]),
            ("tellStopped", [-far, 100, _KEYS]),
            ("tellStatus", [gid, _KEYS]),
            ("tellStatus", [gid[:8], _KEYS]),
            ("changePosition", [gid, 5, "POS_SET"]),
            ("changePosition", [gid, 1, "POS_CUR"]),
            ("addUri", [["http://127.0.0.1:9/x"], {"pause": "true"}, 3]),
        ]
        for name, params in calls:
            await measure_call(engine, methods[f"aria2.{name}"], name, params, lines)
        await rpc.close()
        await engine.close()


async def measure_call(
    engine: DownloadService, method: Any, name: str, params: list[Any], lines: int
) -> None:
    """Make a call several times, with changes in between; print its cost."""
    turns, times = Turns(), []
    watching = asyncio.create_task(turns.watch())
    await asyncio.sleep(0)
    for number in range(_TIMES):
        changed = [lines // 2 + number * 10 + n for n in range(5)]
        (engine.pause if number % 2 else engine.resume)(changed)
        await asyncio.sleep(0.01)
        turns.longest_s = 0.0
        before = time.thread_time()
        await method(list(params))
        times.append(time.thread_time() - before)
        await asyncio.sleep(0)
    watching.cancel()
    print(
        f"{name} {json.dumps(params)[:60]}: first {times[0] * 1000:.1f} ms, then"
        f" {statistics.median(times[1:]) * 1000:.2f} ms; longest turn at last"
        f" {turns.longest_s * 1000:.1f} ms"
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(parser.parse_args().lines, Path(folder)))


if __name__ == "__main__":
    main()

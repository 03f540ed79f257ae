"""Compare automatic concurrency with fixed numbers, on three limiting servers.

``python -m tests.bench.auto`` runs each contender in its own process against its
own server, all contenders of one server in parallel, and prints how much each has
fetched after ``--seconds``. ``--rounds`` takes the median of several.

- ``each``: every connection gets 128 KB/s, however many there are.
- ``shared``: 8 MB/s for all together, and 40 ms before each answer.
- ``refuses``: 10 connections get 512 KB/s each; more of them get a 429.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from tests.bench.cost import ROOT
from tests.bench.machine import describe
from tests.bench.report import table
from tui.core.events import Done, LimitChanged, Queued, Retrying, Started
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SERVERS = ("each", "shared", "refuses")
CONTENDERS = ("1", "4", "16", "64", "auto")
FILE_BYTES = 512 << 10
FILES = 20_000
EACH = 128 << 10
SHARED = 8 << 20
SHARED_LATENCY_S = 0.04
BEARS = 10
BORNE = 512 << 10
"""Bytes per second."""
_SLICE_S = 0.05
_START = 8
"""Initial concurrency of the controller: the default."""


# -- the servers ----------------------------------------------------------------------


class Throttled:
    """Answers every GET with the same bytes, at a configured speed."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.sending = 0
        """Responses in progress."""
        self.port = 0

    async def start(self) -> None:
        """Listen on loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self._reply(writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the run is over
        finally:
            writer.close()

    async def _reply(self, writer: asyncio.StreamWriter) -> None:
        if self._kind == "shared":
            await asyncio.sleep(SHARED_LATENCY_S)
        if self._kind == "refuses" and self.sending >= BEARS:
            writer.write(b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {FILE_BYTES}\r\n\r\n"
        writer.write(head.encode())
        self.sending += 1
        try:
            left = FILE_BYTES
            while left:
                size = min(left, int(self._rate() * _SLICE_S))
                writer.write(bytes(size))
                await writer.drain()
                left -= size
                await asyncio.sleep(_SLICE_S)
        finally:
            self.sending -= 1

    def _rate(self) -> float:
        if self._kind == "each":
            return EACH
        return SHARED / self.sending if self._kind == "shared" else BORNE


# -- one contender --------------------------------------------------------------------


async def contend(kind: str, contender: str, seconds: float) -> dict[str, object]:
    """Fetch from its own server for a fixed time; print the result."""
    server = Throttled(kind)
    await server.start()
    is_auto = contender == "auto"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            output_dir=Path(folder),
            concurrency=_START if is_auto else int(contender),
            fsync=False,
            auto=is_auto,
        )
        engine = await open_engine(settings)
        heard = engine.subscribe(exclude=frozenset({Started, Queued, Done}))
        base = f"http://127.0.0.1:{server.port}"
        engine.add(DownloadRequest((f"{base}/{n}.bin",)) for n in range(FILES))
        await asyncio.sleep(seconds)
        now = engine.snapshot()
        done = engine.rows(range(1))  # the engine answers: it is alive
        assert done
        told = heard.drain()
        await engine.close()
    return {
        "rate": now.fetched / seconds,
        "retries": sum(isinstance(event, Retrying) for event in told),
        "at_once": now.concurrency,
        "steps": [
            f"{event.old} → {event.new}: {event.reason}"
            for event in told
            if isinstance(event, LimitChanged) and event.reason is not None
        ],
    }


async def _in_process(kind: str, contender: str, seconds: float) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.auto", "--seconds", str(seconds)),
        *("--one", kind, contender),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    told: dict[str, object] = json.loads(out)
    return told


async def _compare(
    kind: str, seconds: float, rounds: int, say: Callable[[str], None]
) -> list[list[str]]:
    """Run all contenders of one server in parallel; return the table's rows."""
    results: dict[str, list[dict[str, object]]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        runs: list[Awaitable[dict[str, object]]] = [
            _in_process(kind, name, seconds) for name in CONTENDERS
        ]
        for name, result in zip(CONTENDERS, await asyncio.gather(*runs), strict=True):
            results[name].append(result)
    rates = {
        name: statistics.median(float(str(run["rate"])) for run in runs)
        for name, runs in results.items()
    }
    best = max(rates[name] for name in CONTENDERS if name != "auto")
    for step in results["auto"][-1]["steps"]:  # type: ignore[attr-defined]
        say(f"    {kind}: {step}")
    return [
        [
            kind,
            name,
            f"{rates[name] / 1e6:.2f}",
            f"{rates[name] / best:.0%}",
            str(results[name][-1]["retries"]),
            str(results[name][-1]["at_once"]),
        ]
        for name in CONTENDERS
    ]


async def main(options: argparse.Namespace) -> None:
    """Compare on all servers and print a table."""
    rows: list[list[str]] = []
    for kind in SERVERS:
        rows += await _compare(kind, options.seconds, options.rounds, print)
    print(describe(Path(tempfile.gettempdir())))
    head = ["server", "at once", "MB/s", "of the best fixed", "retries", "in the end"]
    print(table(head, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", nargs=2)
    chosen = parser.parse_args()
    if chosen.one:
        kind, contender = chosen.one
        print(json.dumps(uvloop.run(contend(kind, contender, chosen.seconds))))
    else:
        asyncio.run(main(chosen))

"""Measure what one bad URL costs the other files of its host.

``python -m tests.bench.starve`` runs a list with a file that arrives at 4 KB/s, a URL
that always fails, and good files at 300 KB/s each. The same list runs with 500, 503,
429, and 503 with Retry-After as the status of the bad URL, all at the same time, each
on a server of its own. Prints the seconds until the good files are complete, and their
ratio to those with 500.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench.report import table
from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine import open_engine

SIZE = 2 << 20
SLOW, GOOD = 4_000, 300_000
"""Bytes per second of each connection."""
BAD = {
    "500": ResponseScript(status=500),
    "503": ResponseScript(status=503),
    "429": ResponseScript(status=429),
    "503, Retry-After: 1": ResponseScript(status=503, retry_after=1),
}
LIMIT_S = 600.0


async def run(bad: ResponseScript, files: int, concurrency: int) -> tuple[float, int]:
    """Return the seconds of the good files, and the host's limit in the end."""
    with tempfile.TemporaryDirectory() as folder:
        async with ScriptedServer() as server:
            slow = ResponseScript(Pattern(SIZE, 1), etag='"1"', rate=SLOW)
            good = ResponseScript(Pattern(SIZE, 2), etag='"2"', rate=GOOD)
            urls = [server.add("/slow", slow), server.add("/bad", bad)]
            urls += [server.add(f"/good{n}", good) for n in range(files)]
            settings = Settings(
                output_dir=Path(folder), concurrency=concurrency, fsync=False
            )
            engine = await open_engine(settings)
            began = time.monotonic()
            engine.add(DownloadRequest((url,)) for url in urls)
            done = DownloadState.DONE
            await until(lambda: engine.snapshot().counts[done] == files, LIMIT_S)
            wall_s = time.monotonic() - began
            (host,) = engine.origins()
            await engine.close()
            return wall_s, host.cap


async def main(options: argparse.Namespace) -> None:
    """Run all lists at once and print a table."""
    runs = (run(bad, options.files, options.concurrency) for bad in BAD.values())
    results = dict(zip(BAD, await asyncio.gather(*runs), strict=True))
    base = results["500"][0]
    rows = [
        [name, f"{wall_s:.1f}", f"{wall_s / base:.2f}", str(cap or "none")]
        for name, (wall_s, cap) in results.items()
    ]
    print(f"{options.files} good files, concurrency {options.concurrency}")
    print(table(["bad URL answers", "seconds", "x 500", "limit of the host"], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--concurrency", type=int, default=8)
    asyncio.run(main(parser.parse_args()))

"""Measure how blocking writes affect the loop: ``python -m tests.bench.inline_writes``.

Downloads from a loopback server to a slow disk, three times in one run: writes in the
executor, writes on the loop, writes in the executor again; prints the loop's lag and
the throughput of each part. The disk is slow because the directory is (``--dir`` on a
slow mount) or because each write is made to take longer (``--slow-ms``).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.disk import platform
from tui.engine import open_engine

if TYPE_CHECKING:
    from tui.engine.engine import Engine

PARTS = (("executor", False), ("inline", True), ("executor again", False))


def slow_down(seconds: float) -> None:
    """Make each write block longer, as a slow disk does."""
    real = platform.write_at

    def write_at(*args: Any) -> None:
        time.sleep(seconds)  # the point: it blocks whoever calls it
        real(*args)

    platform.write_at = write_at


async def measure(engine: Engine, name: str, seconds: float) -> None:
    """Wait, then print what the engine measured."""
    # The lag is kept over 5 s: let what was before fade first.
    await asyncio.sleep(5.5)
    began, fetched = time.monotonic(), engine.snapshot().fetched
    await asyncio.sleep(seconds)
    snapshot = engine.snapshot()
    speed = (snapshot.fetched - fetched) / (time.monotonic() - began) / 1e6
    loop, disk = snapshot.loop, snapshot.disk
    worst_s = max(loop.history_s[-10:], default=0.0)  # of the last 5 s
    print(
        f"{name:15} loop lag p50 {loop.p50_s * 1e3:6.1f} ms"
        f"  p99 {loop.p99_s * 1e3:6.1f} ms  max {worst_s * 1e3:6.1f} ms"
        f"   write p50 {disk.p50_s * 1e3:5.1f} ms"
        f"   {speed:6.1f} MB/s"
    )


async def run(directory: Path, seconds: float) -> None:
    """Serve, download, and switch the write mode."""
    async with ScriptedServer() as server:
        body = Pattern(1 << 40, seed=1)
        # Chunked: no size, so nothing is reserved, and nobody waits for the end.
        script = ResponseScript(body=body, rate=10_000_000, length="chunked")
        server.add("/endless", script)
        settings = Settings(output_dir=directory, concurrency=4, segments=1)
        engine = await open_engine(settings)
        try:
            url = server.url("/endless")
            engine.add(
                DownloadRequest((url,), name=f"endless-{n}.bin") for n in range(4)
            )
            for name, is_inline in PARTS:
                engine.set_inline_writes(is_inline)
                await measure(engine, name, seconds)
        finally:
            await engine.close()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="where to write (emptied by you)")
    parser.add_argument("--slow-ms", type=float, default=0.0, help="per write")
    parser.add_argument("--seconds", type=float, default=5.0, help="per part")
    options = parser.parse_args()
    if options.slow_ms:
        slow_down(options.slow_ms / 1e3)
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        asyncio.run(run(Path(directory), options.seconds))


if __name__ == "__main__":
    main()

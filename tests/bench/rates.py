"""Measure the accuracy of rate limits: ``python -m tests.bench.rates``.

Four downloads over two connections each, from a loopback server without a limit of its
own. The limits are set while they run; each is measured over ten seconds, from the
bytes that came off the wire. Prints how far it is off, and how evenly the downloads
shared it. Before that, whole files of several sizes are downloaded under a limit.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine import open_engine

if TYPE_CHECKING:
    from tui.engine.engine import Engine

MB = 1_000_000
COUNT = 4
SIZE = 1 << 30
SETTLE_S = 0.5
"""Excludes what was in buffers when the limit changed."""
STEPS = ((10 * MB, None), (50 * MB, None), (10 * MB, None), (None, 2 * MB))
"""Total limit and limit of the first download, in bytes per second."""


async def measure(engine: Engine, seconds: float) -> tuple[float, list[float]]:
    """Return bytes per second in total and per download."""
    ids = range(COUNT)
    before = [row.received for row in engine.rows(ids)]
    fetched, began = engine.snapshot().fetched, time.monotonic()
    await asyncio.sleep(seconds)
    elapsed_s = time.monotonic() - began
    rates = [
        (row.received - had) / elapsed_s
        for row, had in zip(engine.rows(ids), before, strict=True)
    ]
    return (engine.snapshot().fetched - fetched) / elapsed_s, rates


async def run(directory: Path, seconds: float) -> None:
    """Download, change the limits, measure."""
    async with ScriptedServer() as server:
        url = server.add("/large", ResponseScript(Pattern(SIZE), etag='"1"'))
        settings = Settings(output_dir=directory, segments=2, rate_limit=MB)
        engine = await open_engine(settings)
        try:
            engine.add(DownloadRequest((url,), name=f"{n}.bin") for n in range(COUNT))
            await server.until(lambda: server.open_connections == 2 * COUNT)
            for rate, own in STEPS:
                engine.set_rate_limit(rate)
                engine.set_rate_limit(own, 0)
                await asyncio.sleep(SETTLE_S)
                await report(engine, rate, own, seconds if rate else 5.0)
        finally:
            await engine.close()


FILES = (
    (1, 12_000_000, 1 << 20),
    (4, 3_000_000, 1 << 20),
    (40, 300_000, 1 << 20),
    (1200, 10_000, 1 << 20),
    (1, 768 << 10, 256 << 10),
)
"""Number and size of files, and the limit of the run in bytes per second."""


async def run_files(directory: Path, connections: int) -> None:
    """Download whole files under a limit and compare the time with the exact one.

    Args:
        directory: where to write.
        connections: downloads at a time, and the most connections for each.
    """
    for count, size, rate in FILES:
        async with ScriptedServer() as server:
            url = server.add("/file", ResponseScript(Pattern(size), etag='"1"'))
            settings = Settings(
                output_dir=directory / f"{size}-{connections}",
                rate_limit=rate,
                concurrency=connections,
                segments=connections,
            )
            engine = await open_engine(settings)
            try:
                began = time.monotonic()
                engine.add(DownloadRequest((url,), name=f"{n}") for n in range(count))
                await engine.wait_idle()
                took_s = time.monotonic() - began
            finally:
                await engine.close()
        exact_s = count * size / rate
        print(
            f"{connections} at a time, {count} x {size:,} bytes"
            f" at {rate / (1 << 20):g} MiB/s: {took_s:.2f} s,"
            f" exact {exact_s:.2f} s ({(took_s / exact_s - 1) * 100:+.1f} %)"
        )


async def report(
    engine: Engine, rate: int | None, own: int | None, seconds: float
) -> None:
    """Measure one pair of limits and print the result."""
    total, each = await measure(engine, seconds)
    wanted, got = (rate, total) if rate is not None else (own, each[0])
    assert wanted is not None
    what = "all" if rate is not None else "one of four, the others unlimited"
    shares = " ".join(f"{value / MB:.2f}" for value in each)
    print(
        f"{what}: set {wanted / MB:g} MB/s, measured {got / MB:.3f} MB/s"
        f" ({(got / wanted - 1) * 100:+.2f} %) over {seconds:g} s; each {shares}"
    )


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="where to write; needs 5 GB")
    parser.add_argument("--seconds", type=float, default=10.0, help="per limit")
    parser.add_argument("--files-only", action="store_true", help="only whole files")
    options = parser.parse_args()
    # The server sees connections go away in the middle: no news here.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        for connections in (1, 8):
            asyncio.run(run_files(Path(directory), connections))
        if not options.files_only:
            asyncio.run(run(Path(directory), options.seconds))


if __name__ == "__main__":
    main()

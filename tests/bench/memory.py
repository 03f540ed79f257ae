"""What a waiting list entry keeps in memory: ``python -m tests.bench.memory``.

Prints bytes for each line, and the places that allocate most of them. tracemalloc
counts exactly, so one run is enough, on a busy machine as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import sys
import tempfile
import tracemalloc
from pathlib import Path

from tui.core.settings import Settings
from tui.engine import open_engine
from tui.sources.load import load_sources

_URL = "https://mirror{}.example.org/pub/dir{}/file-{:06d}.tar.gz\n"


def held() -> int:
    """Return the bytes that are allocated now."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def measure(lines: int, places: int) -> None:
    """Read a list and add it to an engine that starts nothing."""
    text = "".join(_URL.format(n % 7, n % 50, n) for n in range(lines)).encode()
    with tempfile.TemporaryDirectory() as home:
        engine = await open_engine(Settings(output_dir=Path(home)))
        engine.pause_all()
        load_sources(["-"], io.BytesIO(text[:1000]))
        tracemalloc.start()
        before = held()
        requests = load_sources(["-"], io.BytesIO(text))[0]
        read = held()
        for start in range(0, lines, 1000):
            engine.add(requests[start : start + 1000])
        added = held()
        print(f"{(added - before) / lines:6.0f} bytes for each line")
        print(f"{(read - before) / lines:6.0f} of them for its request")
        for row in tracemalloc.take_snapshot().statistics("lineno")[:places]:
            frame = row.traceback[0]
            place = f"{frame.filename.rpartition('/tui/')[2]}:{frame.lineno}"
            print(f"{row.size / lines:6.0f} {place}")
        tracemalloc.stop()
        await engine.close()


def main() -> int:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--places", type=int, default=10)
    options = parser.parse_args()
    asyncio.run(measure(options.lines, options.places))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measure one list entry, and one snapshot with a long list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.cost import REPEATS
from tui.core.listing.query import DownloadQuery
from tui.core.listing.slices import run_at_once
from tui.core.settings import Settings
from tui.engine import open_engine
from tui.sources.load import load_sources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.cost import Meter
    from tui.core.request import DownloadRequest
    from tui.engine.engine import Engine

LINES = 100_000


async def lists(meter: Meter, home: Path) -> None:
    """Measure one list entry, and one snapshot with a long list."""
    path = home / "lines.txt"
    path.write_text(
        "".join(f"http://127.0.0.1:9/f/{n:06d}.bin\n" for n in range(LINES))
    )

    def read() -> list[DownloadRequest]:
        return load_sources([str(path)], None)[0]

    requests = read()
    meter.call("list: read and check", "line", LINES, read)
    engines: list[Engine] = []
    for _ in range(REPEATS + 1):
        engine = await open_engine(Settings(output_dir=home / "held"))
        engine.pause_all()
        engines.append(engine)
    unused = iter(engines)
    meter.call("Engine.add", "line", LINES, lambda: next(unused).add(requests))
    next(unused).add(requests[:10])
    _look(meter, engines[-1])
    _look(meter, engines[0])
    for engine in engines:
        await engine.close()


def _look(meter: Meter, engine: Engine) -> None:
    count = engine.snapshot().total
    ids = list(range(count))[-30:]
    beside = f"with {count:,} downloads"

    def looks() -> None:
        for _ in range(500):
            engine.snapshot()

    def rows() -> None:
        for _ in range(500):
            engine.rows(ids)

    meter.call(f"snapshot() {beside}", "call", 500, looks)
    meter.call(f"rows({len(ids)}) {beside}", "call", 500, rows)
    query = DownloadQuery()
    meter.call(
        f"select(all) {beside}",
        "call",
        1,
        lambda: run_at_once(engine.select_iter(query)),
    )

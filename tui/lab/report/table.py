"""The columns of the results, shared by the terminal, Markdown and the race screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.text.units import format_size
from tui.lab.catalog import TITLE_WIDTH, describe_stop
from tui.lab.report.figures import disagreements, format_counts, spread
from tui.lab.report.formatting import (
    NONE,
    format_digits,
    format_mb_per_s,
    format_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.lab.catalog import Entry
    from tui.lab.report.figures import Record

    Row = tuple[Entry, Record]


def _median(record: Record, name: str) -> float | None:
    values = record.spread(lambda figures: getattr(figures, name))
    return None if values is None else values.median


def _spread(record: Record) -> str:
    values = record.spread(lambda figures: figures.wall_s)
    if values is None or len(record.rounds) < 2:
        return NONE
    if values.high >= 0.9995:
        return f"{values.low:.2f}–{values.high:.2f} s"
    return f"{values.low * 1000:.0f}–{values.high * 1000:.0f} ms"


def _cancel(record: Record) -> str:
    values = spread(stop.took_s for stop in record.stops)
    return NONE if values is None else format_seconds(values.median)


@dataclass(frozen=True, slots=True)
class Column:
    """One figure."""

    id: str
    heading: str
    width: int
    """In terminal cells, without the gap."""
    rank: int
    """If there is not enough room, columns with high ranks are dropped first."""
    format: Callable[[Record], str]
    """Format the median."""


COLUMNS = (
    Column(
        "files", "files/s", 7, 1, lambda r: format_digits(_median(r, "files_per_s"))
    ),
    Column("speed", "MB/s", 6, 5, lambda r: format_mb_per_s(_median(r, "speed"))),
    Column("wall", "wall", 7, 0, lambda r: format_seconds(_median(r, "wall_s"))),
    Column("spread", "min–max", 12, 9, _spread),
    Column("cpu", "CPU", 7, 2, lambda r: format_seconds(_median(r, "cpu_s"))),
    Column("memory", "memory", 7, 4, lambda r: format_size(_median(r, "peak_memory"))),
    Column("first", "first", 7, 3, lambda r: format_seconds(_median(r, "first_s"))),
    Column("lag99", "lag p99", 7, 7, lambda r: format_seconds(_median(r, "lag_p99_s"))),
    Column("lag", "lag max", 7, 1, lambda r: format_seconds(_median(r, "lag_max_s"))),
    Column("cancel", "cancel", 7, 6, _cancel),
)

HEADINGS = {
    False: "I/O: fetch and save",
    True: "CPU: unpack and hash, files already fetched",
}


def text_lines(rows: Sequence[Row]) -> list[str]:
    """Return the table as lines of text."""
    head = " ".join([" " * TITLE_WIDTH, *(f"{c.heading:>{c.width}}" for c in COLUMNS)])
    lines = [head.rstrip()]
    for is_cpu_bound, heading in HEADINGS.items():
        group = [row for row in rows if row[0].is_cpu_bound == is_cpu_bound]
        if group:
            lines.append(heading)
        for entry, record in group:
            cells = (f"{column.format(record):>{column.width}}" for column in COLUMNS)
            lines.append(" ".join([f"{entry.title:<{TITLE_WIDTH}}", *cells]).rstrip())
    return lines


def remarks(rows: Sequence[Row]) -> list[str]:
    """Return the lines below a table: counts, and how each strategy was cancelled."""
    lines = []
    runs = [(entry.title, run) for entry, record in rows for run in record.rounds]
    if runs:
        counts = format_counts(runs[0][1].counts)
        lines += disagreements(runs) or [
            f"same counts for all: {counts}; same data for all"
        ]
    for entry, record in rows:
        if record.stops:
            lines.append(f"{entry.title}: {describe_stop(entry, record.stops[-1])}")
    return lines

"""The columns: the same for the terminal, for Markdown and for the race screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.text.units import format_size
from tui.lab.catalog import TITLE_WIDTH, say_stop
from tui.lab.report.figures import disagreements, say_counts, spread
from tui.lab.report.formatting import NONE, say_digits, say_s, say_speed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.lab.catalog import Entry
    from tui.lab.report.figures import Record

    Row = tuple[Entry, Record]


def _median(record: Record, name: str) -> float | None:
    found = record.spread(lambda figures: getattr(figures, name))
    return None if found is None else found.median


def _spread(record: Record) -> str:
    found = record.spread(lambda figures: figures.wall_s)
    if found is None or len(record.rounds) < 2:
        return NONE
    if found.high >= 0.9995:
        return f"{found.low:.2f}–{found.high:.2f} s"
    return f"{found.low * 1000:.0f}–{found.high * 1000:.0f} ms"


def _cancel(record: Record) -> str:
    found = spread(stop.took_s for stop in record.stops)
    return NONE if found is None else say_s(found.median)


@dataclass(frozen=True, slots=True)
class Column:
    """One figure."""

    id: str
    heading: str
    width: int
    """Cells that it needs, without the gap."""
    rank: int
    """Where there is no room for all, those with high ranks go first."""
    say: Callable[[Record], str]
    """Its median in words."""


COLUMNS = (
    Column("files", "files/s", 7, 1, lambda r: say_digits(_median(r, "files_per_s"))),
    Column("speed", "MB/s", 6, 5, lambda r: say_speed(_median(r, "speed"))),
    Column("wall", "wall", 7, 0, lambda r: say_s(_median(r, "wall_s"))),
    Column("spread", "min–max", 12, 9, _spread),
    Column("cpu", "CPU", 7, 2, lambda r: say_s(_median(r, "cpu_s"))),
    Column("memory", "memory", 7, 4, lambda r: format_size(_median(r, "peak_memory"))),
    Column("first", "first", 7, 3, lambda r: say_s(_median(r, "first_s"))),
    Column("lag99", "lag p99", 7, 7, lambda r: say_s(_median(r, "lag_p99_s"))),
    Column("lag", "lag max", 7, 1, lambda r: say_s(_median(r, "lag_max_s"))),
    Column("cancel", "cancel", 7, 6, _cancel),
)

HEADINGS = {
    False: "I/O: fetch and save",
    True: "CPU: unpack and hash, files already fetched",
}


def text_lines(rows: Sequence[Row]) -> list[str]:
    """Return the table as lines of text, with what it says about counts below."""
    head = " ".join([" " * TITLE_WIDTH, *(f"{c.heading:>{c.width}}" for c in COLUMNS)])
    lines = [head.rstrip()]
    for is_computing, heading in HEADINGS.items():
        group = [row for row in rows if row[0].is_computing == is_computing]
        if group:
            lines.append(heading)
        for entry, record in group:
            cells = (f"{column.say(record):>{column.width}}" for column in COLUMNS)
            lines.append(" ".join([f"{entry.title:<{TITLE_WIDTH}}", *cells]).rstrip())
    return lines


def remarks(rows: Sequence[Row]) -> list[str]:
    """Return what there is to say below a table: counts, and how each was cancelled."""
    told = []
    runs = [(entry.title, run) for entry, record in rows for run in record.rounds]
    if runs:
        wrong = disagreements(runs)
        same = f"counts, the same for all: {say_counts(runs[0][1].counts)}"
        told += wrong or [f"{same}; and the same bytes"]
    for entry, record in rows:
        if record.stops:
            told.append(f"{entry.title}: {say_stop(entry, record.stops[-1])}")
    return told

"""Lines of the history: search, orders, and text for a width. Pure functions."""

from __future__ import annotations

import os
import time
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from tui.core.listing.history import FinishedDownload, SessionSummary
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import format_rate, format_size, size_width
from tui.ui.panes.pane import Line, Span
from tui.ui.style.format import cells, count, fit, middle_ellipsis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

Row: TypeAlias = SessionSummary | FinishedDownload


class Order(Enum):
    """What the history is sorted by; the newest or largest comes first."""

    TIME = "time"
    SIZE = "size"
    SPEED = "speed"
    NAME = "name"


SESSION_ORDERS = (Order.TIME, Order.SIZE, Order.NAME)
FINISHED_ORDERS = (Order.TIME, Order.SIZE, Order.SPEED, Order.NAME)

_SESSION_KEYS: dict[Order, Callable[[SessionSummary], Any]] = {
    Order.TIME: lambda row: -row.used_at,
    Order.SIZE: lambda row: -row.nbytes,
    Order.NAME: lambda row: row.title.casefold(),
}
_FINISHED_KEYS: dict[Order, Callable[[FinishedDownload], Any]] = {
    Order.TIME: lambda row: -row.finished_at,
    Order.SIZE: lambda row: -row.size,
    Order.SPEED: lambda row: -row.speed,
    Order.NAME: lambda row: row.name.casefold(),
}


def find_sessions(
    rows: Sequence[SessionSummary], query: str, order: Order
) -> list[SessionSummary]:
    """Return the sessions whose title or directory contains every word, sorted."""
    found = [row for row in rows if _has(query, row.title, row.output_dir)]
    return sorted(found, key=_SESSION_KEYS[order])


def find_finished(
    rows: Sequence[FinishedDownload], query: str, order: Order
) -> list[FinishedDownload]:
    """Return the downloads whose path or URL contains every word, sorted."""
    found = [row for row in rows if _has(query, row.path, row.url)]
    return sorted(found, key=_FINISHED_KEYS[order])


def _has(query: str, *texts: str) -> bool:
    text = "\n".join(texts).casefold()
    return all(word in text for word in query.casefold().split())


def shown_time(at: float, now: float) -> str:
    """Return a wall time in 12 cells, with the year instead of the hour if it is old.

    Args:
        at: the time.
        now: the current one.
    """
    form = "%d %b %H:%M" if now - at < 300 * 86_400 else "%d %b %Y"
    return time.strftime(form, time.localtime(at))


def session_line(row: SessionSummary, width: int, now: float) -> Line:
    """Return time, title, counts, size and directory of a session, as they fit."""
    left = f"{shown_time(row.used_at, now)}  "
    if row.problem:
        words = sanitize(row.problem)
        return [Span(left, "dim"), Span(fit(words, width - cells(left)), "waiting")]
    title = sanitize(row.title) or "untitled"
    if row.is_current:
        words = fit(f"{title} (this session)", width - cells(left))
        return [Span(left, "dim"), Span(words)]
    counts = _counts(row)
    size = f"{format_size(row.nbytes):>{size_width()}}"
    room = width - cells(left) - cells(size) - 2
    column = min(32, max(20, room // 3)) if room >= 40 else 0
    folder = ""
    if room - column - 40 >= 12:
        folder = _home(row.output_dir)
    counts = fit(counts, column) if column else ""
    rest = room - cells(counts) - (2 if counts else 0)
    name = rest - (min(cells(folder), rest // 2) + 2 if folder else 0)
    line = [Span(left, "dim"), Span(fit(middle_ellipsis(title, name), name))]
    if counts:
        line.append(Span(f"  {counts}", "failed" if row.failed else "dim"))
    line.append(Span(f"  {size}", "dim"))
    if folder:
        shown = middle_ellipsis(folder, rest - name - 2)
        line.append(Span(f"  {fit(shown, rest - name - 2)}", "dim"))
    return line


def _counts(row: SessionSummary) -> str:
    parts = [
        f"{count(number)} {word}"
        for number, word in (
            (row.left, "left"),
            (row.failed, "failed"),
            (row.done, "done"),
        )
        if number
    ]
    return ", ".join(parts)


def _home(path: str) -> str:
    home = os.path.expanduser("~")
    path = sanitize(path)
    return f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path


def finished_line(row: FinishedDownload, width: int, now: float) -> Line:
    """Return time, name, size, average speed and directory of a finished download."""
    left = f"{shown_time(row.finished_at, now)}  "
    size = f"{format_size(row.size):>{size_width()}}"
    rate = f"{format_rate(row.speed) if row.speed else '':>{size_width() + 2}}"
    room = width - cells(left) - cells(size) - 2
    has_rate = room >= 30
    if has_rate:
        room -= cells(rate) + 2
    folder = _home(os.path.dirname(row.path)) if room >= 50 else ""
    name = room - (min(cells(folder), room // 2) + 2 if folder else 0)
    shown = fit(middle_ellipsis(sanitize(row.name), name), name)
    line = [Span(left, "dim"), Span(shown), Span(f"  {size}", "dim")]
    if has_rate:
        line.append(Span(f"  {rate}", "dim"))
    if folder:
        rest = room - name - 2
        line.append(Span(f"  {fit(middle_ellipsis(folder, rest), rest)}", "dim"))
    return line


def explanation(row: Row | None) -> str:
    """Return what the line of a row may cut: the whole path, or URL and source."""
    if row is None:
        return ""
    if isinstance(row, FinishedDownload):
        return f"{sanitize(row.path)}\n{display_url(row.url)}"
    if row.problem:
        return sanitize(row.problem)
    return f"{_counts(row) or 'this session'} · saved to {sanitize(row.output_dir)}"

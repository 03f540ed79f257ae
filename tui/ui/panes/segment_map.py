"""Draws which parts of a file are complete, in flight or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, ENDED, DownloadState
from tui.ui.panes.pane import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.core.snapshot import DetailSnapshot
    from tui.ui.panes.pane import Line

DONE, MOST, SOME, IN_FLIGHT, MISSING = "█", "▓", "▒", "▶", "░"
_ASCII = {DONE: "#", MOST: "=", SOME: "-", IN_FLIGHT: ">", MISSING: "."}
_STYLES = {
    DONE: "active",
    MOST: "active",
    SOME: "active",
    IN_FLIGHT: "key",
    MISSING: "faint",
}


def map_marks(
    finished: Iterable[tuple[int, int]],
    heads: Iterable[int],
    size: int,
    cells: int,
) -> str:
    """Draw a file of ``size`` bytes in ``cells`` characters.

    Args:
        finished: disjoint half-open ranges that are complete, sorted.
        heads: next byte of each range in flight; its cell shows ``▶``.
        size: bytes of the whole file.
        cells: characters to use.

    Returns:
        ``█`` complete, ``▓`` half or more, ``▒`` less, ``░`` nothing, ``▶`` bytes
        are arriving. A cell is full only when all of its bytes are complete.
    """
    if cells <= 0 or size <= 0:
        return ""
    # Stretch a file that is smaller than the map, so that every cell covers a byte.
    times = -(-cells // size)
    size *= times
    filled = [0] * cells
    for start, end in finished:
        _add_range(filled, start * times, min(end * times, size), size)
    drawn = []
    for index, count in enumerate(filled):
        span = _edge(index + 1, size, cells) - _edge(index, size, cells)
        if count >= span:
            drawn.append(DONE)
        elif count * 2 >= span:
            drawn.append(MOST)
        else:
            drawn.append(SOME if count else MISSING)
    for head in heads:
        if 0 <= head * times < size:
            drawn[head * times * cells // size] = IN_FLIGHT
    return "".join(drawn)


def _edge(index: int, size: int, cells: int) -> int:
    return -(-index * size // cells)


def _add_range(filled: list[int], start: int, end: int, size: int) -> None:
    cells = len(filled)
    if end <= start:
        return
    first = min(cells - 1, start * cells // size)
    last = min(cells - 1, (end - 1) * cells // size)
    for index in range(first, last + 1):
        low = max(start, _edge(index, size, cells))
        high = min(end, _edge(index + 1, size, cells))
        filled[index] += max(0, high - low)


def map_lines(
    detail: DetailSnapshot, width: int, height: int, *, is_ascii: bool = False
) -> list[Line]:
    """Draw the map of one download as ``height`` lines of ``width`` cells.

    If the length of the body is unknown, or which parts of it are on disk, return a
    line of text instead.
    """
    size = detail.row.size
    if size is None:
        is_unfinished = detail.row.state not in ENDED
        words = "Size unknown; map when complete" if is_unfinished else "Size unknown"
        return [[Span(words, "dim")]]
    if size == 0:
        return [[Span("empty file", "dim")]]
    # The part file is gone once the download is done, and its ranges with it.
    is_done = detail.row.state is DownloadState.DONE
    if not is_done and _is_unknown(detail):
        return [[Span("Map appears when it resumes", "dim")]]
    height = 1 if is_done else height  # it shows nothing more than that
    finished = [(0, size)] if is_done else _with_flight(detail)
    heads = [segment.at for segment in detail.segments]
    cells = map_marks(finished, heads, size, width * height)
    return [
        _to_spans(cells[at : at + width], is_ascii=is_ascii)
        for at in range(0, len(cells), width)
    ]


def _is_unknown(detail: DetailSnapshot) -> bool:
    """Return True after a restore: only the resume record has the ranges then."""
    row = detail.row
    is_known = bool(detail.finished or detail.segments)
    return bool(row.received) and row.state not in ACTIVE and not is_known


def _with_flight(detail: DetailSnapshot) -> list[tuple[int, int]]:
    """Add the bytes received by running ranges: they are the ones that change."""
    ranges = [
        *detail.finished,
        *((segment.start, segment.at) for segment in detail.segments),
    ]
    ranges.sort()
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > start:
            merged.append((start, end))
    return merged


def _to_spans(cells: Sequence[str], *, is_ascii: bool) -> Line:
    spans: list[Span] = []
    for mark in cells:
        text, style = (_ASCII[mark] if is_ascii else mark), _STYLES[mark]
        if spans and spans[-1].style == style:
            spans[-1] = Span(spans[-1].text + text, style)
        else:
            spans.append(Span(text, style))
    return spans

"""Text in terminal cells: state glyphs, bars, and text cut, wrapped or padded to fit.

Pure functions over strings. Colours are names of ``theme.Palette`` fields, so this
module does not depend on a theme. All widths are cells, not characters.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len, split_graphemes

from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
"""Frames of the spinner of an active row; one cell each."""
ASCII_SPINNER = "|/-\\"


class Appearance(NamedTuple):
    """How a state is shown; glyph, word and color each identify it alone."""

    glyph: str
    """One cell; an active download shows the spinner instead."""
    ascii_glyph: str
    word: str
    style: str
    """Name of a field of ``theme.Palette``."""


_S = DownloadState
_APPEARANCES: dict[DownloadState, Appearance] = {
    _S.QUEUED: Appearance("·", ".", "queued", "queued"),
    _S.PROBING: Appearance("◌", "~", "connecting", "probing"),
    _S.DOWNLOADING: Appearance("⠹", "|", "downloading", "active"),
    _S.WAITING: Appearance("↻", "r", "retry", "waiting"),
    _S.PAUSED: Appearance("‖", "p", "paused", "paused"),
    _S.VERIFYING: Appearance("≡", "=", "verifying", "verifying"),
    _S.DONE: Appearance("✓", "+", "done", "done"),
    _S.FAILED: Appearance("✗", "x", "failed", "failed"),
    _S.CANCELLED: Appearance("⊘", "-", "cancelled", "cancelled"),
}


_SAVING = _APPEARANCES[_S.VERIFYING]._replace(word="saving")


def appearance_of(state: DownloadState) -> Appearance:
    """Return the glyphs, the word and the style name of a state."""
    return _APPEARANCES[state]


def appearance_of_row(row: DownloadSnapshot) -> Appearance:
    """Return the appearance of a row's state.

    Without a checksum there is nothing to verify: the file is synced and renamed.
    """
    if row.state is _S.VERIFYING and not row.has_checksum:
        return _SAVING
    return _APPEARANCES[row.state]


def cells(text: str) -> int:
    """Return the width of ``text`` in cells."""
    return len(text) if text.isascii() else cell_len(text)


def _take(text: str, width: int) -> str:
    """Return the longest prefix of ``text`` that fits in ``width`` cells."""
    if text.isascii():
        return text[:width]
    used = end = 0
    for _, stop, size in split_graphemes(text)[0]:
        if used + size > width:
            break
        used += size
        end = stop
    return text[:end]


def _take_end(text: str, width: int) -> str:
    """Return the longest suffix of ``text`` that fits in ``width`` cells."""
    if width <= 0:
        return ""
    if text.isascii():
        return text[-width:]
    used = 0
    begin = len(text)
    for start, _, size in reversed(split_graphemes(text)[0]):
        if used + size > width:
            break
        used += size
        begin = start
    return text[begin:]


def fit(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """Return ``text`` in exactly ``width`` cells: padded, or cut with an ellipsis.

    Args:
        text: one line without control characters.
        width: cells to fill; 0 or less gives "".
        align: where the text goes if it is shorter than ``width``.
    """
    if width <= 0:
        return ""
    size = cells(text)
    if size > width:
        text = _take(text, width - 1) + "…"
        size = cells(text)
    pad = " " * (width - size)
    return pad + text if align == "right" else text + pad


def wrap(text: str, width: int) -> list[str]:
    """Break ``text`` into lines of ``width`` cells, at spaces where possible."""
    if width <= 0:
        return []
    rows: list[str] = []
    row = ""
    for word in text.split(" "):
        candidate = f"{row} {word}" if row else word
        if cells(candidate) <= width:
            row = candidate
            continue
        if row:
            rows.append(row)
        row = word
        while cells(row) > width:
            cut = 1
            while cut < len(row) and cells(row[: cut + 1]) <= width:
                cut += 1
            rows.append(row[:cut])
            row = row[cut:]
    return [*rows, row] if row or not rows else rows


@lru_cache(maxsize=4096)
def middle_ellipsis(text: str, width: int) -> str:
    """Shorten a name in the middle, keeping its extension.

    The end distinguishes the files of a series (``train-00017-of-00512.parquet``), so
    it gets at least two fifths of the width, and up to half of it if that keeps the
    extension and a few characters before it.

    Args:
        text: one line without control characters.
        width: cells at most.
    """
    if cells(text) <= width:
        return text
    if width <= 1:
        return "…"[: max(0, width)]
    room = width - 1
    extension = cells(text) - cells(text.rpartition(".")[0]) if "." in text else 0
    end = min(room // 2, max(room * 2 // 5, extension + 4))
    tail = _take_end(text, end)
    head = _take(text, room - cells(tail))
    return f"{head}…{tail}"


@lru_cache(maxsize=4096)
def _bar(halves: int, width: int, is_ascii: bool) -> tuple[str, str]:
    whole, half = divmod(halves, 2)
    if is_ascii:
        return "#" * whole, "-" * (width - whole)
    filled = "━" * whole + "╸" * half
    return filled, "─" * (width - whole - half)


def bar(
    fraction: float | None, width: int, *, is_ascii: bool = False
) -> tuple[str, str]:
    """Return the filled and the empty part of a bar of ``width`` cells.

    Rounds down to half cells: the bar is full only when the download is complete, and
    a change too small to see repaints nothing.

    Args:
        fraction: 0 to 1, clamped; ``None`` (unknown) gives an empty bar.
        width: cells.
        is_ascii: draw with ``#`` and ``-``.
    """
    if width <= 0:
        return "", ""
    part = min(1.0, max(0.0, fraction or 0.0))
    return _bar(int(part * width * 2), width, is_ascii)


def percent(fraction: float | None) -> str:
    """Return ``41.3%``, at most 6 cells; never ``100.0%`` before the end."""
    if fraction is None:
        return "—"
    if fraction >= 1:
        return "100%"
    return f"{min(99.9, max(0.0, fraction * 100)):.1f}%"


def done_fraction(row: DownloadSnapshot) -> float | None:
    """Return the fraction received, 0 to 1; ``None`` while the size is unknown."""
    if row.state is DownloadState.DONE:
        return 1.0
    if row.size is None:
        return None
    if row.size == 0:
        return 0.0
    return min(1.0, row.received / row.size)


def spinner_frame(tick: int, *, is_ascii: bool = False) -> str:
    """Return the spinner's frame for a tick counter."""
    frames = ASCII_SPINNER if is_ascii else SPINNER
    return frames[tick % len(frames)]


def count(number: int) -> str:
    """Return a count with thousands separators: ``61,204``."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """Return a number in at most four cells: ``999``, ``1.9k``, ``100k``, ``12M``."""
    for unit, factor in (("M", 1_000_000), ("k", 1_000)):
        if number >= factor:
            whole = number * 10 // factor / 10  # never rounded up
            return f"{whole:.1f}{unit}" if whole < 10 else f"{int(whole)}{unit}"
    return str(number)

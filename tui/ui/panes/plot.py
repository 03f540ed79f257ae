"""Drawing numbers in cells: sparks, filled graphs and their axis, without a widget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tui.ui.panes.pane import Line, Span
from tui.ui.style.format import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def axis_labels(top: float, rows: int, name: Callable[[float], str]) -> list[str]:
    """Labels of a graph from the top row down: the top, the middle and 0."""
    labels = [""] * rows
    labels[0] = name(top)
    if rows >= 4:
        labels[rows // 2] = name(top / 2)
    if rows >= 2:
        labels[-1] = "0"
    return labels


def label_width(top: float, name: Callable[[float], str]) -> int:
    """Cells that the labels need, whatever the number of rows."""
    return max(cells(name(top)), cells(name(top / 2)))


def graph_columns(width: int, labels: int, *, is_ascii: bool = False) -> int:
    """Columns of a graph ``width`` cells wide with its labels."""
    return max(1, (width - labels - 1) * (1 if is_ascii else 2))


def axis_graph(
    values: Sequence[float],
    width: int,
    rows: int,
    top: float,
    name: Callable[[float], str],
    *,
    style: str = "active",
    is_ascii: bool = False,
) -> list[Line]:
    """Draw values with an axis at their left.

    Args:
        values: oldest first.
        width: cells, labels included.
        rows: lines, at least 1.
        top: value at the upper edge.
        name: prints a value of the axis.
        style: of the filled area.
        is_ascii: only characters below 0x80.
    """
    room = label_width(top, name)
    columns = graph_columns(width, room, is_ascii=is_ascii)
    graph = filled_graph(
        spread(values, columns), width - room - 1, rows, top, is_ascii=is_ascii
    )
    tick, line = "+|" if is_ascii else "┤│"
    return [
        [
            Span(label.rjust(room), "dim"),
            Span(tick if label else line, "faint"),
            Span(row, style),
        ]
        for label, row in zip(axis_labels(top, rows, name), graph, strict=False)
    ]


_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = " .:-=+*#"
_ASCII_FILL = " .:#"
_BRAILLE = 0x2800
# Dots of a braille cell from the bottom up (Unicode 2800 block: dot n is bit n-1;
# dots 7 and 8 were added later, which is why the lowest row is out of order).
_LEFT_DOTS = (0x40, 0x04, 0x02, 0x01)
_RIGHT_DOTS = (0x80, 0x20, 0x10, 0x08)
_SHRINK_AFTER_S = 10.0
_HISTORY = 120
"""Values that a full history holds (``EngineSnapshot.history``)."""


def spark(
    values: Sequence[float],
    width: int,
    top: float = 0.0,
    *,
    is_ascii: bool = False,
) -> str:
    """Draw the newest ``width`` values as one line of blocks, newest at the right.

    Args:
        values: oldest first; negative and non-finite ones count as 0.
        width: cells; the result is exactly that wide, padded at the left.
        top: value of a full block; 0 takes the largest value shown.
        is_ascii: only characters below 0x80.

    A value above zero always shows: a queue of 1 must not look like an empty one.
    """
    ramp = _ASCII_BLOCKS if is_ascii else _BLOCKS
    shown = [_sane(value) for value in values[-width:]] if width > 0 else []
    top = max(top, 0.0) or max(shown, default=0.0)
    last = len(ramp) - 1
    cells = [
        ramp[min(last, max(1, round(value / top * last)))] if value > 0 else ramp[0]
        for value in shown
    ]
    return "".join(cells).rjust(max(0, width))


def filled_graph(
    values: Sequence[float],
    width: int,
    height: int,
    top: float,
    *,
    is_ascii: bool = False,
) -> list[str]:
    """Draw values as a filled area, newest at the right edge.

    Braille has 2 columns and 4 rows a cell, the ASCII form 1 column and 3 shades.

    Args:
        values: one a column, oldest first.
        width: cells.
        height: rows.
        top: value at the upper edge; what is above is cut.
        is_ascii: only characters below 0x80.

    Returns:
        ``height`` rows from the top down, each exactly ``width`` wide.
    """
    if width <= 0 or height <= 0:
        return []
    per_cell, shades = (1, len(_ASCII_FILL) - 1) if is_ascii else (2, 4)
    columns = width * per_cell
    shown = [_sane(value) for value in values[-columns:]]
    full = height * shades
    levels = [0] * (columns - len(shown)) + [
        min(full, max(1, round(value / top * full))) if value > 0 and top > 0 else 0
        for value in shown
    ]
    rows = []
    for row in range(height):
        floor = (height - 1 - row) * shades
        parts = [min(shades, max(0, level - floor)) for level in levels]
        if is_ascii:
            rows.append("".join(_ASCII_FILL[part] for part in parts))
        else:
            rows.append(
                "".join(
                    _braille(parts[at], parts[at + 1]) for at in range(0, columns, 2)
                )
            )
    return rows


def _braille(left: int, right: int) -> str:
    if not left and not right:
        return " "  # U+2800 is drawn with hollow dots by some fonts
    return chr(_BRAILLE + sum(_LEFT_DOTS[:left]) + sum(_RIGHT_DOTS[:right]))


def repeats(columns: int) -> int:
    """Return how many columns one value takes in a graph of so many columns."""
    return max(1, -(-columns // _HISTORY))


def spread(values: Sequence[float], columns: int) -> list[float]:
    """Repeat the newest values so that a full history fills ``columns``.

    Whole repeats only: with others a value's width would change as it moves left.
    """
    times = repeats(columns)
    count = -(-columns // times)
    shown = values[-count:] if count > 0 else ()
    return [value for value in shown for _ in range(times)]


def step_above(value: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50, ... that is not below ``value``."""
    if value <= 1 or not math.isfinite(value):
        return 1.0
    base = 10.0 ** math.floor(math.log10(value))
    for step in (1, 2, 5, 10):
        # A hair of tolerance: 1000.0000000001 from smoothing is still 1000.
        if value <= step * base * (1 + 1e-9):
            return step * base
    return 10 * base  # pragma: no cover - log10 rounded down at a power of ten


class Axis:
    """The upper edge of a graph: grows at once, shrinks only after 10 calm seconds.

    Without the wait an axis flips between two steps as often as the speed does, and
    the whole graph jumps with it.
    """

    def __init__(self) -> None:
        self.top = 1.0
        """Value at the upper edge, one of 1-2-5 times a power of ten."""
        self._fits_since_s: float | None = None

    def follow(self, largest: float, now_s: float) -> float:
        """Take the largest value shown at ``now_s`` (monotonic) and return the top."""
        wanted = step_above(largest)
        if wanted >= self.top:
            self.top = wanted
            self._fits_since_s = None
        elif self._fits_since_s is None:
            self._fits_since_s = now_s
        elif now_s - self._fits_since_s >= _SHRINK_AFTER_S:
            self.top = wanted
            self._fits_since_s = None
        return self.top


def milliseconds(seconds: float) -> str:
    """Print a short duration in at most 7 cells: ``0.4 ms``, ``31 ms``, ``1.2 s``."""
    value = _sane(seconds) * 1000
    if value >= 999.5:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if value < 9.95 else f"{value:.0f} ms"


def _sane(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0

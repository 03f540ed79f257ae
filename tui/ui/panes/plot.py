"""Draws numbers in cells: sparklines, and filled graphs with an axis. No widgets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tui.ui.panes.pane import Line, Span
from tui.ui.style.format import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def axis_labels(top: float, rows: int, name: Callable[[float], str]) -> list[str]:
    """Return a label for each row from the top down: the top, the middle and 0."""
    labels = [""] * rows
    labels[0] = name(top)
    if rows >= 4:
        labels[rows // 2] = name(top / 2)
    if rows >= 2:
        labels[-1] = "0"
    return labels


def label_width(top: float, name: Callable[[float], str]) -> int:
    """Return the cells that the labels need, for any number of rows."""
    return max(cells(name(top)), cells(name(top / 2)))


def graph_columns(width: int, labels: int, *, is_ascii: bool = False) -> int:
    """Return the number of columns in a graph of ``width`` cells, labels included."""
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
    """Draw values as a filled graph with an axis on its left.

    Args:
        values: oldest first.
        width: cells, labels included.
        rows: lines, at least 1.
        top: value at the upper edge.
        name: formats a value for the axis.
        style: style of the filled area.
        is_ascii: use only characters below 0x80.
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
# Dots of a braille cell from the bottom up. In Unicode's 2800 block dot n is bit n-1;
# dots 7 and 8 were added later, so the lowest row breaks the sequence.
_LEFT_DOTS = (0x40, 0x04, 0x02, 0x01)
_RIGHT_DOTS = (0x80, 0x20, 0x10, 0x08)
_SHRINK_AFTER_S = 10.0
_HISTORY = 120
"""Length of a full history (``EngineSnapshot.history``)."""


def spark(
    values: Sequence[float],
    width: int,
    top: float = 0.0,
    *,
    is_ascii: bool = False,
) -> str:
    """Draw the newest ``width`` values as one line of blocks, newest on the right.

    Args:
        values: oldest first; negative and non-finite ones count as 0.
        width: cells; the result is padded on the left to this width.
        top: value of a full block; 0 uses the largest value shown.
        is_ascii: use only characters below 0x80.

    A value above zero is always visible: a queue of 1 must not look empty.
    """
    ramp = _ASCII_BLOCKS if is_ascii else _BLOCKS
    shown = [_non_negative(value) for value in values[-width:]] if width > 0 else []
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

    A braille cell has 2 columns and 4 rows, an ASCII cell 1 column and 3 shades.

    Args:
        values: one per column, oldest first.
        width: cells.
        height: rows.
        top: value at the upper edge; higher values are cut off.
        is_ascii: use only characters below 0x80.

    Returns:
        ``height`` rows from the top down, each ``width`` cells wide.
    """
    if width <= 0 or height <= 0:
        return []
    per_cell, shades = (1, len(_ASCII_FILL) - 1) if is_ascii else (2, 4)
    columns = width * per_cell
    shown = [_non_negative(value) for value in values[-columns:]]
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
    """Return how many columns one value takes in a graph of ``columns``."""
    return max(1, -(-columns // _HISTORY))


def spread(values: Sequence[float], columns: int) -> list[float]:
    """Repeat the newest values so that a full history fills ``columns``.

    Every value is repeated equally often: otherwise its width would change as it
    moves left.
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
        # Tolerate rounding: 1000.0000000001 from smoothing is still 1000.
        if value <= step * base * (1 + 1e-9):
            return step * base
    return 10 * base  # pragma: no cover - log10 rounded down at a power of ten


class Axis:
    """The upper edge of a graph: grows immediately, shrinks after 10 seconds.

    Without the delay the axis would flip between two steps as often as the speed
    does, and the whole graph with it.
    """

    def __init__(self) -> None:
        self.top = 1.0
        """Value at the upper edge, one of 1-2-5 times a power of ten."""
        self._fits_since_s: float | None = None

    def follow(self, largest: float, now_s: float) -> float:
        """Return the top for the largest value shown at ``now_s`` (monotonic)."""
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
    """Format a short duration in at most 7 cells: ``0.4 ms``, ``31 ms``, ``1.2 s``."""
    value = _non_negative(seconds) * 1000
    if value >= 999.5:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if value < 9.95 else f"{value:.0f} ms"


def _non_negative(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0

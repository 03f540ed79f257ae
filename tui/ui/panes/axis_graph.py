"""A filled graph beside its axis, as lines of a pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.ui.panes.pane import Line, Span
from tui.ui.panes.plot import filled_graph, spread
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


def columns_for(width: int, labels: int, *, is_ascii: bool = False) -> int:
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
    columns = columns_for(width, room, is_ascii=is_ascii)
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

"""The throughput pane: speed over the last minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tui.core.text.units import format_rate, format_size
from tui.ui.keys.keymap import key_of
from tui.ui.panes.diagnosis import diagnosis_spans
from tui.ui.panes.pane import Line, Pane, Span, justify
from tui.ui.panes.plot import (
    Axis,
    axis_graph,
    graph_columns,
    label_width,
    repeats,
    spark,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import EngineSnapshot


class ThroughputGraph(Pane):
    """A graph of bytes per second.

    Call ``show`` whenever the header is drawn, or both would show different speeds at
    the same time. The graph itself is computed only when the history has changed.
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, **options: Any
    ) -> None:
        """Create the pane.

        Args:
            monotonic: clock for the axis, which waits before it shrinks.
            options: of any Textual widget.
        """
        super().__init__(**options)
        self._monotonic = monotonic
        self._axis = Axis()
        self._top = 1.0
        self._snapshot: EngineSnapshot | None = None
        self._graph: list[Line] = []
        self._graph_of: tuple[object, ...] = ()
        """What the graph was computed from."""
        self._shown: tuple[object, ...] = ()

    def show(self, snapshot: EngineSnapshot) -> None:
        """Draw the history and figures of a snapshot."""
        self._snapshot = snapshot
        largest = max(snapshot.history, default=0.0)
        self._top = self._axis.follow(largest, self._monotonic())
        rates = (snapshot.speed, snapshot.average, snapshot.peak)
        words = map(format_rate, rates)
        shown = (*words, snapshot.history, self._top, snapshot.diagnosis)
        if shown != self._shown:
            self._shown = shown
            self.redraw()

    def title(self) -> Line:
        """Return name and key."""
        return [Span("Throughput ", "title"), Span(f"[{key_of('graph')}]", "key")]

    def corner(self) -> Line:
        """Return the time that the graph covers."""
        if self._snapshot is None or not self._snapshot.history:
            return []
        labels = label_width(self._top, axis_label)
        columns = graph_columns(self.size.width - 4, labels, is_ascii=self.is_ascii)
        seconds = min(len(self._snapshot.history), -(-columns // repeats(columns)))
        return [Span(f"{seconds} s", "dim")]

    def body(self, width: int, height: int) -> list[Line]:
        """Return the graph above the figures, or only figures if it does not fit."""
        snapshot = self._snapshot
        if snapshot is None:
            return []
        figures = [speed_line(snapshot, width)]
        rows = height - len(figures)
        if rows < 2:
            return figures[:height]
        if not any(snapshot.history) and self._top <= 1.0:
            return [*([[]] * rows), *figures]  # an axis would have no scale
        graph_of = (snapshot.history, width, rows, self._top, self.is_ascii)
        if graph_of != self._graph_of:
            self._graph_of = graph_of
            self._graph = axis_graph(
                snapshot.history,
                width,
                rows,
                self._top,
                axis_label,
                is_ascii=self.is_ascii,
            )
        return [*self._graph, *figures]

    def folded(self, width: int) -> Line:
        """Return name, a sparkline of the history, and speed."""
        snapshot = self._snapshot
        if snapshot is None:
            return [Span(" net", "title")]
        right = [Span(format_rate(snapshot.speed).rjust(10), "strong")]
        diagnosis = diagnosis_spans(snapshot, is_short=True)
        if width >= 70 and diagnosis:
            right += [Span("  "), *diagnosis, Span(" ")]
        elif width >= 70:
            right.append(Span(f"  peak {format_rate(snapshot.peak):>10} ", "dim"))
        else:
            right.append(Span(" "))
        left = [Span(" net  ", "title")]
        room = min(120, width - 7 - sum(len(span.text) for span in right))
        graph = spark(snapshot.history, room, self._top, is_ascii=self.is_ascii)
        return justify([*left, Span(graph, "active")], right, width)


def axis_label(value: float) -> str:
    """Format a value for the axis without trailing zeros: ``500 MB``."""
    number, _, unit = format_size(value).partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}" if value else "0"


def speed_line(snapshot: EngineSnapshot, width: int) -> Line:
    """Return ``now 342 MB/s  avg 318 MB/s  peak 412 MB/s``, or as much as fits."""
    line = [Span("now ", "dim"), Span(format_rate(snapshot.speed), "strong")]
    for word, rate in (("avg", snapshot.average), ("peak", snapshot.peak)):
        more = [Span(f"  {word} ", "dim"), Span(format_rate(rate))]
        if sum(len(span.text) for span in (*line, *more)) <= width:
            line += more
    return line

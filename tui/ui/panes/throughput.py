"""The speed of the last minute or two as a filled graph, with the loop's lag."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tui.core.text.units import format_rate, format_size
from tui.ui.bars.bottleneck_line import diagnosis_spans
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, justify
from tui.ui.panes.plot import (
    Axis,
    axis_graph,
    graph_columns,
    label_width,
    milliseconds,
    repeats,
    spark,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import EngineSnapshot

LAG_WARN_S = 0.05
"""Loop lag at which keys begin to feel late, seconds."""


class ThroughputGraph(Pane):
    """Bytes per second over time; show it a snapshot about every half second."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, **options: Any
    ) -> None:
        """Take a clock for the axis, which waits before it shrinks."""
        super().__init__(**options)
        self._monotonic = monotonic
        self._axis = Axis()
        self._top = 1.0
        self._snapshot: EngineSnapshot | None = None

    def show(self, snapshot: EngineSnapshot) -> None:
        """Draw this snapshot's history and figures."""
        self._snapshot = snapshot
        largest = max(snapshot.history, default=0.0)
        self._top = self._axis.follow(largest, self._monotonic())
        self.redraw()

    def title(self) -> Line:
        """Name and key."""
        return [Span("Throughput ", "title"), Span(f"[{key_of('graph')}]", "key")]

    def corner(self) -> Line:
        """How far back the graph reaches."""
        if self._snapshot is None or not self._snapshot.history:
            return []
        labels = label_width(self._top, axis_label)
        columns = graph_columns(self.size.width - 4, labels, is_ascii=self.is_ascii)
        seconds = min(len(self._snapshot.history), -(-columns // repeats(columns)))
        return [Span(f"{seconds} s", "dim")]

    def body(self, width: int, height: int) -> list[Line]:
        """Graph above, figures below; the figures win when there is little room."""
        snapshot = self._snapshot
        if snapshot is None:
            return []
        figures = [
            speed_line(snapshot, width),
            lag_line(snapshot, width, self.is_ascii),
        ]
        rows = height - len(figures)
        if rows < 2:
            return figures[:height]
        graph = axis_graph(
            snapshot.history,
            width,
            rows,
            self._top,
            axis_label,
            is_ascii=self.is_ascii,
        )
        return [*graph, *figures]

    def folded(self, width: int) -> Line:
        """A spark of the history between name and speed."""
        snapshot = self._snapshot
        if snapshot is None:
            return [Span(" net", "title")]
        right = [Span(format_rate(snapshot.speed).rjust(10), "strong")]
        verdict = diagnosis_spans(snapshot, is_short=True)
        if width >= 70 and verdict:
            right += [Span("  "), *verdict, Span(" ")]
        elif width >= 70:
            right.append(Span(f"  peak {format_rate(snapshot.peak):>10} ", "dim"))
        else:
            right.append(Span(" "))
        left = [Span(" net  ", "title")]
        room = min(120, width - 7 - sum(len(span.text) for span in right))
        graph = spark(snapshot.history, room, self._top, is_ascii=self.is_ascii)
        return justify([*left, Span(graph, "active")], right, width)


def axis_label(value: float) -> str:
    """Print a value of the axis: ``500 MB``, without needless digits."""
    number, _, unit = format_size(value).partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}" if value else "0"


def speed_line(snapshot: EngineSnapshot, width: int) -> Line:
    """``now 342 MB/s  avg 318 MB/s  peak 412 MB/s``; peak goes first when narrow."""
    line = [Span("now ", "dim"), Span(format_rate(snapshot.speed), "strong")]
    for word, rate in (("avg", snapshot.average), ("peak", snapshot.peak)):
        more = [Span(f"  {word} ", "dim"), Span(format_rate(rate))]
        if sum(len(span.text) for span in (*line, *more)) <= width:
            line += more
    return line


def lag_line(snapshot: EngineSnapshot, width: int, is_ascii: bool = False) -> Line:
    """Loop lag in figures, with a spark of its past where there is room."""
    loop = snapshot.loop
    style = "warn" if loop.p99_s >= LAG_WARN_S else "text"
    line = [
        Span("loop ", "dim"),
        Span("p50 ", "dim"),
        Span(milliseconds(loop.p50_s)),
        Span("  p99 ", "dim"),
        Span(milliseconds(loop.p99_s), style),
    ]
    room = min(24, width - sum(len(span.text) for span in line) - 2)
    if room >= 4:
        # At least 50 ms to the top, or a calm loop's jitter would look like a storm.
        top = max(LAG_WARN_S, *loop.history_s[-room:], 0.0)
        graph = spark(loop.history_s, room, top, is_ascii=is_ascii)
        line += [Span("  "), Span(graph, style if style == "warn" else "verifying")]
    return line

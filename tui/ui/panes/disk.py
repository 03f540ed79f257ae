"""The disk pane: what the writer threads do, and how that affects the event loop.

All blocking work goes through ``run_in_executor``; here the user can watch it, tune it
and, for comparison, switch it off.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.core.text.units import format_rate
from tui.ui.keys.keymap import key_of
from tui.ui.panes.disk_lines import (
    FULL,
    batch_line,
    buffer_line,
    comparison_line,
    history_lines,
    queue_and_buffer_line,
    queue_line,
    queue_top,
    short_line,
    worker_lines,
    write_line,
)
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.panes.plot import milliseconds, spark
from tui.ui.panes.throughput import lag_line
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import EngineSnapshot

BOTTLENECK = "disk is the bottleneck: reads are paused"
INLINE_WARNING = "INLINE (blocks the loop!)"
_INLINE_SHORT = "INLINE blocks the loop!"
_MIN_GRAPH_LINES = 9
"""Spare lines from which the history is drawn as graphs."""
_SAMPLE_S = 0.5
_FULL_FOR_S = 1.0
_COMPARE_FOR_S = 60.0


class LagComparison:
    """Compares loop lag before and after switching inline writes on or off."""

    def __init__(self) -> None:
        self._is_inline = False
        self._last_p99_s = 0.0
        self._before_s: float | None = None
        self._changed_at_s = 0.0

    def update(
        self, is_inline: bool, p99_s: float, now_s: float
    ) -> tuple[str, float, str, float] | None:
        """Record the state at ``now_s`` (monotonic).

        Returns:
            Mode and p99 in seconds before the switch, mode and p99 now; ``None`` if
            nothing was switched in the last minute.
        """
        if is_inline != self._is_inline:
            self._is_inline = is_inline
            self._before_s = self._last_p99_s
            self._changed_at_s = now_s
        self._last_p99_s = p99_s
        is_old = now_s - self._changed_at_s > _COMPARE_FOR_S and not is_inline
        if self._before_s is None or is_old:
            return None
        modes = ("executor", "inline") if is_inline else ("inline", "executor")
        return modes[0], self._before_s, modes[1], p99_s


class DiskPane(Pane):
    """A line per writer thread, then queue, buffer, speed and loop lag."""

    @dataclass
    class WritersChanged(Message):
        """Asks for more or fewer writer threads."""

        delta: int

    class InlineToggled(Message):
        """Asks to write on the event loop, or in the executor again."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, **options: Any
    ) -> None:
        """Create the pane.

        Args:
            monotonic: clock by which the queue's history is sampled.
            options: of any Textual widget.
        """
        super().__init__(**options)
        self._monotonic = monotonic
        self._snapshot: EngineSnapshot | None = None
        self._queued: deque[int] = deque(maxlen=240)
        self._sampled_at_s = -1.0
        self._full_since_s: float | None = None
        self._comparison = LagComparison()
        self._compared: tuple[str, float, str, float] | None = None
        self.is_bottleneck = False
        """Whether the buffer has been full for a second."""

    def show(self, snapshot: EngineSnapshot) -> None:
        """Draw a snapshot and sample its queue."""
        now = self._monotonic()
        disk = snapshot.disk
        if self._sampled_at_s < 0 or now - self._sampled_at_s >= _SAMPLE_S:
            self._queued.append(disk.queued)
            self._sampled_at_s = now
        else:
            # Keep the peak between two samples: the graph is there to show bursts.
            self._queued[-1] = max(self._queued[-1], disk.queued)
        if disk.in_flight_limit and disk.in_flight >= disk.in_flight_limit * FULL:
            if self._full_since_s is None:
                self._full_since_s = now
            self.is_bottleneck = now - self._full_since_s >= _FULL_FOR_S
        else:
            self._full_since_s = None
            self.is_bottleneck = False
        self._compared = self._comparison.update(
            disk.is_inline, snapshot.loop.p99_s, now
        )
        self._snapshot = snapshot
        self.ticks += 1
        self.redraw()

    # -- the frame -------------------------------------------------------------------

    def title(self) -> Line:
        """Return name and key; shorten the name to leave space for the mode."""
        name = "Disk writers " if self.size.width >= 50 else "Disk "
        return [Span(name, "title"), Span(f"[{key_of('disk')}]", "key")]

    def corner(self) -> Line:
        """Return where writes run."""
        if self._snapshot is None:
            return []
        disk = self._snapshot.disk
        if disk.is_inline:
            is_wide = self.size.width >= 42
            return [Span(INLINE_WARNING if is_wide else _INLINE_SHORT, "warn")]
        return [Span(f"executor {disk.writers}", "strong")]

    def foot(self) -> Line:
        """Return the buttons."""
        if self._snapshot is None:
            return []
        word = "[to executor]" if self._snapshot.disk.is_inline else "[inline]"
        return [
            Span("[-]", "key", "fewer"),
            Span(" writers ", "dim"),
            Span("[+]", "key", "more"),
            Span("  "),
            Span(word, "key", "inline"),
        ]

    def pressed(self, action: str) -> None:
        """Post the message that belongs to a button."""
        if action == "inline":
            self.post_message(self.InlineToggled())
        else:
            self.post_message(self.WritersChanged(1 if action == "more" else -1))

    # -- the lines -------------------------------------------------------------------

    def body(self, width: int, height: int) -> list[Line]:
        """Return threads, alerts and figures; figures are shortened, alerts never."""
        snapshot = self._snapshot
        if snapshot is None:
            return []
        disk = snapshot.disk
        alerts = self._alerts(width)
        room = height - len(alerts)
        figures = self._figures(snapshot, width, room - len(disk.workers))
        workers = worker_lines(
            disk.workers,
            width,
            max(0, room - len(figures)),
            self.spinner(),
            self.is_ascii,
        )
        lines = [*workers, *alerts, *figures]
        left = height - len(lines)
        if left >= _MIN_GRAPH_LINES:
            history = snapshot.loop.history_s
            lines += history_lines(
                history, list(self._queued), width, left, self.is_ascii
            )
        return lines

    def _alerts(self, width: int) -> list[Line]:
        lines: list[Line] = []
        if self._compared is not None:
            lines.append(comparison_line(*self._compared, width, self.is_ascii))
        if self.is_bottleneck:
            glyph = "!" if self.is_ascii else "▲"
            lines.append([Span(f"{glyph} {BOTTLENECK}"[:width], "warn")])
        return lines

    def _figures(self, snapshot: EngineSnapshot, width: int, room: int) -> list[Line]:
        """Return the figures in five lines, or abridged in three or two."""
        disk, is_ascii = snapshot.disk, self.is_ascii
        lag = lag_line(snapshot, width, is_ascii)
        if room >= 5:
            return [
                queue_line(list(self._queued), disk.queued, width, is_ascii),
                buffer_line(disk, width, is_ascii),
                write_line(disk, width),
                batch_line(disk, width),
                lag,
            ]
        if room >= 3:
            return [
                queue_and_buffer_line(list(self._queued), disk, width, is_ascii),
                write_line(disk, width),
                lag,
            ]
        brief = short_line(disk, is_ascii)
        loop = [
            Span("loop ", "dim"),
            Span(milliseconds(snapshot.loop.p99_s), lag[4].style),
        ]
        return [write_line(disk, width), justify(brief, loop, width)]

    def folded(self, width: int) -> Line:
        """Return the most important figures, with the queue's history if it fits."""
        if self._snapshot is None:
            return [Span(" disk", "title")]
        disk = self._snapshot.disk
        style = "warn" if self.is_bottleneck else "text"
        speed = Span(f"{format_rate(disk.speed):>10}", "strong")
        mode = (
            Span("  INLINE!", "warn")
            if disk.is_inline
            else Span(f"  {disk.writers} writers", "dim")
        )
        right = [
            speed,
            mode,
            Span("  queue ", "dim"),
            Span(count(disk.queued), style),
            Span("  p99 ", "dim"),
            Span(milliseconds(disk.p99_s)),
            Span(" "),
        ]
        room = width - 7 - line_width(right)
        if room < 6:
            return [Span(" disk ", "title"), *right]
        if self.is_bottleneck and room >= len(BOTTLENECK):
            return justify(
                [Span(" disk ", "title"), Span(BOTTLENECK, "warn")], right, width
            )
        queue = list(self._queued)
        graph = spark(queue, room, queue_top(queue), is_ascii=self.is_ascii)
        left = [Span(" disk ", "title"), Span(graph, "verifying")]
        return justify(left, right, width)

"""What the writer threads do right now, and what the event loop feels of it.

Everything that blocks goes through ``run_in_executor``; this pane is where that can be
watched, tuned and, for a moment, switched off.
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

BOTTLENECK = "disk is the bottleneck: reading waits"
INLINE_WARNING = "INLINE (blocks the loop!)"
_INLINE_SHORT = "INLINE blocks the loop!"
_GRAPHS_FROM = 9
"""Spare lines from which the past is drawn large."""
_SAMPLE_S = 0.5
_FULL_FOR_S = 1.0
_COMPARED_FOR_S = 60.0


class LagComparison:
    """Loop lag before and after the writes moved onto the loop, or off it."""

    def __init__(self) -> None:
        self._is_inline = False
        self._last_p99_s = 0.0
        self._before_s: float | None = None
        self._changed_at_s = 0.0

    def follow(
        self, is_inline: bool, p99_s: float, now_s: float
    ) -> tuple[str, float, str, float] | None:
        """Take the state at ``now_s`` (monotonic).

        Returns:
            Mode and p99 (seconds) before, mode and p99 now; ``None`` while nothing was
            switched in the last minute.
        """
        if is_inline != self._is_inline:
            self._is_inline = is_inline
            self._before_s = self._last_p99_s
            self._changed_at_s = now_s
        self._last_p99_s = p99_s
        is_old = now_s - self._changed_at_s > _COMPARED_FOR_S and not is_inline
        if self._before_s is None or is_old:
            return None
        modes = ("executor", "inline") if is_inline else ("inline", "executor")
        return modes[0], self._before_s, modes[1], p99_s


class DiskPane(Pane):
    """One line an executor slot, then queue, bytes in flight, speed and loop lag."""

    @dataclass
    class WritersChanged(Message):
        """A wish for more or fewer writer threads."""

        delta: int

    class InlineToggled(Message):
        """A wish to write on the loop, or in the executor again."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, **options: Any
    ) -> None:
        """Take a clock that samples the queue's history."""
        super().__init__(**options)
        self._monotonic = monotonic
        self._snapshot: EngineSnapshot | None = None
        self._queued: deque[int] = deque(maxlen=240)
        self._sampled_at_s = -1.0
        self._full_since_s: float | None = None
        self._comparison = LagComparison()
        self._compared: tuple[str, float, str, float] | None = None
        self.is_bottleneck = False
        """Bytes in flight have been at the limit for a second."""

    def show(self, snapshot: EngineSnapshot) -> None:
        """Draw this snapshot and remember what its history needs."""
        now = self._monotonic()
        disk = snapshot.disk
        if self._sampled_at_s < 0 or now - self._sampled_at_s >= _SAMPLE_S:
            self._queued.append(disk.queued)
            self._sampled_at_s = now
        else:
            # A burst between two samples is what the graph is for.
            self._queued[-1] = max(self._queued[-1], disk.queued)
        if disk.in_flight_limit and disk.in_flight >= disk.in_flight_limit * FULL:
            if self._full_since_s is None:
                self._full_since_s = now
            self.is_bottleneck = now - self._full_since_s >= _FULL_FOR_S
        else:
            self._full_since_s = None
            self.is_bottleneck = False
        self._compared = self._comparison.follow(
            disk.is_inline, snapshot.loop.p99_s, now
        )
        self._snapshot = snapshot
        self.ticks += 1
        self.redraw()

    # -- the frame -------------------------------------------------------------------

    def title(self) -> Line:
        """Name and key; the mode beside it is worth more than the full name."""
        name = "Disk writers " if self.size.width >= 50 else "Disk "
        return [Span(name, "title"), Span(f"[{key_of('disk')}]", "key")]

    def corner(self) -> Line:
        """Where writes run."""
        if self._snapshot is None:
            return []
        disk = self._snapshot.disk
        if disk.is_inline:
            is_wide = self.size.width >= 42
            return [Span(INLINE_WARNING if is_wide else _INLINE_SHORT, "warn")]
        return [Span(f"executor {disk.writers}", "strong")]

    def foot(self) -> Line:
        """Buttons."""
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
        """Turn a click into a wish."""
        if action == "inline":
            self.post_message(self.InlineToggled())
        else:
            self.post_message(self.WritersChanged(1 if action == "more" else -1))

    # -- the lines -------------------------------------------------------------------

    def body(self, width: int, height: int) -> list[Line]:
        """Slots first, news next, figures below; figures shrink, news never does."""
        snapshot = self._snapshot
        if snapshot is None:
            return []
        disk = snapshot.disk
        news = self._news(width)
        room = height - len(news)
        figures = self._figures(snapshot, width, room - len(disk.workers))
        slots = worker_lines(
            disk.workers,
            width,
            max(0, room - len(figures)),
            self.spinner(),
            self.is_ascii,
        )
        lines = [*slots, *news, *figures]
        left = height - len(lines)
        if left >= _GRAPHS_FROM:
            history = snapshot.loop.history_s
            lines += history_lines(
                history, list(self._queued), width, left, self.is_ascii
            )
        return lines

    def _news(self, width: int) -> list[Line]:
        lines: list[Line] = []
        if self._compared is not None:
            lines.append(comparison_line(*self._compared, width, self.is_ascii))
        if self.is_bottleneck:
            glyph = "!" if self.is_ascii else "▲"
            lines.append([Span(f"{glyph} {BOTTLENECK}"[:width], "warn")])
        return lines

    def _figures(self, snapshot: EngineSnapshot, width: int, room: int) -> list[Line]:
        """Five lines, or three or two that say the same in fewer words."""
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
        """The figures that matter most, with the queue's history if it fits."""
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
            Span("  q ", "dim"),
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

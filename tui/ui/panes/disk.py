"""The disk pane: what the writer threads do, and how that affects the event loop.

All blocking work goes through ``run_in_executor``; here the user can watch it, tune it
and, for comparison, switch it off.
"""

from __future__ import annotations

import time
from collections import deque
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
    lag_line,
    queue_and_buffer_line,
    queue_line,
    queue_top,
    short_line,
    worker_lines,
    write_line,
)
from tui.ui.panes.lag_comparison import Comparison, LagComparison
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.panes.plot import milliseconds, spark
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.snapshot import EngineSnapshot, WorkerSnapshot

BOTTLENECK = "disk is the bottleneck: reads are paused"
INLINE_WARNING = "INLINE (blocks the loop!)"
_INLINE_SHORT = "INLINE blocks the loop!"
_MIN_GRAPH_LINES = 9
"""Spare lines from which the history is drawn as graphs."""
_SAMPLE_S = 0.5
_FULL_FOR_S = 1.0
_BUSY_WINDOW_S = 3.0


class BusyShares:
    """Which fraction of the last seconds each writer thread was busy."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque()

    def update(self, workers: Sequence[WorkerSnapshot], now_s: float) -> list[float]:
        """Add a sample at ``now_s`` (monotonic) and return the fractions."""
        busy = tuple(worker.busy_s for worker in workers)
        samples = self._samples
        if samples and len(samples[-1][1]) != len(busy):
            samples.clear()
        samples.append((now_s, busy))
        while len(samples) > 2 and samples[1][0] <= now_s - _BUSY_WINDOW_S:
            samples.popleft()
        at_s, before = samples[0]
        span = max(now_s - at_s, 0.001)
        return [
            min(1.0, max(0.0, (now - then) / span))
            for now, then in zip(busy, before, strict=True)
        ]


class DiskPane(Pane):
    """A line per writer thread, then queue, buffer, speed and loop lag."""

    class WritersChanged(Message):
        """Asks for more or fewer writer threads."""

        def __init__(self, delta: int) -> None:
            super().__init__()
            self.delta = delta

    class InlineToggled(Message):
        """Asks to write on the event loop, or in the executor again."""

    class SlowDiskToggled(Message):
        """Asks to simulate a slow disk, or to stop that."""

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
        self._lags = LagComparison()
        self._comparison: Comparison | None = None
        self._busy = BusyShares()
        self._shares: list[float] = []
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
        worst_s = snapshot.loop.history_s[-1] if snapshot.loop.history_s else 0.0
        self._comparison = self._lags.update(disk, worst_s, now)
        self._shares = self._busy.update(disk.workers, now)
        self._snapshot = snapshot
        self.ticks += 1
        self.redraw()

    # -- the frame -------------------------------------------------------------------

    def title(self) -> Line:
        """Return name and key; shorten the name to leave space for the mode."""
        name = "Disk writers " if self.size.width >= 50 else "Disk "
        return [Span(name, "title"), Span(f"[{key_of('disk')}]", "key")]

    def corner(self) -> Line:
        """Return where writes run, and whether a slow disk is simulated."""
        if self._snapshot is None:
            return []
        disk = self._snapshot.disk
        slow: Line = []
        if disk.delay_s:
            word = "slow disk " if self.size.width >= 60 else ""
            slow = [Span(f"{word}+{milliseconds(disk.delay_s)}  ", "warn")]
        if disk.is_inline:
            is_wide = self.size.width >= (60 if slow else 42)
            return [*slow, Span(INLINE_WARNING if is_wide else _INLINE_SHORT, "warn")]
        return [*slow, Span(f"executor {disk.writers}", "strong")]

    def foot(self) -> Line:
        """Return the buttons."""
        if self._snapshot is None:
            return []
        is_slow = self._snapshot.disk.delay_s > 0
        word = "[inline]"
        if self._snapshot.disk.is_inline:
            word = "[to executor]" if self.size.width >= 50 else "[executor]"
        disk = "real" if is_slow else "slow"
        disk = f"[{disk} disk]" if self.size.width >= 36 else f"[{disk}]"
        return [
            Span("[-]", "key", "fewer"),
            Span(" writers " if self.size.width >= 50 else "", "dim"),
            Span("[+]", "key", "more"),
            Span("  "),
            Span(word, "key", "inline"),
            Span("  "),
            Span(disk, "key", "slow_disk"),
        ]

    def pressed(self, action: str) -> None:
        """Post the message that belongs to a button."""
        if action == "inline":
            self.post_message(self.InlineToggled())
        elif action == "slow_disk":
            self.post_message(self.SlowDiskToggled())
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
            shares=self._shares,
        )
        lines = [*workers, *alerts, *figures]
        left = height - len(lines)
        if left >= _MIN_GRAPH_LINES:
            history = snapshot.loop.history_s
            lines += history_lines(
                history,
                list(self._queued),
                width,
                left,
                self.is_ascii,
                is_inline=snapshot.disk.is_inline,
            )
        return lines

    def _alerts(self, width: int) -> list[Line]:
        lines: list[Line] = []
        if self._comparison is not None:
            delay_s = self._snapshot.disk.delay_s if self._snapshot else 0.0
            hint = "" if delay_s else f"similar; {key_of('slow_disk')} slows the disk"
            lines.append(comparison_line(self._comparison, width, hint, self.is_ascii))
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
        # No figure is cut: first the queue is left out, then the bar.
        for part in (slice(-2, None), slice(1, 3)):
            if line_width(brief) + 1 + line_width(loop) > width:
                del brief[part]
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

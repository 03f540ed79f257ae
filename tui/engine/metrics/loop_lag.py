"""Measures how late the event loop runs its timers."""

from __future__ import annotations

import asyncio
from collections import deque

from tui.core.snapshot import LoopSnapshot

INTERVAL_S = 0.05
"""Between two measurements: shows a freeze of 50 ms, at 20 wake-ups a second."""
WINDOW = 100
"""Samples for the percentiles; 5 s of them."""
BUCKET_S = 0.5
"""The history has the worst lag in each such time."""
BUCKETS = 60
"""Values in the history; 30 s of them."""


class LoopLag:
    """A timer that records how late it ran."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._samples: deque[float] = deque(maxlen=WINDOW)
        self._history: deque[float] = deque(maxlen=BUCKETS)
        self._bucket_worst = 0.0
        self._bucket_until = self._loop.time() + BUCKET_S
        self._due_at = self._loop.time() + INTERVAL_S
        self._handle = self._loop.call_at(self._due_at, self._measure)

    def _measure(self) -> None:
        now = self._loop.time()
        lag = max(0.0, now - self._due_at)
        self._samples.append(lag)
        self._bucket_worst = max(self._bucket_worst, lag)
        if now >= self._bucket_until:
            self._history.append(self._bucket_worst)
            self._bucket_worst = 0.0
            self._bucket_until = now + BUCKET_S
        self._due_at = now + INTERVAL_S
        self._handle = self._loop.call_at(self._due_at, self._measure)

    def snapshot(self) -> LoopSnapshot:
        """Return percentiles over the last 5 s, and the history for a graph."""
        ordered = sorted(self._samples)
        if not ordered:
            return LoopSnapshot(0.0, 0.0, ())
        last = len(ordered) - 1
        return LoopSnapshot(
            p50_s=ordered[last // 2],
            p99_s=ordered[round(last * 0.99)],
            history_s=tuple(self._history),
        )

    def exclude_suspension(self, seconds: float) -> None:
        """Discard what was measured while the process was suspended.

        A lag of at least half of that time was the suspension and not the loop.

        Args:
            seconds: how long the process was suspended, until now.
        """
        self._handle.cancel()
        self._due_at = self._loop.time() + INTERVAL_S
        self._handle = self._loop.call_at(self._due_at, self._measure)
        least = seconds / 2
        self._bucket_worst = 0.0
        self._samples = deque((s for s in self._samples if s < least), WINDOW)
        self._history = deque((s for s in self._history if s < least), BUCKETS)

    def close(self) -> None:
        """Stop measuring."""
        self._handle.cancel()

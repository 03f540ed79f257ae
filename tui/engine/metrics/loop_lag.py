"""How late the event loop is: the health of a program that does all on one loop."""

from __future__ import annotations

import asyncio
from collections import deque

from tui.core.snapshot import LoopSnapshot

INTERVAL_S = 0.05
"""Between two looks: fine enough to see a 50 ms freeze, 20 wake-ups a second."""
WINDOW = 100
"""Samples for the percentiles: 5 s."""
BUCKET_S = 0.5
BUCKETS = 60


class LoopLag:
    """A timer that notes how much later than due it ran."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._samples: deque[float] = deque(maxlen=WINDOW)
        self._history: deque[float] = deque(maxlen=BUCKETS)
        self._bucket_worst = 0.0
        self._bucket_until = self._loop.time() + BUCKET_S
        self._due = self._loop.time() + INTERVAL_S
        self._handle = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        lag = max(0.0, now - self._due)
        self._samples.append(lag)
        self._bucket_worst = max(self._bucket_worst, lag)
        if now >= self._bucket_until:
            self._history.append(self._bucket_worst)
            self._bucket_worst = 0.0
            self._bucket_until = now + BUCKET_S
        self._due = now + INTERVAL_S
        self._handle = self._loop.call_at(self._due, self._look)

    def snapshot(self) -> LoopSnapshot:
        """Percentiles over the last 5 s and the history for a graph."""
        ordered = sorted(self._samples)
        if not ordered:
            return LoopSnapshot(0.0, 0.0, ())
        last = len(ordered) - 1
        return LoopSnapshot(
            p50_s=ordered[last // 2],
            p99_s=ordered[round(last * 0.99)],
            history_s=tuple(self._history),
        )

    def forget(self, seconds: float) -> None:
        """Take back what was measured while the process was stopped that long.

        Nothing ran then, so nothing was late: a lag of half of it or more was no lag.
        """
        self._handle.cancel()
        self._due = self._loop.time() + INTERVAL_S
        self._handle = self._loop.call_at(self._due, self._look)
        least = seconds / 2
        self._bucket_worst = 0.0
        self._samples = deque((s for s in self._samples if s < least), WINDOW)
        self._history = deque((s for s in self._history if s < least), BUCKETS)

    def close(self) -> None:
        """Stop looking."""
        self._handle.cancel()

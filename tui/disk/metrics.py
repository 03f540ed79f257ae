"""The writer's measurements of itself."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.clock import Clock

_KEPT = 512
"""Durations kept: a few seconds' worth of a busy disk."""
_TAU_S = 3.0
_LEAST_S = 0.05
"""Shorter spans say nothing about a speed: one trip more or less decides it."""


class Durations:
    """The last few hundred durations, in seconds."""

    def __init__(self) -> None:
        self._ring: deque[float] = deque(maxlen=_KEPT)
        self._sorted: list[float] | None = []

    def extend(self, durations: Iterable[float]) -> None:
        """Take in new ones."""
        self._ring.extend(durations)
        self._sorted = None

    def quantile(self, fraction: float) -> float:
        """Return the duration that ``fraction`` of them do not exceed; 0 for none."""
        if self._sorted is None:
            self._sorted = sorted(self._ring)
        if not self._sorted:
            return 0.0
        index = math.ceil(fraction * len(self._sorted)) - 1
        return self._sorted[max(index, 0)]


class DiskMeter:
    """Counts, durations and speed; the loop's alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.writes = Durations()
        self.syncs = Durations()
        self.written = 0
        """Bytes."""
        self.batches = 0
        self.operations = 0
        self._speed = 0.0
        self._sampled_at = clock.monotonic()
        self._sampled = 0

    def speed(self) -> float:
        """Return bytes per second, smoothed over about 3 s; sampled by asking."""
        now = self._clock.monotonic()
        span = now - self._sampled_at
        if span >= _LEAST_S:
            speed = (self.written - self._sampled) / span
            # Weighted by time, so that it does not matter how often anybody asks.
            self._speed += (speed - self._speed) * (1 - math.exp(-span / _TAU_S))
            self._sampled_at = now
            self._sampled = self.written
        return self._speed

"""Speed and remaining time, smoothed so that they are accurate and do not jump."""

from __future__ import annotations

import math
from collections import deque

FAST_TAU_S = 3.0
"""Time constant of the speed that is shown."""
HISTORY = 120
"""Seconds kept for graphs."""
BURST_S = 1.0
"""Seconds over which the first bytes of a download are spread. Servers that limit a
connection send the first second's worth in one burst (with nginx the speed shown was
five times too high, and the ETA 3 minutes instead of 16)."""
SLOW_TAU_S = 25.0
"""Time constant of the speed that an ETA is computed from. An ETA that jumps is the
most common complaint about download displays."""


class SpeedMeter:
    """Bytes per second as an exponentially weighted mean over time.

    The weight of a sample depends on time (``1 - exp(-dt / tau)``) and not on how often
    the meter is sampled. The first seconds are corrected and not shown too low.
    """

    __slots__ = ("_at", "_mean", "_min_weight", "_tau_s", "_total", "_weight")

    def __init__(
        self, tau_s: float, now: float, total: float = 0, burst_s: float = 0.0
    ) -> None:
        """Start at ``now`` with a counter of ``total`` bytes.

        Args:
            tau_s: time constant in seconds.
            now: monotonic seconds.
            total: value of the counter.
            burst_s: the bytes of this many first seconds count as if they had taken
                all of them.
        """
        self._tau_s = tau_s
        self._min_weight = max(1e-9, 1.0 - math.exp(-burst_s / tau_s))
        self._at = now
        self._total = total
        self._mean = 0.0
        self._weight = 0.0

    def sample(self, now: float, total: float) -> None:
        """Add a sample of the counter.

        Args:
            now: monotonic seconds.
            total: bytes so far; a smaller value than before restarts the counting
                without a change of the speed.
        """
        dt = now - self._at
        if dt <= 0:
            return
        rate = max(0.0, total - self._total) / dt
        share = 1.0 - math.exp(-dt / self._tau_s)
        self._mean += share * (rate - self._mean)
        self._weight += share * (1.0 - self._weight)
        self._at = now
        self._total = total

    @property
    def speed(self) -> float:
        """Bytes per second; 0 before the first sample."""
        return self._mean / max(self._weight, self._min_weight)

    @property
    def is_measured(self) -> bool:
        """Whether ``burst_s`` has passed; until then, the speed may be far too low."""
        return self._weight >= self._min_weight


def download_meters(now: float, received: int) -> tuple[SpeedMeter, SpeedMeter]:
    """Return a download's meters: for the speed shown, and for the ETA."""
    fast, slow = (
        SpeedMeter(tau_s, now, received, BURST_S) for tau_s in (FAST_TAU_S, SLOW_TAU_S)
    )
    return fast, slow


def eta_speed(fast: float, slow: float) -> float:
    """Return the speed to compute an ETA with, bytes per second.

    That is the slow one, which does not jump. If the two are far apart, conditions have
    changed for good (a new rate limit, a server that stalls), and the slow one would be
    wrong for half a minute.
    """
    return slow if slow / 3 <= fast <= slow * 3 else fast


def eta_s(remaining: float, speed: float) -> float | None:
    """Return the remaining seconds, or ``None`` if there is no estimate.

    There is no estimate below 1 byte/s, or for more than a year.
    """
    if remaining <= 0:
        return 0.0
    if speed < 1.0:
        return None
    seconds = remaining / speed
    return seconds if seconds < 365 * 86400 else None


class SpeedHistory:
    """Records the mean speed of each past second."""

    __slots__ = ("_at", "_total", "speeds")

    def __init__(self, now: float, total: int = 0) -> None:
        self.speeds: deque[float] = deque(maxlen=HISTORY)
        """Bytes per second, oldest first."""
        self._at = now
        self._total = total

    def sample(self, now: float, total: int) -> bool:
        """Add a sample of the counter; return whether a second ended."""
        if now - self._at < 1.0:
            return False
        self.speeds.append(max(0.0, (total - self._total) / (now - self._at)))
        self._at = now
        self._total = total
        return True


class TotalMeter:
    """Measures the speed of all downloads together, with a history for the graph."""

    def __init__(self, now: float) -> None:
        self.fast = SpeedMeter(FAST_TAU_S, now)
        self.slow = SpeedMeter(SLOW_TAU_S, now)
        self._seconds = SpeedHistory(now)
        self.history = self._seconds.speeds
        self.peak = 0.0
        """Highest one-second mean, bytes per second."""

    def sample(self, now: float, total: int) -> None:
        """Add a sample of the bytes downloaded in this run."""
        self.fast.sample(now, total)
        self.slow.sample(now, total)
        if self._seconds.sample(now, total):
            self.peak = max(self.peak, self.history[-1])

"""Speed and time to go, measured so that they are right and stay calm."""

from __future__ import annotations

import math
from collections import deque

FAST_TAU_S = 3.0
"""Memory of the speed that is shown."""
HISTORY = 120
"""Seconds kept for graphs."""
BURST_S = 1.0
"""Seconds over which the first bytes of a download are spread: servers that limit a
connection let it have a second's worth at once (nginx: five times the speed shown, and
an ETA of 3 minutes for 16)."""
SLOW_TAU_S = 25.0
"""Memory of the speed that an ETA is computed with: one that jumps is not believed
(the most common complaint about download displays)."""


class SpeedMeter:
    """Bytes per second as an exponentially weighted mean over time.

    Time-aware (``1 - exp(-dt / tau)``), so it does not matter how often it is
    sampled, and corrected for its start, so the first seconds are not shown too low.
    """

    __slots__ = ("_at", "_least", "_mean", "_tau_s", "_total", "_weight")

    def __init__(
        self, tau_s: float, now: float, total: float = 0, burst_s: float = 0.0
    ) -> None:
        """Begin at ``now``, with ``total`` bytes there already.

        Args:
            tau_s: seconds of memory.
            now: monotonic seconds.
            total: what the counter stands at.
            burst_s: until so many seconds have passed, what came counts as having
                taken that long.
        """
        self._tau_s = tau_s
        self._least = max(1e-9, 1.0 - math.exp(-burst_s / tau_s))
        self._at = now
        self._total = total
        self._mean = 0.0
        self._weight = 0.0

    def sample(self, now: float, total: float) -> None:
        """Take in that ``total`` (a counter that only grows) was reached at ``now``.

        Args:
            now: monotonic seconds.
            total: bytes since the counter began; a smaller one than before starts
                the counting anew without touching the speed.
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
        return self._mean / max(self._weight, self._least)


def meters_of_download(now: float, received: int) -> tuple[SpeedMeter, SpeedMeter]:
    """Return the meters of the speed that is shown and of the one for the ETA."""
    fast, slow = (
        SpeedMeter(tau_s, now, received, BURST_S) for tau_s in (FAST_TAU_S, SLOW_TAU_S)
    )
    return fast, slow


def steady(fast: float, slow: float) -> float:
    """Return the speed to compute an ETA with, bytes per second.

    The slow one, since it is calm; but where the two are far apart the line has
    changed for good (a limit was set, a server gave out), and the slow one would be
    wrong for half a minute.
    """
    return slow if slow / 3 <= fast <= slow * 3 else fast


def eta_s(remaining: float, speed: float) -> float | None:
    """Return seconds to go, or ``None`` where nobody can tell.

    Never infinite: under 1 byte/s there is no estimate. Never more than a year.
    """
    if remaining <= 0:
        return 0.0
    if speed < 1.0:
        return None
    seconds = remaining / speed
    return seconds if seconds < 365 * 86400 else None


class SpeedHistory:
    """Mean speed of each past second."""

    __slots__ = ("_at", "_total", "speeds")

    def __init__(self, now: float, total: int = 0) -> None:
        self.speeds: deque[float] = deque(maxlen=HISTORY)
        """Bytes per second, oldest first."""
        self._at = now
        self._total = total

    def sample(self, now: float, total: int) -> bool:
        """Take in a counter of bytes; tell if that ended a second."""
        if now - self._at < 1.0:
            return False
        self.speeds.append(max(0.0, (total - self._total) / (now - self._at)))
        self._at = now
        self._total = total
        return True


class TotalMeter:
    """Speed of everything together, with a history for the graph."""

    def __init__(self, now: float) -> None:
        self.fast = SpeedMeter(FAST_TAU_S, now)
        self.slow = SpeedMeter(SLOW_TAU_S, now)
        self._seconds = SpeedHistory(now)
        self.history = self._seconds.speeds
        self.peak = 0.0
        """Highest one-second mean, bytes per second."""

    def sample(self, now: float, total: int) -> None:
        """Take in the counter of bytes fetched in this run."""
        self.fast.sample(now, total)
        self.slow.sample(now, total)
        if self._seconds.sample(now, total):
            self.peak = max(self.peak, self.history[-1])

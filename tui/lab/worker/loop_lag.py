"""Measures how late an event loop runs its timers."""

from __future__ import annotations

import asyncio
import time

INTERVAL_S = 0.01
"""Seconds between two samples."""


class LoopLagMeter:
    """A periodic timer on the loop that measures how late it fires.

    A loop that is blocked for 300 ms misses 30 samples. They are counted as well, as
    300, 290, 280 ... ms, which is what anything due at those moments would have
    waited; otherwise one long freeze would disappear among many short samples.
    """

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.beats = 0
        """Number of samples: grows while the loop runs, not while it is blocked."""
        self._due = 0.0
        self._worst = 0.0

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            self._due = time.monotonic() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.note(time.monotonic() - self._due)

    def restart(self) -> None:
        """Discard all samples, including the one in progress."""
        self.lags.clear()
        self._due = time.monotonic() + INTERVAL_S
        self._worst = 0.0

    def note(self, lag_s: float) -> None:
        """Record a sample, and those that were missed because of it."""
        self.beats += 1
        self._worst = max(self._worst, lag_s)
        self.lags.append(max(0.0, lag_s))
        while lag_s > INTERVAL_S:
            lag_s -= INTERVAL_S
            self.lags.append(lag_s)

    def take_worst(self) -> float:
        """Return the worst lag since the last call, including a freeze in progress.

        Called by another thread, so that it works while the loop is blocked.
        """
        worst, self._worst = self._worst, 0.0
        return max(worst, time.monotonic() - self._due if self._due else 0.0)

    def percentile(self, fraction: float) -> float:
        """Return the lag that ``fraction`` (0 to 1) of all samples did not exceed."""
        ordered = sorted(self.lags)
        return (
            ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
            if ordered
            else 0.0
        )

"""How late an event loop is."""

from __future__ import annotations

import asyncio
import time

INTERVAL_S = 0.01
"""Between two looks at the loop."""


class LoopLagMeter:
    """A timer on the loop that notes how much later than due it ran.

    A loop that is blocked for 300 ms misses 30 looks. They are counted as well, with
    300, 290, 280 ... ms, as whoever had waited at those moments would have felt;
    else one long freeze would hide behind many quick looks.
    """

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.beats = 0
        """Grows while the loop turns, and stands still while it is blocked."""
        self._due = 0.0
        self._worst = 0.0

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self._due = time.monotonic() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.note(time.monotonic() - self._due)

    def restart(self) -> None:
        """Forget what was, the look that is due included."""
        self.lags.clear()
        self._due = time.monotonic() + INTERVAL_S
        self._worst = 0.0

    def note(self, lag_s: float) -> None:
        """Take in one look, and the looks that it kept from happening."""
        self.beats += 1
        self._worst = max(self._worst, lag_s)
        self.lags.append(max(0.0, lag_s))
        while lag_s > INTERVAL_S:
            lag_s -= INTERVAL_S
            self.lags.append(lag_s)

    def take_worst(self) -> float:
        """Return the worst lag since the last call, that of a freeze that lasts too.

        For another thread, to draw while the loop is blocked.
        """
        worst, self._worst = self._worst, 0.0
        return max(worst, time.monotonic() - self._due if self._due else 0.0)

    def percentile(self, part: float) -> float:
        """Return the lag that ``part`` (0 to 1) of all looks did not exceed."""
        ordered = sorted(self.lags)
        return (
            ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
        )

"""Raises the concurrency within a few round trips of a run's beginning.

As in TCP slow start, the level doubles each round while that is faster. A round is
long enough for new connections to open and deliver: its first half is not measured.
Where the first responses show small or medium files, it does not measure on the way to
the number that a host may have of those: their cost is round trips and slow start.
Afterwards the controller takes over, whose trials take seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.notices import AutoCode, AutoReason
from tui.engine.autotune.controller import MAX_CONCURRENCY, OTHER_LIMITS, Decision
from tui.engine.scheduling.queue import HOST_CONNECTIONS, SMALL_CEILING

if TYPE_CHECKING:
    from tui.engine.autotune.controller import Observation

ANSWERED = 0.5
"""Responses by which the size of the files is known, as a share of the level."""
SETTLE_S = 0.02
"""From then on, how long responses that are still missing are waited for: refusals may
be among them."""
MOST_GROWTH = 4
"""Times the level at most in one step: what slow start reaches in two."""
TICK_S, QUICK_TICK_S = 0.02, 0.005
"""Seconds between two observations, and while the first responses decide."""
MIN_GAIN = 0.2
"""Gain by which a doubled level proves that it is worth it."""
MAX_FLAT = 2
"""Rounds without such a gain that end the start."""
MIN_ROUND_S, MAX_ROUND_S = 0.05, 0.5
"""Bounds of half a round."""
IDLE_S = 2.0
"""The start ends when the level could not be filled for so long."""


class FastStart:
    """Chooses the concurrency of the first seconds: call ``observe`` often."""

    def __init__(self, now_s: float) -> None:
        """Start at ``now_s`` (monotonic seconds)."""
        self.is_over = False
        """The start has ended; ``observe`` decides nothing any more."""
        self.tick_s = QUICK_TICK_S
        """Seconds until it wants the next observation."""
        self._first: Observation | None = None
        self._since_s = now_s
        """When the level was entered, or when measuring it was begun again."""
        self._measured: tuple[float, float] | None = None
        """Time and total at which the second half of the round began."""
        self._full_at_s = now_s
        self._speed = 0.0
        """At the level before."""
        self._flat = 0
        self._answered = 0
        """Responses before the level was entered."""
        self._answered_at_s: float | None = None
        """When enough had answered at the level."""

    def observe(
        self, now: Observation, round_s: float, *, ceiling: int, answered: int
    ) -> Decision | None:
        """Take an observation; return a decision, or ``None`` for no news.

        Args:
            now: the state of the engine.
            round_s: seconds from opening a connection to its first byte.
            ceiling: downloads that each active host may have, by the size of its files
                so far; 0 if one refuses any.
            answered: accepted responses so far.
        """
        if self.is_over:
            return None
        if self._first is None:
            self._first = now
        if not now.has_waiting:
            self.tick_s = TICK_S
        if (
            now.origin_capacity
            or now.breaks > self._first.breaks
            or now.limit in OTHER_LIMITS
        ):
            self.is_over = True
            return None
        if now.total == self._first.total:
            # Nothing has arrived yet.
            self._since_s = self._full_at_s = now.now_s
            return None
        if now.used < now.allowed or not now.has_more:
            self._begin_round(now)
            self.is_over = now.now_s - self._full_at_s > IDLE_S
            return None
        self._full_at_s = now.now_s
        if HOST_CONNECTIONS < ceiling > now.allowed:
            return self._fill(now, ceiling, answered)
        self.tick_s = TICK_S
        return self._measure(now, min(MAX_ROUND_S, max(MIN_ROUND_S, round_s)))

    def _fill(self, now: Observation, ceiling: int, answered: int) -> Decision | None:
        """Go to the number for such files when all responses, or enough, have come."""
        missing = now.allowed - (answered - self._answered)
        if missing > (1 - ANSWERED) * now.allowed:
            return None
        if self._answered_at_s is None:
            self._answered_at_s = now.now_s
        if missing > 0 and now.now_s - self._answered_at_s < SETTLE_S:
            return None
        self._answered, self._answered_at_s = answered, None
        self._begin_round(now)
        level = min(ceiling, now.allowed * MOST_GROWTH)
        if level == ceiling:
            self.tick_s = TICK_S
        is_small = ceiling >= SMALL_CEILING
        code = AutoCode.SMALL_FILES if is_small else AutoCode.MEDIUM_FILES
        return Decision(level, AutoReason(code, (level,)))

    def _begin_round(self, now: Observation) -> None:
        self._since_s = now.now_s
        self._measured = None

    def _measure(self, now: Observation, half_s: float) -> Decision | None:
        if now.now_s - self._since_s < half_s:
            return None
        if self._measured is None:
            self._measured = now.now_s, now.total
            return None
        began_s, total = self._measured
        if now.now_s - began_s < half_s:
            return None
        speed = (now.total - total) / (now.now_s - began_s)
        self._begin_round(now)
        return self._decide(now, speed)

    def _decide(self, now: Observation, speed: float) -> Decision | None:
        target = min(MAX_CONCURRENCY, now.allowed * 2)
        if not self._speed:
            self._speed = speed
            values = (now.allowed, speed, target)
            return Decision(target, AutoReason(AutoCode.TRY_MORE, values))
        gain = speed / self._speed - 1.0
        if gain >= MIN_GAIN and target > now.allowed:
            self._speed, self._flat = speed, 0
            grown = (now.allowed, speed, gain, target)
            return Decision(target, AutoReason(AutoCode.GAIN_TRY_MORE, grown))
        self._flat += 1
        if self._flat < MAX_FLAT:
            return None
        self.is_over = True
        reason = AutoReason(AutoCode.GAIN_STAY, (now.allowed, speed, gain))
        return Decision(now.allowed, reason)

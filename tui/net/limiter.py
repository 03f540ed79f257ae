"""A token bucket: bytes are let through at a rate that can change at any moment."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from tui.core.rules.hosts import rule_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tui.core.clock import Clock
    from tui.core.settings import HostRule

BURST_S = 0.1
"""Unused rate that is kept for later. Enough to bridge a late loop, too little to show
as a spike or to miss 5 % over 10 s."""
LEAST_SLEEP_S = 0.005
"""Sleeps shorter than this cost more than they order; what accrues meanwhile lets the
next ones through at once."""


class Limiter:
    """Lets ``rate`` bytes a second through, first come, first served.

    Bytes are paid before they pass, so the rate is never exceeded by more than the
    burst. Whoever waits at the head of the queue collects tokens without a cap, so that
    a chunk larger than the burst passes as well.
    """

    def __init__(
        self,
        rate: int | None,
        clock: Clock,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Begin with an empty bucket.

        Args:
            rate: bytes per second, or ``None`` for no limit.
            clock: only ``monotonic`` is used.
            sleep: waits that many seconds.

        Raises:
            ValueError: the rate is not positive.
        """
        self._clock = clock
        self._sleep = sleep
        self._rate = _checked(rate)
        self._tokens = 0.0
        self._settled_at = clock.monotonic()
        self._turns: deque[asyncio.Future[None]] = deque()
        self._is_taken = False
        self._sleeper: asyncio.Future[object] | None = None

    @property
    def rate(self) -> int | None:
        """Bytes per second, or ``None`` for no limit."""
        return self._rate

    @property
    def is_unlimited(self) -> bool:
        """Whether ``take`` need not be called at all."""
        return self._rate is None

    def set_rate(self, rate: int | None) -> None:
        """Change the rate; who waits now waits by the new one from this moment.

        Raises:
            ValueError: the rate is not positive.
        """
        rate = _checked(rate)
        self._settle()
        self._rate = rate
        if rate is None:
            self._tokens = 0.0
        elif not self._is_taken:
            self._tokens = min(self._tokens, rate * BURST_S)
        if self._sleeper is not None:
            self._sleeper.cancel()

    async def take(self, nbytes: int) -> None:
        """Wait until ``nbytes`` may pass. Cancelling gives back the turn, no tokens."""
        if self._rate is None or nbytes <= 0:
            return
        if not self._is_taken:
            self._settle()
            if self._tokens >= nbytes:
                self._tokens -= nbytes
                return
            self._is_taken = True
        else:
            await self._wait_turn()
        try:
            await self._collect(nbytes)
        finally:
            self._pass_turn()

    async def _collect(self, nbytes: int) -> None:
        while True:
            self._settle()
            rate = self._rate
            if rate is None:
                return
            # Half a byte of slack: floats must not cost another sleep.
            if self._tokens >= nbytes - 0.5:
                self._tokens -= nbytes
                return
            wait = max((nbytes - self._tokens) / rate, LEAST_SLEEP_S)
            self._sleeper = asyncio.ensure_future(self._sleep(wait))
            try:
                # Unlike awaiting the sleeper, this tells its cancellation (the rate
                # changed) from ours.
                await asyncio.wait((self._sleeper,))
            finally:
                self._sleeper.cancel()
                self._sleeper = None

    async def _wait_turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_turn()
            raise

    def _pass_turn(self) -> None:
        """Hand the head of the queue on; cancelled waiters are skipped."""
        # What a long wait collected beyond its need must not become a spike.
        self._settle()
        if self._rate is not None:
            self._tokens = min(self._tokens, self._rate * BURST_S)
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False

    def _settle(self) -> None:
        """Credit the time since the last call."""
        now = self._clock.monotonic()
        if self._rate is not None:
            self._tokens += (now - self._settled_at) * self._rate
            if not self._is_taken:
                self._tokens = min(self._tokens, self._rate * BURST_S)
        self._settled_at = now


class OriginLimiters:
    """The rates of single origins, each over all its downloads together.

    Counted where the bytes come from: behind a redirect that is another origin than the
    one in the list.
    """

    def __init__(self, rules: Sequence[HostRule], clock: Clock) -> None:
        """Take the rates of the rules for hosts."""
        self._rules = rules
        self._clock = clock
        self._limiters: dict[str, Limiter | None] = {}
        self.is_used = any(rule.rate_limit is not None for rule in rules)
        """Whether any origin has a rate of its own."""

    def limiter_for(self, origin: str) -> Limiter | None:
        """The limiter of an origin (as ``origin_of`` gives it), if it has one."""
        if origin not in self._limiters:
            rule = rule_for(self._rules, origin)
            rate = rule.rate_limit if rule is not None else None
            limiter = Limiter(rate, self._clock) if rate is not None else None
            self._limiters[origin] = limiter
        return self._limiters[origin]

    def rate(self, origin: str) -> int | None:
        """Bytes per second that an origin is held to; ``None`` for no limit."""
        limiter = self.limiter_for(origin)
        return limiter.rate if limiter is not None else None

    def set_rate(self, origin: str, rate: int | None) -> None:
        """Hold an origin to a rate from now on, or lift that.

        A body that began before the origin had any rate is not slowed down.

        Raises:
            ValueError: the rate is not positive.
        """
        limiter = self.limiter_for(origin)
        if limiter is not None:
            limiter.set_rate(rate)
        elif rate is not None:
            self._limiters[origin] = Limiter(rate, self._clock)
            self.is_used = True


def _checked(rate: int | None) -> int | None:
    if rate is not None and rate <= 0:
        raise ValueError("a rate must be positive; None lifts the limit")
    return rate

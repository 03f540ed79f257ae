"""Token buckets: rate limits that can change at any time."""

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
"""Seconds of unused rate that are saved up. Enough to make up for a late loop, too
little to show as a spike or to exceed the rate by 5% over 10 s."""
LEAST_READ_BYTES = 16 << 10
"""Smaller reads cost more than they smooth."""
MIN_SLEEP_S = 0.005
"""Shorter sleeps cost more than they gain; the tokens that accrue meanwhile let the
next callers pass at once."""


class Limiter:
    """Limits transfers to ``rate`` bytes per second, first come, first served.

    Tokens are taken before bytes pass, so the rate is never exceeded by more than the
    burst. The caller at the head of the queue collects tokens without a cap, so that a
    chunk larger than the burst passes as well.
    """

    def __init__(
        self,
        rate: int | None,
        clock: Clock,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Start with an empty bucket, which begins to fill at the first ``take``.

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
        self._refilled_at: float | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._is_busy = False
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
        """Change the rate, also for callers that are already waiting.

        Raises:
            ValueError: the rate is not positive.
        """
        rate = _checked(rate)
        self._refill()
        self._rate = rate
        if rate is None:
            self._tokens = 0.0
        elif not self._is_busy:
            self._tokens = min(self._tokens, rate * BURST_S)
        if self._sleeper is not None:
            self._sleeper.cancel()

    async def take(self, nbytes: int) -> None:
        """Wait until ``nbytes`` may pass. Cancelling costs no tokens."""
        if self._rate is None or nbytes <= 0:
            return
        if not self._is_busy:
            self._refill()
            if self._tokens >= nbytes:
                self._tokens -= nbytes
                return
            self._is_busy = True
        else:
            await self._wait_for_turn()
        try:
            await self._collect(nbytes)
        finally:
            self._wake_next()

    async def _collect(self, nbytes: int) -> None:
        while True:
            self._refill()
            rate = self._rate
            if rate is None:
                return
            # Half a byte of slack: rounding must not cost another sleep.
            if self._tokens >= nbytes - 0.5:
                self._tokens -= nbytes
                return
            wait = max((nbytes - self._tokens) / rate, MIN_SLEEP_S)
            self._sleeper = asyncio.ensure_future(self._sleep(wait))
            try:
                # Unlike awaiting the sleeper, this distinguishes its cancellation (the
                # rate has changed) from the caller's.
                await asyncio.wait((self._sleeper,))
            finally:
                self._sleeper.cancel()
                self._sleeper = None

    async def _wait_for_turn(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake_next()
            raise

    def _wake_next(self) -> None:
        """Let the next caller collect tokens; skip cancelled ones."""
        # Tokens that a long wait collected beyond its need must not become a spike.
        self._refill()
        if self._rate is not None:
            self._tokens = min(self._tokens, self._rate * BURST_S)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._is_busy = False

    def _refill(self) -> None:
        """Add the tokens that have accrued since the last call."""
        now = self._clock.monotonic()
        if self._rate is not None and self._refilled_at is not None:
            self._tokens += (now - self._refilled_at) * self._rate
            if not self._is_busy:
                self._tokens = min(self._tokens, self._rate * BURST_S)
        self._refilled_at = now


class OriginLimiters:
    """Rate limits of single origins, each shared by all downloads from it.

    The origin is the one that sends the bytes: after a redirect it differs from the one
    in the list.
    """

    def __init__(self, rules: Sequence[HostRule], clock: Clock) -> None:
        """Take the rates from the per-host rules."""
        self._rules = rules
        self._clock = clock
        self._limiters: dict[str, Limiter | None] = {}
        self.is_used = any(rule.rate_limit is not None for rule in rules)
        """Whether any origin has a limit."""

    def limiter_for(self, origin: str) -> Limiter | None:
        """Return the limiter of an origin (as from ``origin_of``), if it has one."""
        if origin not in self._limiters:
            rule = rule_for(self._rules, origin)
            rate = rule.rate_limit if rule is not None else None
            limiter = Limiter(rate, self._clock) if rate is not None else None
            self._limiters[origin] = limiter
        return self._limiters[origin]

    def rate(self, origin: str) -> int | None:
        """Return the limit of an origin in bytes per second; ``None`` for no limit."""
        limiter = self.limiter_for(origin)
        return limiter.rate if limiter is not None else None

    def set_rate(self, origin: str, rate: int | None) -> None:
        """Set or remove the limit of an origin.

        Responses that started before the origin had any limit are not slowed down.

        Raises:
            ValueError: the rate is not positive.
        """
        limiter = self.limiter_for(origin)
        if limiter is not None:
            limiter.set_rate(rate)
        elif rate is not None:
            self._limiters[origin] = Limiter(rate, self._clock)
            self.is_used = True


def read_bytes(rate: int | None, connections: int = 1) -> int | None:
    """Return how much a connection should read at a time under a rate limit.

    Bytes are charged when they have arrived, so that a read of 5 s at the rate would
    come at once and be followed by 5 s without any, on each connection.
    """
    if rate is None:
        return None
    return max(LEAST_READ_BYTES, int(rate * BURST_S) // max(1, connections))


def _checked(rate: int | None) -> int | None:
    if rate is not None and rate <= 0:
        raise ValueError("a rate must be positive; None removes the limit")
    return rate

"""Finds how many connections make large files faster.

A file starts with as many as its size suggests. The speed of each connection to a far
server is limited: if most of the file is still to come, their number is doubled as long
as that makes it faster. Where the link is the limit instead, two connections would be
as fast as ten, and fewer are cheaper for the server. So once a download has run for a
while, a quarter of them is closed on trial. Later, when the link may have become
faster, some are opened again on trial.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tui.core.notices import AutoCode, AutoReason
from tui.engine.scheduling.queue import HOST_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.engine.scheduling.queue import OriginState

GROWTH_SETTLE_S, GROWTH_ROUNDS = 0.5, 2.0
"""The number may be doubled once it has not changed for so many seconds, and for so
many times the seconds to the first byte: the connections have left slow start."""
GROWTH_LEAST_LEFT = 2.5
"""The bytes left have to take at least this many times that time."""
GROWTH_SHARE = 0.3
"""Added connections stay if they add this share of the speed that they would have if
each were as fast as the others."""
SETTLE_S = 2.0
"""How long the number of connections must not have changed before a trial."""
WINDOW_S = 1.5
"""Speeds are means over this long."""
TRIAL_S = 2.5
"""A trial lasts this long; what was lost by closing connections is in its first part,
which is not measured."""
QUICK_S, QUICK_WINDOW_S, CLEAR_LOSS = 1.0, 0.75, 0.15
"""A trial that clearly costs speed ends already after ``QUICK_S``."""
LEAST_LEFT_S = 8.0
"""No trial if the bytes left take less: it could only cost time."""
LEAST_CONNECTIONS = 4
ACCEPTED_LOSS = 0.05
"""Speed that fewer may lose, and that more have to gain."""
PAUSE_S = 60.0
"""After a trial that failed; doubled each time."""


class RecentSpeed:
    """The speed of the run over the last seconds."""

    def __init__(self, kept_s: float) -> None:
        """Keep samples for ``kept_s``."""
        self._kept_s = kept_s
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, now_s: float, fetched: int) -> None:
        """Note the bytes fetched so far."""
        self._samples.append((now_s, fetched))
        while self._samples[0][0] < now_s - self._kept_s:
            self._samples.popleft()

    def over(self, window_s: float) -> float:
        """Return bytes per second over the last ``window_s``."""
        now_s, total = self._samples[-1]
        at, fetched = next(
            sample for sample in self._samples if sample[0] >= now_s - window_s - 1e-6
        )
        return (total - fetched) / (now_s - at) if now_s > at else 0.0


class ConnectionGrowth:
    """Doubles ``OriginState.growth`` while that makes large files faster."""

    def __init__(self) -> None:
        self._speed = RecentSpeed(GROWTH_SETTLE_S + 1.0)
        self._open = 0
        """Connections at the last sample outside a trial."""
        self._since_s = 0.0
        """When the number of connections last changed."""
        self._base_speed = 0.0
        self._began_s: float | None = None
        """When the trial that is under way began."""
        self._growing: dict[OriginState, int] = {}
        """Connections before it to the origins that it is about."""
        self._files = 0
        """Large files when it began."""
        self._enough: dict[OriginState, int] = {}
        """Connections to an origin that were as fast as more."""

    @property
    def is_trying(self) -> bool:
        """Whether a trial is under way."""
        return self._began_s is not None

    def observe(
        self,
        now_s: float,
        fetched: int,
        left: int,
        origins: Iterable[OriginState],
    ) -> AutoReason | None:
        """Take a sample; begin or end a trial when it is time.

        Arguments and result are those of ``ConnectionTrials.observe``; ``left`` is also
        0 while something else than the number of connections limits the speed.
        """
        origins = [origin for origin in origins if origin.connections]
        self._speed.sample(now_s, fetched)
        first_byte_s = max((origin.first_byte_s for origin in origins), default=0.0)
        settle_s = max(GROWTH_SETTLE_S, GROWTH_ROUNDS * first_byte_s)
        if self._began_s is not None:
            is_over = now_s - self._began_s >= settle_s
            if is_over or not left:
                return self._evaluate(origins, is_over=is_over)
            return None
        count = sum(origin.connections for origin in origins)
        if count != self._open:
            self._open, self._since_s = count, now_s
        speed = self._speed.over(GROWTH_SETTLE_S)
        if now_s - self._since_s < settle_s or not speed:
            return None
        growing = {
            origin: origin.connections for origin in origins if self._may_grow(origin)
        }
        if not growing or left / speed < GROWTH_LEAST_LEFT * settle_s:
            return None
        self._began_s, self._base_speed = now_s, speed
        self._growing, self._files = growing, _number_of_files(origins)
        for origin in growing:
            origin.growth *= 2
        tried = count + sum(
            min(one.connections, HOST_CONNECTIONS - one.connections) for one in growing
        )
        return AutoReason(AutoCode.TRY_MORE_CONNECTIONS, (count, tried))

    def _may_grow(self, origin: OriginState) -> bool:
        return origin.connections < self._enough.get(origin, HOST_CONNECTIONS) and not (
            origin.refused or origin.learned_cap or origin.connection_limit
        )

    def _evaluate(self, origins: Iterable[OriginState], *, is_over: bool) -> AutoReason:
        """End a trial; one that is not over shows nothing about the origins."""
        self._began_s = None
        speed = self._speed.over(GROWTH_SETTLE_S)
        gain = speed / self._base_speed - 1.0
        before, count = self._open, sum(origin.connections for origin in origins)
        # Where others have ended, those that are left may use as many as all had.
        have_ended = _number_of_files(origins) < self._files
        may_stay = count > before or have_ended
        if may_stay and gain >= GROWTH_SHARE * (count - before) / before:
            return AutoReason(AutoCode.MORE_CONNECTIONS_STAY, (count, speed, gain))
        for origin in self._growing:
            origin.growth //= 2
        if is_over and not have_ended:
            self._enough.update(self._growing)
        return AutoReason(AutoCode.CONNECTIONS_BACK, (count, speed, gain, before))


def _number_of_files(origins: Iterable[OriginState]) -> int:
    return sum(len(origin.large_files) for origin in origins)


class ConnectionTrials:
    """Changes ``OriginState.connection_limit`` by what it measures."""

    def __init__(self) -> None:
        self._speed = RecentSpeed(WINDOW_S + 1.0)
        self._open = 0
        """Connections at the last sample outside a trial."""
        self._since_s = 0.0
        """When the number of connections last changed."""
        self._base_speed = 0.0
        self._began_s: float | None = None
        """When the trial that is under way began."""
        self._is_up = False
        """The trial, or the next one, is of more connections."""
        self._before: dict[OriginState, tuple[int, int]] = {}
        """Limit and connections of each origin when it began."""
        self._next_s = 0.0
        self._pause_s = PAUSE_S

    def observe(
        self,
        now_s: float,
        fetched: int,
        left: int,
        origins: Iterable[OriginState],
    ) -> AutoReason | None:
        """Take a sample; begin or end a trial when it is time.

        Args:
            now_s: monotonic seconds.
            fetched: bytes that the run has fetched so far.
            left: bytes that the running large files still miss; 0 if more downloads
                wait, since the concurrency is adjusted then.
            origins: those of the running downloads.

        Returns:
            What was changed, if anything.
        """
        origins = [origin for origin in origins if origin.connections]
        count = sum(origin.connections for origin in origins)
        self._speed.sample(now_s, fetched)
        if self._began_s is not None:
            return self._evaluate(now_s, self._began_s, left)
        if count != self._open:
            self._open, self._since_s = count, now_s
        speed = self._speed.over(WINDOW_S)
        is_due = now_s >= self._next_s and now_s - self._since_s >= SETTLE_S
        if not (is_due and left and speed and count >= LEAST_CONNECTIONS):
            return None
        if left / speed < LEAST_LEFT_S or not any(origin.extra for origin in origins):
            return None
        self._began_s, self._base_speed = now_s, speed
        self._before = {
            origin: (origin.connection_limit, origin.connections) for origin in origins
        }
        self._is_up &= any(origin.connection_limit for origin in origins)
        for origin in origins:
            self._change_limit(origin)
        tried = self._tried
        code = AutoCode.TRY_FEWER_CONNECTIONS
        if self._is_up:
            code = AutoCode.TRY_MORE_CONNECTIONS
        return AutoReason(code, (count, tried))

    def _change_limit(self, origin: OriginState) -> None:
        """Lower the limit of an origin by a quarter of its connections, or raise it."""
        if not self._is_up:
            origin.connection_limit = max(1, origin.connections * 3 // 4)
        elif origin.connection_limit:
            more = -(-origin.connections * 4 // 3)
            origin.connection_limit = more if more < HOST_CONNECTIONS else 0

    @property
    def _tried(self) -> int:
        """The most connections that the trial allows."""
        # A host without a limit keeps what it has; one whose limit the trial removed
        # may open as many as any host.
        return sum(
            origin.connection_limit or (HOST_CONNECTIONS if limit else connections)
            for origin, (limit, connections) in self._before.items()
        )

    def _evaluate(self, now_s: float, began_s: float, left: int) -> AutoReason | None:
        is_over = now_s - began_s >= TRIAL_S
        if left and now_s - began_s < QUICK_S:
            return None
        speed = self._speed.over(WINDOW_S if is_over else QUICK_WINDOW_S)
        change = speed / self._base_speed - 1.0
        if left and not is_over and (self._is_up or change >= -CLEAR_LOSS):
            return None
        self._began_s = None
        tried = self._tried
        least, code = -ACCEPTED_LOSS, AutoCode.FEWER_CONNECTIONS_STAY
        if self._is_up:
            least, code = ACCEPTED_LOSS, AutoCode.MORE_CONNECTIONS_STAY
        if left and change >= least:
            # The trial has changed the number: the next one has to wait.
            self._open, self._since_s = 0, now_s
            return AutoReason(code, (tried, speed, change))
        for origin, (limit, _) in self._before.items():
            origin.connection_limit = limit
        # The other direction is next.
        self._is_up = not self._is_up
        self._next_s = now_s + self._pause_s
        self._pause_s *= 2
        count = sum(connections for _, connections in self._before.values())
        values = (tried, speed, change, count)
        return AutoReason(AutoCode.CONNECTIONS_BACK, values)

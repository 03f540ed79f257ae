"""Closes further connections of large files where fewer are as fast.

A file starts with as many connections as its size suggests, since a far server gives
each only so much. Where the link is the limit instead, they share what two could have,
and cost the server. So once a download has run for a while, a quarter of them is closed
on trial. Later, when the link may have become faster, some are opened again on trial.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tui.core.notices import AutoCode, AutoReason
from tui.engine.scheduling.queue import HOST_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.engine.scheduling.queue import OriginState

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


class ConnectionTrials:
    """Changes ``OriginState.connection_limit`` by what it measures."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._open = 0
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
        self._samples.append((now_s, fetched))
        while self._samples[0][0] < now_s - WINDOW_S - 1.0:
            self._samples.popleft()
        if self._began_s is not None:
            return self._evaluate(now_s, self._began_s, left)
        if count != self._open:
            self._open, self._since_s = count, now_s
        speed = self._speed(now_s, WINDOW_S)
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
        speed = self._speed(now_s, WINDOW_S if is_over else QUICK_WINDOW_S)
        change = speed / self._base_speed - 1.0
        if left and not is_over and (self._is_up or change >= -CLEAR_LOSS):
            return None
        self._began_s = None
        tried = self._tried
        least, code = -ACCEPTED_LOSS, AutoCode.FEWER_CONNECTIONS_STAY
        if self._is_up:
            least, code = ACCEPTED_LOSS, AutoCode.MORE_CONNECTIONS_STAY
        if left and change >= least:
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

    def _speed(self, now_s: float, window_s: float) -> float:
        at, fetched = next(
            sample for sample in self._samples if sample[0] >= now_s - window_s - 1e-6
        )
        span = now_s - at
        return (self._samples[-1][1] - fetched) / span if span > 0 else 0.0

"""Timeouts for network waits, with one timer for a whole session.

``asyncio.timeout`` around each read costs one timer per chunk, and even one per request
shows in the cost of a small file. Here each wait only records its deadline, and the
session's timer checks the deadlines when the earliest one may have passed. Without a
wait no timer runs: a paused reader, a full disk queue or a rate limit never time out.

After a suspension of the process (Ctrl+Z), or when the loop was blocked, deadlines have
passed although data has arrived meanwhile. A check that comes late gives the loop time
to read it first.
"""

from __future__ import annotations

from asyncio import current_task
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_MIN_INTERVAL_S = 0.01
"""Between two checks, however many deadlines are close; and how late a check may come
before what has arrived is read first."""


class TimeoutTimer:
    """The timer of a session and the timeouts that are running."""

    __slots__ = ("_has_postponed", "_next", "_running", "_timer", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._running: set[IdleTimeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._has_postponed = False
        """Whether the last check came late: the next one does not wait again."""

    def add(self, timeout: IdleTimeout) -> None:
        """Check the deadline of a timeout from now on."""
        self._running.add(timeout)
        if self._timer is None or timeout.due < self._next:
            self._arm(timeout.due)

    def discard(self, timeout: IdleTimeout) -> None:
        """Stop checking a timeout; the timer stays armed and then finds nothing due."""
        self._running.discard(timeout)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float) -> None:
        self.stop()
        self._next = due
        self._timer = self.loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self.loop.time()
        is_late = now > self._next + _MIN_INTERVAL_S
        self._has_postponed = is_late and not self._has_postponed
        if self._has_postponed:
            self._arm(now + _MIN_INTERVAL_S)
            return
        for timeout in [one for one in self._running if one.due <= now]:
            self._running.discard(timeout)
            timeout.expire()
        if self._running:
            earliest = min(timeout.due for timeout in self._running)
            self._arm(max(earliest, now + _MIN_INTERVAL_S))


class IdleTimeout:
    """Interrupts a task that waits for the network longer than allowed.

    Call ``start(limit)``, wait, then ``stop()``; on ``CancelledError``, ``expired()``
    returns whether this timeout caused it.
    """

    __slots__ = ("_cancelling", "_has_expired", "_task", "_timer", "due")

    def __init__(self, timer: TimeoutTimer) -> None:
        self._timer = timer
        self.due = 0.0
        """Deadline of the wait, by the loop's clock."""
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._has_expired = False

    def start(self, limit_s: float) -> None:
        """Start a wait of the current task that may take ``limit_s``."""
        timer = self._timer
        task = current_task(timer.loop)
        if task is None:
            raise RuntimeError("a session must be used from within a task")
        self.due = timer.loop.time() + limit_s
        self._cancelling = task.cancelling()
        self._task = task
        timer.add(self)

    def stop(self) -> None:
        """End the wait. Safe to call twice."""
        self._task = None
        self._timer.discard(self)

    def expire(self) -> bool:
        """Interrupt the waiting task now; return False if no task waits."""
        task = self._task
        if task is None:
            return False
        self._has_expired = True
        task.cancel()
        return True

    def expired(self) -> bool:
        """Return True if a ``CancelledError`` just caught came from this timeout alone.

        False if the task was also cancelled from outside: that takes precedence. The
        rules are those of ``asyncio.timeout``. Resets the timeout.
        """
        task = current_task(self._timer.loop)
        if not self._has_expired or task is None:
            return False
        self._has_expired = False
        return task.uncancel() <= self._cancelling

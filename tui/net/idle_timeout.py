"""Ends waits on the wire that take too long, with one timer for a whole session.

``asyncio.timeout`` around each read costs a timer for each chunk, and even one for each
exchange shows in the cost of a small file. Here a wait only notes when it is due, and
the session's timer looks at the notes when the earliest could be over. Nobody waits
means no clock runs: a paused reader, a full disk queue or a rate limit are not stalls.
"""

from __future__ import annotations

from asyncio import current_task
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_LEAST_S = 0.01
"""Between two looks, however many waits are nearly over."""


class IdleTimeout:
    """The timer of a session, and who waits."""

    __slots__ = ("_next", "_timer", "_waiting", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: set[TimeoutWheel] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def enter(self, clock: TimeoutWheel) -> None:
        """Look at a clock from now on."""
        self._waiting.add(clock)
        if self._timer is None or clock.due < self._next:
            self._arm(clock.due)

    def leave(self, clock: TimeoutWheel) -> None:
        """Look at it no longer; the timer stays armed and finds nobody waiting."""
        self._waiting.discard(clock)

    def stop(self) -> None:
        """Disarm for good."""
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
        for clock in [clock for clock in self._waiting if clock.due <= now]:
            self._waiting.discard(clock)
            clock.strike()
        if self._waiting:
            earliest = min(clock.due for clock in self._waiting)
            self._arm(max(earliest, now + _LEAST_S))


class TimeoutWheel:
    """Interrupts the task that waits for the wire longer than it may.

    Use: ``begin(limit)``, the wait in ``try``/``finally: end()``; on ``CancelledError``
    ask ``was_struck()``: true means that this clock did it.
    """

    __slots__ = ("_cancelling", "_is_struck", "_task", "_watch", "due")

    def __init__(self, watch: IdleTimeout) -> None:
        self._watch = watch
        self.due = 0.0
        """When the wait is too long, by the loop's clock."""
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._is_struck = False

    def begin(self, limit_s: float) -> None:
        """Start a wait of the current task that may take ``limit_s``."""
        watch = self._watch
        task = current_task(watch.loop)
        if task is None:
            raise RuntimeError("the wire must be used from within a task")
        self.due = watch.loop.time() + limit_s
        self._cancelling = task.cancelling()
        self._task = task
        watch.enter(self)

    def end(self) -> None:
        """End the wait."""
        self._task = None
        self._watch.leave(self)

    def end_well(self) -> bool:
        """End a wait that brought something; true if the task was cancelled meanwhile.

        pyreqwest answers a cancellation with the result it has at hand, if it has one
        (31 of 300 cancelled reads of a fast body): the ``CancelledError`` never comes,
        and whoever asked for it must not wait in vain.
        """
        task, self._task = self._task, None
        self._watch.leave(self)
        if task is None or task.cancelling() <= self._cancelling:
            return False
        if self._is_struck:
            # Ours came too late: the bytes are there after all.
            self._is_struck = False
            return task.uncancel() > self._cancelling
        return True

    def strike(self) -> bool:
        """Interrupt the waiting task now; false if none waits."""
        task = self._task
        if task is None:
            return False
        self._is_struck = True
        task.cancel()
        return True

    def was_struck(self) -> bool:
        """Whether a ``CancelledError`` just caught came from this clock alone.

        False when someone else cancelled the task as well: that must win. The rules
        are those of ``asyncio.timeout``.
        """
        task = current_task(self._watch.loop)
        if not self._is_struck or task is None:
            return False
        self._is_struck = False
        return task.uncancel() <= self._cancelling

    def stop(self) -> None:
        """End for good."""
        self._watch.leave(self)

"""Ends waits on the wire that take too long, with one timer for a whole exchange.

``asyncio.timeout`` around each read costs a timer for each chunk; this one arms a
single timer, notes the time when a wait begins, and looks at that note when the timer
fires. Nobody waits means no clock runs: a paused reader, a full disk queue or a rate
limit are not stalls.
"""

from __future__ import annotations

from asyncio import current_task
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class StallClock:
    """Interrupts the task that waits for the wire longer than it may.

    Use: ``begin(limit)``, the wait in ``try``/``finally: end()``; on ``CancelledError``
    ask ``was_struck()``: true means that this clock did it.
    """

    __slots__ = ("_cancelling", "_due", "_is_struck", "_loop", "_task", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = 0.0
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelling = 0
        self._is_struck = False

    def begin(self, limit_s: float) -> None:
        """Start a wait of the current task that may take ``limit_s``."""
        task = current_task()
        if task is None:
            raise RuntimeError("the wire must be used from within a task")
        self._due = self._loop.time() + limit_s
        self._cancelling = task.cancelling()
        self._task = task
        if self._timer is None:
            self._timer = self._loop.call_later(limit_s, self._tick)

    def end(self) -> None:
        """End the wait; the timer stays armed and finds nobody waiting."""
        self._task = None

    def end_well(self) -> bool:
        """End a wait that brought something; true if the task was cancelled meanwhile.

        pyreqwest answers a cancellation with the result it has at hand, if it has one
        (31 of 300 cancelled reads of a fast body): the ``CancelledError`` never comes,
        and whoever asked for it must not wait in vain.
        """
        task, self._task = self._task, None
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
        task = current_task()
        if not self._is_struck or task is None:
            return False
        self._is_struck = False
        return task.uncancel() <= self._cancelling

    def stop(self) -> None:
        """Disarm for good."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._task is None:
            return
        left = self._due - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._tick)
        else:
            self.strike()

"""Stopping a regular expression that would not end.

``re`` gives the interpreter to nobody while it searches, so no thread and no loop can
stop it; but every 4,096 steps it lets signal handlers run (CPython's ``_sre``), and
one that raises ends the search. Such an alarm works in the main thread, where there
are such timers: not on Windows.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_LEAST_S = 0.001
_Found = TypeVar("_Found")


class Overdue(Exception):
    """The time is up."""


class _Alarm:
    """Raises when it rings, unless it was turned off a moment before."""

    is_on = False

    def ring(self, number: int, frame: FrameType | None) -> None:
        """Take the signal."""
        del number, frame
        if self.is_on:
            self.is_on = False
            raise Overdue


_ALARM = _Alarm()
_RING = _ALARM.ring


def within(seconds: float, work: Callable[[], _Found]) -> _Found:
    """Do some work; end it after some wall time, where that is possible.

    Args:
        seconds: how long it may take.
        work: nothing but computing: it can end between any two of its steps.

    Raises:
        Overdue: the time is up.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer"):
        return work()
    before = signal.getsignal(signal.SIGALRM)
    if before is None:  # set in C: it could not be put back
        return work()
    started = time.monotonic()
    if before is not _RING:
        signal.signal(signal.SIGALRM, _RING)
    others_s, again_s = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        _ALARM.is_on = True
        found = work()
        _ALARM.is_on = False
    finally:
        _ALARM.is_on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Without anybody's handler ours stays: a late alarm would end the process.
        if callable(before) and before is not _RING:
            signal.signal(signal.SIGALRM, before)
            if others_s:
                left_s = others_s - (time.monotonic() - started)
                signal.setitimer(signal.ITIMER_REAL, max(_LEAST_S, left_s), again_s)
    return found

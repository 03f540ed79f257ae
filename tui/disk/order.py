"""In which order the operations on one part file may run.

Writes go to different places and may run side by side. Everything else (sync, record,
rename, close) waits for the writes that were handed over before it, and for the call
before it: a record saved while the file is being renamed would outlive it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.disk.trip import Call


class PartOrder:
    """The writes under way and the calls in line; the loop's alone."""

    __slots__ = ("_calls", "_is_calling", "_last", "_writing", "is_closing")

    def __init__(self) -> None:
        self._last = 0
        self._writing: set[int] = set()
        self._calls: deque[tuple[int, Call]] = deque()
        self._is_calling = False
        self.is_closing = False
        """Its last call is in line: nothing more is taken."""

    def begin_write(self) -> int:
        """Count a write in; the number is for ``end_write``."""
        self._last += 1
        self._writing.add(self._last)
        return self._last

    def end_write(self, number: int) -> Call | None:
        """Count a write out; return the call that may run now."""
        self._writing.discard(number)
        return self.next_call() if self._calls else None

    def line_up(self, call: Call) -> Call | None:
        """Put a call behind all that was handed over; return it if it is due."""
        self._calls.append((self._last, call))
        return self.next_call()

    def end_call(self) -> Call | None:
        """Tell that the running call ended; return the one that may run now."""
        self._is_calling = False
        return self.next_call()

    def next_call(self) -> Call | None:
        """Take the first in line if nothing before it is under way."""
        if self._is_calling or not self._calls:
            return None
        barrier, call = self._calls[0]
        if any(number <= barrier for number in self._writing):
            return None
        self._calls.popleft()
        self._is_calling = True
        return call

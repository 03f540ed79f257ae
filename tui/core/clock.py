"""Clocks: everything that waits or measures gets one as an argument."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time; tests pass one that they control."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences have a meaning."""
        ...

    def wall(self) -> float:
        """Return seconds since the epoch, for display and for records on disk."""
        ...


class SystemClock:
    """The clock of the machine."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

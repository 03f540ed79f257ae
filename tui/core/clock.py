"""Time as an argument: everything that waits or measures is handed a clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; tests pass one that they turn by hand."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for showing and for records on disk."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds from ``time.monotonic``."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds from ``time.time``."""
        return time.time()

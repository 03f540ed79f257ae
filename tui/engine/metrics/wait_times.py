"""What connections wait for, measured where they wait: two clock readings a wait.

Nothing is measured per chunk: a connection that waits neither for the disk nor for a
limiter waits for the wire (or for the loop, which its own lag tells).
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import NamedTuple

WINDOW_S = 3.0
"""What is told is about the last so many seconds."""


class Wait(IntEnum):
    """What is counted."""

    OPEN = 0
    """Connections that are there at all: what the others are a share of."""
    DISK = 1
    """Full buffers, syncs, checksums, renames."""
    LIMITER = 2


class Waits:
    """Seconds that connections spent waiting, those who still wait included.

    One for the whole run and one for each download, which adds to the former.
    """

    __slots__ = ("_at", "_counts", "_parent", "_totals")

    def __init__(self, parent: Waits | None = None) -> None:
        self._parent = parent
        self._counts = [0] * len(Wait)
        self._totals = [0.0] * len(Wait)
        self._at = [0.0] * len(Wait)

    def begin(self, wait: Wait, now: float) -> None:
        """One more begins to wait at ``now`` (monotonic seconds)."""
        self._settle(wait, now)
        self._counts[wait] += 1
        if self._parent is not None:
            self._parent.begin(wait, now)

    def end(self, wait: Wait, now: float) -> None:
        """One waits no more."""
        self._settle(wait, now)
        self._counts[wait] -= 1
        if self._parent is not None:
            self._parent.end(wait, now)

    def add(self, wait: Wait, seconds: float) -> None:
        """One waited so long, as is known now that it is over."""
        self._totals[wait] += seconds
        if self._parent is not None:
            self._parent.add(wait, seconds)

    def total(self, wait: Wait, now: float) -> float:
        """Return the seconds so far, over all that waited; it only grows."""
        self._settle(wait, now)
        return self._totals[wait]

    def _settle(self, wait: Wait, now: float) -> None:
        self._totals[wait] += self._counts[wait] * (now - self._at[wait])
        self._at[wait] = now


class Shares(NamedTuple):
    """Of the time in which connections were open, 0 to 1."""

    disk: float = 0.0
    limiter: float = 0.0


class UtilizationWindow:
    """The waits of the last few seconds."""

    __slots__ = ("_looks", "_waits")

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._looks: deque[tuple[float, float, float, float]] = deque()

    def sample(self, now: float) -> None:
        """Look once, a few times a second."""
        totals = (self._waits.total(wait, now) for wait in Wait)
        self._looks.append((now, *totals))  # type: ignore[arg-type]
        while self._looks[0][0] < now - WINDOW_S:
            self._looks.popleft()

    def shares(self, more_open_s: float = 0.0) -> Shares:
        """Return what was waited for, as shares.

        Args:
            more_open_s: seconds of connections that are not counted in the waits.
        """
        if len(self._looks) < 2:
            return Shares()
        first, last = self._looks[0], self._looks[-1]
        spent = [late - soon for soon, late in zip(first, last, strict=True)]
        open_s = spent[1 + Wait.OPEN] + more_open_s
        if open_s <= 0:
            return Shares()
        return Shares(
            disk=min(1.0, spent[1 + Wait.DISK] / open_s),
            limiter=min(1.0, spent[1 + Wait.LIMITER] / open_s),
        )

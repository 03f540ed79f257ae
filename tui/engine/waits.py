"""What connections wait for, measured where they wait: two clock readings a wait.

Nothing is measured per chunk: a connection that waits neither for the disk nor for a
limiter waits for the wire (or for the loop, which its own lag tells).
"""

from __future__ import annotations

from enum import IntEnum


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

    def total(self, wait: Wait, now: float) -> float:
        """Return the seconds so far, over all that waited; it only grows."""
        self._settle(wait, now)
        return self._totals[wait]

    def _settle(self, wait: Wait, now: float) -> None:
        self._totals[wait] += self._counts[wait] * (now - self._at[wait])
        self._at[wait] = now

"""Measures what connections wait for, with two clock readings for each wait.

Nothing is measured per chunk: a connection that waits neither for the disk nor for a
rate limiter waits for the network, or for the event loop, whose lag is measured apart.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from tui.core.quick.named_tuple import NamedTuple

WINDOW_S = 3.0
"""Length of the window that shares are computed over."""


class Wait(IntEnum):
    """What a connection spends time on."""

    OPEN = 0
    """Being open: the time that the others are a share of."""
    DISK = 1
    """Waiting for full buffers, syncs, checksums and renames."""
    LIMITER = 2
    """Waiting for a rate limiter."""


class Waits:
    """Seconds that connections spent waiting, including waits that have not ended.

    There is one for the run and one for each download, which adds to that of the run.
    """

    __slots__ = ("_at", "_counts", "_parent", "_totals")

    def __init__(self, parent: Waits | None = None) -> None:
        self._parent = parent
        self._counts = [0] * len(Wait)
        self._totals = [0.0] * len(Wait)
        self._at = [0.0] * len(Wait)

    def begin(self, wait: Wait, now: float) -> None:
        """Count one more wait from ``now`` (monotonic seconds)."""
        self._accrue(wait, now)
        self._counts[wait] += 1
        if self._parent is not None:
            self._parent.begin(wait, now)

    def end(self, wait: Wait, now: float) -> None:
        """Count one wait less from ``now``."""
        self._accrue(wait, now)
        self._counts[wait] -= 1
        if self._parent is not None:
            self._parent.end(wait, now)

    def add(self, wait: Wait, seconds: float) -> None:
        """Add a wait that is over."""
        self._totals[wait] += seconds
        if self._parent is not None:
            self._parent.add(wait, seconds)

    def total(self, wait: Wait, now: float) -> float:
        """Return the seconds of all waits so far; it only grows."""
        self._accrue(wait, now)
        return self._totals[wait]

    def _accrue(self, wait: Wait, now: float) -> None:
        self._totals[wait] += self._counts[wait] * (now - self._at[wait])
        self._at[wait] = now


class Shares(NamedTuple):
    """Shares of the time in which connections were open, 0 to 1."""

    disk: float = 0.0
    limiter: float = 0.0


class UtilizationWindow:
    """Computes shares from the waits of the last few seconds."""

    __slots__ = ("_samples", "_waits")

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._samples: deque[tuple[float, float, float, float]] = deque()

    def sample(self, now: float) -> None:
        """Take a sample; call it a few times a second."""
        totals = (self._waits.total(wait, now) for wait in Wait)
        self._samples.append((now, *totals))  # type: ignore[arg-type]
        while self._samples[0][0] < now - WINDOW_S:
            self._samples.popleft()

    def shares(self, more_open_s: float = 0.0) -> Shares:
        """Return the shares of waiting time.

        Args:
            more_open_s: open seconds of connections that are not counted in the waits.
        """
        if len(self._samples) < 2:
            return Shares()
        first, last = self._samples[0], self._samples[-1]
        spent = [late - soon for soon, late in zip(first, last, strict=True)]
        open_s = spent[1 + Wait.OPEN] + more_open_s
        if open_s <= 0:
            return Shares()
        return Shares(
            disk=min(1.0, spent[1 + Wait.DISK] / open_s),
            limiter=min(1.0, spent[1 + Wait.LIMITER] / open_s),
        )

"""How many trips make sense at once.

Python runs one thread at a time, and a disk that swallows all at once leaves nothing to
wait for: there, more threads only get in each other's way and in that of the loop. On
two cores, 5,000 files of 10 KiB took 0.77 s with one thread and 0.90 s with four, and
with 200 downloads at full speed keys showed after 8 ms instead of 13 (medians). A slow
disk is different: who waits for it disturbs nobody.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.disk.store import SLOW_SYNC_S, StoreTrip
from tui.disk.trip import Trip, WriteTrip

if TYPE_CHECKING:
    from tui.core.clock import Clock

SLOW_STORE_S = 0.001
"""For a small file: ten times what it takes where nothing has to be waited for."""
SLOW_MIB_S = 0.01
"""For a MiB: 100 MB/s."""
LONG_S = 0.1
"""A trip that takes longer than this waits for something; it does not count."""
_NICE = 5
"""Threads that write give way to the loop: with 200 downloads at full speed 95 % of
keys showed within 45 ms instead of 85, at the same speed."""


class Pace:
    """What is under way, and how the disk has been lately; the loop's alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_s: dict[Trip, float] = {}
        self._most = {StoreTrip: 1, WriteTrip: _cores()}
        self._is_slow: dict[type[Trip], bool] = {StoreTrip: False, WriteTrip: False}
        self.has_slow_syncs = False
        """As the last trip with small files met them."""

    def allows(self, kind: type[Trip]) -> bool:
        """Whether one more trip with small files, or with writes, would help."""
        if self._is_slow[kind]:
            return True
        recent = self._clock.monotonic() - LONG_S
        mine = (at for trip, at in self._began_s.items() if type(trip) is kind)
        return sum(at > recent for at in mine) < self._most[kind]

    def begin(self, trip: Trip) -> None:
        """A trip goes out."""
        if type(trip) in self._most:
            self._began_s[trip] = self._clock.monotonic()

    def end(self, trip: Trip) -> None:
        """It is back: what it met, the next ones will meet as well."""
        if self._began_s.pop(trip, None) is None:
            return
        if isinstance(trip, StoreTrip):
            if trip.sync_s:
                # By file: where the first sync does the work of all, they go together.
                mean_s = sum(trip.sync_s) / len(trip.sync_s)
                self.has_slow_syncs = mean_s >= SLOW_SYNC_S
            mean_s = sum(trip.write_s) / max(1, len(trip.write_s))
            self._is_slow[StoreTrip] = self.has_slow_syncs or mean_s >= SLOW_STORE_S
        elif isinstance(trip, WriteTrip):
            mib = sum(write.written for write in trip.operations) / (1 << 20)
            self._is_slow[WriteTrip] = sum(trip.write_s) >= SLOW_MIB_S * mib > 0


def step_back() -> None:
    """Give way to the loop where the processor is short. Called in a new thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            nice = os.getpriority(os.PRIO_PROCESS, thread) + _NICE
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

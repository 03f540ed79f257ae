"""Which operations go on which trip, and when: the queue in front of the executor.

An executor trip costs 50-100 µs, more than a small file itself. So what comes up in
one turn of the loop, and all that comes up while the slots are busy, is gathered (small
files for a moment longer), and a free slot takes as much of it as is good.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from tui.core.settings import MAX_WRITERS
from tui.disk.batches import (
    Batch,
    Call,
    Finish,
    FinishBatch,
    PartWrite,
    WorkerStatus,
    WriteBatch,
)
from tui.disk.direct_copy import LINGER_S, DirectCopy
from tui.disk.small_files import SLOW_SYNC_S, SmallFile, SmallFileBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.clock import Clock
    from tui.disk.part_file import PartFile

SLOW_STORE_S = 0.001
"""For a small file: ten times what it takes where nothing has to be waited for."""
SLOW_MIB_S = 0.01
"""For a MiB: 100 MB/s."""
LONG_S = 0.1
"""A trip that takes longer than this waits for something; it does not count."""
_NICE = 5
"""Threads that write give way to the loop: with 200 downloads at full speed 95 % of
keys showed within 45 ms instead of 85, at the same speed."""


class ThreadGovernor:
    """What is under way, and how the disk has been lately; the loop's alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_s: dict[Batch, float] = {}
        self._most = {SmallFileBatch: 1, WriteBatch: _cores()}
        self._is_slow: dict[type[Batch], bool] = {
            SmallFileBatch: False,
            WriteBatch: False,
        }
        self.has_slow_syncs = False
        """As the last trip with small files met them."""

    def allows(self, kind: type[Batch]) -> bool:
        """Whether one more trip with small files, or with writes, would help."""
        if self._is_slow[kind]:
            return True
        recent = self._clock.monotonic() - LONG_S
        mine = (at for trip, at in self._began_s.items() if type(trip) is kind)
        return sum(at > recent for at in mine) < self._most[kind]

    def begin(self, trip: Batch) -> None:
        """A trip goes out."""
        if type(trip) in self._most:
            self._began_s[trip] = self._clock.monotonic()

    def end(self, trip: Batch) -> None:
        """It is back: what it met, the next ones will meet as well."""
        if self._began_s.pop(trip, None) is None:
            return
        if isinstance(trip, SmallFileBatch):
            if trip.sync_s:
                # By file: where the first sync does the work of all, they go together.
                mean_s = sum(trip.sync_s) / len(trip.sync_s)
                self.has_slow_syncs = mean_s >= SLOW_SYNC_S
            mean_s = sum(trip.write_s) / max(1, len(trip.write_s))
            self._is_slow[SmallFileBatch] = (
                self.has_slow_syncs or mean_s >= SLOW_STORE_S
            )
        elif isinstance(trip, WriteBatch):
            mib = sum(write.written for write in trip.operations) / (1 << 20)
            self._is_slow[WriteBatch] = sum(trip.write_s) >= SLOW_MIB_S * mib > 0


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


class WriteQueue:
    """A line for each part, served in turn; the loop's alone."""

    def __init__(self) -> None:
        self._lines: dict[PartFile, deque[tuple[int, PartWrite]]] = {}
        self._busy: set[PartFile] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, number: int, write: PartWrite) -> None:
        """Queue a write; numbers grow with every operation of the run."""
        self._lines.setdefault(write.part, deque()).append((number, write))
        self._count += 1

    def oldest(self) -> int | None:
        """Return the number of the write that would go next, ``None`` for none."""
        for part, line in self._lines.items():
            if part not in self._busy:
                return line[0][0]
        return None

    def take(self, limit: int) -> tuple[list[PartWrite], int]:
        """Take writes of together ``limit`` bytes (at least one), and their sum."""
        taken: list[PartWrite] = []
        nbytes = 0
        for part in [part for part in self._lines if part not in self._busy]:
            if nbytes >= limit:
                break
            line = self._lines.pop(part)
            while line and (not taken or nbytes + line[0][1].nbytes <= limit):
                write = line.popleft()[1]
                nbytes += write.nbytes
                taken.append(write)
            if line:
                self._lines[part] = line  # at the end: the others come first now
        self._busy.update(write.part for write in taken)
        self._count -= len(taken)
        return taken, nbytes

    def landed(self, writes: Iterable[PartWrite]) -> None:
        """Let the parts of a trip that is back be written again."""
        self._busy.difference_update(write.part for write in writes)


STORES_PER_TRIP = 64
"""Small files: each holds a descriptor until the batch is synced and renamed."""
STORE_BYTES_PER_TRIP = 8 << 20
WRITE_BYTES_PER_TRIP = 4 << 20
"""More only makes the others wait: at 4 MiB the trip is under 5 % of the time."""
CALLS_PER_TRIP = 16
GATHER_S = 0.004
"""How long a small file may wait for others to share its trip."""
SPILL = 128
"""Small files that wait, where the disk is slow, before one more slot joins in."""


class BatchScheduler:
    """The queue, the slots and the executor; the loop's alone."""

    def __init__(
        self,
        writers: int,
        clock: Clock,
        *,
        fsync: bool,
        on_landed: Callable[[Batch], None],
    ) -> None:
        self.writers = writers
        self.is_inline = False
        self.slots = [WorkerStatus() for _ in range(writers)]
        """Those allowed first, then those that finish their last trip."""
        self._clock = clock
        self._fsync = fsync
        self._on_landed = on_landed
        self._numbers = itertools.count()
        self._stores: deque[tuple[int, SmallFile]] = deque()
        self._writes = WriteQueue()
        self._finishes: deque[tuple[int, Finish]] = deque()
        self._calls: deque[tuple[int, Call]] = deque()
        self._running = dict[type, int].fromkeys(
            (SmallFileBatch, WriteBatch, FinishBatch, Batch), 0
        )
        self._executor: ThreadPoolExecutor | None = None
        self._is_shut = False
        self._is_scheduled = False
        self._gathering: asyncio.TimerHandle | None = None
        """Set while small files wait for company."""
        self._pace = ThreadGovernor(clock)
        self._is_held_back = False
        """More would go out if that made sense."""
        self._later: asyncio.TimerHandle | None = None
        """Looks whether it does by then."""
        self._busy = 0
        self._idle_waiters: list[asyncio.Future[None]] = []

    @property
    def queued(self) -> int:
        """Operations that wait for a slot."""
        return (
            len(self._stores)
            + len(self._writes)
            + len(self._finishes)
            + len(self._calls)
        )

    def put(self, operation: SmallFile | PartWrite | Call) -> None:
        """Queue an operation; it goes out in the next turn of the loop."""
        number = next(self._numbers)
        if isinstance(operation, SmallFile):
            self._stores.append((number, operation))
            if self._may_gather():
                return
        elif isinstance(operation, PartWrite):
            self._writes.put(number, operation)
        elif isinstance(operation, Finish):
            self._finishes.append((number, operation))
        else:
            self._calls.append((number, operation))
        if self.is_inline or self._busy < self.writers:
            self._schedule()

    def _may_gather(self) -> bool:
        """Whether small files may wait a moment for others to go with them.

        Each trip costs two switches of threads and several hand-overs of the
        interpreter's lock: gathering for 4 ms takes a tenth off the time of a small
        file (paired runs of 5,000 at 16 at once), 10 ms is worse again.
        """
        if self.is_inline or self._is_shut or len(self._stores) >= STORES_PER_TRIP:
            return False
        if self._gathering is None:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_later(GATHER_S, self._gathered)
        return True

    def _gathered(self) -> None:
        self._gathering = None
        self._schedule()

    def set_writers(self, count: int) -> None:
        """Allow so many slots: more start at once, fewer as the busy ones end."""
        self.writers = max(1, min(count, MAX_WRITERS))
        while len(self.slots) < self.writers:
            self.slots.append(WorkerStatus())
        self._trim()
        self._schedule()

    async def drain(self) -> None:
        """Return when nothing is queued or under way."""
        self._schedule()
        while self.queued or self._busy:
            future = asyncio.get_running_loop().create_future()
            self._idle_waiters.append(future)
            await future

    def shut_down(self) -> None:
        """End the threads, which are idle. What still comes is done at once."""
        self._is_shut = True
        if self._later is not None:
            self._later.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None

    def _schedule(self) -> None:
        if not self._is_scheduled and self.queued:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._is_scheduled = False
        if self.is_inline or self._is_shut:
            # One a turn, so that the loop limps rather than stops.
            trip = self._next_trip(1)
            if trip is not None:
                slot = self.slots[0] if not self.slots[0].is_busy else WorkerStatus()
                self._begin(slot, trip)
                _run(trip, slot)
                self._landed(slot, trip)
                self._schedule()
            return
        loop = asyncio.get_running_loop()
        free = [slot for slot in self.slots[: self.writers] if not slot.is_busy]
        while free:
            trip = self._next_trip(len(free))
            if trip is None:
                break
            slot = free.pop(0)
            self._begin(slot, trip)
            if self._executor is None:
                self._executor = ThreadPoolExecutor(
                    MAX_WRITERS, "fetchtui-disk", initializer=step_back
                )
            future = loop.run_in_executor(self._executor, _run, trip, slot)
            future.add_done_callback(partial(self._landed, slot, trip))
        if self._is_held_back and self._later is None:
            # The trips that are under way may turn out to wait for a dead disk.
            self._later = loop.call_later(LONG_S, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self._schedule()

    def _begin(self, slot: WorkerStatus, trip: Batch) -> None:
        self._busy += 1
        self._running[type(trip)] += 1
        self._pace.begin(trip)
        slot.is_busy = True
        slot.operation = trip.label
        slot.name = trip.name
        slot.operations = len(trip.operations)
        slot.nbytes = trip.nbytes
        slot.started_s = self._clock.monotonic()

    def _landed(self, slot: WorkerStatus, trip: Batch, _: object = None) -> None:
        self._busy -= 1
        self._running[type(trip)] -= 1
        self._pace.end(trip)
        if isinstance(trip, WriteBatch):
            self._writes.landed(trip.operations)
        slot.is_busy = False
        slot.operation = "idle"
        slot.name = ""
        slot.operations = slot.nbytes = 0
        if len(self.slots) > self.writers:
            self._trim()
        try:
            self._on_landed(trip)
        finally:
            self._schedule()
        if self._idle_waiters and not self._busy and not self.queued:
            for future in self._idle_waiters:
                if not future.done():
                    future.set_result(None)
            self._idle_waiters.clear()

    def _trim(self) -> None:
        """Drop idle slots above the limit; busy ones move up to free places."""
        busy = [slot for slot in self.slots if slot.is_busy]
        idle = [slot for slot in self.slots if not slot.is_busy]
        if len(self.slots) > self.writers:
            self.slots = busy + idle[: max(self.writers - len(busy), 0)]

    def _next_trip(self, free: int) -> Batch | None:
        """Take the operations of the kind whose first has waited longest."""
        running = self._running
        # Syncs and hashes may take seconds: one slot is always left to the writes.
        may_call = (
            self.is_inline
            or self._is_shut
            or running[Batch] + running[FinishBatch] < max(1, self.writers - 1)
        )
        is_gathering = self._gathering is not None and not self._idle_waiters
        spill = 0 if self._pace.has_slow_syncs else SPILL
        may_store = self.is_inline or (
            len(self._stores) > spill * running[SmallFileBatch]
            and (not is_gathering or len(self._stores) >= STORES_PER_TRIP)
        )
        first: list[tuple[int, Callable[[int], Batch]]] = []
        self._is_held_back = False
        if self._stores and may_store and self._makes_sense(SmallFileBatch):
            first.append((self._stores[0][0], self._store_trip))
        oldest = self._writes.oldest()
        if oldest is not None and self._makes_sense(WriteBatch):
            first.append((oldest, self._write_trip))
        if self._finishes and may_call:
            first.append((self._finishes[0][0], self._finish_trip))
        if self._calls and may_call:
            first.append((self._calls[0][0], self._call_trip))
        return min(first)[1](free) if first else None

    def _makes_sense(self, kind: type[Batch]) -> bool:
        if self.is_inline or self._is_shut or self._pace.allows(kind):
            return True
        self._is_held_back = True
        return False

    def _store_trip(self, free: int) -> Batch:
        lane = self._stores
        taken: list[SmallFile] = []
        nbytes = 0
        count = STORES_PER_TRIP
        if self._pace.has_slow_syncs:
            count = min(count, -(-len(lane) // free))
        while lane and len(taken) < count and nbytes < STORE_BYTES_PER_TRIP:
            job = lane.popleft()[1]
            nbytes += job.nbytes
            taken.append(job)
        # Spread over the slots already, or not known to need it.
        hands = 1 if self._pace.has_slow_syncs else free
        return SmallFileBatch(
            taken,
            nbytes,
            self._clock,
            fsync=self._fsync,
            hands=hands,
            may_wait=not (self.is_inline or self._is_shut),
        )

    def _write_trip(self, _: int) -> Batch:
        trip = WriteBatch(*self._writes.take(WRITE_BYTES_PER_TRIP), self._clock)
        if not self.queued:
            for write in trip.operations:
                if isinstance(write, DirectCopy):
                    write.linger_s = LINGER_S
        return trip

    def _finish_trip(self, free: int) -> Batch:
        lane = self._finishes
        count = min(-(-len(lane) // free), CALLS_PER_TRIP)
        taken = [lane.popleft()[1] for _ in range(count)]
        return FinishBatch(taken, self._clock, fsync=self._fsync)

    def _call_trip(self, free: int) -> Batch:
        lane = self._calls
        count = min(-(-len(lane) // free), CALLS_PER_TRIP)
        taken = [lane.popleft()[1]]
        while len(taken) < count and not (taken[0].is_long or lane[0][1].is_long):
            taken.append(lane.popleft()[1])
        return Batch(taken, 0, self._clock)


def _run(trip: Batch, slot: WorkerStatus) -> None:
    """What the thread does. Never raises: the operations would wait for ever."""
    try:
        trip.run(slot)
    except Exception as error:
        trip.abandon(error)

"""Decide which operations share an executor call, and when it is made.

An executor call costs 50-100 µs, more than writing a small file. So operations that are
queued in the same turn of the loop, and all that are queued while every thread is busy,
are collected (small files a moment longer), and a free thread takes as many of them as
is useful.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import time
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
from tui.disk.platform import cores
from tui.disk.small_files import SLOW_SYNC_S, SmallFile, SmallFileBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.clock import Clock
    from tui.disk.part_file import PartFile

SLOW_SMALL_FILE_S = 0.001
"""Per small file: ten times the duration of a write that does not have to wait."""
SLOW_MIB_S = 0.01
"""Per MiB: 100 MB/s."""
SLOW_FINISH_S = 0.01
"""Per large file to sync and rename: what a disk without a cache takes."""
LONG_S = 0.1
"""A batch that takes longer is waiting for something, and does not count as busy."""
_NICE = 5
"""Writer threads yield to the loop: with 200 downloads at full speed, 95 % of key
presses were visible within 45 ms instead of 85, at the same throughput."""


class ThreadGovernor:
    """Decide how many threads are useful, from recent disk latency.

    On a fast disk, more threads than cores only compete for the GIL; on a slow one,
    every thread that waits helps. Belongs to the loop.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s: dict[Batch, float] = {}
        self._cores = cores()
        self._limits = {SmallFileBatch: 1, WriteBatch: self._cores}
        self._is_slow: dict[type[Batch], bool] = {
            SmallFileBatch: False,
            WriteBatch: False,
            FinishBatch: False,
        }
        self.has_slow_syncs = False
        """As measured by the last batch of small files."""

    def useful(self, writers: int) -> int:
        """Return how many of ``writers`` threads help now, busy ones included.

        With two cores and a fast disk, 100 files of 5 MiB over TLS took a tenth longer
        with four threads than with two, since four also take fewer operations at once
        (``python -m tests.bench.compare --work many-tls``).
        """
        if any(self._is_slow.values()):
            return writers
        recent = self._clock.monotonic() - LONG_S
        waiting = sum(started_s <= recent for started_s in self._started_s.values())
        return min(writers, max(2, self._cores) + waiting)

    def allows(self, kind: type[Batch]) -> bool:
        """Return True if one more batch of this kind would help."""
        if self._is_slow[kind]:
            return True
        recent = self._clock.monotonic() - LONG_S
        started = (s for batch, s in self._started_s.items() if type(batch) is kind)
        return sum(s > recent for s in started) < self._limits[kind]

    def start(self, batch: Batch) -> None:
        """Note that a batch starts."""
        self._started_s[batch] = self._clock.monotonic()

    def finish(self, batch: Batch) -> None:
        """Evaluate a finished batch: the next ones will see the same latency."""
        started_s = self._started_s.pop(batch, None)
        if started_s is None:
            return
        if isinstance(batch, SmallFileBatch):
            if batch.sync_s:
                # Per file: where the first sync does the work of all, they stay
                # together in one batch.
                mean_s = sum(batch.sync_s) / len(batch.sync_s)
                self.has_slow_syncs = mean_s >= SLOW_SYNC_S
            mean_s = sum(batch.write_s) / max(1, len(batch.write_s))
            self._is_slow[SmallFileBatch] = (
                self.has_slow_syncs or mean_s >= SLOW_SMALL_FILE_S
            )
        elif isinstance(batch, WriteBatch):
            mib = sum(write.written for write in batch.operations) / (1 << 20)
            self._is_slow[WriteBatch] = sum(batch.write_s) >= SLOW_MIB_S * mib > 0
        elif isinstance(batch, FinishBatch):
            mean_s = (self._clock.monotonic() - started_s) / len(batch.operations)
            self._is_slow[FinishBatch] = mean_s >= SLOW_FINISH_S


def lower_thread_priority() -> None:
    """Raise the nice value of the calling thread, so that the loop gets the CPU."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            nice = os.getpriority(os.PRIO_PROCESS, thread) + _NICE
            os.setpriority(os.PRIO_PROCESS, thread, nice)


class WriteQueue:
    """Queued writes by part file, served round-robin. Belongs to the loop.

    Two batches never write to the same part at the same time.
    """

    def __init__(self) -> None:
        self._queues: dict[PartFile, deque[tuple[int, PartWrite]]] = {}
        self._busy: set[PartFile] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, number: int, write: PartWrite) -> None:
        """Queue a write; ``number`` grows with every operation of the run."""
        self._queues.setdefault(write.part, deque()).append((number, write))
        self._count += 1

    def oldest(self) -> int | None:
        """Return the number of the write that would be taken next, if any."""
        for part, queue in self._queues.items():
            if part not in self._busy:
                return queue[0][0]
        return None

    def take(self, limit: int) -> tuple[list[PartWrite], int]:
        """Take writes of at most ``limit`` bytes in total, but at least one.

        Returns:
            The writes and the sum of their bytes.
        """
        taken: list[PartWrite] = []
        nbytes = 0
        for part in [part for part in self._queues if part not in self._busy]:
            if nbytes >= limit:
                break
            queue = self._queues.pop(part)
            while queue and (not taken or nbytes + queue[0][1].nbytes <= limit):
                write = queue.popleft()[1]
                nbytes += write.nbytes
                taken.append(write)
            if queue:
                self._queues[part] = queue  # at the end: the other parts come first
        self._busy.update(write.part for write in taken)
        self._count -= len(taken)
        return taken, nbytes

    def done(self, writes: Iterable[PartWrite]) -> None:
        """Allow the parts of a finished batch to be written again."""
        self._busy.difference_update(write.part for write in writes)


SMALL_FILES_PER_BATCH = 64
"""Each keeps a descriptor open until the batch is synced and renamed."""
SMALL_FILE_BYTES_PER_BATCH = 8 << 20
WRITE_BYTES_PER_BATCH = 4 << 20
"""More would only make the others wait: at 4 MiB the overhead is below 5 %."""
CALLS_PER_BATCH = 16
GATHER_S = 0.004
"""How long a small file may wait for others to share its batch."""
SPILL = 128
"""Small files that must be waiting, on a slow disk, before one more thread joins in."""


class BatchScheduler:
    """The operation queues, the worker threads and the executor. Belongs to the loop.

    Args:
        writers: the number of threads.
        clock: measures durations.
        fsync: sync data before a rename.
        on_done: called on the loop with each finished batch.
    """

    def __init__(
        self,
        writers: int,
        clock: Clock,
        *,
        fsync: bool,
        on_done: Callable[[Batch], None],
    ) -> None:
        self.writers = writers
        self.is_inline = False
        self.delay_s = 0.0
        """Seconds added to each batch of writes, to simulate a slow disk."""
        self.workers = [WorkerStatus() for _ in range(writers)]
        """The allowed ones first, then those that finish their last batch."""
        self._clock = clock
        self._fsync = fsync
        self._on_done = on_done
        self._numbers = itertools.count()
        self._small_files: deque[tuple[int, SmallFile]] = deque()
        self._writes = WriteQueue()
        self._finishes: deque[tuple[int, Finish]] = deque()
        self._calls: deque[tuple[int, Call]] = deque()
        self._running = dict[type, int].fromkeys(
            (SmallFileBatch, WriteBatch, FinishBatch, Batch), 0
        )
        self._executor: ThreadPoolExecutor | None = None
        self._is_shut_down = False
        self._is_scheduled = False
        self._gathering: asyncio.TimerHandle | None = None
        """Set while small files wait for others."""
        self._governor = ThreadGovernor(clock)
        self._is_held_back = False
        """The governor does not allow a batch that is ready."""
        self._retry: asyncio.TimerHandle | None = None
        """Asks the governor again."""
        self._busy = 0
        self._idle_waiters: list[asyncio.Future[None]] = []

    @property
    def queued(self) -> int:
        """Operations that wait for a thread."""
        return (
            len(self._small_files)
            + len(self._writes)
            + len(self._finishes)
            + len(self._calls)
        )

    def put(self, operation: SmallFile | PartWrite | Call) -> None:
        """Queue an operation; it is dispatched in the next turn of the loop."""
        number = next(self._numbers)
        if isinstance(operation, SmallFile):
            self._small_files.append((number, operation))
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
        """Return True if small files may wait a moment for others to join them.

        Each batch costs two thread switches and several handovers of the GIL.
        Gathering for 4 ms saves a tenth of the time per small file (paired runs of
        5,000, 16 at once); 10 ms is slower again.
        """
        if (
            self.is_inline
            or self._is_shut_down
            or len(self._small_files) >= SMALL_FILES_PER_BATCH
        ):
            return False
        if self._gathering is None:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_later(GATHER_S, self._end_gathering)
        return True

    def _end_gathering(self) -> None:
        self._gathering = None
        self._schedule()

    def set_writers(self, count: int) -> None:
        """Change the number of threads; surplus ones finish their batch first."""
        self.writers = max(1, min(count, MAX_WRITERS))
        while len(self.workers) < self.writers:
            self.workers.append(WorkerStatus())
        self._trim()
        self._schedule()

    async def drain(self) -> None:
        """Wait until nothing is queued or running."""
        self._schedule()
        while self.queued or self._busy:
            future = asyncio.get_running_loop().create_future()
            self._idle_waiters.append(future)
            await future

    def shut_down(self) -> None:
        """End the idle threads. Operations queued later run on the loop."""
        self._is_shut_down = True
        if self._retry is not None:
            self._retry.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None

    def _schedule(self) -> None:
        if not self._is_scheduled and self.queued:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._is_scheduled = False
        if self.is_inline or self._is_shut_down:
            # One per turn, so that the loop is slow rather than stopped.
            batch = self._next_batch(1)
            if batch is not None:
                first = self.workers[0]
                status = WorkerStatus() if first.is_busy else first
                self._start(status, batch)
                _run(batch, status, self._delay_s(batch))
                self._finish(status, batch)
                self._schedule()
            return
        loop = asyncio.get_running_loop()
        free = [status for status in self.workers[: self.writers] if not status.is_busy]
        useful = self._governor.useful(self.writers)
        del free[max(0, useful - self._busy) :]
        while free:
            batch = self._next_batch(len(free))
            if batch is None:
                break
            status = free.pop(0)
            self._start(status, batch)
            if self._executor is None:
                self._executor = ThreadPoolExecutor(
                    MAX_WRITERS, "fetchtui-disk", initializer=lower_thread_priority
                )
            delay_s = self._delay_s(batch)
            future = loop.run_in_executor(self._executor, _run, batch, status, delay_s)
            future.add_done_callback(partial(self._finish, status, batch))
        if useful < self.writers and self.queued:
            self._is_held_back = True
        if self._is_held_back and self._retry is None:
            # The running batches may turn out to be stuck on a dead disk.
            self._retry = loop.call_later(LONG_S, self._ask_again)

    def _delay_s(self, batch: Batch) -> float:
        is_write = isinstance(batch, WriteBatch | SmallFileBatch)
        return self.delay_s if is_write and not self._is_shut_down else 0.0

    def _ask_again(self) -> None:
        self._retry = None
        self._schedule()

    def _start(self, status: WorkerStatus, batch: Batch) -> None:
        self._busy += 1
        self._running[type(batch)] += 1
        self._governor.start(batch)
        status.is_busy = True
        status.operation = batch.label
        status.name = batch.name
        status.operations = len(batch.operations)
        status.nbytes = batch.nbytes
        status.started_s = self._clock.monotonic()

    def _finish(self, status: WorkerStatus, batch: Batch, _: object = None) -> None:
        self._busy -= 1
        self._running[type(batch)] -= 1
        self._governor.finish(batch)
        if isinstance(batch, WriteBatch):
            self._writes.done(batch.operations)
        status.is_busy = False
        status.busy_s += max(0.0, self._clock.monotonic() - status.started_s)
        status.operation = "idle"
        status.name = ""
        status.operations = status.nbytes = 0
        if len(self.workers) > self.writers:
            self._trim()
        try:
            self._on_done(batch)
        finally:
            self._schedule()
        if self._idle_waiters and not self._busy and not self.queued:
            for future in self._idle_waiters:
                if not future.done():
                    future.set_result(None)
            self._idle_waiters.clear()

    def _trim(self) -> None:
        """Drop idle workers above the limit; busy ones move to the front."""
        busy = [status for status in self.workers if status.is_busy]
        idle = [status for status in self.workers if not status.is_busy]
        if len(self.workers) > self.writers:
            self.workers = busy + idle[: max(self.writers - len(busy), 0)]

    def _next_batch(self, free: int) -> Batch | None:
        """Take operations of the kind whose first one has waited longest.

        Args:
            free: the number of idle threads.
        """
        running = self._running
        # Syncs and hashes may take seconds: one thread is always left for the writes.
        may_call = (
            self.is_inline
            or self._is_shut_down
            or running[Batch] + running[FinishBatch]
            < max(1, self._governor.useful(self.writers) - 1)
        )
        is_gathering = self._gathering is not None and not self._idle_waiters
        spill = 0 if self._governor.has_slow_syncs else SPILL
        may_store = self.is_inline or (
            len(self._small_files) > spill * running[SmallFileBatch]
            and (not is_gathering or len(self._small_files) >= SMALL_FILES_PER_BATCH)
        )
        ready: list[tuple[int, Callable[[int], Batch]]] = []
        self._is_held_back = False
        if self._small_files and may_store and self._is_allowed(SmallFileBatch):
            ready.append((self._small_files[0][0], self._take_small_files))
        oldest = self._writes.oldest()
        if oldest is not None and self._is_allowed(WriteBatch):
            ready.append((oldest, self._take_writes))
        if self._finishes and may_call:
            ready.append((self._finishes[0][0], self._take_finishes))
        if self._calls and may_call:
            ready.append((self._calls[0][0], self._take_calls))
        return min(ready)[1](free) if ready else None

    def _is_allowed(self, kind: type[Batch]) -> bool:
        if self.is_inline or self._is_shut_down or self._governor.allows(kind):
            return True
        self._is_held_back = True
        return False

    def _take_small_files(self, free: int) -> Batch:
        queue = self._small_files
        taken: list[SmallFile] = []
        nbytes = 0
        count = SMALL_FILES_PER_BATCH
        if self._governor.has_slow_syncs:
            count = min(count, -(-len(queue) // free))
        while queue and len(taken) < count and nbytes < SMALL_FILE_BYTES_PER_BATCH:
            file = queue.popleft()[1]
            nbytes += file.nbytes
            taken.append(file)
        # With slow syncs, the batches themselves are spread over the threads already.
        sync_threads = 1 if self._governor.has_slow_syncs else free
        return SmallFileBatch(
            taken,
            nbytes,
            self._clock,
            fsync=self._fsync,
            sync_threads=sync_threads,
            may_wait=not (self.is_inline or self._is_shut_down),
        )

    def _take_writes(self, _: int) -> Batch:
        batch = WriteBatch(*self._writes.take(WRITE_BYTES_PER_BATCH), self._clock)
        if not self.queued:
            for write in batch.operations:
                if isinstance(write, DirectCopy):
                    write.linger_s = LINGER_S
        return batch

    def _take_finishes(self, free: int) -> Batch:
        queue = self._finishes
        count = min(-(-len(queue) // free), CALLS_PER_BATCH)
        taken = [queue.popleft()[1] for _ in range(count)]
        return FinishBatch(taken, self._clock, fsync=self._fsync)

    def _take_calls(self, free: int) -> Batch:
        queue = self._calls
        count = min(-(-len(queue) // free), CALLS_PER_BATCH)
        taken = [queue.popleft()[1]]
        while len(taken) < count and not (taken[0].is_long or queue[0][1].is_long):
            taken.append(queue.popleft()[1])
        return Batch(taken, 0, self._clock)


def _run(batch: Batch, status: WorkerStatus, delay_s: float) -> None:
    """Run a batch in a thread. Never raises: its callers would wait forever.

    Args:
        batch: what to run.
        status: shows it.
        delay_s: how much longer it takes, as on a slow disk; counts as writing.
    """
    if delay_s:
        time.sleep(delay_s)
    try:
        batch.run(status)
    except Exception as error:
        batch.fail(error)
    if delay_s:
        each_s = delay_s / max(1, len(batch.write_s))
        batch.write_s[:] = [write_s + each_s for write_s in batch.write_s]

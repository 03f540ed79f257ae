"""The disk writer: the engine hands data over here, and threads write it.

The writer admits data (``backpressure``), lets ``scheduler`` batch operations into
executor calls, evaluates the finished batches on the loop, and measures itself.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tui.core.errors import FetchError
from tui.core.segment import RangeSet
from tui.core.snapshot import DiskSnapshot
from tui.disk.backpressure import Backpressure
from tui.disk.batches import Call, Finish, PartWrite, WriteBatch
from tui.disk.checksum import new_hash
from tui.disk.direct_copy import DirectCopier, DirectCopy
from tui.disk.part_file import PartFile, open_part_file, save_checkpoint
from tui.disk.resume_record import with_ranges
from tui.disk.scheduler import BatchScheduler
from tui.disk.small_files import SmallFile, SmallFileBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

    from tui.core.clock import Clock
    from tui.disk.batches import Batch
    from tui.disk.folders import Folder
    from tui.disk.resume_record import ExistingFiles, ResumeRecord

T = TypeVar("T")

_HASH_SLICE = 64 << 20
"""Bytes hashed per call: about 50 ms of SHA-256, so that writes get their turn."""
_DURATIONS = 512
"""Durations remembered: those of a few seconds on a busy disk."""
_TAU_S = 3.0
_MIN_SPAN_S = 0.05
"""A shorter span says nothing about the speed: a single batch would decide it."""


class Durations:
    """The last few hundred durations, in seconds."""

    def __init__(self) -> None:
        self._ring: deque[float] = deque(maxlen=_DURATIONS)
        self._sorted: list[float] | None = []

    def extend(self, durations: Iterable[float]) -> None:
        """Add durations."""
        self._ring.extend(durations)
        self._sorted = None

    def quantile(self, fraction: float) -> float:
        """Return the duration that ``fraction`` of them do not exceed; 0 if empty."""
        if self._sorted is None:
            self._sorted = sorted(self._ring)
        if not self._sorted:
            return 0.0
        index = math.ceil(fraction * len(self._sorted)) - 1
        return self._sorted[max(index, 0)]


class DiskMeter:
    """Counts, durations and throughput of the writer. Belongs to the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.writes = Durations()
        self.syncs = Durations()
        self.written = 0
        """Bytes."""
        self.batches = 0
        self.operations = 0
        self._speed = 0.0
        self._sampled_at = clock.monotonic()
        self._sampled = 0

    def speed(self) -> float:
        """Return bytes per second, smoothed over about 3 s; each call samples."""
        now = self._clock.monotonic()
        span = now - self._sampled_at
        if span >= _MIN_SPAN_S:
            speed = (self.written - self._sampled) / span
            # Weighted by time, so that the result does not depend on how often this
            # is called.
            self._speed += (speed - self._speed) * (1 - math.exp(-span / _TAU_S))
            self._sampled_at = now
            self._sampled = self.written
        return self._speed


class DiskWriter:
    """Writes in executor threads. Call every method on the loop's thread.

    Args:
        writers: the number of threads.
        in_flight_limit: bytes that may be in memory before ``write`` waits.
        fsync: sync data before a rename or a resume record relies on it.
        clock: measures durations.
    """

    def __init__(
        self, *, writers: int, in_flight_limit: int, fsync: bool, clock: Clock
    ) -> None:
        self.fsync = fsync
        self._clock = clock
        self._backpressure = Backpressure(in_flight_limit)
        self._meter = DiskMeter(clock)
        self._scheduler = BatchScheduler(
            writers, clock, fsync=fsync, on_done=self._batch_done
        )
        self.direct_copier = DirectCopier(self._scheduler)

    # -- part files ------------------------------------------------------------------

    async def open_part(
        self,
        folder: Folder,
        name: str,
        *,
        size: int | None,
        existing: ExistingFiles | None = None,
        record: ResumeRecord | None = None,
        is_new: bool = False,
    ) -> PartFile:
        """Create ``NAME.part``, or continue an existing one.

        Lock it against other processes, and allocate blocks for ``size`` bytes.

        Args:
            folder: the output folder.
            name: the final name, reserved in the folder.
            size: bytes of the whole file, ``None`` while unknown.
            existing: continue the part file that was seen. The caller then adds to
                ``flushed`` whatever its resume record proves.
            record: saved beside a new part file, to identify it.
            is_new: there must not be a final file yet.

        Raises:
            ChangedOnDiskError: there is a part file where none was seen, it is not the
                one that was seen, or the final file exists (and ``is_new`` is true).
            FileExistsError: ``part``: the part file has other hard links, or the
                record's name is used by a file that fetchtui did not write.
            LocalError: ``in_use``, ``disk_full`` (before anything is fetched),
                ``not_writable``, ``directory_gone``, ``name`` or ``disk``.
        """
        opening = partial(
            open_part_file,
            folder,
            name,
            size=size,
            existing=existing,
            record=record,
            is_new=is_new,
        )
        call = Call("open", name, opening)
        call.on_done = self._close_if_cancelled
        try:
            part: PartFile = await self._call(call)
        except asyncio.CancelledError:
            self._close_unwanted(call)
            raise
        return part

    def _close_if_cancelled(self, call: Call) -> None:
        if call.future is not None and call.future.cancelled():
            self._close_unwanted(call)

    def _close_unwanted(self, call: Call) -> None:
        """Close a part file whose opener was cancelled meanwhile."""
        part = call.result
        if isinstance(part, PartFile) and not part.order.is_closing:
            part.order.is_closing = True
            close = part.remove if part.created_here else part.close
            self._scheduler.put(Call("close", part.name, close))

    async def write(
        self, part: PartFile, offset: int, buffers: list[Buffer], nbytes: int
    ) -> None:
        """Hand over buffers to be written at an offset; return once they are admitted.

        The buffers are not copied and are written later, so do not change them. Two
        writes to the same bytes have no defined order; ``flush`` between them.

        Args:
            part: an open part file.
            offset: of the first byte.
            buffers: objects with the buffer protocol.
            nbytes: their total size. A write larger than the limit is admitted alone.

        Raises:
            FetchError: an earlier write of this part failed.
        """
        part.check_open()
        await self._backpressure.acquire(nbytes)
        try:
            part.check_open()
        except FetchError:
            self._backpressure.remove(nbytes)
            raise
        number = part.order.begin_write()
        self._scheduler.put(PartWrite(part, offset, buffers, nbytes, number))

    async def flush(self, part: PartFile, *, sync: bool) -> None:
        """Wait until everything admitted so far is in the file.

        Args:
            part: an open part file.
            sync: and on the disk, regardless of the writer's ``fsync``.

        Raises:
            FetchError: a write or the sync failed.
        """
        call = Call("sync", part.name, part.sync if sync else None, part=part)
        call.is_long = True
        call.prepare = _note_flushed
        await self._call_in_order(call)
        if part.error is not None:
            raise part.error

    async def checkpoint(self, part: PartFile, record: ResumeRecord) -> None:
        """Save a resume record for the data in the file, in one executor call.

        Flush, sync (with ``fsync``), then save the record with the ranges that were
        flushed before the sync; ``record.ranges`` and ``saved_at`` are filled in. This
        also works after a failed write: the data before it can still be resumed.

        Raises:
            LocalError: the sync or the save failed; the previous record stays.
        """
        call = Call("record", part.name, save_checkpoint, part=part)
        call.is_long = True

        def prepare(call: Call) -> None:
            _note_flushed(call)
            current = with_ranges(record, call.ranges or (), self._clock.wall())
            call.args = (part, current, self.fsync)

        call.prepare = prepare
        await self._call_in_order(call)

    async def finish(self, part: PartFile, name: str, *, overwrite: bool) -> None:
        """Rename a complete part file to its final name, durably, and close it.

        Args:
            part: an open part file.
            name: the final name, reserved in the folder; may differ from the part's.
            overwrite: replace an existing file of that name.

        Raises:
            FileExistsError: ``final``: the name exists; the part is unchanged.
            FetchError: a write failed, bytes are missing, or the rename failed; the
                part is unchanged.
        """
        call = Finish(part, name, overwrite=overwrite)
        call.prepare = _check_complete
        await self._call_in_order(call)

    async def close_part(self, part: PartFile) -> None:
        """Write what was admitted, close and unlock; the part file stays on disk."""
        if not part.is_open and part.order.is_idle:
            # Its rename has closed it: nothing that takes a thread.
            part.order.is_closing = True
            return
        await self._end(Call("close", part.name, part.close, part=part))

    async def discard(self, part: PartFile) -> None:
        """Close and remove the part file and its resume record.

        Raises:
            LocalError: it cannot be removed.
        """
        await self._end(Call("remove", part.name, part.remove, part=part))

    async def keep_as(self, part: PartFile, name: str) -> str:
        """Close, and keep the data under another name, such as ``NAME.bad``.

        Args:
            part: an open part file.
            name: the preferred name; the first free name like it is used.

        Returns:
            The name that was used.

        Raises:
            LocalError: it cannot be renamed, and is still open.
        """
        while True:
            free = part.folder.reserve(name)
            try:
                await self._call_in_order(
                    Call("rename", part.name, part.keep_as, free, part=part)
                )
            except FileExistsError:
                continue  # created after the folder was listed; keep it reserved
            except BaseException:
                part.folder.release(free)
                raise
            return free

    async def digest(
        self, part: PartFile, algorithm: str, length: int, start: int = 0
    ) -> str:
        """Hash ``length`` bytes of the part file, beginning at ``start``.

        This is done in slices, so that other operations run in between and a cancelled
        caller stops it after the current slice.

        Returns:
            Lower-case hexadecimal.

        Raises:
            LocalError: ``disk``: it cannot be read, or is shorter.
        """
        result = new_hash(algorithm)
        for at in range(start, start + length, _HASH_SLICE):
            end = min(at + _HASH_SLICE, start + length)
            call = Call("hash", part.name, part.update_hash, result, at, end, part=part)
            call.is_long = True
            await self._call_in_order(call)
        return result.hexdigest()

    def accepts(self, nbytes: int) -> bool:
        """Return True if ``write`` would admit so many bytes without waiting."""
        return self._backpressure.accepts(nbytes)

    # -- small files -----------------------------------------------------------------

    def has_room(self) -> bool:
        """Return True if ``store`` may be called without ``wait_for_room``."""
        return self._backpressure.has_room()

    async def wait_for_room(self, nbytes: int) -> None:
        """Wait until a small file fits; ``store`` it before awaiting anything else."""
        await self._backpressure.wait_for_room(nbytes)

    def store(self, file: SmallFile) -> None:
        """Hand over a complete small file; ``file.on_done`` reports the result."""
        self._backpressure.add(file.nbytes, is_small_file=True)
        self._scheduler.put(file)

    # -- anything else ---------------------------------------------------------------

    async def run(
        self, operation: str, name: str, function: Callable[..., T], *args: Any
    ) -> T:
        """Call a blocking function in a writer thread.

        Args:
            operation: what it does, in a word, for the disk pane and for errors.
            name: the file or folder it works on.
            function: the function to call.
            args: its arguments.

        Raises:
            FileExistsError: raised unchanged, since callers then try another name.
            FetchError: for any other exception.
        """
        result: T = await self._call(Call(operation, name, function, *args))
        return result

    # -- monitoring and control ------------------------------------------------------

    def snapshot(self) -> DiskSnapshot:
        """Return what the threads do and how fast; cheap enough for every frame."""
        now = self._clock.monotonic()
        workers = tuple(status.snapshot(now) for status in self._scheduler.workers)
        meter = self._meter
        return DiskSnapshot(
            workers=workers,
            writers=self._scheduler.writers,
            is_inline=self._scheduler.is_inline,
            queued=self._scheduler.queued,
            in_flight=self._backpressure.in_flight,
            in_flight_limit=self._backpressure.limit,
            speed=meter.speed(),
            batches=meter.batches,
            operations=meter.operations,
            p50_s=meter.writes.quantile(0.5),
            p99_s=meter.writes.quantile(0.99),
            sync_p99_s=meter.syncs.quantile(0.99),
            delay_s=self._scheduler.delay_s,
        )

    @property
    def written(self) -> int:
        """Bytes written in this run."""
        return self._meter.written

    def set_writers(self, count: int) -> None:
        """Change the number of threads; surplus ones finish their batch first."""
        self._scheduler.set_writers(count)

    def set_inline(self, is_inline: bool) -> None:
        """Run operations on the loop, to demonstrate what blocking it does."""
        self._scheduler.is_inline = is_inline

    def set_delay(self, seconds: float) -> None:
        """Make each batch of writes take longer, to demonstrate a slow disk."""
        self._scheduler.delay_s = max(0.0, seconds)

    async def close(self) -> None:
        """Finish everything handed over, then end the threads. Safe to call twice."""
        self._scheduler.delay_s = 0.0
        await self._scheduler.drain()
        while self._backpressure.in_flight:
            # Somebody was just admitted and is about to hand something over.
            await asyncio.sleep(0)
            await self._scheduler.drain()
        self._scheduler.shut_down()

    async def _end(self, call: Call) -> None:
        """Make the last call of a part, which runs even if its caller is cancelled."""
        assert call.part is not None
        call.part.order.is_closing = True
        call.must_run = True
        await self._call_in_order(call)

    # -- calls and finished batches --------------------------------------------------

    async def _call(self, call: Call) -> Any:
        """Queue a call now; return its result when it is done."""
        call.future = asyncio.get_running_loop().create_future()
        self._scheduler.put(call)
        return await call.future

    async def _call_in_order(self, call: Call) -> Any:
        """Queue a call behind the operations on its part; return its result."""
        assert call.part is not None
        call.future = asyncio.get_running_loop().create_future()
        self._start_call(call.part.order.enqueue(call))
        return await call.future

    def _start_call(self, call: Call | None) -> None:
        """Queue a call that is due; those that need no thread end here."""
        while call is not None:
            assert call.part is not None
            if not call.is_unwanted:
                try:
                    if call.prepare is not None:
                        call.prepare(call)
                except Exception as error:
                    call.error = error
                else:
                    if call.function is not None or isinstance(call, Finish):
                        self._scheduler.put(call)
                        return
                _resolve(call)
            call = call.part.order.end_call()

    def _batch_done(self, batch: Batch) -> None:
        """Evaluate a finished batch."""
        meter = self._meter
        meter.batches += 1
        meter.operations += len(batch.operations)
        meter.writes.extend(batch.write_s)
        meter.syncs.extend(batch.sync_s)
        if isinstance(batch, SmallFileBatch):
            self._small_files_done(batch)
        elif isinstance(batch, WriteBatch):
            self._writes_done(batch)
        else:
            for call in batch.operations:
                self._call_done(call)

    def _small_files_done(self, batch: SmallFileBatch) -> None:
        self._backpressure.remove(batch.nbytes, len(batch.operations))
        for index, file in enumerate(batch.operations):
            error = batch.errors.get(index)
            if error is None:
                self._meter.written += file.nbytes
            try:
                file.on_done(file, error)
            except Exception as failure:
                # The other files of the batch must be reported as well.
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "on_done of a small file failed", "exception": failure}
                )

    def _writes_done(self, batch: WriteBatch) -> None:
        self._backpressure.remove(sum(write.buffered for write in batch.operations))
        for write in batch.operations:
            part, written = write.part, write.written
            if written:
                part.flushed.add(write.offset, write.offset + written)
                self._meter.written += written
            if part.error is None:
                part.error = write.error
            if isinstance(write, DirectCopy):
                _copy_done(write)
            self._start_call(part.order.end_write(write.number))

    def _call_done(self, call: Call) -> None:
        part = call.part
        if part is not None:
            if part.sync_error is not None:
                # Data written after the last good sync may never reach the disk.
                part.error = part.error or part.sync_error
                part.sync_error = None
                part.flushed = RangeSet(part.synced)
            elif call.error is None and call.ranges is not None:
                part.synced = call.ranges
        _resolve(call)
        if call.on_done is not None:
            call.on_done(call)
        if part is not None:
            self._start_call(part.order.end_call())


def _copy_done(copy: DirectCopy) -> None:
    try:
        copy.on_done(copy)
    except Exception as failure:
        # The waiter must learn of it, without keeping the rest of the batch waiting.
        copy.future.set_exception(failure)
    else:
        copy.future.set_result(None)


def _resolve(call: Call) -> None:
    future = call.future
    if future is None or future.done():
        return
    if call.error is None:
        future.set_result(call.result)
    else:
        future.set_exception(call.error)


def _note_flushed(call: Call) -> None:
    assert call.part is not None
    call.ranges = tuple(call.part.flushed)


def _check_complete(call: Call) -> None:
    assert call.part is not None
    call.part.check_complete()

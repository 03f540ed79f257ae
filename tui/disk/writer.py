"""The door between loop and disk: everything that blocks goes through here.

The engine hands over buffers and small files and goes on; the writer gathers them,
makes trips to the executor (``slots``, ``trip``, ``store``), bounds what is in flight
(``gate``) and measures itself (``meter``).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tui.core.errors import FetchError
from tui.core.segment import RangeSet
from tui.core.snapshot import DiskSnapshot
from tui.disk.backpressure import Backpressure
from tui.disk.batches import Call, Finish, PartWrite, WriteBatch
from tui.disk.checksum import new_hash
from tui.disk.direct_copy import DirectCopier, DirectCopy
from tui.disk.metrics import DiskMeter
from tui.disk.part_file import PartFile, open_part_file, save_checkpoint
from tui.disk.resume_record import stamp
from tui.disk.scheduler import BatchScheduler
from tui.disk.small_files import SmallFile, SmallFileBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from tui.core.clock import Clock
    from tui.disk.batches import Batch
    from tui.disk.folders import Folder
    from tui.disk.resume_record import ResumeRecord


class Traffic:
    """The gate before, the slots in the middle, the meter behind."""

    def __init__(
        self, writers: int, in_flight_limit: int, clock: Clock, *, fsync: bool
    ) -> None:
        self.gate = Backpressure(in_flight_limit)
        self.meter = DiskMeter(clock)
        self.slots = BatchScheduler(writers, clock, fsync=fsync, on_landed=self._landed)

    async def go(self, call: Call) -> Any:
        """Queue a call now, and return its result when it is back."""
        call.future = asyncio.get_running_loop().create_future()
        self.slots.put(call)
        return await call.future

    async def go_in_turn(self, call: Call) -> Any:
        """Queue a call when its turn on its part has come; return its result."""
        assert call.part is not None
        call.future = asyncio.get_running_loop().create_future()
        self._start(call.part.order.enqueue(call))
        return await call.future

    async def drain(self) -> None:
        """Return when all that was handed over is done."""
        await self.slots.drain()
        while self.gate.in_flight:
            # Somebody was let in just now and is about to hand something over.
            await asyncio.sleep(0)
            await self.slots.drain()

    def _start(self, call: Call | None) -> None:
        """Queue a call whose turn has come; those that need no trip end here."""
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
                        self.slots.put(call)
                        return
                _resolve(call)
            call = call.part.order.end_call()

    def _landed(self, trip: Batch) -> None:
        """Take in what a trip brought back."""
        meter = self.meter
        meter.batches += 1
        meter.operations += len(trip.operations)
        meter.writes.extend(trip.write_s)
        meter.syncs.extend(trip.sync_s)
        if isinstance(trip, SmallFileBatch):
            self._stores_landed(trip)
        elif isinstance(trip, WriteBatch):
            self._writes_landed(trip)
        else:
            for call in trip.operations:
                self._call_landed(call)

    def _stores_landed(self, trip: SmallFileBatch) -> None:
        self.gate.leave(trip.nbytes, len(trip.operations))
        for index, job in enumerate(trip.operations):
            error = trip.errors.get(index)
            if error is None:
                self.meter.written += job.nbytes
            try:
                job.on_done(job, error)
            except Exception as wrong:
                # The other files of the trip still have to hear.
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "on_done of a stored file failed", "exception": wrong}
                )

    def _writes_landed(self, trip: WriteBatch) -> None:
        self.gate.leave(sum(write.held for write in trip.operations))
        for write in trip.operations:
            part, written = write.part, write.written
            if written:
                part.flushed.add(write.offset, write.offset + written)
                self.meter.written += written
            if part.error is None:
                part.error = write.error
            if isinstance(write, DirectCopy):
                _poured(write)
            self._start(part.order.end_write(write.number))

    def _call_landed(self, call: Call) -> None:
        part = call.part
        if part is not None:
            if part.sync_error is not None:
                # What was written since the last good sync may never get there.
                part.error = part.error or part.sync_error
                part.sync_error = None
                part.flushed = RangeSet(part.synced)
            elif call.error is None and call.ranges is not None:
                part.synced = call.ranges
        _resolve(call)
        if call.landed is not None:
            call.landed(call)
        if part is not None:
            self._start(part.order.end_call())


def _poured(pour: DirectCopy) -> None:
    try:
        pour.landed(pour)
    except Exception as wrong:
        # The others of the trip still have to hear, and whoever waits for this one.
        pour.future.set_exception(wrong)
    else:
        pour.future.set_result(None)


def _resolve(call: Call) -> None:
    future = call.future
    if future is None or future.done():
        return
    if call.error is None:
        future.set_result(call.result)
    else:
        future.set_exception(call.error)


__all__ = ["DiskWriter", "PartFile", "SmallFile"]

T = TypeVar("T")

_HASH_SLICE = 64 << 20
"""Bytes hashed in one trip: about 50 ms of SHA-256, so that writes get their turn."""


class DiskWriter:
    """Writes through executor threads. Every method is for the loop's thread."""

    def __init__(
        self, *, writers: int, in_flight_limit: int, fsync: bool, clock: Clock
    ) -> None:
        self.fsync = fsync
        """Whether data is synced before a rename or a record relies on it."""
        self._clock = clock
        self._traffic = Traffic(writers, in_flight_limit, clock, fsync=fsync)
        self._gate = self._traffic.gate
        self._slots = self._traffic.slots
        self._meter = self._traffic.meter
        self.direct_copier = DirectCopier(self._slots)

    # -- part files ------------------------------------------------------------------

    async def open_part(
        self,
        folder: Folder,
        name: str,
        *,
        size: int | None,
        resume: bool,
        record: ResumeRecord | None = None,
    ) -> PartFile:
        """Create ``NAME.part``, or with ``resume`` continue the one that is there.

        Locks it against other processes, and makes room for ``size`` bytes.

        Args:
            folder: where.
            name: the final name, claimed in the folder.
            size: bytes of the whole file, ``None`` while unknown.
            resume: take a part file that is there. Whoever does so adds to
                ``flushed`` what the resume record proves, or nothing.
            record: says from now on whose a new part file is.

        Raises:
            FileExistsError: ``part``: the part file is there (and not wanted), or
                something that is not ours is under its name or its record's.
            LocalError: ``in_use``, ``disk_full`` (told before anything is fetched),
                ``not_writable``, ``directory_gone``, ``name`` or ``disk``.
        """
        opening = partial(
            open_part_file, folder, name, size=size, resume_it=resume, record=record
        )
        call = Call("open", name, opening)
        call.landed = self._close_if_cancelled
        try:
            part: PartFile = await self._traffic.go(call)
        except asyncio.CancelledError:
            self._close_unwanted(call)
            raise
        return part

    def _close_if_cancelled(self, call: Call) -> None:
        if call.future is not None and call.future.cancelled():
            self._close_unwanted(call)

    def _close_unwanted(self, call: Call) -> None:
        """Close what was opened for somebody who was cancelled meanwhile."""
        part = call.result
        if isinstance(part, PartFile) and not part.order.is_closing:
            part.order.is_closing = True
            drop = part.remove if part.created_here else part.close
            self._slots.put(Call("close", part.name, drop))

    async def write(
        self, part: PartFile, offset: int, buffers: list[Buffer], nbytes: int
    ) -> None:
        """Hand over buffers for a place of the file; return once they are admitted.

        The buffers are written as they are, later: nobody may change them. Two
        writes to the same bytes have no order; ``flush`` between them.

        Args:
            part: an open part file.
            offset: of the first byte.
            buffers: anything with the buffer protocol.
            nbytes: their sum. More than the limit goes alone.

        Raises:
            FetchError: an earlier write of this part failed.
        """
        part.check_open()
        await self._gate.pass_through(nbytes)
        try:
            part.check_open()
        except FetchError:
            self._gate.leave(nbytes)
            raise
        number = part.order.begin_write()
        self._slots.put(PartWrite(part, offset, buffers, nbytes, number))

    async def flush(self, part: PartFile, *, sync: bool) -> None:
        """Return when all that was admitted so far is in the file.

        Args:
            part: an open part file.
            sync: and on the disk, whatever the writer's ``fsync`` is.

        Raises:
            FetchError: a write failed, or the sync did.
        """
        call = Call("sync", part.name, part.sync if sync else None, part=part)
        call.is_long = True
        call.prepare = _note_flushed
        await self._traffic.go_in_turn(call)
        if part.error is not None:
            raise part.error

    async def checkpoint(self, part: PartFile, record: ResumeRecord) -> None:
        """Make what is in the file known to the next run, in one trip.

        Flushes, syncs (if ``fsync``), then saves the record with the ranges that were
        flushed before the sync; ``record.ranges`` and ``saved_at`` are filled in. Also
        works after a write failed: what is there is worth a record.

        Raises:
            LocalError: the sync or the saving failed; the record before it stays.
        """
        call = Call("record", part.name, save_checkpoint, part=part)
        call.is_long = True

        def prepare(call: Call) -> None:
            _note_flushed(call)
            stamped = stamp(record, call.ranges or (), self._clock.wall())
            call.args = (part, stamped, self.fsync)

        call.prepare = prepare
        await self._traffic.go_in_turn(call)

    async def finish(self, part: PartFile, name: str, *, overwrite: bool) -> None:
        """Give a whole file its final name, durably, and close it.

        Args:
            part: an open part file.
            name: the final name, claimed in the folder; need not be the part's.
            overwrite: replace what has that name.

        Raises:
            FileExistsError: ``final``: the name is taken; the part is as it was.
            FetchError: a write failed, bytes are missing, or the disk says no; the
                part is as it was.
        """
        call = Finish(part, name, overwrite=overwrite)
        call.prepare = _check_whole
        await self._traffic.go_in_turn(call)

    async def close_part(self, part: PartFile) -> None:
        """Write what was admitted, close and unlock; the part file stays."""
        await self._end(Call("close", part.name, part.close, part=part))

    async def discard(self, part: PartFile) -> None:
        """Close, and remove the part file and its record.

        Raises:
            LocalError: it cannot be removed.
        """
        await self._end(Call("remove", part.name, part.remove, part=part))

    async def keep_as(self, part: PartFile, name: str) -> str:
        """Close, and keep the bytes under another name (say ``NAME.bad``).

        Args:
            part: an open part file.
            name: the name wanted; the first free one like it is claimed.

        Returns:
            The name it got.

        Raises:
            LocalError: it cannot be renamed; it is still open then.
        """
        while True:
            free = part.folder.reserve(name)
            try:
                await self._traffic.go_in_turn(
                    Call("set aside", part.name, part.put_aside, free, part=part)
                )
            except FileExistsError:
                continue  # it came since the folder was looked at; keep it claimed
            except BaseException:
                part.folder.release(free)
                raise
            return free

    async def digest(
        self, part: PartFile, algorithm: str, length: int, start: int = 0
    ) -> str:
        """Hash ``length`` bytes of the part file, from ``start`` on.

        Goes in slices, each of which other operations may overtake, and stops at the
        next one when it is cancelled.

        Returns:
            Lower-case hexadecimal.

        Raises:
            LocalError: ``disk``: it cannot be read, or is shorter.
        """
        result = new_hash(algorithm)
        for at in range(start, start + length, _HASH_SLICE):
            end = min(at + _HASH_SLICE, start + length)
            call = Call("hash", part.name, part.hash_into, result, at, end, part=part)
            call.is_long = True
            await self._traffic.go_in_turn(call)
        return result.hexdigest()

    def accepts(self, nbytes: int) -> bool:
        """Whether ``write`` would admit so many bytes without waiting."""
        return self._gate.accepts(nbytes)

    # -- small files -----------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether a small file may be stored at once, without ``wait_for_room``."""
        return self._gate.has_room()

    async def wait_for_room(self, nbytes: int) -> None:
        """Wait for room for a small file; ``store`` it without awaiting in between."""
        await self._gate.wait_for_room(nbytes)

    def store(self, job: SmallFile) -> None:
        """Hand over a small whole file; ``job.on_done`` tells how it went."""
        self._gate.enter(job.nbytes, is_store=True)
        self._slots.put(job)

    # -- anything else ---------------------------------------------------------------

    async def run(
        self, operation: str, name: str, function: Callable[..., T], *args: Any
    ) -> T:
        """Call something that blocks, through a slot.

        Args:
            operation: what it does, in a word, for the pane.
            name: what it does it to.
            function: called with ``args`` in a thread.
            args: its arguments.

        Raises:
            FileExistsError: as it is, since callers try another name then.
            FetchError: for everything else that it raises.
        """
        result: T = await self._traffic.go(Call(operation, name, function, *args))
        return result

    # -- watching and steering -------------------------------------------------------

    def snapshot(self) -> DiskSnapshot:
        """Tell what the slots do and how fast; cheap enough for every frame."""
        now = self._clock.monotonic()
        slots = tuple(slot.snapshot(now) for slot in self._slots.slots)
        meter = self._meter
        return DiskSnapshot(
            workers=slots,
            writers=self._slots.writers,
            is_inline=self._slots.is_inline,
            queued=self._slots.queued,
            in_flight=self._gate.in_flight,
            in_flight_limit=self._gate.limit,
            speed=meter.speed(),
            written=meter.written,
            batches=meter.batches,
            operations=meter.operations,
            p50_s=meter.writes.quantile(0.5),
            p99_s=meter.writes.quantile(0.99),
            sync_p99_s=meter.syncs.quantile(0.99),
        )

    def set_writers(self, count: int) -> None:
        """Allow so many threads: more at once, fewer as the busy ones end."""
        self._slots.set_writers(count)

    def set_inline(self, is_inline: bool) -> None:
        """Block the loop with every operation, to show what that does; or stop it."""
        self._slots.is_inline = is_inline

    async def close(self) -> None:
        """Do all that was handed over, then end the threads. Safe to call twice."""
        await self._traffic.drain()
        self._slots.shut_down()

    async def _end(self, call: Call) -> None:
        """The last call of a part: it runs whether or not anybody waits for it."""
        assert call.part is not None
        call.part.order.is_closing = True
        call.must_run = True
        await self._traffic.go_in_turn(call)


def _note_flushed(call: Call) -> None:
    assert call.part is not None
    call.ranges = tuple(call.part.flushed)


def _check_whole(call: Call) -> None:
    assert call.part is not None
    call.part.check_whole()

"""What goes out to the slots and what comes back: verdicts, counts and next steps.

Everything here runs on the loop. The writer's public verbs (``writer``) are made of
it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tui.core.segment import RangeSet
from tui.disk.gate import Gate
from tui.disk.meter import DiskMeter
from tui.disk.pour import Pour
from tui.disk.slots import Slots
from tui.disk.store import StoreTrip
from tui.disk.trip import Call, Finish, WriteTrip

if TYPE_CHECKING:
    from tui.core.clock import Clock
    from tui.disk.trip import Trip


class Traffic:
    """The gate before, the slots in the middle, the meter behind."""

    def __init__(
        self, writers: int, in_flight_limit: int, clock: Clock, *, fsync: bool
    ) -> None:
        self.gate = Gate(in_flight_limit)
        self.meter = DiskMeter(clock)
        self.slots = Slots(writers, clock, fsync=fsync, on_landed=self._landed)

    async def go(self, call: Call) -> Any:
        """Queue a call now, and return its result when it is back."""
        call.future = asyncio.get_running_loop().create_future()
        self.slots.put(call)
        return await call.future

    async def go_in_turn(self, call: Call) -> Any:
        """Queue a call when its turn on its part has come; return its result."""
        assert call.part is not None
        call.future = asyncio.get_running_loop().create_future()
        self._start(call.part.order.line_up(call))
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

    def _landed(self, trip: Trip) -> None:
        """Take in what a trip brought back."""
        meter = self.meter
        meter.trips += 1
        meter.operations += len(trip.operations)
        meter.writes.extend(trip.write_s)
        meter.syncs.extend(trip.sync_s)
        if isinstance(trip, StoreTrip):
            self._stores_landed(trip)
        elif isinstance(trip, WriteTrip):
            self._writes_landed(trip)
        else:
            for call in trip.operations:
                self._call_landed(call)

    def _stores_landed(self, trip: StoreTrip) -> None:
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

    def _writes_landed(self, trip: WriteTrip) -> None:
        self.gate.leave(sum(write.held for write in trip.operations))
        for write in trip.operations:
            part, written = write.part, write.written
            if written:
                part.flushed.add(write.offset, write.offset + written)
                self.meter.written += written
            if part.error is None:
                part.error = write.error
            if isinstance(write, Pour):
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


def _poured(pour: Pour) -> None:
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

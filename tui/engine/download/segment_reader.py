"""One range on its way: stream -> limiter -> writer -> ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tui.core.errors import TransientError
from tui.disk.direct_copy import MAX_COPY_BYTES
from tui.engine.metrics.speed import FAST_TAU_S, SpeedMeter
from tui.engine.metrics.wait_times import Wait, Waits

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.direct_copy import DirectCopy
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.net.response import Response
    from tui.net.transports.base import SocketLease

GATHER_BYTES = 1 << 20
LEAST_GATHER_BYTES = 64 << 10
"""Chunks are handed to the writer in parcels: small ones cost throughput, large ones
memory, since what is gathered is not yet counted as in flight. One connection gathers
1 MiB; many share an eighth of what may be in flight. (1 MiB each at 500 connections
took 900 MB; this takes 260 MB, at the same speed.)"""
FLOOD_S = 0.05
"""A parcel that is full so soon is a sign of more than the loop should see: threads
take it off the socket themselves (``disk.direct_copy``)."""
LEAST_POUR_BYTES = 128 << 10
"""Brought less, the flood is over; a thread costs more than the loop then."""
GATHER_S = 0.5
"""... or after this time, so that a slow download has little to lose."""


class Segment:
    """The range given to one connection; ``end`` may shrink while it runs."""

    __slots__ = (
        "_closing",
        "at",
        "claimed",
        "end",
        "is_called_off",
        "meter",
        "reply",
        "rival",
        "start",
        "started_at",
        "url",
    )

    def __init__(self, start: int, end: int | None, url: str, now: float) -> None:
        self.start = start
        self.end = end
        """Exclusive; ``None`` for a body of unknown length."""
        self.at = start
        """Next byte to come off the wire."""
        self.claimed = start
        """Up to here a thread may be reading already: others begin behind it."""
        self.url = url
        self.started_at = now
        self.meter = SpeedMeter(FAST_TAU_S, now, start)
        self.reply: Response | None = None
        """Where it comes from, once there is an answer."""
        self.rival: Segment | None = None
        """Another segment after the same last bytes; the first one wins."""
        self.is_called_off = False

    def __repr__(self) -> str:
        return f"<Segment {self.start}-{self.end} at {self.at}>"

    @property
    def remaining(self) -> int:
        """Bytes still to come; 0 where nobody knows."""
        return 0 if self.end is None else self.end - self.at

    def end_body(self) -> None:
        """There is no more of the body.

        Raises:
            TransientError: but there should be.
        """
        if self.end is None:
            self.end = self.at
        elif left := self.remaining:
            raise TransientError("truncated", f"the body ended {left} bytes early")

    @property
    def unclaimed(self) -> int:
        """Of these, bytes that no thread may be reading already."""
        return 0 if self.end is None else self.end - max(self.at, self.claimed)

    def pace(self, now: float) -> float:
        """Bytes per second since it began."""
        return (self.at - self.start) / max(0.001, now - self.started_at)

    def speed(self, now: float) -> float:
        """Bytes per second lately; before the first sample, since it began."""
        return self.meter.speed or self.pace(now)

    def call_off(self) -> None:
        """Interrupt it, also in the middle of a read that brings nothing.

        Whoever moves it finds the connection closed and gives back what is missing.
        """
        self.is_called_off = True
        if self.reply is not None:
            self._closing = asyncio.ensure_future(self.reply.close())


class SegmentReader:
    """Moves segments of one download into its part file."""

    __slots__ = ("_context", "_download", "_part", "last_byte_at", "waits")

    def __init__(
        self, context: EngineContext, download: Download, part: PartFile
    ) -> None:
        self._context = context
        self._download = download
        self._part = part
        self.waits = Waits(context.waits)
        self.last_byte_at = context.clock.monotonic()
        """Monotonic time of the last chunk of any segment."""

    async def run(
        self, reply: Response, segment: Segment, first: memoryview | None = None
    ) -> memoryview | None:
        """Read until the segment is there or the body ends; stopped, keep what came.

        Args:
            reply: stands at ``segment.at``, ``first`` included.
            segment: what to move.
            first: bytes that were read from the reply but not used yet.

        Returns:
            Bytes behind the segment's end that came with its last chunk: whoever
            goes on reading the reply needs them.

        Raises:
            TransientError: the body ended before the segment did.
            FetchError: the connection or the disk failed.
        """
        context, read = self._context, reply.read
        monotonic = context.clock.monotonic
        buffers: list[Any] = []
        held = 0
        handed_at = monotonic()
        enough = context.gather_bytes(LEAST_GATHER_BYTES, GATHER_BYTES)
        try:
            while True:
                chunk: Any = first if first is not None else await read()
                if chunk is None:
                    break
                first = rest = None
                size = len(chunk)
                if segment.end is not None and size > segment.end - segment.at:
                    # Another connection has the rest: it took over, or it is a gap.
                    size = segment.end - segment.at
                    view = memoryview(chunk)
                    chunk, rest = view[:size], view[size:]
                now = self.last_byte_at = monotonic()
                if size:
                    buffers.append(chunk)
                    held += size
                    segment.at += size
                    context.registry.count(self._download, size)
                is_whole = segment.at == segment.end
                if held >= enough or now - handed_at > GATHER_S or is_whole:
                    parcel, buffers, held = (buffers, held), [], 0
                    began_at, handed_at = handed_at, now
                    enough = context.gather_bytes(LEAST_GATHER_BYTES, GATHER_BYTES)
                    await self._hand_over(segment, *parcel)
                    if not is_whole and monotonic() - began_at < FLOOD_S:
                        is_whole = await self._pour(reply, segment)
                if is_whole:
                    return rest
                if context.own_limiters or not context.limiter.is_unlimited:
                    await self._throttle(size)
        finally:
            await self._hand_over(segment, buffers, held)
        segment.end_body()
        return None

    async def _hand_over(self, segment: Segment, buffers: list[Any], held: int) -> None:
        if not held:
            return
        writer = self._context.writer
        # Looked at first: two clocks for every parcel would cost some percent.
        waits = not writer.accepts(held)
        if waits:
            self.waits.begin(Wait.DISK, self._context.clock.monotonic())
        try:
            await writer.write(self._part, segment.at - held, buffers, held)
        except BaseException:
            # Stopped while it waited for the disk: these bytes never got there, and
            # whoever goes on has to fetch them again.
            segment.at -= held
            registry, download = self._context.registry, self._download
            registry.set_received(download, download.received - held)
            raise
        finally:
            if waits:
                self.waits.end(Wait.DISK, self._context.clock.monotonic())

    async def _pour(self, reply: Response, segment: Segment) -> bool:
        """Let threads move what comes in floods; return whether the segment is whole.

        It ends when the flood does: what trickles is the loop's, which can wait for
        many connections at once.
        """
        context = self._context
        moved = LEAST_POUR_BYTES
        while moved >= LEAST_POUR_BYTES <= segment.remaining:
            is_limited = context.own_limiters or not context.limiter.is_unlimited
            if is_limited or not context.writer.direct_copier.is_available:
                break
            self._part.check_open()
            # From here to the pour nothing may raise: what is lent must come back.
            lent = reply.lend()
            if lent is None:
                break
            moved = await self._pour_once(segment, lent)
        return segment.at == segment.end

    async def _pour_once(self, segment: Segment, lent: SocketLease) -> int:
        context, registry, download = (
            self._context,
            self._context.registry,
            self._download,
        )
        asked_at = context.clock.monotonic()
        moved = 0

        def landed(pour: DirectCopy) -> None:
            nonlocal moved
            moved = pour.moved
            fresh = min(moved, segment.remaining)
            if fresh < moved or pour.error is not None:
                # It lost its rest meanwhile, or what was read of it: what its reply
                # stands at is nobody's.
                lent.tap.stop()
            lent.take_back(moved)
            now = context.clock.monotonic()
            if pour.busy_s:
                # Where the disk is slow, so is the way to a thread.
                share = min(1.0, pour.blocked_s / pour.busy_s)
                self.waits.add(Wait.DISK, (now - asked_at) * share)
            if moved:
                self.last_byte_at = now
                segment.at += fresh
                registry.count(download, fresh)
            segment.claimed = segment.at

        nbytes = min(MAX_COPY_BYTES, segment.remaining, lent.left)
        segment.claimed = segment.at + nbytes
        pours = context.writer.direct_copier
        await pours.run(self._part, segment.at, nbytes, lent.tap, landed)
        return moved

    async def _throttle(self, size: int) -> None:
        """Wait until ``size`` bytes more are allowed, here and over all."""
        context = self._context
        monotonic = context.clock.monotonic
        self.waits.begin(Wait.LIMITER, monotonic())
        try:
            if not context.limiter.is_unlimited:
                await context.limiter.take(size)
            own = context.own_limiters.get(self._download.id)
            if own is not None and not own.is_unlimited:
                await own.take(size)
        finally:
            self.waits.end(Wait.LIMITER, monotonic())

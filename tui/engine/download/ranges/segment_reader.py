"""Reads one segment: response -> rate limit -> writer, counted by the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.disk.direct_copy import MAX_COPY_BYTES
from tui.engine.metrics.wait_times import Wait, Waits
from tui.net.limiter import read_bytes

if TYPE_CHECKING:
    from tui.disk.direct_copy import DirectCopy
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.ranges.segments import Segment
    from tui.engine.job import Job
    from tui.net.response import Response
    from tui.net.transports.base import SocketLease

BUFFER_BYTES = 1 << 20
LEAST_BUFFER_BYTES = 64 << 10
"""Chunks are collected before they go to the writer: small writes cost throughput, and
large buffers cost memory that does not yet count as in flight. One connection collects
1 MiB; many share an eighth of what may be in flight. (1 MiB each at 500 connections
took 900 MB; this takes 260 MB, at the same speed.)"""
BUFFER_S = 0.5
"""Buffers are written after this time at the latest, so that a slow download has little
to lose."""
FAST_FILL_S = 0.05
"""If a buffer fills this fast, more comes than the event loop should handle: hand the
socket to a writer thread (``disk.direct_copy``)."""
FAST_START_BYTES = 32 << 10
"""The same if the first chunk has so many bytes: a server that is far away starts with
some 14 KiB (RFC 6928)."""
LEAST_COPY_BYTES = 128 << 10
"""If a direct copy brings less, the event loop takes over again, because a thread then
costs more than the loop."""


class SegmentReader:
    """Moves segments of one download into its part file."""

    __slots__ = ("_context", "_download", "_job", "_part", "last_byte_at", "waits")

    def __init__(self, context: EngineContext, job: Job, part: PartFile) -> None:
        self._context = context
        self._job = job
        self._download = job.download
        self._part = part
        self.waits = Waits(context.waits)
        self.last_byte_at = context.clock.monotonic()
        """Monotonic time of the last chunk of any segment."""

    async def run(
        self, response: Response, segment: Segment, first: memoryview | None = None
    ) -> memoryview | None:
        """Read until the segment or the body ends; what was read is always written.

        Args:
            response: its next byte is that of ``segment.at``, ``first`` included.
            segment: what to read.
            first: bytes that were read from the response but not used yet.

        Returns:
            Bytes after the segment's end that came with its last chunk; pass them as
            ``first`` with the next segment.

        Raises:
            FetchError: the connection or the disk failed, or the body ended early.
        """
        context, job, read = self._context, self._job, response.read
        monotonic = context.clock.monotonic
        buffers: list[Any] = []
        buffered = 0
        written_at = monotonic()
        enough = self._buffer_bytes()
        is_first = first is None and segment.remaining > LEAST_COPY_BYTES
        try:
            while True:
                chunk: Any = first if first is not None else await read()
                if chunk is None:
                    break
                first = rest = None
                size = len(chunk)
                if segment.end is not None and size > segment.end - segment.at:
                    # Another connection has the rest: it took over, or it is a gap.
                    size, view = segment.end - segment.at, memoryview(chunk)
                    chunk, rest = view[:size], view[size:]
                now = self.last_byte_at = monotonic()
                if size:
                    buffers.append(chunk)
                    buffered += size
                    segment.at += size
                    context.registry.count(self._download, size)
                is_whole = segment.at == segment.end
                is_due = buffered >= enough or now - written_at > BUFFER_S
                is_fast = is_first and size >= FAST_START_BYTES
                is_first = False
                if is_due or is_whole or is_fast:
                    full, buffers, buffered = (buffers, buffered), [], 0
                    began_at, written_at = written_at, now
                    enough = self._buffer_bytes()
                    await self._write(segment, *full)
                    if not is_whole and monotonic() - began_at < FAST_FILL_S:
                        is_whole = await self._copy_directly(response, segment)
                if job.limiter is not None or not context.limiter.is_unlimited:
                    await self._throttle(response, size)
                if is_whole:
                    return rest
        finally:
            await self._write(segment, buffers, buffered)
        segment.end_body()
        return None

    def _buffer_bytes(self) -> int:
        """Return the bytes that one connection may collect before it writes."""
        context = self._context
        connections = max(1, context.registry.open_connections)
        share = context.settings.in_flight_limit // (8 * connections)
        return max(LEAST_BUFFER_BYTES, min(BUFFER_BYTES, share))

    async def _write(self, segment: Segment, buffers: list[Any], nbytes: int) -> None:
        if not nbytes:
            return
        writer = self._context.writer
        # Checked first: two clock readings for every buffer would cost some percent.
        must_wait = not writer.accepts(nbytes)
        if must_wait:
            self.waits.begin(Wait.DISK, self._context.clock.monotonic())
        try:
            await writer.write(self._part, segment.at - nbytes, buffers, nbytes)
        except BaseException:
            # Stopped while it waited for the disk: these bytes never got there, and
            # the next attempt has to download them again.
            segment.at -= nbytes
            registry, download = self._context.registry, self._download
            registry.set_received(download, download.received - nbytes)
            raise
        finally:
            if must_wait:
                self.waits.end(Wait.DISK, self._context.clock.monotonic())

    async def _copy_directly(self, response: Response, segment: Segment) -> bool:
        """Let threads copy from socket to file while data comes fast.

        It ends when the data comes slowly again: the event loop can wait for many
        connections at once, a thread cannot.

        Returns:
            True if the segment is complete.
        """
        context, job = self._context, self._job
        copied = LEAST_COPY_BYTES
        while copied >= LEAST_COPY_BYTES <= segment.remaining:
            is_limited = job.limiter is not None or not context.limiter.is_unlimited
            if is_limited or not context.writer.direct_copier.is_available:
                break
            self._part.check_open()
            # From here to the copy nothing may raise: a leased socket must come back.
            lease = response.lease()
            if lease is None:
                break
            copied = await self._copy_once(segment, lease)
        return segment.at == segment.end

    async def _copy_once(self, segment: Segment, lease: SocketLease) -> int:
        context, download = self._context, self._download
        asked_at = context.clock.monotonic()
        copied = 0

        def on_done(copy: DirectCopy) -> None:
            nonlocal copied
            copied = copy.moved
            fresh = min(copied, segment.remaining)
            if fresh < copied or copy.error is not None:
                # The segment lost its rest meanwhile, or the bytes that were read of
                # it: nobody can use what its response would bring next.
                lease.source.stop()
            lease.return_(copied)
            now = context.clock.monotonic()
            if copy.busy_s:
                # Where the disk is slow, so is the way to a thread.
                share = min(1.0, copy.blocked_s / copy.busy_s)
                self.waits.add(Wait.DISK, (now - asked_at) * share)
            if copied:
                self.last_byte_at = now
                segment.at += fresh
                context.registry.count(download, fresh)
            segment.claimed = segment.at

        nbytes = min(MAX_COPY_BYTES, segment.remaining, lease.left)
        segment.claimed = segment.at + nbytes
        copier = context.writer.direct_copier
        await copier.run(self._part, segment.at, nbytes, lease.source, on_done)
        return copied

    async def _throttle(self, response: Response, size: int) -> None:
        """Wait until ``size`` more bytes are allowed, for this download and for all.

        Also called for the last chunk, which may be all of the file.
        """
        context = self._context
        monotonic = context.clock.monotonic
        self._limit_reads(response)
        self.waits.begin(Wait.LIMITER, monotonic())
        try:
            if not context.limiter.is_unlimited:
                await context.limiter.take(size)
            own = self._job.limiter
            if own is not None and not own.is_unlimited:
                await own.take(size)
        finally:
            self.waits.end(Wait.LIMITER, monotonic())
            self._limit_reads(response)

    def _limit_reads(self, response: Response) -> None:
        """Let little arrive at a time under a low limit, as much as usual without."""
        context = self._context
        own = self._job.limiter
        rates = [context.limiter.rate, own.rate if own is not None else None]
        rate = min((rate for rate in rates if rate is not None), default=None)
        response.limit_reads(read_bytes(rate, context.registry.open_connections))

"""The transfer of one large file: its segments, one after the other, to the last byte.

The worker reads the first response itself, which costs no task; further connections are
tasks (``ranges.connections``). One that has finished its segment takes the next gap. If
there is none, it takes over the second half of the largest segment still running, so no
connection idles while another is slow.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import (
    ErrorKind,
    FetchError,
    LocalError,
    PermanentError,
    TransientError,
)
from tui.core.segment import plan_segments
from tui.core.snapshot import SegmentSnapshot
from tui.engine.download.checkpoint import Checkpointer
from tui.engine.download.ranges.connections import Connections
from tui.engine.download.ranges.opener import Changed, RangeOpener
from tui.engine.download.ranges.segment_reader import SegmentReader
from tui.engine.download.ranges.segments import LEAST_SPLIT, SegmentScheduler
from tui.engine.job import TransferSummary
from tui.engine.metrics.speed import SpeedHistory, download_meters, eta_speed
from tui.engine.metrics.wait_times import Shares, UtilizationWindow, Wait
from tui.engine.scheduling.queue import shows_overload

if TYPE_CHECKING:
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.ranges.segments import Segment
    from tui.engine.job import Job
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response

LEAST_REQUEST_S = 0.1
"""What a request may cost at least when its range is weighed against it."""


class Transfer:
    """One running download (``engine.job.RunningTransfer``)."""

    def __init__(
        self,
        context: EngineContext,
        job: Job,
        part: PartFile,
        info: ResourceInfo,
        response: Response,
    ) -> None:
        now = context.clock.monotonic()
        download = job.download
        self._context = context
        self._job = job
        self.download = download
        self._part = part
        self._info = info
        """Of the first response: size and validator that all others must match."""
        self._headers = tuple(response.headers())
        """Response headers worth showing, without those that carry secrets."""
        self._http_version = response.http_version
        self._origin = context.queue.origin_state(download.origin)
        self._is_finishing = False
        self._reader = SegmentReader(context, job, part)
        self._waits = self._reader.waits
        self._window = UtilizationWindow(self._waits)
        self._history = SpeedHistory(now, download.received)
        self._scheduler = SegmentScheduler(())
        self._opener = RangeOpener(context, job, info)
        self._error: FetchError | None = None
        """The last failure at the download's own URL, not at other mirrors."""
        self._fast, self._slow = download_meters(now, download.received)
        self.connections = Connections(
            context,
            job,
            info,
            response.url,
            self._scheduler,
            self._fast,
            self._window,
        )
        self.checkpointer = Checkpointer(
            context, download, part, info, self.connections.fail
        )

    # -- the work --------------------------------------------------------------------

    async def run(self, response: Response) -> None:
        """Download every byte that the part file is missing.

        Args:
            response: the first response; it is read first.

        Raises:
            Changed: the file changed on the server.
            TransientError: no connection makes progress; the part file is kept.
            FetchError: the file cannot be downloaded, or the disk failed.
        """
        self.connections.begin(self._read_further)
        try:
            with self.connections.own():
                self._plan()
                self.connections.adjust(own=1)
                await self._connect(response, self._info)
            while await self._has_rest():
                with self.connections.own():
                    self.connections.adjust(own=1)
                    await self._read_further()
        finally:
            await self._stop_all()

    def _plan(self) -> None:
        """Share out what the part file is missing."""
        size = self._info.size
        if size is None:
            self._scheduler.gaps = [(0, None)]
            return
        missing = self._part.flushed.missing(size)
        self._scheduler.gaps = list(
            plan_segments(missing, self.connections.wanted(), LEAST_SPLIT)
        )
        self._scheduler.request_s = max(LEAST_REQUEST_S, self._origin.first_byte_s)

    async def _has_rest(self) -> bool:
        """Wait for the further connections; return True if they left something.

        A slow one may be closed, to request its rest again, when no other is left that
        would take it.

        Raises:
            FetchError: it cannot be requested now.
        """
        await self.connections.wait()
        has_rest = bool(self._scheduler.gaps)
        has_ranges = not self.connections.refuses_ranges
        can_request = has_ranges and self._info.size is not None
        if has_rest and (self._error is not None or not can_request):
            raise self._error or TransientError(
                ErrorKind.TRUNCATED, "bytes are missing"
            )
        return has_rest

    async def _read_further(self) -> None:
        """Download over one more connection (``Connections.begin``)."""
        await self._connect(None, None)

    async def _connect(
        self, response: Response | None, info: ResourceInfo | None
    ) -> None:
        """Download one segment after the other over one connection at a time."""
        context = self._context
        segment: Segment | None = None
        task = asyncio.current_task()
        context.registry.open_connections += 1
        self._waits.begin(Wait.OPEN, context.clock.monotonic())
        position = info.start if info is not None else -1
        is_warm = self.connections.is_borrowed(task)
        url = self.download.url
        rest: memoryview | None = None
        """Bytes read from the response after the last segment's end."""
        try:
            while segment := self._next_segment(position, is_warm=is_warm):
                self.connections.note_segment(task)
                if response is None or segment.at != position:
                    if response is not None:
                        await response.close()
                    response = rest = None
                    url = segment.url
                    response, info = await segment.opened(self._opener.open(segment))
                if info is not None and info.end is not None:
                    # A server may send less of a range than was requested.
                    self._scheduler.shorten(segment, info.end)
                segment.url, segment.response = url, response
                rest = await self._reader.run(response, segment, rest)
                position = segment.at
                self._on_complete(segment)
                segment = None
                is_warm = info is not None and info.end == position
                if is_warm:
                    # Read the end of the message, so that the connection is reused.
                    await response.read()
                    await response.close()
                    response = None
        except asyncio.CancelledError:
            self._give_back(segment)
            raise
        except (LocalError, Changed) as error:
            self._give_back(segment)
            self.connections.fail(error)
        except FetchError as error:
            self._give_back(segment)
            if segment is None or not segment.is_interrupted:
                self._connection_failed(error, url)
        finally:
            context.registry.open_connections -= 1
            self.connections.note_end(task)
            self._waits.end(Wait.OPEN, context.clock.monotonic())
            if response is not None:
                await response.close()

    def _next_segment(self, position: int, *, is_warm: bool) -> Segment | None:
        if self.connections.failure is not None:
            return None
        return self._scheduler.take(
            position,
            only_there=self.connections.refuses_ranges and position >= 0,
            url=self._opener.mirror(self._scheduler.segments),
            now=self._context.clock.monotonic(),
            is_warm=is_warm,
            gaps_only=self.connections.is_throttled(),
        )

    def _on_complete(self, segment: Segment) -> None:
        """Remove a complete segment and stop its twin, if it has one."""
        speed = segment.mean_speed(self._context.clock.monotonic())
        self._context.mirrors.note_success(segment.url, speed)
        twin = segment.twin
        self._subtract(self._scheduler.finish(segment))
        if twin is not None:
            twin.interrupt()

    def _give_back(self, segment: Segment | None) -> None:
        if segment is not None:
            self._subtract(self._scheduler.give_back(segment))

    def _subtract(self, twice: int) -> None:
        """Do not count bytes twice that two twins downloaded."""
        if twice:
            download = self.download
            self._context.registry.set_received(download, download.received - twice)

    def _connection_failed(self, error: FetchError, url: str) -> None:
        if url != self.download.url:
            self._mirror_failed(error, url)
            return
        self.connections.retry_at = self._context.clock.monotonic() + max(
            1.0, error.retry_after_s or 0.0
        )
        self._opener.note_failure(url)
        if shows_overload(error):
            queue = self._context.queue
            queue.refuse_connection(self._origin, self._context.clock.wall())
        if isinstance(error, PermanentError):
            # Refusing (or garbling) a range says nothing about the whole body that is
            # already flowing: continue with that one alone. If it has ended, the next
            # attempt continues.
            self.connections.refuses_ranges = True
            self._job.one_connection = True
            error = TransientError(error.kind, str(error), status=error.status)
        self._error = error

    def _mirror_failed(self, error: FetchError, url: str) -> None:
        """Request the rest from other mirrors: this one says nothing about them.

        The attempt continues while the download's own URL works.
        """
        self._opener.note_failure(url)
        if error.kind is ErrorKind.NOT_FOUND:
            self._job.note_dead(url)

    def _restart_slow(self, now: float) -> None:
        """Request segments again that are far slower than the others."""
        connections = self.connections
        if not (connections.refuses_ranges or connections.is_throttled()):
            for segment in self._scheduler.slow_segments(now):
                segment.interrupt()

    async def _stop_all(self) -> None:
        """Stop every connection and wait for a checkpoint that is under way."""
        self._context.registry.keep_summary(self.download, self.summary())
        # Until the last checkpoint is saved, it counts as running and is adjusted.
        await self.connections.close()
        await self.checkpointer.close()

    def begin_finishing(self) -> None:
        """Mark the transfer as complete; from now on it waits only for the disk."""
        if not self._is_finishing:
            self._is_finishing = True
            now = self._context.clock.monotonic()
            self._waits.begin(Wait.OPEN, now)
            self._waits.begin(Wait.DISK, now)

    def end_finishing(self) -> None:
        """Note that the file has its final name, or failed to get it."""
        if self._is_finishing:
            now = self._context.clock.monotonic()
            self._waits.end(Wait.OPEN, now)
            self._waits.end(Wait.DISK, now)

    def tick(self, now: float) -> None:
        """Update meters, save progress and rebalance connections.

        The engine calls it a few times a second, with monotonic seconds.
        """
        received = self.download.received
        self._fast.sample(now, received)
        self._slow.sample(now, received)
        for segment in self._scheduler.segments:
            segment.meter.sample(now, segment.at)
        self._window.sample(now)
        self._history.sample(now, received)
        self.checkpointer.save_if_due(now)
        self._restart_slow(now)
        self.connections.adjust()

    # -- what front ends show --------------------------------------------------------

    @property
    def last_byte_at(self) -> float:
        """Monotonic time of the last chunk."""
        return self._reader.last_byte_at

    def speed(self) -> float:
        """Return bytes per second, smoothed over about 3 s."""
        if self.download.state is not DownloadState.DOWNLOADING:
            return 0.0
        return self._fast.speed

    def steady_speed(self) -> float:
        """Return bytes per second with a long memory, for the ETA."""
        return eta_speed(self._fast.speed, self._slow.speed)

    def is_measured(self) -> bool:
        """Return True once the speed can be trusted for an ETA."""
        return self._fast.is_measured

    def received_twice(self) -> int:
        """Return the received bytes that do not count, because of races."""
        return self._scheduler.received_twice()

    def summary(self) -> TransferSummary:
        """Return what the details show of it, also after it has ended."""
        speeds = tuple(self._history.speeds)
        return TransferSummary(
            self._headers,
            self._info.validator,
            self._http_version,
            speeds,
            self.finished_ranges(),
        )

    def finished_ranges(self) -> tuple[tuple[int, int], ...]:
        """Return the half-open ranges that are in the part file."""
        return tuple(self._part.flushed)

    def wait_shares(self) -> Shares:
        """Return what its connections waited for in the last seconds."""
        return self._window.shares()

    def segment_snapshots(self) -> tuple[SegmentSnapshot, ...]:
        """Return the ranges in flight, by offset."""
        now = self._context.clock.monotonic()
        return tuple(
            SegmentSnapshot(
                start=s.start,
                end=s.end,
                at=s.at,
                speed=s.speed(now),
                url=s.url,
            )
            for s in sorted(self._scheduler.segments, key=lambda s: s.start)
        )

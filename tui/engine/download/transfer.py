"""The transfer of one large file: its segments, its connections, and its resume record.

The worker reads the first response itself, which costs no task; further connections are
tasks that the transfer starts and stops while it runs. A connection that has finished
its segment takes the next gap, and where there is none it takes over the second half of
the largest segment still running, so no connection idles while another is slow.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
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
from tui.disk.resume_record import ResumeRecord
from tui.engine.download.segment_reader import SegmentReader
from tui.engine.download.segments import (
    LEAST_SPLIT,
    Changed,
    RangeOpener,
    SegmentScheduler,
)
from tui.engine.job import TransferSummary
from tui.engine.metrics.speed import SpeedHistory, download_meters, eta_speed
from tui.engine.metrics.wait_times import Shares, UtilizationWindow, Wait
from tui.engine.scheduling.queue import HOST_CONNECTIONS, shows_overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tui.core.download import Download
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.segments import Segment
    from tui.engine.job import Job
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response

BYTES_PER_CONNECTION = 16 << 20
"""With a fixed concurrency: one connection per 16 MiB."""
AUTO_CONNECTIONS = 4
"""Connections of a large file at most, with a fixed concurrency."""
LASTS_S = 4.0
"""A file that takes so many more seconds is worth moving a connection to or from."""
THROTTLED_SPEED = 0.7
"""Share of the limit of its origin from which a transfer counts as throttled."""
THROTTLED_SHARE = 0.3
"""Share of their time that the connections of a throttled transfer wait for the limit.
"""
LEAST_SHARED_S = 0.3
"""How long a file must still take to be shared with an idle connection."""
LEAST_REQUEST_S = 0.1
"""What a request may cost at least when its range is weighed against it."""
CHECKPOINT_S = 1.0
"""Seconds between two resume records: what a SIGKILL can cost."""


def auto_connections(size: int | None, *, is_auto: bool = False) -> int:
    """Return the connections for a file of ``size`` bytes where its size decides.

    Args:
        size: bytes, if known.
        is_auto: the concurrency is automatic: about the square root of its MiB, which
            gives 157 MB 12 connections.
    """
    if size is None:
        return 1
    if is_auto:
        return max(1, min(HOST_CONNECTIONS, math.isqrt(size >> 20)))
    return max(1, min(AUTO_CONNECTIONS, size // BYTES_PER_CONNECTION))


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
        self._final_url = response.url
        """Where redirects have led to."""
        has_proof = info.validator or download.request.checksum is not None
        may_split = bool(info.accepts_ranges and has_proof)
        self.refuses_ranges = job.one_connection or not may_split
        """Without ranges, or without a proof that two responses are of the same file,
        there is one connection."""
        self._origin = context.queue.origin_state(download.origin)
        self._is_finishing = False
        self._is_stopped = False
        """The bytes are complete: no more connections."""
        self._reader = SegmentReader(context, job, part)
        self._waits = self._reader.waits
        self._window = UtilizationWindow(self._waits)
        self._history = SpeedHistory(now, download.received)
        self._scheduler = SegmentScheduler(())
        self._tasks: dict[asyncio.Task[None], Segment | None] = {}
        self._borrowed: set[asyncio.Task[None]] = set()
        """Running tasks that use a connection of another file, which has ended."""
        self._extra: set[asyncio.Task[None]] = set()
        """Tasks whose connections count against the limit of the origin."""
        self._opener = RangeOpener(context, job, info)
        self._reserved = 0
        """Slots that small files leave it (``DownloadQueue.reserve``)."""
        self._fatal: BaseException | None = None
        self._error: FetchError | None = None
        """The last failure at the download's own URL, not at other mirrors."""
        self._retry_at = 0.0
        self._fast, self._slow = download_meters(now, download.received)
        self.checkpointer = Checkpointer(
            context, download, part, info, self._on_disk_error
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
        self._origin.large_files.append(self)
        try:
            with self._own_connection():
                self._plan()
                self.adjust(own=1)
                await self._connect(response, self._info)
            while await self._has_rest():
                with self._own_connection():
                    self.adjust(own=1)
                    await self._connect(None, None)
        finally:
            await self._stop_all()

    @contextmanager
    def _own_connection(self) -> Iterator[None]:
        """Count the connection that the worker reads itself."""
        queue = self._context.queue
        queue.open_connection(self._origin, is_extra=False)
        try:
            yield
        finally:
            queue.close_connection(self._origin, is_extra=False)

    def _plan(self) -> None:
        """Share out what the part file is missing."""
        size = self._info.size
        if size is None:
            self._scheduler = SegmentScheduler([(0, None)])
            return
        missing = self._part.flushed.missing(size)
        planned = plan_segments(missing, self.connections_wanted(), LEAST_SPLIT)
        request_s = max(LEAST_REQUEST_S, self._origin.first_byte_s)
        self._scheduler = SegmentScheduler(planned, request_s)

    async def _has_rest(self) -> bool:
        """Wait for the further connections; return True if they left something.

        A slow one may be closed, to request its rest again, when no other is left that
        would take it.

        Raises:
            FetchError: it cannot be requested now.
        """
        while self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if self._fatal is not None:
            raise self._fatal
        has_rest = bool(self._scheduler.gaps)
        can_request = not self.refuses_ranges and self._info.size is not None
        if has_rest and (self._error is not None or not can_request):
            raise self._error or TransientError(
                ErrorKind.TRUNCATED, "bytes are missing"
            )
        return has_rest

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
        is_warm = task in self._borrowed
        url = self.download.url
        rest: memoryview | None = None
        """Bytes read from the response after the last segment's end."""
        try:
            while segment := self._next_segment(position, is_warm=is_warm):
                if task in self._tasks:
                    self._tasks[task] = segment
                if response is None or segment.at != position:
                    if response is not None:
                        await response.close()
                    response = rest = None
                    url = segment.url
                    response, info = await segment.opened(self._opener.open(segment))
                    if info.end is not None:
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
            self._fatal = self._fatal or error
            self._stop_connections()
        except FetchError as error:
            self._give_back(segment)
            if segment is None or not segment.is_interrupted:
                self._connection_failed(error, url)
        finally:
            context.registry.open_connections -= 1
            self._close_extra(task)
            self._waits.end(Wait.OPEN, context.clock.monotonic())
            if response is not None:
                await response.close()

    def _close_extra(self, task: asyncio.Task[None] | None) -> None:
        """Stop counting a further connection; a task may end without having begun."""
        if task in self._extra:
            self._extra.discard(task)
            self._context.queue.close_connection(self._origin, is_extra=True)

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
        self._retry_at = self._context.clock.monotonic() + max(
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
            self.refuses_ranges = True
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

    # -- sharing the work ------------------------------------------------------------

    def _next_segment(self, position: int, *, is_warm: bool) -> Segment | None:
        if self._fatal is not None:
            return None
        return self._scheduler.take(
            position,
            only_there=self.refuses_ranges and position >= 0,
            url=self._opener.mirror(self._scheduler.segments),
            now=self._context.clock.monotonic(),
            is_warm=is_warm,
            gaps_only=self._is_throttled(),
        )

    def connections_wanted(self) -> int:
        """Return the connections that this download should have now."""
        if self.refuses_ranges:
            return 1
        explicit = self._explicit()
        if explicit:
            return explicit
        # Where the size decides, a large file takes more connections only from those
        # that no other download needs: many parallel downloads already keep the link
        # busy, and a server should not see more connections than the user asked for.
        limits, queue = self._context.limits, self._context.queue
        spare = queue.spare_connections(self._origin)
        if limits.is_auto:
            spare = self._fair(spare)
        else:
            limit = limits.concurrency - self._context.registry.open_connections
            spare = max(0, min(limit, spare) if self._origin.learned_cap else limit)
        return max(1, min(self._most(), len(self._tasks) + 1 + spare))

    def _fair(self, spare: int) -> int:
        """Return how many more connections it may open if it shares them with others.

        The large file of an origin that starts first opens all that are allowed. Later,
        it gives them back one by one, until each has about as many.

        Args:
            spare: what the queue allows; negative if some have to be given back.
        """
        own, files = self.connections(), self._origin.large_files
        if len(files) < 2 or (spare == 0 and own <= 2):
            return spare
        if spare < 0:
            rest = self._origin.connections + spare
            return -min(-spare, max(0, own - rest // len(files)))
        others = [
            file.connections()
            for file in files
            if file is not self and file.could_use_another()
        ]
        if not others:
            return spare
        fewest = min(others)
        if spare:
            return -(-spare // (len(others) + 1)) if own <= fewest else 0
        # Closing one costs what is on its way, which pays only over some seconds.
        return -1 if own > fewest + 1 and self._lasts() else 0

    def could_use_another(self) -> bool:
        """Return True if one more connection would be of use to it."""
        now = self._context.clock.monotonic()
        idle = sum(1 for segment in self._tasks.values() if segment is None)
        return (
            self.connections() < self._most()
            and self._lasts()
            and self._may_open(now)
            and self._scheduler.has_work_for(idle, now)
        )

    def _may_open(self, now: float) -> bool:
        """Return True if nothing forbids another connection, whatever their number."""
        return (
            not (self._is_finishing or self._is_stopped or self.refuses_ranges)
            and not self._explicit()
            and self._fatal is None
            and self._retry_at <= now
            and not self._is_throttled()
        )

    def _most(self) -> int:
        """Return the connections that its size and its origin suggest."""
        if not self._context.limits.is_auto:
            return auto_connections(self._info.size)
        suggested = auto_connections(self._info.size, is_auto=True)
        wanted = suggested * self._origin.growth + len(self._borrowed)
        return min(HOST_CONNECTIONS, wanted)

    def _reserve_slots(self, wanted: int, now: float) -> None:
        """Let small files leave it the slots that it lacks."""
        origin, limits = self._origin, self._context.limits
        is_limited = origin.learned_cap or origin.connection_limit or self._explicit()
        lacking = 0
        if limits.is_auto and origin.is_small and not is_limited:
            lacking = self._most() - max(wanted, self.connections())
            others = origin.connections + origin.reserved - self._reserved
            lacking = max(0, min(lacking, HOST_CONNECTIONS - others))
        if self.refuses_ranges or not self._scheduler.has_work_for(0, now):
            lacking = 0
        self._reserve(lacking)

    def _reserve(self, count: int) -> None:
        change = count - self._reserved
        if change:
            self._reserved = count
            self._context.queue.reserve(self._origin, change)

    def _lasts(self) -> bool:
        """Return True if it takes more than a few seconds more."""
        return self._seconds_left() > LASTS_S

    def left_for_each(self) -> float:
        """Return the bytes still to come for each connection; 0.0 if unknown."""
        size = self._info.size
        left = 0 if size is None else size - self.download.received
        return left / max(1, self.connections())

    def _seconds_left(self) -> float:
        """Return how long it still takes at its present speed; 0.0 if unknown."""
        size, speed = self._info.size, self._fast.speed
        if size is None or speed <= 0:
            return 0.0
        return (size - self.download.received) / speed

    def _explicit(self) -> int:
        """Return the connections that the user chose; 0 lets the size decide."""
        return self._job.segments or self._context.limits.segments

    def adjust(self, own: int = 0) -> None:
        """Open or close connections to match the current limits.

        Args:
            own: connections that the caller is about to open.
        """
        if self._is_finishing or self._is_stopped or self._fatal is not None:
            return
        now, gaps_only = self._context.clock.monotonic(), self._is_throttled()
        wanted = self.connections_wanted()
        running = self.connections() + own
        if wanted > running and self._retry_at <= now:
            for _ in range(wanted - running):
                idle = sum(1 for s in self._tasks.values() if s is None) + own
                if not self._scheduler.has_work_for(idle, now, gaps_only=gaps_only):
                    break
                self._open_extra()
        elif wanted < running:
            for task in list(self._tasks)[wanted - running :]:
                task.cancel()
                # At once: other transfers give back only what is still too much.
                self._close_extra(task)
        self._reserve_slots(wanted, now)

    def _open_extra(self) -> asyncio.Task[None]:
        """Start to download over one more connection, an idle one if there is any."""
        task = asyncio.create_task(self._connect(None, None))
        self._tasks[task] = None
        # At once: other transfers share the same number of connections.
        self._context.queue.open_connection(self._origin, is_extra=True)
        self._extra.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def use_idle_connection(self) -> None:
        """Fetch a part of the rest on an idle connection, if that is faster.

        For a file that has all connections that its size suggests, once others of its
        origin have ended: the host sees no more of them than before. Otherwise the last
        files of a list would not fill the link. With ``python -m tests.bench.far``, 60
        files of 2.1 MB over https take 6.88 s instead of 7.05 (``--work medium
        --round-trip-ms 200 --rate 1``), and one of 47 MB among smaller ones 3.4 s
        instead of 5.1 (``--work mixed --scale 0.3``).
        """
        context = self._context
        if (
            not context.limits.is_auto
            or self.connections() != self._most()
            or self.connections() >= HOST_CONNECTIONS
            or self._seconds_left() < LEAST_SHARED_S
            or not self._may_open(context.clock.monotonic())
            or context.queue.spare_connections(self._origin) < 1
        ):
            return
        idle = context.session.idle_connections(self._final_url)
        self._scheduler.reply_s = idle.reply_s
        if idle.number and idle.reply_s and self._scheduler.is_worth_a_request():
            self._borrowed.add(self._open_extra())

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task)
        self._borrowed.discard(task)
        self._close_extra(task)
        if not task.cancelled() and task.exception() is not None:
            self._fatal = self._fatal or task.exception()
            self._stop_connections()

    def _stop_connections(self) -> None:
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        # The worker's own connection is not one of these tasks: it stops at its next
        # chunk, when it finds that its segment is complete.
        self._scheduler.stop_all()

    def _restart_slow(self, now: float) -> None:
        """Request segments again that are far slower than the others."""
        if not (self.refuses_ranges or self._is_throttled()):
            for segment in self._scheduler.slow_segments(now):
                segment.interrupt()

    def _is_throttled(self) -> bool:
        """Return True if its segments are slow because of our rate limits.

        Then more connections gain nothing, and ranges that are requested again cost
        what the closed connections have already received.
        """
        if self._window.shares().limiter >= THROTTLED_SHARE:
            return True
        limiters = self._context.session.limiters
        origin = self.download.origin
        rate = limiters.rate(origin) if limiters.is_used else None
        if rate is None:
            return False
        # Its responses wait for the limit of the origin themselves, which counts as
        # waiting for the network.
        running = self._context.registry.running
        speed = sum(one.speed() for one in running if one.download.origin == origin)
        return speed >= THROTTLED_SPEED * rate

    def _on_disk_error(self, error: FetchError) -> None:
        self._fatal = self._fatal or error
        self._stop_connections()

    async def _stop_all(self) -> None:
        """Stop every connection and wait for a checkpoint that is under way."""
        self._context.registry.keep_summary(self.download, self.summary())
        # Until the last checkpoint is saved, it counts as running and is adjusted.
        self._is_stopped = True
        self._origin.large_files.remove(self)
        self._reserve(0)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
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

    def lacks_connections(self) -> bool:
        """Return True if it would use more connections than it has."""
        if self._is_finishing or self.refuses_ranges or self._explicit():
            return False
        if self._context.limits.is_auto:
            return self.connections() < self.connections_wanted()
        return self.connections() < auto_connections(self._info.size)

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
        self.adjust()

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

    def connections(self) -> int:
        """Return the number of ranges in flight or about to be requested."""
        waiting = sum(1 for segment in self._tasks.values() if segment is None)
        return len(self._scheduler.segments) + waiting

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


# -- the resume record -----------------------------------------------------------------


def record_of(download: Download, info: ResourceInfo) -> ResumeRecord:
    """Describe the file that a part file belongs to; the writer adds the ranges."""
    checksum = download.request.checksum or next(iter(info.digests), None)
    return ResumeRecord(
        url=download.url,
        validator=info.validator,
        etag="" if info.validator in ("", info.etag) else info.etag,
        size=info.size,
        checksum="" if checksum is None else str(checksum),
        coding=info.coding,
    )


def _ignore(_error: FetchError) -> None:
    """Do nothing: a transfer that has ended has no connections to stop."""


class Checkpointer:
    """Saves the resume record of one running download in the background."""

    def __init__(
        self,
        context: EngineContext,
        download: Download,
        part: PartFile,
        info: ResourceInfo,
        on_error: Callable[[FetchError], None],
    ) -> None:
        """Watch one part file.

        Args:
            context: the run's tools.
            download: what is downloaded.
            part: where to.
            info: what the server states about size and validator.
            on_error: called when the disk refuses, because bytes that cannot be kept
                need not be downloaded.
        """
        self._context = context
        self._download = download
        self._part = part
        self._info = info
        self._on_error = on_error
        # As in ``resume_policy.resumable_record``: other records continue nothing.
        self._has_proof = bool(info.validator) or download.request.checksum is not None
        self._task: asyncio.Task[None] | None = None
        self._saved_at = context.clock.monotonic()
        self._saved_bytes = -1

    def save_if_due(self, now: float) -> None:
        """Start a checkpoint if a second has passed and bytes have arrived."""
        if (
            now - self._saved_at >= CHECKPOINT_S
            and self._download.received != self._saved_bytes
            and self._has_proof
            and (self._task is None or self._task.done())
        ):
            self._task = asyncio.create_task(self.save())

    async def save(self) -> None:
        """Flush, sync and record what has arrived, also after a failed write.

        Failures go to ``on_error`` until it is closed.
        """
        self._saved_at = self._context.clock.monotonic()
        self._saved_bytes = self._download.received
        record = record_of(self._download, self._info)
        try:
            await self._context.writer.checkpoint(self._part, record)
        except FetchError as error:
            self._on_error(error)

    async def close(self) -> None:
        """Wait for a checkpoint that is under way; let go of ``on_error``.

        An owner that is called back would otherwise stay in memory until a garbage
        collection, which blocks the loop for 70 ms once 1,300 downloads have ended.
        """
        if self._task is not None:
            await asyncio.wait([self._task])
        self._on_error = _ignore

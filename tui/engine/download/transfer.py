"""A download on the wire: its ranges, its connections, and how they share the work.

One connection is the worker's own and costs no task; more of them are tasks that the
flight starts and stops while it runs. A connection that has finished its range takes
the next gap, and where there is none it takes over the second half of the largest
range still running, so no connection idles while another drags.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import FetchError, LocalError, PermanentError, TransientError
from tui.core.segment import plan_segments
from tui.core.snapshot import SegmentSnapshot
from tui.engine.context import TransferSummary
from tui.engine.download.checkpointer import Checkpointer
from tui.engine.download.range_opener import Changed, RangeOpener
from tui.engine.download.segment_reader import SegmentReader
from tui.engine.download.segments import LEAST_SPLIT, SegmentScheduler
from tui.engine.metrics.speed import SpeedHistory, meters_of_download, steady
from tui.engine.metrics.wait_times import UtilizationWindow, Wait

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.segment_reader import Segment
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response

BYTES_PER_CONNECTION = 16 << 20
AUTO_CONNECTIONS = 4
"""Where the size decides: one connection per 16 MiB, four at most."""


def auto_connections(size: int | None, most: int = AUTO_CONNECTIONS) -> int:
    """Connections that a file of ``size`` bytes deserves by itself."""
    if size is None:
        return 1
    return max(1, min(most, size // BYTES_PER_CONNECTION))


class Transfer:
    """One running download (``engine.registry.Running``)."""

    def __init__(
        self,
        context: EngineContext,
        download: Download,
        part: PartFile,
        answer: ResourceInfo,
        reply: Response,
    ) -> None:
        now = context.clock.monotonic()
        self.context = context
        self.download = download
        self.part = part
        self.answer = answer
        """The first answer: size, validator and headers that all others must match."""
        self.headers = tuple(reply.headers())
        """Response headers worth showing; secrets are never among them."""
        self.http_version = reply.http_version
        has_proof = answer.validator or download.request.checksum is not None
        is_alone = download.id in context.one_connection
        self.refuses_ranges = is_alone or not (answer.accepts_ranges and has_proof)
        """Without ranges, or without a way to prove that two answers are of the same
        file, there is one connection."""
        self.is_finishing = False
        """The bytes are there: no more connections."""
        self._reader = SegmentReader(context, download, part)
        self.waits = self._reader.waits
        self.window = UtilizationWindow(self.waits)
        self._history = SpeedHistory(now, download.received)
        self._pool = SegmentScheduler(())
        self._tasks: dict[asyncio.Task[None], Segment | None] = {}
        self._opener = RangeOpener(context, download, answer)
        self._fatal: BaseException | None = None
        self._error: FetchError | None = None
        self._retry_at = 0.0
        self._fast, self._slow = meters_of_download(now, download.received)
        self.recorder = Checkpointer(context, download, part, answer, self._disk_failed)

    # -- the work --------------------------------------------------------------------

    async def run(self, reply: Response) -> None:
        """Fetch every byte that the part file misses, starting with ``reply``.

        Raises:
            Changed: the file on the server is another one by now.
            TransientError: nothing moves any more; what is there is kept.
            FetchError: it cannot be had, or the disk failed.
        """
        size = self.answer.size
        if size is None:
            self._pool = SegmentScheduler([(0, None)])
        else:
            missing = self.part.flushed.missing(size)
            planned = plan_segments(missing, self._wanted(), LEAST_SPLIT)
            self._pool = SegmentScheduler(planned)
        try:
            self.adjust(own=1)
            await self._connect(reply, self.answer)
            while self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._fatal is not None:
                raise self._fatal
            if self._pool.gaps:
                raise self._error or TransientError("truncated", "bytes are missing")
        finally:
            await self._land()

    async def _connect(
        self, reply: Response | None, answer: ResourceInfo | None
    ) -> None:
        """Move one range after the other over one connection at a time."""
        context = self.context
        segment: Segment | None = None
        task = asyncio.current_task()
        context.open_connections += 1
        self.waits.begin(Wait.OPEN, context.clock.monotonic())
        position = answer.start if answer is not None else -1
        url = self.download.url
        rest: memoryview | None = None
        """Bytes read from the reply beyond the last segment's end."""
        try:
            while (segment := self._next_segment(position)) is not None:
                if task in self._tasks:
                    self._tasks[task] = segment
                if reply is None or segment.at != position:
                    if reply is not None:
                        await reply.close()
                    reply = rest = None
                    url = segment.url
                    reply, answer = await self._opener.open(segment)
                    if answer.end is not None:
                        # A server may send less of a range than was asked for.
                        self._pool.shorten(segment, answer.end)
                segment.url, segment.reply = url, reply
                rest = await self._reader.run(reply, segment, rest)
                position = segment.at
                self._arrived(segment)
                segment = None
                if answer is not None and answer.end == position:
                    # Read the end of the message, so that the connection is reused.
                    await reply.read()
                    await reply.close()
                    reply = None
        except asyncio.CancelledError:
            self._give_back(segment)
            raise
        except (LocalError, Changed) as error:
            self._give_back(segment)
            self._fatal = self._fatal or error
            self._stop_connections()
        except FetchError as error:
            self._give_back(segment)
            if segment is None or not segment.is_called_off:
                self._connection_failed(error, url)
        finally:
            context.open_connections -= 1
            self.waits.end(Wait.OPEN, context.clock.monotonic())
            if reply is not None:
                await reply.close()

    def _arrived(self, segment: Segment) -> None:
        """A segment is whole: whoever raced for the same bytes may stop."""
        pace = segment.pace(self.context.clock.monotonic())
        self.context.mirrors.note_success(segment.url, pace)
        rival = segment.rival
        self._uncount(self._pool.finish(segment))
        if rival is not None:
            rival.call_off()

    def _give_back(self, segment: Segment | None) -> None:
        if segment is not None:
            self._uncount(self._pool.give_back(segment))

    def _uncount(self, twice: int) -> None:
        """Take bytes that two rivals fetched out of the count of what is there."""
        if twice:
            download = self.download
            self.context.registry.set_received(download, download.received - twice)

    def _connection_failed(self, error: FetchError, url: str) -> None:
        self._retry_at = self.context.clock.monotonic() + 1.0
        self._opener.note_failure(url)
        if isinstance(error, PermanentError) and url == self.download.url:
            # Refusing (or garbling) a range says nothing about the whole body that
            # is already flowing: go on with that one alone. Where that one had asked
            # for more already, the next attempt does.
            self.refuses_ranges = True
            self.context.one_connection.add(self.download.id)
            error = TransientError(error.kind, str(error), status=error.status)
        self._error = error

    # -- sharing the work ------------------------------------------------------------

    def _next_segment(self, position: int) -> Segment | None:
        if self._fatal is not None:
            return None
        return self._pool.take(
            position,
            only_there=self.refuses_ranges and position >= 0,
            url=self._opener.mirror(self._pool.segments),
            now=self.context.clock.monotonic(),
        )

    def _wanted(self) -> int:
        """Connections that this download should have now."""
        if self.refuses_ranges:
            return 1
        explicit = self._explicit()
        if explicit:
            return explicit
        spare = max(0, self.context.spare_connections())
        most = auto_connections(self.answer.size, self.context.most_connections)
        return min(most, len(self._tasks) + 1 + spare)

    def _explicit(self) -> int:
        """Connections that a person chose; 0 lets the size decide."""
        return self.context.own_segments.get(self.download.id) or self.context.segments

    def connections_wanted(self) -> int:
        """Connections it aims at, for the details."""
        return self._wanted()

    def adjust(self, own: int = 0) -> None:
        """Start or stop connections so that there are as many as wanted.

        Args:
            own: connections about to be opened by the caller.
        """
        if self.is_finishing or self._fatal is not None:
            return
        now = self.context.clock.monotonic()
        wanted = self._wanted()
        running = self.connections() + own
        if wanted > running and self._retry_at <= now:
            for _ in range(wanted - running):
                idle = sum(1 for s in self._tasks.values() if s is None) + own
                if not self._pool.has_work_for(idle, now):
                    break
                task = asyncio.create_task(self._connect(None, None))
                self._tasks[task] = None
                task.add_done_callback(self._forget)
        elif wanted < running:
            for task in list(self._tasks)[wanted - running :]:
                task.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task)
        if not task.cancelled() and task.exception() is not None:
            self._fatal = self._fatal or task.exception()
            self._stop_connections()

    def _stop_connections(self) -> None:
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        # The worker's own connection is no task of ours: it stops at its next chunk,
        # when it finds that it has all it was asked for.
        self._pool.abandon()

    def restart_slow(self, now: float) -> None:
        """Start connections anew that drag behind their siblings."""
        if not self.refuses_ranges:
            for segment in self._pool.laggards(now):
                segment.call_off()

    def _disk_failed(self, error: FetchError) -> None:
        self._fatal = self._fatal or error
        self._stop_connections()

    async def _land(self) -> None:
        """Stop every connection and save what is there."""
        self.context.remember(self.download.id, self.learned())
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.recorder.settle()

    def finish(self, *, has_ended: bool) -> None:
        """The bytes are there: what follows is the disk's, until that has ended."""
        if self.is_finishing is has_ended:
            self.is_finishing = True
            note = self.waits.end if has_ended else self.waits.begin
            for wait in (Wait.OPEN, Wait.DISK):
                note(wait, self.context.clock.monotonic())

    def lacks_connections(self) -> bool:
        """Whether it would take more of them if it got more."""
        if self.is_finishing or self.refuses_ranges or self._explicit():
            return False
        most = auto_connections(self.answer.size, self.context.most_connections)
        return self.connections() < most

    # -- what there is to see --------------------------------------------------------

    @property
    def last_byte_at(self) -> float:
        """Monotonic time of the last chunk."""
        return self._reader.last_byte_at

    def sample(self, now: float) -> None:
        """Bring the meters up to date; the engine calls it a few times a second."""
        self._fast.sample(now, self.download.received)
        self._slow.sample(now, self.download.received)
        for segment in self._pool.segments:
            segment.meter.sample(now, segment.at)
        self.window.sample(now)
        self._history.sample(now, self.download.received)

    def speed(self) -> float:
        """Bytes per second, smoothed over about 3 s."""
        if self.download.state is not DownloadState.DOWNLOADING:
            return 0.0
        return self._fast.speed

    def steady_speed(self) -> float:
        """Bytes per second to compute an ETA with."""
        return steady(self._fast.speed, self._slow.speed)

    def connections(self) -> int:
        """Ranges in flight or about to be."""
        waiting = sum(1 for segment in self._tasks.values() if segment is None)
        return len(self._pool.segments) + waiting

    def learned(self) -> TransferSummary:
        """What the details show of it, also when it has ended."""
        speeds = tuple(self._history.speeds)
        return TransferSummary(
            self.headers, self.answer.validator, self.http_version, speeds
        )

    def segment_snapshots(self) -> tuple[SegmentSnapshot, ...]:
        """The ranges in flight, in order."""
        now = self.context.clock.monotonic()
        return tuple(
            SegmentSnapshot(
                start=s.start,
                end=s.end,
                at=s.at,
                speed=s.speed(now),
                url=s.url,
            )
            for s in sorted(self._pool.segments, key=lambda s: s.start)
        )

"""How many connections one large file has; further ones are opened and closed here.

The first one is read by the worker itself, which costs no task. How many there should
be follows from the size of the file, from what the user chose, and from what the other
large files of the same origin have.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.engine.scheduling.queue import HOST_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tui.engine.context import EngineContext
    from tui.engine.download.ranges.segments import SegmentScheduler
    from tui.engine.job import Job
    from tui.engine.metrics.speed import SpeedMeter
    from tui.engine.metrics.wait_times import UtilizationWindow
    from tui.net.resource import ResourceInfo

BYTES_PER_CONNECTION = 16 << 20
"""With a fixed concurrency: one connection per 16 MiB."""
AUTO_CONNECTIONS = 4
"""Connections of a large file at most, with a fixed concurrency."""
LASTS_S = 4.0
"""A file that takes so many more seconds is worth moving a connection to or from."""
THROTTLED_SPEED = 0.7
"""Share of the limit of its origin from which a download counts as throttled."""
THROTTLED_SHARE = 0.3
"""Share of their time that the connections of a throttled download wait for the limit.
"""
LEAST_SHARED_S = 0.3
"""How long a file must still take to be shared with an idle connection."""


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


@dataclass(slots=True)
class _Further:
    """A further connection, whose task is its key in ``Connections``."""

    has_segment: bool = False
    is_borrowed: bool = False
    """It is one of another file, which has ended."""
    is_counted: bool = True
    """It counts against the limit of the origin."""


class Connections:
    """The connections of one running download (``engine.job.FileConnections``)."""

    def __init__(
        self,
        context: EngineContext,
        job: Job,
        info: ResourceInfo,
        url: str,
        scheduler: SegmentScheduler,
        meter: SpeedMeter,
        window: UtilizationWindow,
    ) -> None:
        """Watch one download, which has no connection yet.

        Args:
            context: the run's tools.
            job: the download.
            info: of the first response: its size, and whether ranges may be requested.
            url: where redirects have led to.
            scheduler: its segments.
            meter: its speed.
            window: what its connections have waited for recently.
        """
        self._context = context
        self._job = job
        self._size = info.size
        self._url = url
        self._scheduler = scheduler
        self._meter = meter
        self._window = window
        self._origin = context.queue.origin_state(job.download.origin)
        has_proof = info.validator or job.download.request.checksum is not None
        may_split = bool(info.accepts_ranges and has_proof)
        self.refuses_ranges = job.one_connection or not may_split
        """Without ranges, or without a proof that two responses are of the same file,
        there is one connection."""
        self.retry_at = 0.0
        """Monotonic time before which no further one is opened."""
        self.failure: BaseException | None = None
        """Why the download cannot continue."""
        self._is_closed = False
        self._read: Callable[[], Coroutine[None, None, None]] | None = None
        self._further: dict[asyncio.Task[None], _Further] = {}
        """In the order in which they were opened."""
        self._reserved = 0
        """Slots that small files leave it (``DownloadQueue.reserve``)."""

    # -- opening and closing ---------------------------------------------------------

    def begin(self, read: Callable[[], Coroutine[None, None, None]]) -> None:
        """Take part in sharing the connections of the origin.

        Args:
            read: downloads segments over a further connection, as a task.
        """
        self._read = read
        self._origin.large_files.append(self)

    @contextmanager
    def own(self) -> Iterator[None]:
        """Count the connection that the worker reads itself."""
        queue = self._context.queue
        queue.open_connection(self._origin, is_extra=False)
        try:
            yield
        finally:
            queue.close_connection(self._origin, is_extra=False)

    def adjust(self, own: int = 0) -> None:
        """Open or close connections to match the current limits.

        Args:
            own: connections that the caller is about to open.
        """
        if self._is_closed or self.failure is not None:
            return
        now, gaps_only = self._context.clock.monotonic(), self.is_throttled()
        wanted = self.wanted()
        running = self.count() + own
        if wanted > running and self.retry_at <= now:
            for _ in range(wanted - running):
                idle = self._without_segment() + own
                if not self._scheduler.has_work_for(idle, now, gaps_only=gaps_only):
                    break
                self._open()
        elif wanted < running:
            for task in list(self._further)[wanted - running :]:
                task.cancel()
                # At once: other files give back only what is still too much.
                self.note_end(task)
        self._reserve_slots(wanted, now)

    def use_idle(self) -> None:
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
            or self.count() != self._most()
            or self.count() >= HOST_CONNECTIONS
            or self._seconds_left() < LEAST_SHARED_S
            or not self._may_open(context.clock.monotonic())
            or context.queue.spare_connections(self._origin) < 1
        ):
            return
        idle = context.session.idle_connections(self._url)
        self._scheduler.reply_s = idle.reply_s
        if idle.number and idle.reply_s and self._scheduler.is_worth_a_request():
            self._open(is_borrowed=True)

    def _open(self, *, is_borrowed: bool = False) -> None:
        """Start to download over one more connection, an idle one if there is any."""
        assert self._read is not None
        task = asyncio.create_task(self._read())
        self._further[task] = _Further(is_borrowed=is_borrowed)
        # At once: other files share the same number of connections.
        self._context.queue.open_connection(self._origin, is_extra=True)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self.note_end(task)
        self._further.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    # Every reader calls the next three; that of the worker has no effect: its own
    # connection is not a further one.

    def note_segment(self, task: asyncio.Task[None] | None) -> None:
        """Note that a further connection has got a segment."""
        if task in self._further:
            self._further[task].has_segment = True

    def note_end(self, task: asyncio.Task[None] | None) -> None:
        """Stop counting a further connection; a task may end without having begun."""
        if task in self._further and self._further[task].is_counted:
            self._further[task].is_counted = False
            self._context.queue.close_connection(self._origin, is_extra=True)

    def is_borrowed(self, task: asyncio.Task[None] | None) -> bool:
        """Return True if a task uses a connection that another file has opened."""
        return task in self._further and self._further[task].is_borrowed

    def fail(self, error: BaseException) -> None:
        """Stop all of them: the download cannot continue, for the first such reason."""
        self.failure = self.failure or error
        current = asyncio.current_task()
        for task in self._further:
            if task is not current:
                task.cancel()
        # The worker's own connection is not one of these tasks: it stops at its next
        # chunk, when it finds that its segment is complete.
        self._scheduler.stop_all()

    async def wait(self) -> None:
        """Wait until no further connection is left.

        Raises:
            BaseException: ``failure``.
        """
        while self._further:
            await asyncio.wait(self._further, return_when=asyncio.FIRST_COMPLETED)
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Close all and open no more, though the download counts as running still.

        Lets go of ``read``: its owner would stay in memory until a garbage collection,
        which blocks the loop for 70 ms once 1,300 downloads have ended.
        """
        self._is_closed = True
        self._origin.large_files.remove(self)
        self._reserve(0)
        tasks = list(self._further)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._read = None

    # -- how many there should be ----------------------------------------------------

    def count(self) -> int:
        """Return the number of ranges in flight or about to be requested."""
        return len(self._scheduler.segments) + self._without_segment()

    def _without_segment(self) -> int:
        return sum(not one.has_segment for one in self._further.values())

    def wanted(self) -> int:
        """Return the connections that the download should have now."""
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
        return max(1, min(self._most(), len(self._further) + 1 + spare))

    def are_lacking(self) -> bool:
        """Return True if it would use more connections than it has."""
        if self._is_closed or self.refuses_ranges or self._explicit():
            return False
        if self._context.limits.is_auto:
            return self.count() < self.wanted()
        return self.count() < auto_connections(self._size)

    def _fair(self, spare: int) -> int:
        """Return how many more connections it may open if it shares them with others.

        The large file of an origin that starts first opens all that are allowed. Later,
        it gives them back one by one, until each has about as many.

        Args:
            spare: what the queue allows; negative if some have to be given back.
        """
        own, files = self.count(), self._origin.large_files
        if len(files) < 2 or (spare == 0 and own <= 2):
            return spare
        if spare < 0:
            rest = self._origin.connections + spare
            return -min(-spare, max(0, own - rest // len(files)))
        others = [
            file.count()
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
        return (
            self.count() < self._most()
            and self._lasts()
            and self._may_open(now)
            and self._scheduler.has_work_for(self._without_segment(), now)
        )

    def _may_open(self, now: float) -> bool:
        """Return True if nothing forbids another connection, whatever their number."""
        return (
            not (self._is_closed or self.refuses_ranges)
            and not self._explicit()
            and self.failure is None
            and self.retry_at <= now
            and not self.is_throttled()
        )

    def _most(self) -> int:
        """Return the connections that its size and its origin suggest."""
        if not self._context.limits.is_auto:
            return auto_connections(self._size)
        suggested = auto_connections(self._size, is_auto=True)
        borrowed = sum(one.is_borrowed for one in self._further.values())
        return min(HOST_CONNECTIONS, suggested * self._origin.growth + borrowed)

    def _explicit(self) -> int:
        """Return the connections that the user chose; 0 lets the size decide."""
        return self._job.segments or self._context.limits.segments

    def _reserve_slots(self, wanted: int, now: float) -> None:
        """Let small files leave it the slots that it lacks."""
        origin, limits = self._origin, self._context.limits
        is_limited = origin.learned_cap or origin.connection_limit or self._explicit()
        lacking = 0
        if limits.is_auto and origin.is_small and not is_limited:
            lacking = self._most() - max(wanted, self.count())
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
        left = 0 if self._size is None else self._size - self._job.download.received
        return left / max(1, self.count())

    def _seconds_left(self) -> float:
        """Return how long it still takes at its present speed; 0.0 if unknown."""
        speed = self._meter.speed
        if self._size is None or speed <= 0:
            return 0.0
        return (self._size - self._job.download.received) / speed

    def is_throttled(self) -> bool:
        """Return True if its segments are slow because of our rate limits.

        Then more connections gain nothing, and ranges that are requested again cost
        what the closed connections have already received.
        """
        if self._window.shares().limiter >= THROTTLED_SHARE:
            return True
        limiters = self._context.session.limiters
        origin = self._job.download.origin
        rate = limiters.rate(origin) if limiters.is_used else None
        if rate is None:
            return False
        # Its responses wait for the limit of the origin themselves, which counts as
        # waiting for the network.
        running = self._context.registry.running
        speed = sum(one.speed() for one in running if one.download.origin == origin)
        return speed >= THROTTLED_SPEED * rate

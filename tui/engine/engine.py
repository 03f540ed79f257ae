"""The engine: everything a front end may ask for (``core.service.DownloadService``)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core import events
from tui.core.download import ACTIVE, ENDED, Download, DownloadState
from tui.core.errors import ErrorKind
from tui.core.listing.query import by_activity_iter, by_cause_iter, select_iter
from tui.core.notices import LimitName
from tui.core.request import check_url, origin_of
from tui.core.service import REMOVED
from tui.engine.autotune.size_lookahead import SizeLookahead
from tui.engine.autotune.tuner import AutoTuner
from tui.engine.download.attempt import DownloadWorker
from tui.engine.download.outcome import AttemptOutcome
from tui.engine.download.target import TargetResolver, delete_data
from tui.engine.limits import LimitControl
from tui.engine.metrics.loop_lag import LoopLag
from tui.engine.notices import add_note
from tui.engine.retry_undo import fail_queued, note_failure, restore_failure
from tui.engine.scheduling.ordering import (
    in_order,
    key_between,
    moved,
    moved_to,
)
from tui.engine.snapshots import SnapshotBuilder
from tui.engine.ticker import Ticker
from tui.engine.worker_pool import WorkerPool
from tui.net.filename import name_from_url, safe_name

if TYPE_CHECKING:
    from collections.abc import (
        Collection,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from tui.core.download import DownloadId
    from tui.core.listing.query import ActivityGroups, DownloadQuery, FailureGroup
    from tui.core.notices import Notice, PauseReason
    from tui.core.request import DownloadRequest
    from tui.core.service import Deletion, Move
    from tui.core.snapshot import (
        DetailSnapshot,
        DownloadSnapshot,
        EngineSnapshot,
        OriginSnapshot,
    )
    from tui.disk.state.host_limits import HostLimits
    from tui.engine.context import EngineContext
    from tui.engine.events import EventSubscription
    from tui.engine.job import Job
    from tui.engine.registry import RegistryWatch

_S = DownloadState
_IN_LINE = frozenset({_S.QUEUED, _S.PAUSED})
"""States of downloads that have a position in the queue."""
_SLICE = 1_000
"""Downloads moved in the queue per slice: 5 ms."""


class Engine:
    """Downloads what it is given, within limits that change while it runs."""

    def __init__(
        self,
        context: EngineContext,
        host_limits: HostLimits | None = None,
        timer: asyncio.TimerHandle | None = None,
    ) -> None:
        self._context = context
        self._host_limits = host_limits
        self._timer = timer
        """Loads modules a while after the start; cancelled by ``close``."""
        self._registry = context.registry
        self._outcome = AttemptOutcome(
            context, self._requeue, self._pause_queue, self._check_idle
        )
        jobs = context.registry.jobs
        self._targets = TargetResolver(
            context.settings, context.folders, context.writer, jobs.values
        )
        worker = DownloadWorker(context, self._targets, self._outcome)
        self._workers = WorkerPool(
            context, worker.run, self._after_stop, self._check_idle
        )
        self._limits = LimitControl(context, self._go)
        self._lag = LoopLag()
        self._tuner = AutoTuner(
            context, self._workers, self._lag.snapshot, self._limits.set_concurrency
        )
        self._lookahead = SizeLookahead(context, lambda: self._workers.is_paused)
        self._ticker = Ticker(
            context, self._workers, self._lag, self._tuner, self._lookahead.tick
        )
        self._snapshots = SnapshotBuilder(
            context, self._workers, self._ticker, self._lag, self._tuner
        )
        self._paused_ids: list[DownloadId] = []
        """Downloads that ``pause_all`` paused, for ``resume_all`` to resume."""
        self._pause_reason: PauseReason | None = None
        """The error that paused the queue; ``None`` if the user did."""
        self._idle_waiters: set[asyncio.Future[None]] = set()
        self._closing: asyncio.Future[None] | None = None
        if context.settings.auto:
            self._tuner.switch(True)

    # -- downloads -------------------------------------------------------------------

    def add(self, requests: Iterable[DownloadRequest]) -> range:
        """Queue downloads; return their ids."""
        downloads = self._registry.downloads
        first = len(downloads)
        is_heard = self._context.bus.is_heard(events.Queued)
        now = self._context.clock.wall()
        push = self._context.queue.push
        for request in requests:
            url = request.mirrors[0]
            name = request.name
            name = (safe_name(name) if name else "") or name_from_url(url)
            download = Download(len(downloads), request, origin_of(url), name)
            download.directory = request.directory or ""
            download.queue_key = download.id
            self._registry.enter(download)
            push(download)
            if is_heard:
                self._context.bus.publish(events.Queued(download.id, now))
        self._go()
        return range(first, len(downloads))

    async def submit(self, requests: Sequence[DownloadRequest]) -> range:
        """Queue downloads; return their ids."""
        return self.add(requests)

    def cancel(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Cancel downloads immediately, keeping part files."""
        return self._stop(ids, _S.CANCELLED, events.Cancelled)

    def pause(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Stop downloads but keep their positions in the queue."""
        return self._stop(ids, _S.PAUSED, events.Paused)

    def resume(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue paused and cancelled downloads again, at their old positions."""
        return self._queue_again(ids, {_S.PAUSED, _S.CANCELLED})

    def retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue failed or waiting downloads again, from attempt 1.

        A host that asked to wait is asked again at once.
        """
        ids = list(ids)
        for download in self._known(ids):
            if download.state in {_S.FAILED, _S.WAITING}:
                self._context.queue.lift_block(download.origin)
        return self._queue_again(ids, {_S.FAILED, _S.WAITING, _S.CANCELLED})

    def undo_retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Make retried downloads failed again, each as it was."""
        known = {download.id: download for download in self._known(ids)}
        jobs = [
            job
            for id in known
            if (job := self._registry.jobs.get(id)) and job.retried_failure
        ]
        self._stop([job.download.id for job in jobs], _S.CANCELLED, events.Cancelled)
        return [job.download.id for job in jobs if restore_failure(self._context, job)]

    def remove(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Remove ended downloads from lists and counts."""
        return [d.id for d in self._known(ids) if self._registry.remove(d)]

    def restore(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Restore removed downloads."""
        return [d.id for d in self._known(ids) if self._registry.restore(d)]

    def request(self, id: DownloadId) -> DownloadRequest:
        """Return what a download was asked to fetch; never show it."""
        job = self._registry.jobs.get(id)
        pending = job.next_request if job is not None else None
        return pending or self._registry.downloads[id].request

    def change_request(self, id: DownloadId, request: DownloadRequest) -> None:
        """Replace what an unfinished download is asked to fetch.

        Raises:
            ValueError: it is done, or one of the URLs cannot be downloaded.
        """
        for url in request.mirrors:
            check_url(url)
        download = self._registry.downloads[id]
        if download.state is _S.DONE or self._is_finishing(download):
            raise ValueError("the download is done")
        job = self._registry.job(download)
        is_other = request.mirrors != self.request(id).mirrors
        if is_other and job.next_url not in request.mirrors:
            job.next_url = ""  # the newer change counts
        job.next_request = request
        self._apply_changes(job)

    def _apply_changes(self, job: Job) -> None:
        """Apply what is to change on a job, once no worker is on it.

        A download that a user has stopped, also meanwhile, stays stopped.
        """
        if job.task is None:
            self._after_stop(job)
        elif job.download.state in ACTIVE:
            self._stop([job.download.id], _S.PAUSED, events.Paused)
            job.restarts = True

    def _after_stop(self, job: Job) -> None:
        """Apply changes to a job that has no worker any more, and queue it if due."""
        if job.next_request is not None:
            self._apply_request(job)
        if job.next_url:
            self._apply_url(job)
        self._requeue(job.download)
        restarts, job.restarts = job.restarts, False
        if restarts:
            self.resume([job.download.id])

    def _apply_request(self, job: Job) -> None:
        """Make the next request of a job the current one; no worker is on it."""
        download, request = job.download, job.next_request
        assert request is not None
        old, download.request, job.next_request = download.request, request, None
        is_moved = request.url != old.url or download.url not in request.mirrors
        # Other changes leave a URL that the user has set.
        if request.mirrors != old.mirrors and is_moved:
            self._use_url(download, request.url)
        if job.part_url not in request.mirrors:
            job.part_url = ""
        if (request.name, request.directory) != (old.name, old.directory):
            self._targets.release(job)
            download.directory = request.directory or ""
            name = safe_name(request.name) if request.name else ""
            download.name = name or name_from_url(download.url)
            self._registry.set_received(download, 0)
        job.missing = ""
        job.dead_mirrors = job.mirror_failures = None
        self._registry.rewritten.add(download.id)
        self._registry.touch(download)

    async def delete_data(self, ids: Iterable[DownloadId]) -> Deletion:
        """Delete what removed downloads left on disk."""
        return await delete_data(self._context, self._known(ids))

    def set_url(self, id: DownloadId, url: str) -> None:
        """Give a download another URL; its bytes are kept if they prove the same.

        One that is done, or being renamed, keeps its URL.

        Raises:
            ValueError: the URL cannot be downloaded, with the reason.
        """
        check_url(url)
        download = self._registry.downloads[id]
        if download.state is _S.DONE or self._is_finishing(download):
            return
        job = self._registry.job(download)
        job.next_url = url
        self._apply_changes(job)

    def _apply_url(self, job: Job) -> None:
        """Make the next URL of a job the current one; no worker is on it."""
        self._use_url(job.download, job.next_url)
        job.next_url = job.missing = job.part_url = ""
        self._registry.touch(job.download)

    def add_note(self, id: DownloadId, notice: Notice, *, is_news: bool = True) -> None:
        """Set the note of a download, after its end for example.

        Args:
            id: which download.
            notice: what happened.
            is_news: publish it as an event as well; progress is not news.
        """
        download = self._registry.downloads[id]
        if is_news:
            add_note(self._context, download, notice)
        elif download.note != notice:
            download.note = notice
            self._registry.touch(download)

    def notify(self, notice: Notice) -> None:
        """Publish something about the run that the user should know."""
        self._context.bus.publish(events.RunNotice(self._context.clock.wall(), notice))

    # -- downloads of an earlier run -------------------------------------------------

    def add_restored(
        self, downloads: Iterable[Download], missing: Mapping[DownloadId, str]
    ) -> None:
        """Add downloads of an earlier run, each in the state it was left in.

        Nothing starts before ``start_restored``.

        Args:
            downloads: with the ids that follow the existing ones.
            missing: why some of them cannot be requested, by id; they wait for
                another URL.
        """
        for download in downloads:
            self._registry.enter(download)
            reason = missing.get(download.id)
            if reason:
                self._registry.job(download).missing = reason

    def start_restored(self, paused: Iterable[DownloadId] | None) -> None:
        """Start what was restored, or keep the queue paused as it was left.

        Args:
            paused: what ``pause_all`` had paused; ``None`` if the queue was not paused.
        """
        if paused is not None:
            self._pause_queue(None)
            self._paused_ids += paused
        self._go()

    @property
    def paused_by_user(self) -> list[DownloadId] | None:
        """What ``pause_all`` paused; ``None`` if the user has not paused the queue."""
        is_paused_by_user = self._workers.is_paused and self._pause_reason is None
        return self._paused_ids if is_paused_by_user else None

    # -- the queue -------------------------------------------------------------------

    def pause_all(self) -> None:
        """Start nothing new and pause what runs."""
        self._pause_queue(None)
        waiting = [d.id for d in self._registry.downloads if d.state is _S.WAITING]
        self._paused_ids += self.pause([*self._workers.ids(), *waiting])

    def resume_all(self) -> None:
        """Resume; downloads that failed because the disk was full are retried."""
        if not self._workers.is_paused:
            return
        paused, self._paused_ids = self._paused_ids, []
        self._workers.is_paused = False
        if self._pause_reason is not None:
            paused += [
                d.id
                for d in self._registry.downloads
                if d.state is _S.FAILED and d.error_kind == ErrorKind.DISK_FULL
            ]
        self._pause_reason = None
        self._context.bus.publish(events.QueueResumed(self._context.clock.wall()))
        # Nobody named these ids, so what was removed meanwhile stays removed.
        removed = self._registry.removed
        listed = [id for id in paused if id not in removed]
        self._queue_again(listed, {_S.PAUSED, _S.FAILED})
        self._go()

    def queue_positions(
        self, ids: Iterable[DownloadId], move: Move
    ) -> dict[DownloadId, float]:
        """Return the position to which ``reorder_iter`` would move each download."""
        keys = moved(_queued(self._registry.downloads), set(ids), move)
        return {download.id: key for download, key in keys.items()}

    def reorder_iter(
        self, ids: Iterable[DownloadId], move: Move
    ) -> Generator[None, None, dict[DownloadId, float]]:
        """Move queued downloads, a few milliseconds between yields.

        Returns:
            The old positions of those that moved.
        """
        # All positions are computed first, so slices do not affect each other.
        positions = list(self.queue_positions(ids, move).items())
        before: dict[DownloadId, float] = {}
        for start in range(0, len(positions), _SLICE):
            if start:
                yield
            before |= self.set_queue_positions(dict(positions[start : start + _SLICE]))
        return before

    def set_queue_positions(
        self, positions: Mapping[DownloadId, float]
    ) -> dict[DownloadId, float]:
        """Move queued downloads to positions; return their old positions."""
        line = [
            d
            for d in map(self._registry.downloads.__getitem__, positions)
            if d.state in _IN_LINE
        ]
        before = {download.id: download.queue_key for download in line}
        self._context.queue.move({d: positions[d.id] for d in _queued(line)})
        for download in line:
            download.queue_key = positions[download.id]
            self._registry.touch(download)
        self._go()
        return before

    def positions(self, ids: Iterable[DownloadId]) -> list[float | None]:
        """Return where downloads are in the queue."""
        downloads = self._registry.downloads
        found = (downloads[id] for id in ids)
        return [d.queue_key if d.state in _IN_LINE else None for d in found]

    def move_between(
        self, id: DownloadId, after: DownloadId | None, before: DownloadId | None
    ) -> bool:
        """Move a queued or paused download between two neighbours of the queue."""
        downloads = self._registry.downloads
        key = key_between(
            None if after is None else downloads[after],
            None if before is None else downloads[before],
        )
        if key is not None:
            self.set_queue_positions({id: key})
        return key is not None

    def move_to(self, id: DownloadId, index: int) -> int:
        """Move a queued or paused download to an index among all of these.

        Raises:
            ValueError: it is neither queued nor paused.
        """
        download = self._registry.downloads[id]
        if download.state not in _IN_LINE:
            raise ValueError("the download is neither queued nor paused")
        line = in_order(d for d in self._registry.downloads if d.state in _IN_LINE)
        index = max(0, min(index, len(line) - 1))
        keys = moved_to(line, download, index)
        self.set_queue_positions({d.id: key for d, key in keys.items()})
        return index

    # -- limits ----------------------------------------------------------------------

    def set_concurrency(self, count: int) -> None:
        """Set how many downloads may run at once; ends automatic concurrency."""
        self._tuner.pin()
        self._limits.set_concurrency(count)

    def set_auto(self, is_on: bool) -> None:
        """Turn automatic concurrency on or off."""
        if self._tuner.switch(is_on):
            self._limits.publish(LimitName.AUTO, not is_on, is_on)
            self._limits.adjust_transfers()

    @property
    def is_auto(self) -> bool:
        """Whether the concurrency is automatic."""
        return self._tuner.is_on

    def set_origin_cap(self, origin: str, cap: int) -> None:
        """Set the concurrency of one origin; 0 uses the limit per host."""
        self._limits.set_origin_cap(origin, cap)

    def limit_origin(self, origin: str, cap: int) -> None:
        """Set the concurrency of one origin, and keep what was learned from refusals.

        ``tui.scale`` calls it for its part of a limit, which changes with its shards.
        """
        self._limits.limit_origin(origin, cap)

    def block_origin(self, origin: str, seconds: float) -> None:
        """Start nothing from an origin for some seconds, as after Retry-After.

        ``tui.scale`` calls it when another process was asked to wait.
        """
        now = self._context.clock.monotonic()
        self._context.queue.block(origin, now + seconds)

    def set_per_host(self, count: int) -> None:
        """Set the concurrency of every origin; 0 for no limit."""
        self._limits.set_per_host(count)

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Set the connections of one download or of all; 0 lets the size decide."""
        self._limits.set_segments(count, id)

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Set the bytes per second of one download or of all; ``None`` for no limit."""
        self._limits.set_rate_limit(rate, id)

    def set_writers(self, count: int) -> None:
        """Set the number of threads that write to disk."""
        self._limits.set_writers(count)

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the event loop, to show what that costs, or in threads."""
        self._limits.set_inline_writes(is_inline)

    def set_disk_delay(self, seconds: float) -> None:
        """Make each write take longer, to show what a slow disk does; 0 ends it."""
        self._context.writer.set_delay(seconds)

    def note_suspension(self, seconds: float) -> None:
        """Note that the process was suspended, so that the loop was not late."""
        self._lag.exclude_suspension(seconds)

    # -- snapshots and events --------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        """Return totals, limits and meters."""
        return self._snapshots.snapshot(self._pause_reason)

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """Return the rows of downloads, in the given order."""
        return self._snapshots.rows(ids)

    async def fetch_rows(self, ids: Sequence[DownloadId]) -> list[DownloadSnapshot]:
        """Return the rows of downloads."""
        return self.rows(ids)

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Return everything about one download."""
        return self._snapshots.detail(id)

    async def fetch_details(self, ids: Sequence[DownloadId]) -> list[DetailSnapshot]:
        """Return everything about some downloads."""
        return [self.detail(id) for id in ids]

    async def open_folder(self, id: DownloadId) -> int:
        """Return a descriptor of the folder of a finished download."""
        directory = self._registry.downloads[id].directory
        folder = await self._context.folders.folder(directory)
        run = self._context.writer.run
        return await run("open folder", folder.path, folder.duplicate)

    def in_states(self, states: Collection[DownloadState]) -> list[DownloadId]:
        """Return all downloads in some states, in the order of adding."""
        registry = self._registry
        ids = [d.id for d in registry.downloads if d.state in states]
        if registry.removed:
            ids = [id for id in ids if id not in registry.removed]
        return ids

    def select_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[DownloadId]]:
        """Return the ids that match a query, a few milliseconds between yields."""
        downloads = yield from self._snapshots.listed_iter(query)
        figures = self._snapshots.figures(query)
        return (yield from select_iter(downloads, query, figures))

    def by_activity_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, ActivityGroups]:
        """Group downloads by activity, a few milliseconds between yields."""
        downloads = yield from self._snapshots.listed_iter(query)
        return (yield from by_activity_iter(downloads, query))

    def by_cause_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[FailureGroup]]:
        """Group failed downloads by cause, a few milliseconds between yields."""
        downloads = yield from self._snapshots.listed_iter(query)
        return (yield from by_cause_iter(downloads, query))

    def origins(self) -> list[OriginSnapshot]:
        """Return one row per origin, the busiest first."""
        return self._snapshots.origins()

    def subscribe(self, exclude: events.Kinds = frozenset()) -> EventSubscription:
        """Receive every event from now on, except those of some kinds."""
        return self._context.bus.subscribe(exclude)

    @property
    def count(self) -> int:
        """Number of downloads, with those that were removed."""
        return len(self._registry.downloads)

    def states(self, ids: Iterable[DownloadId] | None = None) -> bytes:
        """Return one byte for each download: its state, and whether it was removed."""
        downloads, removed = self._registry.downloads, self._registry.removed
        if ids is not None and not removed:
            return bytes([downloads[id].state for id in ids])
        if ids is not None:
            return bytes([downloads[i].state | REMOVED * (i in removed) for i in ids])
        states = bytearray([download.state for download in downloads])
        for id in removed:
            states[id] |= REMOVED
        return bytes(states)

    def watch(self) -> RegistryWatch:
        """Collect which downloads change, from now on."""
        return self._registry.watch()

    # -- the end ---------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Return when nothing makes progress without the user."""
        while not self._is_idle():
            waiter = asyncio.get_running_loop().create_future()
            self._idle_waiters.add(waiter)
            try:
                await waiter
            finally:
                self._idle_waiters.discard(waiter)

    async def close(self) -> None:
        """Stop everything; what runs is kept for a resume."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        # Retries and workers first, so that nothing new is written; then the bytes
        # that were read go to disk (the writer drains); then the connections, which
        # nobody reads any more.
        if self._timer is not None:
            # The loop may end next, and with it the threads that this would use.
            self._timer.cancel()
        self._outcome.close()
        self._ticker.close()
        await self._lookahead.close()
        await self._workers.close()
        await self._context.folders.close()
        await self._context.writer.close()
        await self._context.session.close()
        limits = self._context.queue.limits_to_remember()
        if limits and self._host_limits is not None:
            now = self._context.clock.wall()
            await asyncio.to_thread(self._host_limits.save, limits, now)

    # -- inside ----------------------------------------------------------------------

    def _stop(
        self,
        ids: Iterable[DownloadId],
        state: DownloadState,
        event: type[events.Cancelled] | type[events.Paused],
    ) -> list[DownloadId]:
        """Pause or cancel downloads; return those that it changed."""
        changed = []
        now = self._context.clock.wall()
        for download in self._known(ids):
            job = self._registry.jobs.get(download.id)
            restarts = job is not None and job.restarts
            if job is not None:
                job.restarts = False
            if download.state in ENDED - {_S.FAILED} or download.state is state:
                if restarts:
                    changed.append(download.id)  # it was going to be queued again
                continue
            if download.state is _S.FAILED and state is not _S.CANCELLED:
                continue
            if self._is_finishing(download):
                continue
            self._context.queue.end_refusal(download)
            self._registry.move(download, state)
            if job is not None:
                job.cancel_retry()
                self._workers.stop(job)
            changed.append(download.id)
            self._context.bus.publish(event(download.id, now))
        self._check_idle()
        return changed

    def _is_finishing(self, download: Download) -> bool:
        """Return True if a download is being renamed, so that nothing can stop it."""
        if download.state is not _S.VERIFYING:
            return False
        job = self._registry.jobs.get(download.id)
        # The writer has a small file; no worker waits for it.
        return job is None or job.is_renaming or job.task is None

    def _queue_again(
        self, ids: Iterable[DownloadId], states: set[DownloadState]
    ) -> list[DownloadId]:
        """Queue downloads in one of some states again; return those it queued."""
        changed = []
        now = self._context.clock.wall()
        for download in self._known(ids):
            if download.state not in states:
                continue
            job = self._registry.jobs.get(download.id)
            if download.state is _S.FAILED:
                job = job or self._registry.job(download)
                note_failure(job)
            if job is not None:
                self._return_to_source(job)
                job.reset_attempts()
                job.restarts = False
            self._registry.move(download, _S.QUEUED)
            download.error = download.error_kind = ""
            download.finished_at = 0.0
            if job is not None and job.missing:
                fail_queued(self._context, download, job.missing)
                continue
            if job is None or job.task is None:
                self._context.queue.push(download)
            # Otherwise its last worker is still closing the part file; when it has
            # done so, ``_after_stop`` queues the download.
            changed.append(download.id)
            self._context.bus.publish(events.Queued(download.id, now))
        if changed:
            self._go()
        return changed

    def _return_to_source(self, job: Job) -> None:
        """Use the mirror again that can continue the part file, if there is one."""
        download, url = job.download, job.part_url
        if job.task is None and url not in ("", download.url) and download.received:
            self._use_url(download, url)

    def _use_url(self, download: Download, url: str) -> None:
        """Request another URL from now on; no worker is on the download."""
        self._context.queue.end_refusal(download)
        download.url = url
        download.origin = origin_of(url)

    def _known(self, ids: Iterable[DownloadId]) -> Iterator[Download]:
        """Return the downloads with these ids, skipping ids that do not exist.

        Removed ones are among them: undoing an earlier step also changes downloads that
        were removed since, which restores them.
        """
        downloads = self._registry.downloads
        return (downloads[id] for id in ids if 0 <= id < len(downloads))

    def _requeue(self, download: Download) -> None:
        if download.state is _S.QUEUED:
            self._context.queue.push(download)
            self._go()

    def _pause_queue(self, reason: PauseReason | None) -> None:
        if self._workers.is_paused:
            return
        self._workers.is_paused = True
        self._pause_reason = reason
        self._context.bus.publish(
            events.QueuePaused(self._context.clock.wall(), reason)
        )

    def _go(self) -> None:
        self._ticker.start()
        self._workers.wake()

    def _check_idle(self) -> None:
        """Wake ``wait_idle`` if nothing makes progress any more."""
        if not self._is_idle():
            return
        self._ticker.account_idle()
        for waiter in self._idle_waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _is_idle(self) -> bool:
        if self._workers.is_paused and self._pause_reason is not None:
            # Small files on their way to the disk have no worker any more.
            on_the_way = self._registry.counts[_S.VERIFYING]
            return self._workers.active == 0 and not on_the_way
        return self._workers.active == 0 and self._registry.pending == 0


def _queued(downloads: Iterable[Download]) -> list[Download]:
    return [d for d in downloads if d.state is _S.QUEUED]

"""The engine behind ``core.service.DownloadService``: every verb of a face."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from tui.core import events
from tui.core.download import ENDED, Download, DownloadState
from tui.core.listing.query import by_cause, select, selecting
from tui.core.request import check_url, origin_of
from tui.engine.download.attempt import DownloadWorker
from tui.engine.download.retry import RetryPolicy
from tui.engine.download.target import TargetResolver
from tui.engine.reordering import Reordering
from tui.engine.retry_undo import RetryUndo
from tui.engine.snapshots import SnapshotBuilder
from tui.engine.ticker import Ticker
from tui.engine.worker_pool import WorkerPool
from tui.net.filename import name_from_url, safe_name

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from tui.core.download import DownloadId
    from tui.core.listing.query import Cause, DownloadQuery
    from tui.core.notices import HoldReason
    from tui.core.request import DownloadRequest
    from tui.core.snapshot import (
        DetailSnapshot,
        DownloadSnapshot,
        EngineSnapshot,
        OriginSnapshot,
    )
    from tui.engine.context import EngineContext
    from tui.engine.events import EventSubscription

_S = DownloadState


class Engine(Reordering):
    """Downloads what it is given, within limits that change while it runs."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._registry = context.registry
        self._targets = TargetResolver(
            context.settings, context.folders, context.writer
        )
        self._retry = RetryPolicy(
            context, self._targets, self._requeue, self._hold_for, self._settle
        )
        worker = DownloadWorker(context, self._targets, self._retry)
        self._workers = WorkerPool(context, worker.run, self._settle)
        self._ticker = Ticker(context, self._workers)
        super().__init__(context, self._workers, self._ticker, self._go)
        self._retry_undo = RetryUndo(context)
        self._snapshots = SnapshotBuilder(
            context, self._workers, self._ticker, self._targets, self._tuner
        )
        self._lacking: dict[DownloadId, str] = {}
        """What restored downloads cannot be fetched without, by id."""
        self._held_ids: list[DownloadId] = []
        """Downloads that ``hold`` paused, for ``release`` to resume."""
        self._hold_reason: HoldReason | None = None
        self._idle: asyncio.Future[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    # -- what to fetch ---------------------------------------------------------------

    def add(self, requests: Iterable[DownloadRequest]) -> range:
        """Queue downloads; return their ids."""
        downloads = self._registry.downloads
        first = len(downloads)
        tells = self._context.bus.is_heard(events.Queued)
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
            if tells:
                self._context.bus.publish(events.Queued(download.id, now))
        self._go()
        return range(first, len(downloads))

    def cancel(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """End downloads at once, keeping part files."""
        return self._stop(ids, _S.CANCELLED, events.Cancelled)

    def pause(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Stop downloads but keep their place."""
        return self._stop(ids, _S.PAUSED, events.Paused)

    def resume(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue paused and cancelled downloads again, at their old place."""
        return self._queue_again(ids, {_S.PAUSED, _S.CANCELLED})

    def retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue failed or waiting downloads again, from attempt 1."""
        return self._queue_again(ids, {_S.FAILED, _S.WAITING, _S.CANCELLED})

    def unretry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Put retried downloads back among the failed, each as it was."""
        again = [id for id in ids if id in self._retry_undo]
        self._stop(again, _S.CANCELLED, events.Cancelled)
        return [d.id for d in self._known(again) if self._retry_undo.take_back(d)]

    def drop(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Take ended downloads out of lists and counts."""
        return [d.id for d in self._known(ids) if self._registry.drop(d)]

    def undrop(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Put dropped downloads back."""
        return [d.id for d in self._known(ids) if self._registry.undrop(d)]

    def set_url(self, id: DownloadId, url: str) -> None:
        """Give a download another URL; what is there is kept if it proves the same.

        Raises:
            ValueError: the URL cannot be fetched, with the reason.
        """
        check_url(url)
        download = self._registry.downloads[id]

        def change() -> None:
            self._lacking.pop(id, None)
            download.url = url
            download.origin = origin_of(url)
            self._registry.touch(download)

        if self._workers.is_on(download):
            self._stop([id], _S.PAUSED, events.Paused)

            def change_and_resume() -> None:
                change()
                self.resume([id])

            self._workers.afterwards(download, change_and_resume)
            return
        change()
        if download.state is _S.QUEUED:
            self._requeue(download)

    def restore(self, downloads: Iterable[Download], lacking: dict[int, str]) -> None:
        """Take in downloads of an earlier run, each in the state it was left in.

        Nothing starts before ``go_on``.

        Args:
            downloads: with ids that follow on those that there are.
            lacking: what is missing for some of them, in words, by id; they are
                not fetched before they get another URL.
        """
        self._lacking |= lacking
        for download in downloads:
            self._registry.enter(download)

    def go_on(self, held: Iterable[DownloadId] | None) -> None:
        """Start what was restored, or stay held as it was left.

        Args:
            held: what ``hold`` had paused; ``None`` when the queue was not held.
        """
        if held is not None:
            self._hold_for(None)
            self._held_ids += held
        self._go()

    @property
    def held(self) -> list[DownloadId] | None:
        """What ``hold`` paused, or ``None`` when no user holds the queue."""
        is_held = self._workers.is_held and not self._hold_reason
        return self._held_ids if is_held else None

    # -- the queue as a whole --------------------------------------------------------

    def hold(self) -> None:
        """Start nothing new and pause what runs."""
        self._hold_for(None)
        waiting = [d.id for d in self._registry.downloads if d.state is _S.WAITING]
        self._held_ids += self.pause([*self._workers.ids(), *waiting])

    def release(self) -> None:
        """Go on; downloads that a full disk failed are tried again."""
        if not self._workers.is_held:
            return
        held, self._held_ids = self._held_ids, []
        self._workers.is_held = False
        if self._hold_reason:
            held += [
                d.id
                for d in self._registry.downloads
                if d.state is _S.FAILED and d.error_kind == "disk_full"
            ]
        self._hold_reason = None
        self._context.bus.publish(events.QueueReleased(self._context.clock.wall()))
        self._queue_again(held, {_S.PAUSED, _S.FAILED})
        self._go()

    # -- what there is to see --------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        """Totals, limits and meters."""
        return self._snapshots.snapshot(self._hold_reason)

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """The rows asked for, in that order."""
        return self._snapshots.rows(ids)

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Everything about one download."""
        return self._snapshots.detail(id)

    def select(self, query: DownloadQuery) -> list[DownloadId]:
        """The ids that a query asks for, in its order."""
        return select(self._snapshots.listed(query), query)

    def selecting(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[DownloadId]]:
        """Do what ``select`` does, the filtering a few milliseconds between yields."""
        return selecting(self._snapshots.listed(query), query)

    def by_cause(self, query: DownloadQuery) -> list[Cause]:
        """What failed or was cancelled, of what a query asks for, by cause."""
        return by_cause(self._snapshots.listed(query), query)

    def origins(self) -> list[OriginSnapshot]:
        """One row an origin, the busiest first."""
        return self._snapshots.origins()

    def subscribe(self, besides: events.Kinds = frozenset()) -> EventSubscription:
        """Hear every event from now on, besides those of some kinds."""
        return self._context.bus.subscribe(besides)

    # -- the end ---------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Return when nothing goes on without a person's help."""
        while not self._is_idle():
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    async def close(self) -> None:
        """Stop everything in order; what runs is kept for a resume."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        # Intake and workers first, so that nothing new is written; then what was
        # read goes to disk (the writer drains); then the connections that nobody
        # reads any more.
        self._retry.close()
        self._ticker.close()
        await self._workers.close()
        await self._context.folders.close()
        await self._context.writer.close()
        await self._context.session.close()

    # -- inside ----------------------------------------------------------------------

    def _stop(
        self,
        ids: Iterable[DownloadId],
        state: DownloadState,
        event: type[events.Cancelled] | type[events.Paused],
    ) -> list[DownloadId]:
        changed = []
        now = self._context.clock.wall()
        for download in self._known(ids):
            if download.state in ENDED - {_S.FAILED} or download.state is state:
                continue
            if download.state is _S.FAILED and state is not _S.CANCELLED:
                continue
            if self._snapshots.is_finishing(download):
                continue
            self._retry.stop_waiting(download)
            self._registry.move(download, state)
            self._workers.stop(download)
            self._workers.afterwards(download, None)
            changed.append(download.id)
            self._context.bus.publish(event(download.id, now))
        self._settle()
        return changed

    def _queue_again(
        self, ids: Iterable[DownloadId], states: set[DownloadState]
    ) -> list[DownloadId]:
        changed = []
        now = self._context.clock.wall()
        for download in self._known(ids):
            if download.state not in states:
                continue
            self._retry_undo.note(download)
            self._retry.forgive(download)
            self._registry.move(download, _S.QUEUED)
            download.error = download.error_kind = ""
            download.finished_at = 0.0
            if download.id in self._lacking:
                self._retry_undo.refuse(download, self._lacking[download.id])
                continue
            if self._workers.is_on(download):
                # Its last worker is still closing the part file: queue it then.
                self._workers.afterwards(download, partial(self._requeue, download))
            else:
                self._context.queue.push(download)
            changed.append(download.id)
            self._context.bus.publish(events.Queued(download.id, now))
        if changed:
            self._go()
        return changed

    def _known(self, ids: Iterable[DownloadId]) -> Iterator[Download]:
        downloads = self._registry.downloads
        return (downloads[id] for id in ids if 0 <= id < len(downloads))

    def _requeue(self, download: Download) -> None:
        if download.state is _S.QUEUED:
            self._context.queue.push(download)
            self._go()

    def _hold_for(self, reason: HoldReason | None) -> None:
        if self._workers.is_held:
            return
        self._workers.is_held = True
        self._hold_reason = reason
        self._context.bus.publish(events.QueueHeld(self._context.clock.wall(), reason))

    def _go(self) -> None:
        self._ticker.start()
        self._workers.wake()

    def _settle(self) -> None:
        if not self._is_idle():
            return
        self._ticker.rest()
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _is_idle(self) -> bool:
        if self._workers.is_held and self._hold_reason:
            # Small files on their way to the disk have no worker any more.
            on_the_way = self._registry.counts[_S.VERIFYING]
            return self._workers.active == 0 and not on_the_way
        return self._registry.unfinished == 0 and self._workers.active == 0

"""The engine behind ``core.service.DownloadService``: every verb of a face."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from tui.core import events
from tui.core.download import ENDED, Download, DownloadState
from tui.core.query import View, select
from tui.core.request import check_url, origin_of
from tui.core.settings import MAX_CONCURRENCY, MAX_SEGMENTS, MAX_WRITERS
from tui.core.units import format_rate
from tui.engine.crew import Crew
from tui.engine.outcome import Outcome
from tui.engine.placing import Placing
from tui.engine.pulse import Pulse
from tui.engine.views import Views
from tui.engine.worker import DownloadWorker
from tui.net.filename import name_from_url, safe_name
from tui.net.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tui.core.download import DownloadId
    from tui.core.query import DownloadQuery
    from tui.core.request import DownloadRequest
    from tui.core.service import Move
    from tui.core.snapshot import (
        DetailSnapshot,
        DownloadSnapshot,
        EngineSnapshot,
        OriginSnapshot,
    )
    from tui.engine.event_bus import EventSubscription
    from tui.engine.kit import Kit

_S = DownloadState


class Engine:
    """Downloads what it is given, within limits that change while it runs."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._ledger = kit.ledger
        self._placing = Placing(kit.settings, kit.destination, kit.writer)
        self._outcome = Outcome(
            kit, self._placing, self._requeue, self._hold_for, self._settle
        )
        worker = DownloadWorker(kit, self._placing, self._outcome)
        self._crew = Crew(kit, worker.run, self._settle)
        self._pulse = Pulse(kit, self._crew)
        self._views = Views(kit, self._crew, self._pulse, self._placing)
        self._held_ids: list[DownloadId] = []
        """Downloads that ``hold`` paused, for ``release`` to resume."""
        self._hold_reason = ""
        self._idle: asyncio.Future[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    # -- what to fetch ---------------------------------------------------------------

    def add(self, requests: Iterable[DownloadRequest]) -> range:
        """Queue downloads; return their ids."""
        downloads = self._ledger.downloads
        first = len(downloads)
        tells = self._kit.bus.has_listeners
        now = self._kit.clock.wall()
        push = self._kit.queue.push
        for request in requests:
            url = request.mirrors[0]
            name = request.name
            name = (safe_name(name) if name else "") or name_from_url(url)
            download = Download(len(downloads), request, origin_of(url), name)
            download.directory = request.directory or ""
            download.queue_key = download.id
            self._ledger.enter(download)
            push(download)
            if tells:
                self._kit.bus.publish(events.Queued(download.id, now))
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

    def reorder(self, ids: Sequence[DownloadId], move: Move) -> None:
        """Change the queue's order; the ids keep their order among themselves."""
        queued = [d for d in self._ledger.downloads if d.state is _S.QUEUED]
        for download in self._kit.queue.move(queued, set(ids), move):
            self._ledger.touch(download)
        self._go()

    def set_url(self, id: DownloadId, url: str) -> None:
        """Give a download another URL; what is there is kept if it proves the same.

        Raises:
            ValueError: the URL cannot be fetched, with the reason.
        """
        check_url(url)
        download = self._ledger.downloads[id]

        def change() -> None:
            download.url = url
            download.origin = origin_of(url)
            self._ledger.touch(download)

        if self._crew.is_on(download):
            self._stop([id], _S.PAUSED, events.Paused)

            def change_and_resume() -> None:
                change()
                self.resume([id])

            self._crew.afterwards(download, change_and_resume)
            return
        change()
        if download.state is _S.QUEUED:
            self._requeue(download)

    # -- limits ----------------------------------------------------------------------

    def set_concurrency(self, count: int) -> None:
        """Downloads at once: up starts more in this loop turn, down drains."""
        count = max(1, min(MAX_CONCURRENCY, count))
        old, self._kit.concurrency = self._kit.concurrency, count
        if old != count:
            self._tell_limit(f"downloads at once {old} → {count}")
            self._go()

    def set_per_host(self, count: int) -> None:
        """Downloads at once from one origin; 0 for no cap."""
        count = max(0, min(MAX_CONCURRENCY, count))
        old = self._kit.queue.per_host
        if old != count:
            self._kit.queue.set_per_host(count)
            self._tell_limit(f"per host {old or 'any'} → {count or 'any'}")
            self._go()

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Connections of one download or of all; 0 decides by size."""
        count = max(0, min(MAX_SEGMENTS, count))
        if id is None:
            self._kit.segments = count
            self._tell_limit(f"connections per download → {count or 'by size'}")
        else:
            if count:
                self._kit.own_segments[id] = count
            else:
                self._kit.own_segments.pop(id, None)
            self._ledger.touch(self._ledger.downloads[id])
        self._pulse.adjust()

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Bytes per second for everything, or for one download."""
        rate = max(1, rate) if rate is not None else None
        if id is None:
            self._kit.limiter.set_rate(rate)
            self._tell_limit(f"rate limit → {format_rate(rate) if rate else 'off'}")
            return
        own = self._kit.own_limiters
        if id in own:
            own[id].set_rate(rate)
        elif rate is not None:
            own[id] = Limiter(rate, self._kit.clock)
        self._ledger.touch(self._ledger.downloads[id])

    def set_writers(self, count: int) -> None:
        """Threads that write to disk."""
        count = max(1, min(MAX_WRITERS, count))
        old = self._kit.writer.snapshot().writers
        if old != count:
            self._kit.writer.set_writers(count)
            self._tell_limit(f"writers {old} → {count}")

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the loop, to see what that does, or in the executor."""
        if self._kit.writer.snapshot().is_inline != is_inline:
            self._kit.writer.set_inline(is_inline)
            where = "on the loop (blocking!)" if is_inline else "in the executor"
            self._tell_limit(f"disk writes {where}")

    def hold(self) -> None:
        """Start nothing new and pause what runs."""
        self._hold_for("")
        running = self._crew.ids()
        waiting = [d.id for d in self._ledger.downloads if d.state is _S.WAITING]
        self._held_ids += self.pause([*running, *waiting])

    def release(self) -> None:
        """Go on; downloads that a full disk failed are tried again."""
        if not self._crew.is_held:
            return
        held, self._held_ids = self._held_ids, []
        self._crew.is_held = False
        if self._hold_reason:
            held += [
                d.id
                for d in self._ledger.downloads
                if d.state is _S.FAILED and d.error_kind == "disk_full"
            ]
        self._hold_reason = ""
        self._kit.bus.publish(events.QueueReleased(self._kit.clock.wall()))
        self._queue_again(held, {_S.PAUSED, _S.FAILED})
        self._go()

    # -- what there is to see --------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        """Totals, limits and meters."""
        return self._views.snapshot(self._hold_reason)

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """The rows asked for, in that order."""
        return self._views.rows(ids)

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Everything about one download."""
        return self._views.detail(id)

    def select(self, query: DownloadQuery) -> list[DownloadId]:
        """The ids that a query asks for, in its order."""
        downloads: Iterable[Download] = self._ledger.downloads
        if query.view is View.QUEUED:
            downloads = self._kit.queue.in_order(
                d for d in downloads if d.state is _S.QUEUED
            )
        return select(downloads, query)

    def origins(self) -> list[OriginSnapshot]:
        """One row an origin, the busiest first."""
        return self._views.origins()

    def subscribe(self) -> EventSubscription:
        """Hear every event from now on."""
        return self._kit.bus.subscribe()

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
        self._outcome.close()
        self._pulse.close()
        await self._crew.close()
        await self._kit.destination.close()
        await self._kit.writer.close()
        await self._kit.session.close()

    # -- inside ----------------------------------------------------------------------

    def _stop(
        self,
        ids: Iterable[DownloadId],
        state: DownloadState,
        event: type[events.Cancelled] | type[events.Paused],
    ) -> list[DownloadId]:
        changed = []
        now = self._kit.clock.wall()
        for download in self._known(ids):
            if download.state in ENDED - {_S.FAILED} or download.state is state:
                continue
            if download.state is _S.FAILED and state is not _S.CANCELLED:
                continue
            if self._views.is_finishing(download):
                continue
            self._outcome.stop_waiting(download)
            self._ledger.move(download, state)
            self._crew.stop(download)
            self._crew.afterwards(download, None)
            changed.append(download.id)
            self._kit.bus.publish(event(download.id, now))
        self._settle()
        return changed

    def _queue_again(
        self, ids: Iterable[DownloadId], states: set[DownloadState]
    ) -> list[DownloadId]:
        changed = []
        now = self._kit.clock.wall()
        for download in self._known(ids):
            if download.state not in states:
                continue
            self._outcome.forgive(download)
            self._ledger.move(download, _S.QUEUED)
            download.error = download.error_kind = ""
            download.finished_at = 0.0
            if self._crew.is_on(download):
                # Its last worker is still closing the part file: queue it then.
                self._crew.afterwards(download, partial(self._requeue, download))
            else:
                self._kit.queue.push(download)
            changed.append(download.id)
            self._kit.bus.publish(events.Queued(download.id, now))
        if changed:
            self._go()
        return changed

    def _known(self, ids: Iterable[DownloadId]) -> Iterator[Download]:
        downloads = self._ledger.downloads
        return (downloads[id] for id in ids if 0 <= id < len(downloads))

    def _requeue(self, download: Download) -> None:
        if download.state is _S.QUEUED:
            self._kit.queue.push(download)
            self._go()

    def _hold_for(self, reason: str) -> None:
        if self._crew.is_held:
            return
        self._crew.is_held = True
        self._hold_reason = reason
        self._kit.bus.publish(events.QueueHeld(self._kit.clock.wall(), reason))

    def _go(self) -> None:
        self._pulse.start()
        self._crew.wake()

    def _settle(self) -> None:
        if self._idle is not None and not self._idle.done() and self._is_idle():
            self._idle.set_result(None)

    def _is_idle(self) -> bool:
        if self._crew.is_held and self._hold_reason:
            return self._crew.active == 0
        return self._ledger.unfinished == 0 and self._crew.active == 0

    def _tell_limit(self, text: str) -> None:
        self._kit.bus.publish(events.LimitsChanged(self._kit.clock.wall(), text))

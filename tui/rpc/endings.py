"""What the RPC learns from events: how downloads stopped, and notifications."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tui.core import events
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, SortKey
from tui.core.service import REMOVED
from tui.rpc.status import STOPPED_STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService

MAX_RESULTS = 1000
"""Stopped downloads that ``tellStopped`` lists; aria2's max-download-result."""

NOTIFICATIONS: Final = (
    "aria2.onDownloadStart",
    "aria2.onDownloadPause",
    "aria2.onDownloadStop",
    "aria2.onDownloadComplete",
    "aria2.onDownloadError",
)
_UNWANTED: Final = frozenset(
    {
        events.Queued,
        events.Retrying,
        events.DownloadNotice,
        events.Verified,
        events.LimitChanged,
        events.QueuePaused,
        events.QueueResumed,
        events.RunNotice,
    }
)


class Endings:
    """Follows the events of a service."""

    def __init__(
        self, service: DownloadService, notify: Callable[[str, DownloadId], None]
    ) -> None:
        """Subscribe to the service.

        Args:
            service: whose downloads to follow.
            notify: called with each notification and the download it is about.
        """
        self._service = service
        self._notify = notify
        self._subscription = service.subscribe(_UNWANTED)
        self._stopped: dict[DownloadId, None] = {}
        """The last downloads that stopped, in that order."""
        self._started: set[DownloadId] = set()
        """Downloads whose start was announced, and not yet their pause or end."""
        self.limit = MAX_RESULTS
        self._count = 0
        self._is_loaded = False

    async def run(self) -> None:
        """Follow the events until cancelled."""
        try:
            while True:
                await self._subscription.wait()
                for event in self._subscription.drain():
                    self._on_event(event)
        finally:
            self._subscription.close()

    async def stopped(self) -> list[DownloadId]:
        """Return the last stopped downloads that are still listed, oldest first."""
        if not self._is_loaded:
            await self._load()
        ids = list(self._stopped)
        states = self._service.states(ids)
        for id, state in zip(ids, states, strict=True):
            if state & REMOVED or DownloadState(state) not in STOPPED_STATES:
                self._stopped.pop(id, None)
        return list(self._stopped)[-self.limit :] if self.limit else []

    async def _load(self) -> None:
        """Take over the downloads that had ended before, in the order of their end."""
        self._is_loaded = True
        query = DownloadQuery(sort=SortKey.FINISHED)
        steps = self._service.select_iter(query)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: list[DownloadId] = end.value
                break
            await asyncio.sleep(0)
        states = self._service.states(found)
        earlier = [
            id
            for id, state in zip(found, states, strict=True)
            if DownloadState(state) in STOPPED_STATES and id not in self._stopped
        ]
        self._stopped = dict.fromkeys(earlier[-self.limit :]) | self._stopped

    def _on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.DownloadEvent):
            return
        id = event.id
        match event:
            case events.Started():
                # aria2 announces the first attempt only.
                if event.attempt == 1 and id not in self._started:
                    self._started.add(id)
                    self._notify("aria2.onDownloadStart", id)
            case events.Paused():
                # aria2 says nothing about downloads that had not started.
                if id in self._started:
                    self._started.discard(id)
                    self._notify("aria2.onDownloadPause", id)
            case events.Cancelled():
                self._end(id)
                self._notify("aria2.onDownloadStop", id)
            case events.Done():
                self._end(id)
                self._notify("aria2.onDownloadComplete", id)
            case events.Failed():
                self._end(id)
                self._notify("aria2.onDownloadError", id)
            case _:
                pass

    def _end(self, id: DownloadId) -> None:
        self._started.discard(id)
        self._stopped.pop(id, None)
        self._stopped[id] = None
        if len(self._stopped) > max(self.limit, MAX_RESULTS):
            del self._stopped[next(iter(self._stopped))]

"""What the RPC learns from events: how downloads stopped, and notifications."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

from tui.core import events
from tui.core.listing.query import DownloadQuery, SortKey
from tui.core.listing.slices import run_sliced
from tui.rpc.status import STOPPED_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService

MAX_RESULTS = 1000
"""Stopped downloads that ``tellStopped`` lists; aria2's max-download-result."""

STOPPED: Final = frozenset(map(int, STOPPED_STATES))
"""The states of stopped downloads that were not removed, as ``states`` has them."""
_SLICE: Final = 20_000
"""States read per loop iteration: 5 ms."""

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
        self._loading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Follow the events until cancelled."""
        try:
            while True:
                await self._subscription.wait()
                self.catch_up()
        finally:
            self._subscription.close()

    def catch_up(self) -> None:
        """Follow the events that have happened so far."""
        for event in self._subscription.drain():
            self._on_event(event)

    @property
    def count(self) -> int:
        """Number of the last stopped downloads that are listed."""
        return min(len(self._stopped), self.limit)

    def part(self, wanted: range) -> list[DownloadId]:
        """Return the ids at some indexes, which must exist; the range may go down.

        Index 0 is the one that stopped first.
        """
        if not wanted:
            return []
        if wanted.step < 0:
            return self.part(wanted[::-1])[::-1]
        hidden = len(self._stopped) - self.count
        return list(islice(self._stopped, hidden + wanted.start, hidden + wanted.stop))

    def discard(self, ids: Iterable[DownloadId]) -> None:
        """Take downloads out that have not stopped any more, or were removed."""
        stopped = self._stopped
        for id in ids:
            if id in stopped:
                del stopped[id]

    async def check(self) -> None:
        """Look at the states of all; at the first call also at earlier downloads."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        # One client that leaves must not keep the others from what is loaded.
        await asyncio.shield(self._loading)
        self.discard(await self._in_states(list(self._stopped), is_stopped=False))

    async def _load(self) -> None:
        """Take over the downloads that had ended before, in the order of their end."""
        query = DownloadQuery(sort=SortKey.FINISHED)
        found = await run_sliced(self._service.select_iter(query), asyncio.sleep)
        ids = await self._in_states(found, is_stopped=True)
        earlier = [id for id in ids if id not in self._stopped]
        keep = max(self.limit, MAX_RESULTS)
        self._stopped = dict.fromkeys(earlier[-keep:]) | self._stopped

    async def _in_states(
        self, ids: Sequence[DownloadId], *, is_stopped: bool
    ) -> list[DownloadId]:
        """Return those that have stopped and are listed, or else the others."""
        found: list[DownloadId] = []
        for start in range(0, len(ids), _SLICE):
            part = ids[start : start + _SLICE]
            pairs = zip(part, self._service.states(part), strict=True)
            found += [id for id, state in pairs if (state in STOPPED) is is_stopped]
            await asyncio.sleep(0)
        return found

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

"""Active and waiting downloads, kept up to date from what has changed.

A client asks for them every second, and a pass over a million downloads takes 100 ms
of processor time. So the first call makes the lists, and each later one applies the
changes since the last. When nobody has asked for a while, they are given up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tui.core.listing.slices import run_sliced
from tui.rpc.endings import STOPPED
from tui.rpc.line import Line
from tui.rpc.status import ACTIVE_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import DownloadId
    from tui.core.service import ChangeWatch, DownloadService
    from tui.rpc.endings import Endings

IDLE_S: Final = 60.0
"""Time after the last call at which the lists are given up."""
_SLICE: Final = 10_000
"""Downloads read per loop iteration: 3 ms."""
_CHANGES: Final = 500
"""Changes applied per loop iteration: 5 ms."""
_MANY: Final = 20_000
"""Changes after which it is faster to make the lists again."""


class Lists:
    """Which downloads are active, and which wait in which order."""

    def __init__(self, service: DownloadService, endings: Endings) -> None:
        """Know nothing until the first call.

        Args:
            service: whose downloads to list.
            endings: drops downloads that are not stopped any more.
        """
        self._service = service
        self._endings = endings
        self._watch: ChangeWatch | None = None
        self._line = Line()
        self._active: set[DownloadId] = set()
        self._known = 0
        """Downloads with a lower id are in the lists, if they belong there."""
        self._updating = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    async def active(self) -> list[DownloadId]:
        """Return the active downloads in the order of adding."""
        await self.update()
        return sorted(self._active)

    async def line(self) -> Line:
        """Return the waiting and paused downloads in the order of the queue.

        It is up to date until the next ``await``.
        """
        await self.update()
        return self._line

    async def move(self, id: DownloadId, index: int) -> int:
        """Move a waiting download to an index of the line; return where it is now.

        Raises:
            ValueError: it is not in the line.
        """
        line = await self.line()
        old, last = line.index(id), len(line) - 1
        if old is None:
            raise ValueError("the download is neither queued nor paused")
        index = max(0, min(index, last))
        if index == old:
            return index
        # Its new neighbours, among the others.
        at = index if index < old else index + 1
        after = line.part(range(at - 1, at))[0] if at else None
        before = line.part(range(at, at + 1))[0] if at <= last else None
        if not self._service.move_between(id, after, before):
            self._service.move_to(id, index)
        return index

    def close(self) -> None:
        """Give up the lists; the next call makes them again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None
            self._line, self._active, self._known = Line(), set(), 0

    async def update(self) -> None:
        """Apply what has changed since the last call."""
        if self._timer is not None:
            self._timer.cancel()
        async with self._updating:
            # Its events are older than the states that are read next.
            self._endings.catch_up()
            if self._watch is None:
                self._watch = self._service.watch()
                await self._make()
            else:
                await self._apply(self._watch)
        if self._timer is not None:
            self._timer.cancel()  # of a call that waited for the same update
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(IDLE_S, self.close)

    async def _make(self) -> None:
        """Read all downloads; what changes meanwhile is applied afterwards."""
        assert self._watch is not None
        self._known = self._service.count
        self._active.clear()
        positions: list[float | None] = []
        for start in range(0, self._known, _SLICE):
            ids = range(start, min(start + _SLICE, self._known))
            positions += self._service.positions(ids)
            self._note_states(ids)
            await asyncio.sleep(0)
        await run_sliced(self._line.fill_iter(positions), asyncio.sleep)
        await self._endings.check()
        await self._apply(self._watch)

    async def _apply(self, watch: ChangeWatch) -> None:
        # Until nothing is left: the slices take time in which more may change.
        while changed := [*watch.take(), *range(self._known, watch.count)]:
            self._known = watch.count
            if len(changed) > _MANY:
                await self._make()
                return
            for start in range(0, len(changed), _CHANGES):
                if start:
                    await asyncio.sleep(0)
                ids = changed[start : start + _CHANGES]
                for id, position in zip(ids, self._service.positions(ids), strict=True):
                    self._line.put(id, position)
                self._note_states(ids)

    def _note_states(self, ids: Sequence[DownloadId]) -> None:
        not_stopped = []
        for id, state in zip(ids, self._service.states(ids), strict=True):
            if state in ACTIVE_STATES:
                self._active.add(id)
            else:
                self._active.discard(id)
            if state not in STOPPED:
                not_stopped.append(id)
        self._endings.discard(not_stopped)

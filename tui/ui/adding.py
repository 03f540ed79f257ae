"""Handing requests to the engine without stopping the screen, however many they are."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from typing import TYPE_CHECKING

from tui.core.listing.query import DownloadQuery
from tui.ui.dialogs.add import AddScreen
from tui.ui.dialogs.pick import Picked, PickScreen
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tui.core.request import DownloadRequest
    from tui.ui.main_screen import MainScreen

_FIRST_LOOK_S = 0.05
SLICE = 1_000
"""Requests added in one turn of the loop: 8 ms; all 100,000 would stop it for 0.8 s."""


class AddQueue:
    """Adds downloads, a slice in each turn of the loop."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen that shows what was added."""
        self._screen = screen
        self.restore: Callable[[], Awaitable[str]] | None = None
        """Brings back what an earlier run left and returns what to say about it;
        ``None`` when that is done."""
        self._adding = 0
        self._has_told = False
        self._waiting: deque[Sequence[DownloadRequest]] = deque()

    @property
    def is_all_added(self) -> bool:
        """Whether nothing is left to hand over."""
        return self._adding == 0

    def known(self) -> dict[str, tuple[str, str]]:
        """Return folder and name of all there is, by URL; it fills within a moment."""
        places: dict[str, tuple[str, str]] = {}
        work = self._learn(places)
        self._screen.run_worker(work, group="known", exclusive=True)
        return places

    async def _learn(self, places: dict[str, tuple[str, str]]) -> None:
        service = self._screen.service
        ids = service.select(DownloadQuery())
        for start in range(0, len(ids), SLICE):
            for row in service.rows(ids[start : start + SLICE]):
                places[row.url] = (row.directory, row.name)
            await asyncio.sleep(0)

    def open_list(self) -> None:
        """Ask for a list file; what is wrong in it goes to the add screen."""
        known = self.known()
        folder = self._screen.bridge.snapshot.output_dir

        def take(picked: Picked | None) -> None:
            if picked is None:
                return
            if picked.preview.bad_count or not picked.preview.requests:
                screen = AddScreen("", folder, [picked.path], known)
                self._screen.app.push_screen(screen, self.take)
            else:
                self.take(picked.preview.requests)

        self._screen.app.push_screen(PickScreen(known), take)

    def take(self, requests: Sequence[DownloadRequest] | None) -> None:
        """Add what a dialog leaves with, and say how many that is."""
        if requests:
            self.add(requests)
            plural = "s" if len(requests) != 1 else ""
            self._screen.tell(f"Added {count(len(requests))} download{plural}")

    def begin(self, requests: Sequence[DownloadRequest]) -> None:
        """Bring back what there was, and add what was asked for at the start."""
        if self.restore is not None:
            self._adding += 1
            self._screen.run_worker(self._restore, group="add")  # type: ignore[arg-type]
        self.add(requests)

    async def _restore(self) -> None:
        assert self.restore is not None
        self._screen.set_timer(_FIRST_LOOK_S, self._show)
        try:
            told = await self.restore()
            self._has_told = bool(told)
        finally:
            self._adding -= 1
            self.restore = None
        if told:
            self._screen.tell(told)
        self._screen.list.explain_if_empty(is_loading=False)
        self._show()
        self._watch_end()

    def add(self, requests: Sequence[DownloadRequest]) -> None:
        """Begin to add; rows show as soon as the first slice is there."""
        self._adding += 1
        self._waiting.append(requests)
        self._screen.run_worker(self._add, group="add")  # type: ignore[arg-type]

    async def _add(self) -> None:
        requests = self._waiting.popleft()
        is_long = len(requests) > SLICE
        if is_long:
            # Records that stay: walking over them again and again while they are made
            # stopped the loop for 85 ms at a time (100,000 lines, measured).
            gc.disable()
        try:
            for start in range(0, len(requests), SLICE):
                self._screen.service.add(requests[start : start + SLICE])
                if start == 0:
                    self._show()
                await asyncio.sleep(0)
        finally:
            self._adding -= 1
            if is_long:
                gc.freeze()
                gc.enable()
        self._show()
        self._watch_end()

    def _watch_end(self) -> None:
        # What an earlier session has to tell wants a moment to be read.
        if self.is_all_added and not self._has_told:
            self._screen.leaving.watch()

    def _show(self) -> None:
        """Show new rows now; by itself an idle dashboard looks twice a second."""
        self._screen.list.model.invalidate()
        self._screen.tick()

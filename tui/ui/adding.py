"""Adding downloads without blocking the screen, however many there are."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple
from tui.core.service import ServiceLost
from tui.core.text.units import plural
from tui.messages import loss_text
from tui.ui.keys.keymap import key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from textual.screen import Screen

    from tui.core.download import DownloadId
    from tui.core.request import DownloadRequest
    from tui.core.service import DashboardService
    from tui.ui.dialogs.pick import Picked

T = TypeVar("T")
Known: TypeAlias = dict[str, tuple[str, str]]
"""Folder and name by URL."""
_FIRST_ROWS_S = 0.05
_SENT_LIMIT = 20_000
"""Rows that another process is asked for, to find duplicates: 5 MB."""
SLICE = 1_000
"""Requests per turn of the loop: 8 ms; all 100,000 at once would block it for 0.8 s."""


class AddHost(Protocol):
    """The screen that shows the added downloads."""

    def notify(self, message: str) -> None:
        """Show a message."""
        ...

    def ask(self, dialog: Screen[T], answer: Callable[[T | None], None]) -> None:
        """Open a dialog and call ``answer`` with its result."""
        ...

    def run_in_background(
        self,
        work: Callable[[], Coroutine[None, None, None]],
        *,
        group: str = "default",
        exclusive: bool = False,
    ) -> object:
        """Run what ``work`` makes; ``exclusive`` cancels others of the same group."""
        ...

    def set_timer(self, delay: float, callback: Callable[[], None]) -> object:
        """Call ``callback`` after ``delay`` seconds."""
        ...

    def show_new_rows(self) -> None:
        """Show new rows now; an idle dashboard would poll only twice a second."""
        ...

    def all_added(self) -> None:
        """Called when nothing is left to add."""
        ...

    def added_by_user(self, ids: Sequence[DownloadId]) -> None:
        """Called with the downloads that a dialog has added, for undo."""
        ...


class _Addition(NamedTuple):
    """Requests to be added."""

    requests: Sequence[DownloadRequest]
    is_by_user: bool
    """A dialog adds them."""
    rate_limit: int | None


class AddQueue:
    """Adds requests to the engine, one slice per turn of the loop."""

    def __init__(self, host: AddHost, service: DashboardService) -> None:
        """Add to ``service`` and show the progress on ``host``."""
        self._host = host
        self._service = service
        self.restore: Callable[[], Awaitable[str]] | None = None
        """Restores the last session and returns a message about it; ``None`` once that
        is done."""
        self.expect: Callable[[int], None] | None = None
        """Called with how many downloads a dialog adds, before the first of them: if
        the process is killed meanwhile, the session can say how many it lacks."""
        self.is_attached = False
        """Whether the downloads are in another process."""
        self._pending = 0
        self._has_restored = False
        self._queue: deque[_Addition] = deque()

    @property
    def is_all_added(self) -> bool:
        """Whether nothing is left to add."""
        return self._pending == 0

    # -- dialogs ---------------------------------------------------------------------

    def open_editor(self, text: str) -> None:
        """Ask for URLs, starting from a text."""
        self._ask(text, [], self._known())

    def _ask(self, text: str, files: list[str], known: Known) -> None:
        from tui.ui.dialogs.add import AddOptions, AddScreen

        folder = self._service.snapshot().output_dir
        options = AddOptions()
        screen = AddScreen(text, folder, files, known, options)

        def take(requests: Sequence[DownloadRequest] | None) -> None:
            self.take(requests, options.rate_limit, screen.left_out)

        self._host.ask(screen, take)

    def open_list(self) -> None:
        """Ask for a list file; one with errors is shown in the editor."""
        from tui.ui.dialogs.pick import PickScreen

        known = self._known()

        def take(picked: Picked | None) -> None:
            if picked is None:
                return
            if picked.preview.bad_count or not picked.preview.requests:
                self._ask("", [picked.path], known)
            else:
                preview = picked.preview
                self.take(preview.requests, left_out=preview.left_out)

        self._host.ask(PickScreen(known), take)

    def _known(self) -> Known:
        """Return folder and name by URL of all downloads; filled in the background."""
        known: Known = {}
        self._host.run_in_background(
            partial(self._fill, known), group="known", exclusive=True
        )
        return known

    async def _fill(self, known: dict[str, tuple[str, str]]) -> None:
        service = self._service
        ids = service.in_states(frozenset(DownloadState))
        if self.is_attached and len(ids) > _SENT_LIMIT:
            return  # their rows would be hundreds of MB
        with suppress(ServiceLost):  # only duplicates are not found then
            for start in range(0, len(ids), SLICE):
                for row in await service.fetch_rows(ids[start : start + SLICE]):
                    known[row.url] = (row.directory, row.name)
                await asyncio.sleep(0)

    def take(
        self,
        requests: Sequence[DownloadRequest] | None,
        rate_limit: int | None = None,
        left_out: str = "",
    ) -> None:
        """Add the result of a dialog and show the number of downloads.

        Args:
            requests: what to add; ``None`` if the dialog was cancelled.
            rate_limit: bytes per second of each download, or ``None``.
            left_out: what is not in ``requests``, in a few words.
        """
        if requests:
            self.add(requests, is_by_user=True, rate_limit=rate_limit)
            skipped = f"; left out: {left_out}" if left_out else ""
            self._host.notify(
                f"Added {plural(len(requests))}{skipped} · {key_of('undo')} to undo"
            )

    # -- adding ----------------------------------------------------------------------

    def begin(self, requests: Sequence[DownloadRequest]) -> None:
        """Restore the last session, and add the requests of the command line."""
        if self.restore is not None:
            self._pending += 1
            self._host.run_in_background(self._restore, group="add")
        if requests or self.restore is None:
            self.add(requests)

    async def _restore(self) -> None:
        assert self.restore is not None
        self._host.set_timer(_FIRST_ROWS_S, self._show_restored)
        try:
            message = await self.restore()
            self._has_restored = bool(message)
        finally:
            self._pending -= 1
            self.restore = None
        if message:
            self._host.notify(message)
        self._finish()

    def _show_restored(self) -> None:
        """Show the first rows of a session that takes long to restore."""
        if self.restore is not None:
            self._host.show_new_rows()

    def add(
        self,
        requests: Sequence[DownloadRequest],
        *,
        is_by_user: bool = False,
        rate_limit: int | None = None,
    ) -> None:
        """Start to add requests; rows appear with the first slice."""
        self._pending += 1
        if is_by_user and self.expect is not None:
            self.expect(len(requests))
        self._queue.append(_Addition(requests, is_by_user, rate_limit))
        self._host.run_in_background(self._add, group="add")

    async def _add(self) -> None:
        requests, is_by_user, rate_limit = self._queue.popleft()
        ids: list[DownloadId] = []
        is_long = len(requests) > SLICE
        if is_long:
            # These records stay. Garbage collections while they are made would walk
            # over them again and again, blocking the loop for 85 ms at a time (measured
            # with 100,000 lines).
            gc.disable()
        try:
            for start in range(0, len(requests), SLICE):
                try:
                    new = await self._service.submit(requests[start : start + SLICE])
                except ServiceLost as error:
                    number = plural(len(requests) - start)
                    self._host.notify(
                        loss_text(error, f"{number} may not have been added")
                    )
                    break
                ids += new
                if rate_limit is not None:
                    for id in new:
                        self._service.set_rate_limit(rate_limit, id)
                if start == 0:
                    self._host.show_new_rows()
                await asyncio.sleep(0)
        finally:
            self._pending -= 1
            if is_long:
                gc.freeze()
                gc.enable()
        if is_by_user:
            self._host.added_by_user(ids)
        self._finish()

    def _finish(self) -> None:
        self._host.show_new_rows()
        # The message about a restored session needs a moment to be read, so the
        # dashboard does not end at once then.
        if self.is_all_added and not self._has_restored:
            self._host.all_added()

"""The ways out: asked for, at once, after what runs, or when everything has ended."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, DownloadState
from tui.core.listing.query import DownloadQuery, View
from tui.ui.dialogs.quit import FINISH, QUIT, QuitScreen
from tui.ui.keys.keymap import key_of
from tui.ui.poller import exit_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import DownloadId
    from tui.ui.main_screen import MainScreen

TWICE_S = 2.0
"""A second ctrl+c within this leaves without asking."""


class ExitFlow:
    """Decides when the dashboard ends and with which exit status."""

    def __init__(self, screen: MainScreen, *, exit_when_done: bool) -> None:
        """Take the screen that ends."""
        self._screen = screen
        self._exit_when_done = exit_when_done
        self._interrupted_at_s = -TWICE_S
        self._set_aside: list[DownloadId] | None = None
        self._watch: asyncio.Future[None] | None = None
        self.resume_hint = ""
        """How to go on later, in one sentence."""
        self.unsaved: Callable[[], str] | None = None
        """Says why nothing of this run could be opened later; "" while it could."""

    @property
    def hint(self) -> str:
        """What leaving now means, in one sentence; no promise that cannot be kept."""
        if self.unsaved is not None and self.unsaved():
            return "The list cannot be saved, the bytes are: fetch the same URLs again."
        return self.resume_hint

    def now(self) -> None:
        """Leave; the caller of the dashboard keeps the state."""
        if self._set_aside:
            # They were paused only so that nothing new starts; a later run shall
            # find them as they were.
            self._screen.service.resume(self._set_aside)
        self._screen.app.exit(exit_status(self._screen.service.snapshot()))

    def ask(self) -> None:
        """Leave if nothing is running, else ask."""
        snapshot = self._screen.service.snapshot()
        is_busy = any(snapshot.counts[state] for state in ACTIVE)
        if not is_busy or self._set_aside is not None:
            self.now()
        elif not isinstance(self._screen.app.screen, QuitScreen):
            self._screen.app.push_screen(QuitScreen(snapshot, self.hint), self._answer)

    def interrupt(self) -> None:
        """Ask; the second time within two seconds leave at once."""
        now_s = time.monotonic()
        if now_s - self._interrupted_at_s < TWICE_S:
            self.now()
            return
        self._interrupted_at_s = now_s
        self.ask()

    def _answer(self, answer: str | None) -> None:
        if answer == QUIT:
            self.now()
        elif answer == FINISH:
            self._finish()

    def _finish(self) -> None:
        """Start nothing new; leave when what runs has ended."""
        service = self._screen.service
        waiting = [
            row.id
            for row in service.rows(service.select(DownloadQuery(View.ACTIVE)))
            if row.state is DownloadState.WAITING
        ]
        queued = service.select(DownloadQuery(View.QUEUED))
        self._set_aside = service.pause([*queued, *waiting])
        self._screen.tell(
            f"ExitFlow when what runs has ended. {key_of('quit')} leaves at once."
        )

    def watch(self) -> None:
        """Look at once when the last download ends, not with the next tick."""
        if self._exit_when_done:
            self.forget()
            self._watch = asyncio.ensure_future(self._await_end())

    def forget(self) -> None:
        """Stop looking."""
        if self._watch is not None:
            self._watch.cancel()

    async def _await_end(self) -> None:
        await self._screen.service.wait_idle()
        self._screen.tick()

    def check(self, *, is_all_added: bool) -> None:
        """Leave if the time has come; called on every tick."""
        bridge = self._screen.bridge
        if self._set_aside is not None and not bridge.is_moving:
            self.now()
        elif self._exit_when_done and is_all_added:
            is_empty = bridge.snapshot.total == 0
            if bridge.is_finished or is_empty:
                self.now()

"""What happened, told twice: every fact in the log, the end and floods of failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.events import (
    Cancelled,
    Done,
    DownloadEvent,
    DownloadNotice,
    Failed,
    Retrying,
    Started,
)
from tui.core.text.units import format_duration, format_size
from tui.ui.keys.keymap import key_of
from tui.ui.panes.layout import Breakpoint
from tui.ui.poller import FailureDigest

if TYPE_CHECKING:
    from tui.core.events import Event
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.main_screen import MainScreen

_NAMED = 50
"""Events a tick whose download is looked up; of a flood the rest is only counted."""
_ENDS = Done | Failed | Cancelled
_TELLING = Failed | Retrying | DownloadNotice | Done | Started


class Notifications:
    """Passes events on to the log, and says what a person should know."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen that has the log."""
        self._screen = screen
        self._failures = FailureDigest()
        self._has_told_end = False
        self._has_seen_end = False
        """Whether anything has ended in this run, and not only in an earlier one."""

    def log(self, events: list[Event]) -> None:
        """Add events to the log, with the names of their downloads."""
        if not events:
            return
        ids = [event.id for event in events if isinstance(event, DownloadEvent)]
        if len(ids) > _NAMED:
            ids = [event.id for event in events if isinstance(event, _TELLING)]
        rows: dict[int, DownloadSnapshot] = {
            row.id: row for row in self._screen.service.rows(ids[-_NAMED:])
        }
        self._screen.log_pane.extend(
            [
                (
                    event,
                    rows.get(event.id) if isinstance(event, DownloadEvent) else None,
                )
                for event in events
            ]
        )

    def tell(self, events: list[Event], *, is_all_added: bool) -> None:
        """Say that one failed, show in a corner that many did, and tell the end."""
        self._failures.add(events)
        if any(isinstance(event, _ENDS) for event in events):
            self._has_seen_end = True
        many, text = self._failures.take(time.monotonic(), self._screen.service)
        if many > 1 and self._screen.room in (Breakpoint.FULL, Breakpoint.FOLDED):
            app = self._screen.app
            app.clear_notifications()  # one at most: the newest says it all
            app.notify(text, severity="error", timeout=4, markup=False)
        elif many:
            self._screen.messages.show_message(text, "error", is_news=True)
        self._tell_end(is_all_added=is_all_added)

    def _tell_end(self, *, is_all_added: bool) -> None:
        """Say once that everything has ended."""
        bridge = self._screen.bridge
        if not bridge.is_finished or not is_all_added:
            self._has_told_end = False
            return
        if self._has_told_end or not self._has_seen_end:
            return
        now = bridge.snapshot
        self._has_told_end = self._screen.messages.show_message(
            f"All ended after {format_duration(now.elapsed_s)}:"
            f" {format_size(now.fetched)} fetched."
            f" {key_of('add')} adds more, {key_of('quit')} quits.",
            "information",
            is_news=True,
        )

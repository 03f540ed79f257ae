"""Reports events: all of them in the log, failures also as messages, and the end."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from tui.core.events import DownloadEvent, Failed, Queued
from tui.core.text.sanitize import sanitize
from tui.messages import failure_title
from tui.ui.panes.event_log import MAX_LINES_A_TICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.events import Event
    from tui.core.service import DashboardService
    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot
    from tui.ui.bars.message_line import MessageLine
    from tui.ui.panes.event_log import EventLog
    from tui.ui.poller import EnginePoller

_DIGEST_S = 2.0
"""Shortest time between two messages about failures."""
_MAX_LENGTH = 160
"""Characters of a message; log and details have the whole reason."""


class Notifications:
    """Passes events to the log and shows messages about the important ones."""

    def __init__(
        self,
        poller: EnginePoller,
        log: EventLog,
        messages: MessageLine,
        show_toast: Callable[[str], bool],
        show_end: Callable[[EngineSnapshot | None], None],
    ) -> None:
        """Report what the poller reads.

        Args:
            poller: source of the snapshots.
            log: gets every event.
            messages: gets single failures.
            show_toast: shows a text in the corner of the screen; returns False if the
                terminal is too small for that.
            show_end: shows the result of a finished run; gets ``None`` when something
                new begins.
        """
        self._poller = poller
        self._log = log
        self._messages = messages
        self._show_toast = show_toast
        self._show_end = show_end
        self._failures = FailureDigest(poller.service)
        self._ended_at: int | None = None
        """``EngineSnapshot.revision`` of the result that is shown."""

    def log(self, events: list[Event]) -> None:
        """Add events to the log, with the names of their downloads."""
        if not events:
            return
        rows: dict[int, DownloadSnapshot] = {
            row.id: row for row in self._poller.service.rows(_worded_ids(events))
        }
        self._log.extend(
            [
                (
                    event,
                    rows.get(event.id) if isinstance(event, DownloadEvent) else None,
                )
                for event in events
            ]
        )

    def show(self, events: list[Event], *, is_all_added: bool) -> None:
        """Show messages: for one failure or for many at once, and the end."""
        self._failures.add(events)
        failed, text = self._failures.take(time.monotonic())
        if failed and not (failed > 1 and self._show_toast(text)):
            self._messages.show_message(text, "error", is_news=True)
        self._follow_end(is_all_added=is_all_added)

    def _follow_end(self, *, is_all_added: bool) -> None:
        """Show the result once all downloads have ended, until something new begins."""
        snapshot = self._poller.snapshot
        has_ended = self._poller.is_finished and is_all_added
        ended_at = snapshot.revision if has_ended else None
        if ended_at != self._ended_at:
            self._ended_at = ended_at
            self._show_end(snapshot if has_ended else None)


def _worded_ids(events: Iterable[Event]) -> list[int]:
    """Return the downloads of the events that the log words and not only counts."""
    seen: dict[type[Event], int] = {}
    ids: list[int] = []
    for event in events:
        # Some thousand a second: a Counter and two isinstance() took twice the time.
        kind = type(event)
        number = seen[kind] = seen.get(kind, 0) + 1
        if number > MAX_LINES_A_TICK or kind is Queued:
            continue
        if isinstance(event, DownloadEvent):
            ids.append(event.id)
    return ids


_LOOKED_UP = 200
"""Most failures whose HTTP status is looked up for one message."""


class FailureDigest:
    """Combines many failures into one message: one each would fill the screen."""

    def __init__(self, service: DashboardService) -> None:
        """Look up the names of failed downloads in ``service``."""
        self._service = service
        self._failed: list[Failed] = []
        self._shown_at_s = -_DIGEST_S

    def add(self, events: Iterable[Event]) -> None:
        """Count the failures among events."""
        for event in events:
            if isinstance(event, Failed):
                self._failed.append(event)

    def take(self, now_s: float) -> tuple[int, str]:
        """Return the number of new failures and a message; 0 if there is none to show.

        Args:
            now_s: monotonic seconds; within two seconds of the last message, failures
                are collected for the next one.
        """
        if not self._failed or now_s - self._shown_at_s < _DIGEST_S:
            return 0, ""
        self._shown_at_s = now_s
        failed, self._failed = self._failed, []
        total = len(failed)
        if total == 1:
            (row,) = self._service.rows([failed[0].id])
            reason = sanitize(failed[0].error) or self._causes(failed)[0][0]
            text = f"{sanitize(row.name, 60)}: {reason}"
        else:
            causes = [f"{number}× {title}" for title, number in self._causes(failed)]
            text = f"{total} failed: {', '.join(causes)}"
        return total, sanitize(text, _MAX_LENGTH)

    def _causes(self, failed: list[Failed]) -> list[tuple[str, int]]:
        """Count failures by the title that their rows show, the most common first."""
        statuses = [0] * len(failed)
        if len(failed) <= _LOOKED_UP:
            rows = self._service.rows([event.id for event in failed])
            statuses = [
                row.status if row.error_kind == event.error_kind else 0
                for event, row in zip(failed, rows, strict=True)
            ]
        titles = Counter(
            failure_title(event.error_kind or "unknown_reason", status)
            for event, status in zip(failed, statuses, strict=True)
        )
        return titles.most_common(4)

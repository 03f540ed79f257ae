"""The interface of renderers, and what they share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from tui.core.events import Cancelled, Done, Failed, Paused, Retrying, Started
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import display_url, sanitize
from tui.headless.summary import RESUME_HINT, advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.core.events import Event, Kinds
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot
    from tui.headless.summary import RunResult


class Run(NamedTuple):
    """What every renderer needs: the engine and the requests of the run."""

    service: DownloadService
    requests: Sequence[DownloadRequest]
    resume_hint: str = RESUME_HINT

    def source_of(self, id: int) -> str:
        """Return ``list.txt:12`` for a download, or "" if it is not from a list.

        A run adds all of its requests once, so ids are indexes into the list.
        """
        source = self.requests[id].source if id < len(self.requests) else ""
        return sanitize(source) if ":" in source else ""


class Renderer(Protocol):
    """Shows a run. Its methods are called on the loop's thread and must be quick."""

    tick_s: float
    """Seconds between two calls of ``tick``."""
    exclude: Kinds
    """Kinds of events that it does not need."""

    def on_events(self, events: Sequence[Event]) -> None:
        """Handle the events since the last call, oldest first."""
        ...

    def tick(self) -> None:
        """Show the current progress."""
        ...

    def finish(self, result: RunResult) -> None:
        """Show the result; the last call."""
        ...


class ActiveIds:
    """The ids of the running downloads, oldest first, tracked from events.

    Asking the engine would scan the whole list at every tick.
    """

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}

    def on_events(self, events: Iterable[Event]) -> None:
        """Update the ids."""
        for event in events:
            if isinstance(event, Started):
                self._ids[event.id] = None
            elif isinstance(event, (Done, Failed, Cancelled, Paused, Retrying)):
                self._ids.pop(event.id, None)

    def first(self, count: int | None = None) -> list[int]:
        """Return the ``count`` oldest ids, or all."""
        return list(self._ids)[:count]

    def __len__(self) -> int:
        return len(self._ids)


def shown_name(row: DownloadSnapshot) -> str:
    """Return a download's path below the output directory, safe to display."""
    return sanitize(os.path.join(row.directory, row.name))


def failure_line(run: Run, row: DownloadSnapshot, error: str, kind: str) -> str:
    """Return the line for a failed download: name, source, reason and suggestion."""
    where = run.source_of(row.id)
    at = f" ({where})" if where else ""
    reason = sanitize(error) + advice(kind)
    return f"failed  {shown_name(row)}{at}: {reason} <{display_url(row.url)}>"

"""What a plain face is told, and what it knows of the run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tui.core.download import DownloadState
from tui.core.events import Cancelled, Done, Failed, Paused, Retrying, Started
from tui.core.text.plain_text import plain, plain_url
from tui.headless.summary import advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.core.events import Event, Kinds
    from tui.core.notices import HoldReason
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot


BROKEN_PIPE = "broken pipe"
"""The interruption by a reader of stdout that went away."""

RESUME_HINT = "Unfinished files are kept; run the same command to resume"


class Run(NamedTuple):
    """What all faces share: the engine and the list that it was given."""

    service: DownloadService
    requests: Sequence[DownloadRequest]
    resume_hint: str = RESUME_HINT

    def source_of(self, id: int) -> str:
        """Return ``list.txt:12`` for a download, or "" if it was not in a list.

        A run adds its requests once and alone, so ids count through the list.
        """
        source = self.requests[id].source if id < len(self.requests) else ""
        return plain(source) if ":" in source else ""


@dataclass(slots=True)
class RunResult:
    """How a run ended."""

    snapshot: EngineSnapshot
    interruption: str = ""
    """Name of the signal, or ``BROKEN_PIPE``; "" when it ran to its end."""
    hold_reason: HoldReason | None = None
    """The error that paused the queue, if one did."""
    already_here: int = 0
    """Downloads that are done because the file was there before."""
    aftermath: tuple[str, ...] = ()
    """What went wrong after downloads, or was left undone, in lines for people."""
    aftermath_failures: int = 0
    """How much of it went wrong."""

    @property
    def unfinished(self) -> int:
        """Downloads without an end: a later run goes on with them."""
        counts = self.snapshot.counts
        ended = DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED
        return sum(counts) - sum(counts[state] for state in ended)

    @property
    def exit_status(self) -> int:
        """0 all done, 1 something failed or is unfinished, 130 interrupted."""
        if self.interruption:
            return 130
        if self.aftermath_failures:
            return 1
        return int(self.snapshot.counts[DownloadState.DONE] < self.snapshot.total)


class Renderer(Protocol):
    """Shows a run. All calls are plain ones on the loop's thread and must be quick."""

    tick_s: float
    """Seconds between two calls of ``tick``."""
    exclude: Kinds
    """Kinds of events that it need not hear."""

    def hear(self, events: Sequence[Event]) -> None:
        """Take in all that happened since the last call, oldest first."""
        ...

    def tick(self) -> None:
        """Show the numbers of now."""
        ...

    def end(self, ending: RunResult) -> None:
        """Say how it went; nothing is called afterwards."""
        ...


class ActiveIds:
    """The downloads that are running, oldest first, kept from events alone.

    Asking the engine would cost a walk over the whole list at every tick.
    """

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}

    def hear(self, events: Iterable[Event]) -> None:
        """Follow the events."""
        for event in events:
            if isinstance(event, Started):
                self._ids[event.id] = None
            elif isinstance(event, (Done, Failed, Cancelled, Paused, Retrying)):
                self._ids.pop(event.id, None)

    def first(self, count: int | None = None) -> list[int]:
        """Return the ids of the ``count`` oldest, or of all."""
        return list(self._ids)[:count]

    def __len__(self) -> int:
        return len(self._ids)


def shown_name(row: DownloadSnapshot) -> str:
    """Return where a download goes, below the output directory, safe to show."""
    return plain(os.path.join(row.directory, row.name))


def failure_line(run: Run, row: DownloadSnapshot, error: str, kind: str) -> str:
    """Say which download failed, where it was asked for, why, and what to do."""
    where = run.source_of(row.id)
    at = f" ({where})" if where else ""
    reason = plain(error) + advice(kind)
    return f"failed  {shown_name(row)}{at}: {reason} <{plain_url(row.url)}>"

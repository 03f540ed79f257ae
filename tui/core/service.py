"""The only door to the engine: every verb that a face may use.

The faces (``ui``, ``headless``) are handed an object of this shape by ``cli`` and
import nothing of the engine, so an engine in another process could stand behind the
same dashboard. All verbs are plain calls on the loop's thread: they change state at
once and return; what follows (closing a connection, writing a record) goes on in the
background and shows in snapshots and events.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from tui.core.download import DownloadId
    from tui.core.events import Event, Kinds
    from tui.core.listing.query import Cause, DownloadQuery
    from tui.core.notices import Notice
    from tui.core.request import DownloadRequest
    from tui.core.snapshot import (
        DetailSnapshot,
        DownloadSnapshot,
        EngineSnapshot,
        OriginSnapshot,
    )


class Move(Enum):
    """Where to put queued downloads."""

    UP = "up"
    DOWN = "down"
    TOP = "top"
    BOTTOM = "bottom"


class Subscription(Protocol):
    """A listener's own queue of events; nothing is dropped until it is closed."""

    def drain(self) -> list[Event]:
        """Take all events since the last call, oldest first, without waiting."""
        ...

    async def wait(self) -> None:
        """Return as soon as there is at least one event to drain."""
        ...

    def close(self) -> None:
        """Stop listening; what was not drained is forgotten."""
        ...


class DownloadService(Protocol):
    """What the engine does for a face."""

    # -- what to fetch ---------------------------------------------------------------

    def add(self, requests: Iterable[DownloadRequest]) -> range:
        """Queue downloads; return their ids. Call it in slices for huge lists."""
        ...

    def cancel(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """End downloads at once, keeping part files; return those that it changed.

        The connection is closed in the same loop turn. What is already done stays
        done.
        """
        ...

    def pause(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Stop downloads but keep their place; return those that it changed."""
        ...

    def resume(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue paused and cancelled downloads again, at their old place."""
        ...

    def retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue failed downloads, or those waiting for an attempt, from attempt 1."""
        ...

    def undo_retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Make retried downloads failed again, each as it was.

        Bytes downloaded meanwhile are kept, and downloads that are done stay done.

        Returns:
            The downloads that it made failed again.
        """
        ...

    def remove(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Remove ended downloads from lists and counts; return those that it removed.

        Nothing on disk changes.
        """
        ...

    def restore(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Restore removed downloads; return those that it restored."""
        ...

    def reorder(self, ids: Iterable[DownloadId], move: Move) -> dict[DownloadId, float]:
        """Change the queue's order; the queued ones keep theirs among themselves.

        Returns:
            The old positions of the downloads that moved, for ``set_queue_positions``;
            nothing if all queued downloads, or none, were to be moved.
        """
        ...

    def queue_positions(
        self, ids: Iterable[DownloadId], move: Move
    ) -> dict[DownloadId, float]:
        """Return the positions to which ``reorder`` would move downloads.

        ``set_queue_positions`` can then move them in slices.
        """
        ...

    def set_queue_positions(
        self, positions: Mapping[DownloadId, float]
    ) -> dict[DownloadId, float]:
        """Move queued downloads to positions; return their old positions."""
        ...

    def set_url(self, id: DownloadId, url: str) -> None:
        """Give a download another URL, say because its link expired.

        What is there is kept if the server proves it is the same file. A running
        download starts its attempt again.

        Raises:
            ValueError: ``core.request.check_url`` refuses it.
        """
        ...

    def add_note(self, id: DownloadId, notice: Notice, *, is_news: bool = True) -> None:
        """Note on a download what became of it after its end.

        Args:
            id: which one.
            notice: what happened.
            is_news: publish it as an event as well; progress is not news.
        """
        ...

    def notify(self, notice: Notice) -> None:
        """Publish something about the run (``events.RunNotice``)."""
        ...

    # -- limits, all of them live ----------------------------------------------------

    def set_concurrency(self, count: int) -> None:
        """Downloads at once: up starts more in this loop turn, down drains.

        The automatic choice, where it is on, yields to the number: it is pinned.
        """
        ...

    def note_suspension(self, seconds: float) -> None:
        """Hear that the process was stopped that long: the loop was not late."""
        ...

    def set_auto(self, is_on: bool) -> None:
        """Let measured goodput and errors choose the downloads at once, or not."""
        ...

    def set_per_host(self, count: int) -> None:
        """Downloads at once from one origin; 0 for no cap."""
        ...

    def set_origin_cap(self, origin: str, cap: int) -> None:
        """Downloads at once from this very origin; 0 leaves it to the cap of all.

        What was learned from its refusals is forgotten: a person knows better.
        """
        ...

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Connections of one running download, or of all; 0 decides by size."""
        ...

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Bytes per second for everything, or for one download; ``None`` lifts it."""
        ...

    def set_writers(self, count: int) -> None:
        """Threads that write to disk, at least 1."""
        ...

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the loop (a demonstration of what that does) or in the executor."""
        ...

    def pause_all(self) -> None:
        """Start nothing new and pause what runs, until ``resume_all``."""
        ...

    def resume_all(self) -> None:
        """Go on after ``pause_all``, or after the engine held the queue itself."""
        ...

    # -- what there is to see --------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        """Totals, limits and meters, at a cost that no list length changes."""
        ...

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """The rows asked for, in that order."""
        ...

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Everything about one download."""
        ...

    def select(self, query: DownloadQuery) -> list[DownloadId]:
        """The ids that a query asks for, in its order."""
        ...

    def select_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[DownloadId]]:
        """Do what ``select`` does, the filtering a few milliseconds between yields."""
        ...

    def by_cause(self, query: DownloadQuery) -> list[Cause]:
        """What failed or was cancelled, of what a query asks for, by cause."""
        ...

    def origins(self) -> list[OriginSnapshot]:
        """One row an origin, the busiest first; at most 200."""
        ...

    def subscribe(self, exclude: Kinds = frozenset()) -> Subscription:
        """Hear every event from now on.

        Args:
            exclude: kinds that the listener does not need: those nobody hears are not
                made, which saves 2 us of a small file.
        """
        ...

    # -- the end ---------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Return when nothing is queued, running or waiting for an attempt.

        Paused downloads do not count: they wait for a person.
        """
        ...

    async def close(self) -> None:
        """Stop intake, stop workers, flush, write records, close connections.

        What runs is kept for a resume. Safe to call twice.
        """
        ...

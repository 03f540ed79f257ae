"""The interface of the engine: everything that a front end may call.

The front ends (``ui``, ``headless``) get an object of this shape from ``cli`` and
import nothing of the engine. There are two interfaces, since a dashboard may also show
the downloads of another process:

- ``DashboardService`` is what a dashboard needs. An engine in this process has it, and
  so has ``background.attach.replica``, which talks to an engine in another process.
  What cannot be known without asking the engine is a coroutine or a generator here.
- ``DownloadService`` is an engine in this process, which knows everything at once.

Apart from those, methods are plain calls on the loop's thread. They change state at
once and return; the work that follows (closing a connection, writing a record) runs in
the background and shows in snapshots and events.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    from tui.core.download import DownloadId, DownloadState
    from tui.core.events import Event, Kinds
    from tui.core.listing.query import ActivityGroups, DownloadQuery, FailureGroup
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


class KeepReason(Enum):
    """Why the data of a removed download was not deleted."""

    EXISTED = "existed"
    """The file was there before the download."""
    CHANGED = "changed"
    """The file is not as the download left it."""
    IN_USE = "in_use"
    """Another process is downloading it."""
    RESTORED = "restored"
    """The download is in the list again."""
    FAILED = "failed"
    """The system refused."""


class Deletion(NamedTuple):
    """What ``delete_data`` did."""

    files: int
    """Downloads whose data is gone; those without any do not count."""
    nbytes: int
    """Bytes of the deleted files."""
    kept: tuple[tuple[DownloadId, KeepReason], ...] = ()
    """Downloads whose data was kept."""


class Subscription(Protocol):
    """A subscriber's queue of events; no event is dropped until it is closed."""

    def drain(self) -> list[Event]:
        """Return all events since the last call, oldest first, without waiting."""
        ...

    async def wait(self) -> None:
        """Return as soon as there is at least one event to drain."""
        ...

    def close(self) -> None:
        """Unsubscribe and drop the events that were not drained."""
        ...


class DashboardService(Protocol):
    """An engine, as a dashboard sees it, in this process or in another one."""

    # -- downloads -------------------------------------------------------------------

    async def submit(self, requests: Sequence[DownloadRequest]) -> Sequence[DownloadId]:
        """Queue downloads; return their ids. Call it in slices for huge lists.

        An engine in this process queues them before it first waits.

        Raises:
            ServiceLost: the connection to the engine ended before it answered.
        """
        ...

    def cancel(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Cancel downloads immediately and keep their part files.

        Connections are closed in the same iteration of the loop. Finished downloads
        stay finished.

        Returns:
            The downloads that it changed.
        """
        ...

    def pause(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Pause downloads; they keep their position. Return those that it changed."""
        ...

    def resume(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue paused and cancelled downloads again, at their old position."""
        ...

    def retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue failed downloads, and those waiting for a retry, from attempt 1."""
        ...

    def undo_retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Undo a retry: downloads fail again with their earlier error.

        The bytes downloaded meanwhile are kept. Finished downloads stay finished.

        Returns:
            The downloads that it changed.
        """
        ...

    def remove(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Remove ended downloads from lists and counts; files on disk are kept.

        Returns:
            The downloads that it removed.
        """
        ...

    def restore(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Restore removed downloads; return those that it restored."""
        ...

    async def delete_data(self, ids: Iterable[DownloadId]) -> Deletion:
        """Delete what removed downloads left on disk: finished files and part files.

        Only files that the engine wrote and that nobody has changed are deleted. What
        cannot be deleted is kept.

        Raises:
            ServiceLost: the connection to the engine ended before it answered.
        """
        ...

    def set_url(self, id: DownloadId, url: str) -> None:
        """Give a download another URL, say because its link expired.

        Bytes on disk are kept if the server proves that it is the same file. A running
        download restarts its attempt. One that is done keeps its URL.

        Raises:
            ValueError: ``core.request.check_url`` refuses it.
        """
        ...

    def reorder_iter(
        self, ids: Iterable[DownloadId], move: Move
    ) -> Generator[None, None, dict[DownloadId, float]]:
        """Move queued downloads; they keep their order among themselves.

        It works in slices of a few milliseconds between yields.

        Returns:
            The positions before the move, to undo it; empty if the move would change
            nothing.
        """
        ...

    def set_queue_positions(self, positions: Mapping[DownloadId, float]) -> object:
        """Move queued downloads to the positions that they had before a move."""
        ...

    # -- limits, all of which change at once -----------------------------------------

    def set_concurrency(self, count: int) -> None:
        """Set the concurrency and turn automatic concurrency off.

        More slots start more downloads in this iteration of the loop; with fewer, the
        surplus downloads finish first.
        """
        ...

    def note_suspension(self, seconds: float) -> None:
        """Take the time of a suspension of the process out of the loop's lag."""
        ...

    def set_auto(self, is_on: bool) -> None:
        """Turn automatic concurrency (from measured throughput) on or off."""
        ...

    def set_per_host(self, count: int) -> None:
        """Limit the concurrent downloads per origin; 0 for no limit."""
        ...

    def set_origin_cap(self, origin: str, cap: int) -> None:
        """Limit the concurrent downloads of one origin; 0 uses the common limit.

        Replaces what was learned from refusals of that origin, since the user knows
        better.
        """
        ...

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Set the connections of a running download, or of all; 0 decides by size."""
        ...

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Limit the bytes per second of the run or a download; ``None``: no limit."""
        ...

    def set_writers(self, count: int) -> None:
        """Set the number of threads that write to disk, at least 1."""
        ...

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the event loop (to demonstrate the effect) or in threads."""
        ...

    def set_disk_delay(self, seconds: float) -> None:
        """Make each write take longer (to demonstrate a slow disk); 0 ends it."""
        ...

    def pause_all(self) -> None:
        """Pause the queue and all running downloads."""
        ...

    def resume_all(self) -> None:
        """Resume after ``pause_all``, or after the engine paused the queue itself."""
        ...

    # -- views -----------------------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        """Return totals, limits and meters, at the same cost for any list length."""
        ...

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """Return the rows of these downloads, in that order, without unknown ids.

        From another process, rows that were not shown before have only their state at
        first; the rest arrives a moment later.
        """
        ...

    async def fetch_rows(self, ids: Sequence[DownloadId]) -> list[DownloadSnapshot]:
        """Return complete rows, whether they were shown before or not.

        Raises:
            ServiceLost: the connection to the engine ended before it answered.
        """
        ...

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Return everything about one download, as of a moment ago at most.

        From another process, it is little more than the row when asked first.
        """
        ...

    async def fetch_details(self, ids: Sequence[DownloadId]) -> list[DetailSnapshot]:
        """Return everything about some downloads, as it is now.

        Raises:
            ServiceLost: the connection to the engine ended before it answered.
        """
        ...

    def in_states(self, states: Collection[DownloadState]) -> list[DownloadId]:
        """Return all downloads in some states, in the order of adding."""
        ...

    def select_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[DownloadId]]:
        """Return the ids that match a query, in its order.

        It works in slices of a few milliseconds between yields.

        Raises:
            FilterError: the filter is wrong, or takes too long.
        """
        ...

    def by_cause_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[FailureGroup]]:
        """Group the failed downloads that match a query by cause, in the same way."""
        ...

    def by_activity_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, ActivityGroups]:
        """Group the downloads that match a query by activity, in the same slices."""
        ...

    def origins(self) -> list[OriginSnapshot]:
        """Return a row for each origin, the busiest first; at most 200."""
        ...

    def subscribe(self, exclude: Kinds = frozenset()) -> Subscription:
        """Subscribe to every event from now on.

        Args:
            exclude: event classes to leave out: events without a subscriber are not
                created, which saves 2 us for a small file.
        """
        ...

    # -- the end ---------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Return when nothing is queued, running or waiting for an attempt.

        Paused downloads do not count: they wait for the user. Neither do queued and
        waiting ones while an error has paused the queue.
        """
        ...

    async def close(self) -> None:
        """Stop all workers, flush, write records and close connections.

        Unfinished downloads can be resumed later. Safe to call twice.
        """
        ...


class ChangeWatch(Protocol):
    """Collects which downloads have changed."""

    @property
    def count(self) -> int:
        """Number of downloads, with those that were removed; ids are below it."""
        ...

    def take(self) -> set[DownloadId]:
        """Return the downloads that changed since the last call.

        New ones are not among them: they have the next ids.
        """
        ...

    def close(self) -> None:
        """Stop collecting."""
        ...


REMOVED = 0x10
"""Added to a state in ``DownloadService.states`` if the download was removed."""


class ServiceLost(Exception):
    """An engine in another process did not answer: the connection ended."""


class ServiceRefused(ServiceLost):
    """It answered that it refuses. ``str()`` comes from there: sanitize it."""


class DownloadService(DashboardService, Protocol):
    """An engine in this process."""

    def add(self, requests: Iterable[DownloadRequest]) -> range:
        """Queue downloads; return their ids. Call it in slices for huge lists."""
        ...

    def set_queue_positions(
        self, positions: Mapping[DownloadId, float]
    ) -> dict[DownloadId, float]:
        """Move queued downloads to positions; return their old positions."""
        ...

    def positions(self, ids: Iterable[DownloadId]) -> list[float | None]:
        """Return where downloads are in the queue; the smallest comes first.

        ``None`` stands for one that is neither queued nor paused. Of two with the same
        position, the one with the smaller id comes first.
        """
        ...

    def move_between(
        self, id: DownloadId, after: DownloadId | None, before: DownloadId | None
    ) -> bool:
        """Move a queued or paused download between two neighbours of the queue.

        Args:
            id: the download.
            after: the one that it comes after; ``None`` for the beginning.
            before: the one that it comes before; ``None`` for the end.

        Returns:
            False if there is no position between them: ``move_to`` makes some.
        """
        ...

    def move_to(self, id: DownloadId, index: int) -> int:
        """Move a queued or paused download to an index among all of these.

        Args:
            id: the download.
            index: from 0, in the order of the queue; larger than it means its end.

        Returns:
            The index that it has now.

        Raises:
            ValueError: it is neither queued nor paused.
        """
        ...

    def request(self, id: DownloadId) -> DownloadRequest:
        """Return what a download was asked to fetch.

        It may contain secrets (headers, logins in URLs): never show it.
        """
        ...

    def change_request(self, id: DownloadId, request: DownloadRequest) -> None:
        """Replace what an unfinished download is asked to fetch.

        A running download restarts its attempt. Bytes on disk are kept if name and
        folder stay the same and the server proves that it is the same file.

        Args:
            id: the download.
            request: one changed with ``_replace`` from ``request``.

        Raises:
            ValueError: the download is done, or ``core.request.check_url`` refuses a
                mirror.
        """
        ...

    def add_note(self, id: DownloadId, notice: Notice, *, is_news: bool = True) -> None:
        """Add a notice to a download, also after its end.

        Args:
            id: the download.
            notice: what happened.
            is_news: publish it as an event as well; progress is not news.
        """
        ...

    def notify(self, notice: Notice) -> None:
        """Publish something about the run (``events.RunNotice``)."""
        ...

    async def open_folder(self, id: DownloadId) -> int:
        """Open the folder that a finished download was written into.

        It is that very folder, even if a link has replaced it since.

        Returns:
            A descriptor, for the caller to close.

        Raises:
            FetchError: it cannot be opened.
        """
        ...

    # -- for servers that show downloads to other processes --------------------------

    @property
    def count(self) -> int:
        """Number of downloads, with those that were removed; ids are below it."""
        ...

    def states(self, ids: Iterable[DownloadId] | None = None) -> bytes:
        """Return one byte for each download: its state, and ``REMOVED`` if it was.

        Args:
            ids: which ones; ``None`` for all, indexed by id.
        """
        ...

    def watch(self) -> ChangeWatch:
        """Collect changes of states, names, sizes and queue positions from now on."""
        ...

"""Select and sort downloads: pure functions, shared by all front ends."""

from __future__ import annotations

from enum import Enum, IntEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tui.core.download import ACTIVE, DownloadState
from tui.core.listing.filter import filter_iter
from tui.core.listing.slices import collect_iter, drain_iter, sort_iter
from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Generator,
        Iterable,
        Mapping,
        Sequence,
    )

    from tui.core.download import Download, DownloadId


class Activity(IntEnum):
    """What a download is about to do, in the order in which a list shows it."""

    RUNNING = 0
    FINISHING = 1
    """All bytes have arrived; many small files may wait for the disk."""
    RETRYING = 2
    FAILED = 3
    PAUSED = 4
    QUEUED = 5
    CANCELLED = 6
    DONE = 7


_S = DownloadState
ACTIVITIES: tuple[Activity, ...] = tuple(
    {
        _S.QUEUED: Activity.QUEUED,
        _S.WAITING: Activity.RETRYING,
        _S.VERIFYING: Activity.FINISHING,
        _S.PAUSED: Activity.PAUSED,
        _S.DONE: Activity.DONE,
        _S.FAILED: Activity.FAILED,
        _S.CANCELLED: Activity.CANCELLED,
    }.get(state, Activity.RUNNING)
    for state in _S
)
"""Indexed by ``DownloadState``."""


class SortKey(Enum):
    """What a list is sorted by; equal rows keep the order of adding."""

    ACTIVITY = "activity"
    """Running first, done last: see ``Activity``. It cannot be reversed."""
    ADDED = "added"
    NAME = "name"
    SIZE = "size"
    PROGRESS = "progress"
    SPEED = "speed"
    ETA = "eta"
    FINISHED = "finished"
    TRIES = "tries"
    STATE = "state"
    HOST = "host"


LARGEST_FIRST = frozenset(
    {
        SortKey.SIZE,
        SortKey.PROGRESS,
        SortKey.SPEED,
        SortKey.ETA,
        SortKey.FINISHED,
        SortKey.TRIES,
    }
)
"""Keys whose most useful order is descending."""


class View(Enum):
    """The tabs of the dashboard."""

    ALL = "all"
    ACTIVE = "active"
    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"


VIEW_STATES: dict[View, frozenset[DownloadState]] = {
    View.ALL: frozenset(DownloadState),
    View.ACTIVE: ACTIVE | {DownloadState.WAITING},
    View.QUEUED: frozenset({DownloadState.QUEUED}),
    View.DONE: frozenset({DownloadState.DONE}),
    View.FAILED: frozenset({DownloadState.FAILED}),
    View.PAUSED: frozenset({DownloadState.PAUSED}),
    View.CANCELLED: frozenset({DownloadState.CANCELLED}),
}


class DownloadQuery(NamedTuple):
    """Which downloads to list, and in which order."""

    view: View = View.ALL
    text: str = ""
    """A filter, in the language of ``core.listing.filter``."""
    sort: SortKey = SortKey.ADDED
    is_reversed: bool = False
    """Descending: largest, newest or fastest first."""


class Figures(NamedTuple):
    """What only the engine knows of a running download."""

    speed: float
    """Bytes per second."""
    eta_s: float | None


def select_iter(
    downloads: Iterable[Download],
    query: DownloadQuery,
    figures: Mapping[DownloadId, Figures] | None = None,
) -> Generator[None, None, list[int]]:
    """Return the ids of the downloads that match ``query``, in its order.

    Args:
        downloads: all downloads.
        query: which of them, and their order.
        figures: of running downloads; needed to sort by speed or ETA.

    Raises:
        FilterError: the filter is wrong, or takes too long.
    """
    filtered = yield from _filter_iter(downloads, query)
    if query.sort is SortKey.ACTIVITY:
        if query.view is View.ALL or len(VIEW_STATES[query.view]) > 1:
            groups = yield from _groups(filtered)
            filtered = [download for group in groups for download in group]
    elif query.sort is not SortKey.ADDED:
        return (yield from _sorted_ids(filtered, query, figures or {}))
    ids = yield from _ids(filtered)
    if query.sort is SortKey.ADDED and query.is_reversed:
        ids.reverse()
    return ids


def _sorted_ids(
    downloads: Sequence[Download],
    query: DownloadQuery,
    figures: Mapping[DownloadId, Figures],
) -> Generator[None, None, list[int]]:
    """Sort by a column; downloads without a value in it come last in both orders."""
    by_speed = query.sort is SortKey.SPEED

    def figure(download: Download) -> float | None:
        running = figures.get(download.id)
        return running and (running.speed if by_speed else running.eta_s)

    value = _SORT_KEYS.get(query.sort, figure)
    # As of now: they change while other tasks run. Pairs of value and id would be
    # simpler, but a million of them make the garbage collector stop the loop.
    values = yield from collect_iter(downloads, lambda part: list(map(value, part)))
    places = range(len(values))
    known = yield from collect_iter(
        places, lambda part: [i for i in part if values[i] is not None]
    )
    # Equal rows keep the order of adding, also in descending order.
    ordered = yield from sort_iter(
        known, values.__getitem__, is_reversed=query.is_reversed
    )
    if len(ordered) < len(values):
        ordered += yield from collect_iter(
            places, lambda part: [i for i in part if values[i] is None]
        )
    ids = yield from collect_iter(ordered, lambda part: [downloads[i].id for i in part])
    yield from drain_iter(values)
    return ids


def _ids(downloads: Sequence[Download]) -> Generator[None, None, list[int]]:
    return collect_iter(downloads, lambda part: [d.id for d in part])


def _groups(
    downloads: Sequence[Download],
) -> Generator[None, None, list[list[Download]]]:
    """Return downloads by activity, in their order."""
    groups: list[list[Download]] = [[] for _ in Activity]
    adders = [groups[activity].append for activity in ACTIVITIES]

    def put(part: Sequence[Download]) -> tuple[()]:
        for download in part:
            adders[download.state](download)
        return ()

    yield from collect_iter(downloads, put)
    return groups


class ActivityGroups(NamedTuple):
    """All downloads of a list by activity."""

    ids: tuple[list[int], ...]
    """Indexed by ``Activity``; in the order of adding, but queued downloads in the
    order of the queue."""
    done_bytes: int
    """Size of all finished downloads together."""


def by_activity_iter(
    downloads: Iterable[Download], query: DownloadQuery
) -> Generator[None, None, ActivityGroups]:
    """Group downloads by activity, in slices of a few milliseconds.

    Args:
        downloads: all downloads, in the order of adding.
        query: which of them; its order is ignored.

    Raises:
        FilterError: as for ``select_iter``.
    """
    filtered = yield from _filter_iter(downloads, query)
    groups = yield from _groups(filtered)
    # Nearly always sorted already, which the sort notices.
    queued = yield from sort_iter(groups[Activity.QUEUED], attrgetter("queue_key"))
    groups[Activity.QUEUED] = queued
    sizes = yield from collect_iter(
        groups[Activity.DONE], lambda part: [sum([d.received for d in part])]
    )
    ids: list[list[int]] = [[] for _ in groups]
    for found, group in zip(ids, groups, strict=True):
        found += yield from _ids(group)
    return ActivityGroups(tuple(ids), sum(sizes))


def _filter_iter(
    downloads: Iterable[Download], query: DownloadQuery
) -> Generator[None, None, Sequence[Download]]:
    """Return the downloads of the query's view that match its filter."""
    # A copy, since downloads may be added meanwhile.
    found: Sequence[Download] = list(downloads)
    states = VIEW_STATES[query.view]
    if len(states) < len(DownloadState):
        found = yield from collect_iter(
            found, lambda part: [d for d in part if d.state in states]
        )
    if query.text:
        found = yield from filter_iter(found, query.text)
    return found


class FailureGroup(NamedTuple):
    """Downloads that failed for the same reason."""

    kind: str
    """The ``ErrorKind``."""
    status: int
    """The HTTP status that they have in common; 0 without an error status."""
    ids: list[int]
    """In the order of the query."""


def by_cause_iter(
    downloads: Iterable[Download], query: DownloadQuery
) -> Generator[None, None, list[FailureGroup]]:
    """Group failed downloads by cause, the most common first.

    Args:
        downloads: all downloads.
        query: which of them, and their order within a group.

    Raises:
        FilterError: as for ``select_iter``.
    """
    groups: dict[tuple[str, int], FailureGroup] = {}
    kept = yield from _filter_iter(downloads, query)
    known = {d.id: d for d in kept}
    for id in (yield from select_iter(kept, query._replace(text=""))):
        download = known[id]
        if download.state is not DownloadState.FAILED:
            continue
        status = download.status if download.status >= 400 else 0
        key = (download.error_kind or "internal", status)
        group = groups.get(key)
        if group is None:
            group = groups[key] = FailureGroup(*key, [])
        group.ids.append(id)
    return _most_common_first(groups.values())


def among(groups: Iterable[FailureGroup], ids: Iterable[int]) -> list[FailureGroup]:
    """Return the groups of ``by_cause_iter``, reduced to these ids."""
    wanted = set(ids)
    kept = (g._replace(ids=[id for id in g.ids if id in wanted]) for g in groups)
    return _most_common_first(group for group in kept if group.ids)


def _most_common_first(groups: Iterable[FailureGroup]) -> list[FailureGroup]:
    return sorted(groups, key=lambda g: (-len(g.ids), g[:2]))


def _activity(download: Download) -> Activity:
    return ACTIVITIES[download.state]


def _progress(download: Download) -> float:
    if not download.size:
        return 1.0 if download.state is DownloadState.DONE else 0.0
    return download.received / download.size


_SORT_KEYS: dict[SortKey, Callable[[Download], Any]] = {
    SortKey.NAME: lambda d: d.name.lower(),
    SortKey.SIZE: lambda d: d.size,
    SortKey.PROGRESS: _progress,
    SortKey.FINISHED: lambda d: d.finished_at or None,
    SortKey.TRIES: lambda d: d.attempt or None,
    SortKey.STATE: _activity,
    SortKey.HOST: lambda d: d.origin,
}
"""Values to sort by; ``None`` for a download that has none. Speed and ETA are not kept
in a download."""

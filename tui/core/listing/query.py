"""Select and sort downloads: pure functions, shared by all front ends."""

from __future__ import annotations

from enum import Enum, IntEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tui.core.download import ACTIVE, DownloadState
from tui.core.listing.filter import filter_iter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from tui.core.download import Download, DownloadId

_Found = TypeVar("_Found")


_SLICE = 20_000
"""Downloads per slice of a pass over all of them: about 4 ms."""


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


def select(
    downloads: Iterable[Download],
    query: DownloadQuery,
    figures: Mapping[DownloadId, Figures] | None = None,
) -> list[int]:
    """Return the ids of the downloads that match ``query``, in its order.

    Args:
        downloads: all downloads.
        query: which of them, and their order.
        figures: of running downloads; needed to sort by speed or ETA.

    Raises:
        FilterError: the filter is wrong, or takes too long.
    """
    return _whole(select_iter(downloads, query, figures))


def select_iter(
    downloads: Iterable[Download],
    query: DownloadQuery,
    figures: Mapping[DownloadId, Figures] | None = None,
) -> Generator[None, None, list[int]]:
    """Do the same as ``select``, filtering in slices of a few milliseconds.

    Raises:
        FilterError: as for ``select``.
    """
    filtered = yield from _filter_iter(downloads, query)
    if query.sort is SortKey.ADDED:
        ids = [d.id for d in filtered]
        if query.is_reversed:
            ids.reverse()
        return ids
    if query.sort is SortKey.ACTIVITY:
        if query.view is not View.ALL and len(VIEW_STATES[query.view]) == 1:
            return [d.id for d in filtered]
        return [d.id for d in sorted(filtered, key=_activity)]
    return _sorted_ids(filtered, query, figures or {})


def _sorted_ids(
    downloads: Iterable[Download],
    query: DownloadQuery,
    figures: Mapping[DownloadId, Figures],
) -> list[int]:
    """Sort by a column; downloads without a value in it come last in both orders."""
    known: list[tuple[Any, int]] = []
    unknown: list[int] = []
    key = _SORT_KEYS.get(query.sort)
    for download in downloads:
        if key is not None:
            value = key(download)
        else:
            running = figures.get(download.id)
            by_speed = query.sort is SortKey.SPEED
            value = running and (running.speed if by_speed else running.eta_s)
        if value is None:
            unknown.append(download.id)
        else:
            known.append((value, download.id))
    # reverse= keeps equal rows in the order of adding; reversing the result would not.
    known.sort(key=_first, reverse=query.is_reversed)
    return [id for _, id in known] + unknown


class ActivityGroups(NamedTuple):
    """All downloads of a list by activity."""

    ids: tuple[list[int], ...]
    """Indexed by ``Activity``; in the order of adding, but queued downloads in the
    order of the queue."""
    done_bytes: int
    """Size of all finished downloads together."""


def by_activity(
    downloads: Iterable[Download], query: DownloadQuery
) -> Generator[None, None, ActivityGroups]:
    """Group downloads by activity, in slices of a few milliseconds.

    Args:
        downloads: all downloads, in the order of adding.
        query: which of them; its order is ignored.

    Raises:
        FilterError: as for ``select``.
    """
    filtered = list((yield from _filter_iter(downloads, query)))
    groups: list[list[Any]] = [[] for _ in Activity]
    adders = [groups[activity].append for activity in ACTIVITIES]
    for start in range(0, len(filtered), _SLICE):
        if start:
            yield
        for download in filtered[start : start + _SLICE]:
            adders[download.state](download)
    if len(filtered) > _SLICE:
        yield
    # Nearly always sorted already, which Python's sort notices.
    groups[Activity.QUEUED].sort(key=attrgetter("queue_key"))
    done_bytes = sum([d.received for d in groups[Activity.DONE]])
    return ActivityGroups(tuple([d.id for d in g] for g in groups), done_bytes)


def _filter_iter(
    downloads: Iterable[Download], query: DownloadQuery
) -> Generator[None, None, Iterable[Download]]:
    """Return the downloads of the query's view that match its filter."""
    states = VIEW_STATES[query.view]
    if len(states) < len(DownloadState):
        downloads = [d for d in downloads if d.state in states]
    if query.text:
        # A copy, since downloads may be added meanwhile.
        downloads = yield from filter_iter(list(downloads), query.text)
    return downloads


def _whole(work: Generator[None, None, _Found]) -> _Found:
    """Run a generator to its end and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: _Found = end.value
            return found


class FailureGroup(NamedTuple):
    """Downloads that failed for the same reason."""

    kind: str
    """The ``ErrorKind``."""
    status: int
    """The HTTP status that they have in common; 0 without an error status."""
    ids: list[int]
    """In the order of the query."""


def by_cause(downloads: Iterable[Download], query: DownloadQuery) -> list[FailureGroup]:
    """Group failed downloads by cause, the most common first.

    Args:
        downloads: all downloads.
        query: which of them, and their order within a group.

    Raises:
        FilterError: as for ``select``.
    """
    return _whole(by_cause_iter(downloads, query))


def by_cause_iter(
    downloads: Iterable[Download], query: DownloadQuery
) -> Generator[None, None, list[FailureGroup]]:
    """Do the same as ``by_cause``, filtering in slices of a few milliseconds.

    Raises:
        FilterError: as for ``select``.
    """
    groups: dict[tuple[str, int], FailureGroup] = {}
    kept = list((yield from _filter_iter(downloads, query)))
    known = {d.id: d for d in kept}
    for id in select(kept, query._replace(text="")):
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
    """Return the groups of ``by_cause``, reduced to these ids."""
    wanted = set(ids)
    kept = (g._replace(ids=[id for id in g.ids if id in wanted]) for g in groups)
    return _most_common_first(group for group in kept if group.ids)


def _most_common_first(groups: Iterable[FailureGroup]) -> list[FailureGroup]:
    return sorted(groups, key=lambda g: (-len(g.ids), g[:2]))


def _first(pair: tuple[Any, int]) -> Any:
    return pair[0]


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

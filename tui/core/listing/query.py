"""Select and sort downloads: pure functions, shared by all front ends."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tui.core.download import ACTIVE, DownloadState
from tui.core.listing.filter import filter_iter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from tui.core.download import Download

_Found = TypeVar("_Found")


class SortKey(Enum):
    """What a list is sorted by; equal rows keep the order of adding."""

    ADDED = "added"
    NAME = "name"
    SIZE = "size"
    PROGRESS = "progress"
    STATE = "state"
    HOST = "host"


class View(Enum):
    """The tabs of the dashboard."""

    ALL = "all"
    ACTIVE = "active"
    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"


VIEW_STATES: dict[View, frozenset[DownloadState]] = {
    View.ALL: frozenset(DownloadState),
    View.ACTIVE: ACTIVE | {DownloadState.WAITING},
    View.QUEUED: frozenset({DownloadState.QUEUED}),
    View.DONE: frozenset({DownloadState.DONE}),
    View.FAILED: frozenset({DownloadState.FAILED, DownloadState.CANCELLED}),
    View.PAUSED: frozenset({DownloadState.PAUSED}),
}


class DownloadQuery(NamedTuple):
    """Which downloads to list, and in which order."""

    view: View = View.ALL
    text: str = ""
    """A filter, in the language of ``core.listing.filter``."""
    sort: SortKey = SortKey.ADDED
    is_reversed: bool = False


def select(downloads: Iterable[Download], query: DownloadQuery) -> list[int]:
    """Return the ids of the downloads that match ``query``, in its order.

    Raises:
        FilterError: the filter is wrong, or takes too long.
    """
    return _whole(select_iter(downloads, query))


def select_iter(
    downloads: Iterable[Download], query: DownloadQuery
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
    # reverse= keeps equal rows in the order of adding; reversing the result would not.
    key = _SORT_KEYS[query.sort]
    return [d.id for d in sorted(filtered, key=key, reverse=query.is_reversed)]


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
    """The ``ErrorKind``; "" for downloads that the user cancelled."""
    status: int
    """The HTTP status that they have in common; 0 without an error status."""
    ids: list[int]
    """In the order of the query."""


def by_cause(downloads: Iterable[Download], query: DownloadQuery) -> list[FailureGroup]:
    """Group failed downloads by cause, the most common first, cancelled ones last.

    Args:
        downloads: all downloads.
        query: which of them, and their order within a group.

    Raises:
        FilterError: as for ``select``.
    """
    groups: dict[tuple[str, int], FailureGroup] = {}
    kept = list(_whole(_filter_iter(downloads, query)))
    known = {d.id: d for d in kept}
    for id in select(kept, query._replace(text="")):
        download = known[id]
        if download.state is DownloadState.FAILED:
            status = download.status if download.status >= 400 else 0
            key = (download.error_kind or "internal", status)
        elif download.state is DownloadState.CANCELLED:
            key = ("", 0)
        else:
            continue
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
    return sorted(groups, key=lambda g: (not g.kind, -len(g.ids), g[:2]))


def _progress(download: Download) -> float:
    if not download.size:
        return 1.0 if download.state is DownloadState.DONE else 0.0
    return download.received / download.size


_SORT_KEYS: dict[SortKey, Callable[[Download], Any]] = {
    SortKey.NAME: lambda d: d.name.lower(),
    SortKey.SIZE: lambda d: -1 if d.size is None else d.size,
    SortKey.PROGRESS: _progress,
    SortKey.STATE: lambda d: d.state,
    SortKey.HOST: lambda d: d.origin,
}

"""Which downloads, in which order: pure functions that every face shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from tui.core.download import ACTIVE, DownloadState
from tui.core.filter import sieve_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.download import Download


class SortKey(Enum):
    """What a list is ordered by; ties always fall back to the order of adding."""

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


@dataclass(frozen=True, slots=True)
class DownloadQuery:
    """What to list."""

    view: View = View.ALL
    text: str = ""
    """A filter, in the language of ``core.filter``."""
    sort: SortKey = SortKey.ADDED
    is_reversed: bool = False


def select(downloads: Iterable[Download], query: DownloadQuery) -> list[int]:
    """Return the ids of the downloads that ``query`` asks for, in its order.

    Raises:
        FilterError: its filter is wrong, or takes too long.
    """
    downloads = sift(downloads, query)
    if query.sort is SortKey.ADDED:
        ids = [d.id for d in downloads]
        if query.is_reversed:
            ids.reverse()
        return ids
    # reverse= keeps ties in the order of adding, which reversing the result would not.
    key = _SORT_KEYS[query.sort]
    return [d.id for d in sorted(downloads, key=key, reverse=query.is_reversed)]


def sift(downloads: Iterable[Download], query: DownloadQuery) -> Iterable[Download]:
    """Return the downloads of the query's view that pass its filter, in their order."""
    states = VIEW_STATES[query.view]
    if len(states) < len(DownloadState):
        downloads = [d for d in downloads if d.state in states]
    if query.text:
        kept = downloads if isinstance(downloads, list) else list(downloads)
        downloads = sieve_of(query.text)(kept)
    return downloads


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

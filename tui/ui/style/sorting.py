"""The orders of the list: their names, and the keys that choose them."""

from __future__ import annotations

from tui.core.listing.query import LARGEST_FIRST, DownloadQuery, SortKey
from tui.core.quick.named_tuple import NamedTuple


class SortChoice(NamedTuple):
    """An order, as the menu offers it."""

    sort: SortKey
    key: str
    """The letter that chooses it in the menu."""
    name: str
    first: str
    """What comes first."""


SORT_CHOICES = (
    SortChoice(SortKey.ACTIVITY, "a", "activity", "running first, done last"),
    SortChoice(SortKey.ADDED, "l", "list order", "first added first"),
    SortChoice(SortKey.NAME, "n", "name", "A to Z"),
    SortChoice(SortKey.SIZE, "z", "size", "largest first"),
    SortChoice(SortKey.PROGRESS, "p", "progress", "most complete first"),
    SortChoice(SortKey.SPEED, "v", "speed", "fastest first"),
    SortChoice(SortKey.ETA, "e", "ETA", "longest first"),
    SortChoice(SortKey.FINISHED, "f", "finished", "newest first"),
    SortChoice(SortKey.TRIES, "t", "tries", "most first"),
    SortChoice(SortKey.STATE, "s", "state", "running first"),
    SortChoice(SortKey.HOST, "h", "host", "A to Z"),
)
_NAMES = {choice.sort: choice.name for choice in SORT_CHOICES}


def sort_name(sort: SortKey) -> str:
    """Return the name of an order."""
    return _NAMES[sort]


def sorted_by(query: DownloadQuery, sort: SortKey) -> DownloadQuery:
    """Return a query sorted by a key, or reversed if it is sorted by that already."""
    if query.sort is sort:
        return reversed_order(query)
    return query._replace(sort=sort, is_reversed=sort in LARGEST_FIRST)


def reversed_order(query: DownloadQuery) -> DownloadQuery:
    """Return a query in the opposite order; the order by activity has none."""
    if query.sort is SortKey.ACTIVITY:
        return query
    return query._replace(is_reversed=not query.is_reversed)


def arrow(query: DownloadQuery) -> str:
    """Return ``↓`` for a descending order, ``↑`` for an ascending one."""
    if query.sort is SortKey.ACTIVITY:
        return ""
    return "↓" if query.is_reversed else "↑"

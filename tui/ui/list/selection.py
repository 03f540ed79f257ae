"""Downloads that a person marked, to act on all of them with one key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.core.download import DownloadId


class Selection:
    """A set of ids: it knows no lines, so no order and no filter can change it."""

    def __init__(self) -> None:
        self._ids: set[DownloadId] = set()
        self.last: DownloadId | None = None
        """The one that was marked last; where a range begins."""

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: DownloadId) -> bool:
        return id in self._ids

    @property
    def ids(self) -> list[DownloadId]:
        """All of them, in the order of adding to the run."""
        return sorted(self._ids)

    def toggle(self, ids: Sequence[DownloadId]) -> None:
        """Mark these, or take their marks away if all of them have one."""
        if ids and self._ids.issuperset(ids):
            self.remove(ids)
        else:
            self.add(ids)

    def add(self, ids: Iterable[DownloadId]) -> None:
        """Mark these as well; the last one is where a range would begin."""
        for id in ids:
            self._ids.add(id)
            self.last = id

    def add_range(self, ids: Sequence[DownloadId], start: int, end: int) -> None:
        """Mark the lines from ``start`` to ``end``, both included, in either order.

        Negative ones are headings, which cannot be marked.
        """
        low, high = sorted((start, end))
        self.add(id for id in ids[low : high + 1] if id >= 0)
        if ids[end] in self._ids:
            self.last = ids[end]

    def remove(self, ids: Iterable[DownloadId]) -> None:
        """Take the marks of these away."""
        self._ids.difference_update(ids)
        if self.last not in self._ids:
            self.last = None

    def clear(self) -> None:
        """Take all marks away."""
        self.remove(list(self._ids))

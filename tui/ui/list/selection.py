"""The marked downloads, which actions apply to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.core.download import DownloadId


class Selection:
    """A set of ids, independent of how the list is sorted and filtered."""

    def __init__(self) -> None:
        self._ids: set[DownloadId] = set()
        self.last: DownloadId | None = None
        """The download that was marked last; a range starts there."""

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: DownloadId) -> bool:
        return id in self._ids

    @property
    def ids(self) -> list[DownloadId]:
        """All marked ids, in the order in which downloads were added."""
        return sorted(self._ids)

    def toggle(self, ids: Sequence[DownloadId]) -> None:
        """Mark ``ids``, or unmark them if all of them are marked."""
        if ids and self._ids.issuperset(ids):
            self.remove(ids)
        else:
            self.add(ids)

    def add(self, ids: Iterable[DownloadId]) -> None:
        """Mark ``ids``; the last one becomes the start of a range."""
        for id in ids:
            self._ids.add(id)
            self.last = id

    def add_range(self, ids: Sequence[DownloadId], start: int, end: int) -> None:
        """Mark the lines from ``start`` to ``end``, inclusive, in either order.

        Skips negative ids: headings cannot be marked.
        """
        low, high = sorted((start, end))
        self.add(id for id in ids[low : high + 1] if id >= 0)
        if ids[end] in self._ids:
            self.last = ids[end]

    def remove(self, ids: Iterable[DownloadId]) -> None:
        """Unmark ``ids``."""
        self._ids.difference_update(ids)
        if self.last not in self._ids:
            self.last = None

    def clear(self) -> None:
        """Unmark all downloads."""
        self.remove(list(self._ids))

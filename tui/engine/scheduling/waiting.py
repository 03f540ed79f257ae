"""The queued downloads of one origin, in the order of their queue keys."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from tui.core.download import DownloadState

if TYPE_CHECKING:
    from tui.core.download import Download, DownloadId

_QUEUED = DownloadState.QUEUED

Entry: TypeAlias = "tuple[float, int, Download]"
"""Queue key, id, download."""
Offer: TypeAlias = tuple[float, int, str]
"""Queue key and id of the download to start next from an origin, and that origin."""


class Waiting:
    """Downloads by queue key and id.

    An entry is dead if its download has left the queue or has another key or origin by
    now; it is skipped when it comes up.

    Lists are added in order, so most entries are only appended. They take 16 bytes each
    there, where a tuple in a heap takes 72.
    """

    __slots__ = ("_downloads", "_heap", "_keys", "_origin", "offered")

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._keys: deque[float] = deque()
        """Ascending, and those of ``_downloads``."""
        self._downloads: deque[Download] = deque()
        self._heap: list[Entry] = []
        """What was pushed out of order."""
        self.offered: Offer | None = None
        """What the queue offers of this origin; the very object in its heap."""

    def __len__(self) -> int:
        """Return the number of entries; dead ones may count as well."""
        return len(self._keys) + len(self._heap)

    def push(self, download: Download) -> bool:
        """Add a queued download; return True if it comes first now."""
        key, keys, heap = download.queue_key, self._keys, self._heap
        is_last = (
            not keys
            or key > keys[-1]
            or (key == keys[-1] and download.id > self._downloads[-1].id)
        )
        if is_last:
            keys.append(key)
            self._downloads.append(download)
            if len(keys) > 1:
                return False
            return not heap or (key, download.id) < heap[0][:2]
        entry = (key, download.id, download)
        heapq.heappush(heap, entry)
        return heap[0] is entry and entry[:2] < (keys[0], self._downloads[0].id)

    def head(self) -> Entry | None:
        """Return the next live entry, removing dead ones before it."""
        keys, downloads, heap = self._keys, self._downloads, self._heap
        while keys and not self._is_live(downloads[0], keys[0]):
            keys.popleft()
            downloads.popleft()
        while heap and not self._is_live(heap[0][2], heap[0][0]):
            heapq.heappop(heap)
        if not keys:
            return heap[0] if heap else None
        first = (keys[0], downloads[0].id, downloads[0])
        return heap[0] if heap and heap[0][:2] < first[:2] else first

    def offer(self, key: float, id: DownloadId) -> Offer:
        """Return the offer of an entry, which replaces the last one."""
        self.offered = offer = key, id, self._origin
        return offer

    def pop(self, entry: Entry) -> None:
        """Remove the entry that ``head`` has just returned."""
        if self._heap and self._heap[0] is entry:
            heapq.heappop(self._heap)
        else:
            self._keys.popleft()
            self._downloads.popleft()

    def _is_live(self, download: Download, key: float) -> bool:
        return (
            download.state is _QUEUED
            and download.queue_key == key
            and download.origin == self._origin
        )

"""The verbs that change the queue's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.engine.limits import Limits
from tui.engine.scheduling.ordering import moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tui.core.download import Download, DownloadId
    from tui.core.service import Move


class Reordering(Limits):
    """What the engine may do at most, and what it does first."""

    def reorder(self, ids: Iterable[DownloadId], move: Move) -> dict[DownloadId, float]:
        """Change the queue's order; return where those that moved were before."""
        return self.place(self.places(ids, move))

    def places(self, ids: Iterable[DownloadId], move: Move) -> dict[DownloadId, float]:
        """Return where ``reorder`` would put each of those that it moves."""
        keys = moved(self._queued(self._registry.downloads), set(ids), move)
        return {download.id: key for download, key in keys.items()}

    def place(self, places: Mapping[DownloadId, float]) -> dict[DownloadId, float]:
        """Put queued downloads at places; return where they were before."""
        queued = self._queued(self._registry.downloads[id] for id in places)
        before = {download.id: download.queue_key for download in queued}
        self._context.queue.place({d: places[d.id] for d in queued})
        for download in queued:
            self._registry.touch(download)
        self._start_more()
        return before

    @staticmethod
    def _queued(downloads: Iterable[Download]) -> list[Download]:
        return [d for d in downloads if d.state is DownloadState.QUEUED]

"""The order of the queue, as clients of a service can tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.service import DownloadService


def queue_order(service: DownloadService) -> list[int]:
    """Return the ids of queued and paused downloads, by position."""
    ids = range(service.count)
    positions = zip(service.positions(ids), ids, strict=True)
    return [id for _, id in sorted(each for each in positions if each[0] is not None)]

"""Polls the engine: takes its numbers, drains its events and sets the refresh rate.

Nothing here runs per chunk. Each tick takes one snapshot and drains the events; the
time to the next tick depends on how busy the event loop is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, DownloadState
from tui.core.events import NOT_SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.events import Event
    from tui.core.service import DashboardService, Subscription
    from tui.core.snapshot import EngineSnapshot

FRAME_S = 0.1
BUSY_FRAME_S = 0.25
"""While the loop is late: downloads and keys take priority over drawing. Also while
rows change faster than they can be read (``FLOOD_PER_S``): a frame takes 8 ms then, as
long as 40 small files, and keys are drawn at once anyway."""
COVERED_FRAME_S = 1 / 3
"""Under a dialog, where a frame costs three times as much (measured)."""
IDLE_FRAME_S = 0.5
"""While nothing is active: events still show soon, at almost no cost."""
FLOOD_PER_S = 400
"""Events a second, of which each file has two or three, that fill the rows of a
terminal several times a second."""
_LATE_S = 0.008


class EnginePoller:
    """The dashboard's view of the engine, as of the last tick."""

    def __init__(
        self,
        service: DashboardService,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Subscribe to the events of ``service``; ``monotonic`` is in seconds."""
        self.service = service
        self._monotonic = monotonic
        self._counted_at_s = monotonic()
        self._counted = 0
        """Events since then."""
        self._is_flood = False
        self._subscription = service.subscribe(NOT_SHOWN)
        self.snapshot: EngineSnapshot = service.snapshot()

    def listen_to(self, subscription: Subscription) -> None:
        """Use a subscription that was opened before the dashboard."""
        self._subscription.close()
        self._subscription = subscription

    def poll(self) -> list[Event]:
        """Take a new snapshot and return the events since the last call."""
        self.snapshot = self.service.snapshot()
        events = self._subscription.drain()
        self._count(len(events))
        return events

    def _count(self, events: int) -> None:
        """Find out whether events arrive faster than rows can be read."""
        self._counted += events
        now_s = self._monotonic()
        seconds = now_s - self._counted_at_s
        if seconds >= FRAME_S / 2:  # keys ask for frames in between
            self._is_flood = self._counted > FLOOD_PER_S * seconds
            self._counted, self._counted_at_s = 0, now_s

    def refresh(self) -> None:
        """Take a new snapshot between two ticks, leaving the events to the next one."""
        self.snapshot = self.service.snapshot()

    def close(self) -> None:
        """Unsubscribe from the events."""
        self._subscription.close()

    @property
    def is_moving(self) -> bool:
        """Whether a download is active or waiting for a retry."""
        counts = self.snapshot.counts
        return any(counts[state] for state in ACTIVE) or bool(
            counts[DownloadState.WAITING]
        )

    @property
    def is_flood(self) -> bool:
        """Whether downloads change faster than their rows can be read."""
        return self._is_flood and self.is_moving

    @property
    def is_finished(self) -> bool:
        """Whether there are downloads and all of them have finished."""
        counts = self.snapshot.counts
        left = counts[DownloadState.QUEUED] + counts[DownloadState.PAUSED]
        return self.snapshot.total > 0 and not self.is_moving and not left

    def interval(self, *, is_covered: bool) -> float:
        """Return the seconds until the next tick."""
        if not self.is_moving:
            return IDLE_FRAME_S
        if is_covered:
            return COVERED_FRAME_S
        is_late = self.snapshot.loop.p50_s > _LATE_S
        return BUSY_FRAME_S if is_late or self._is_flood else FRAME_S

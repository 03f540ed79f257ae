"""Between engine and screen: polls numbers, gathers facts, sets the pace.

Nothing in here is called per chunk. Each tick takes one snapshot and drains the
events; how soon the next tick comes depends on how busy the loop is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, DownloadState
from tui.core.events import Failed
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.events import Event
    from tui.core.service import DownloadService, Subscription
    from tui.core.snapshot import EngineSnapshot

FRAME_S = 0.1
BUSY_FRAME_S = 0.2
"""When the loop is late: drawing gives way to downloads and keys."""
COVERED_FRAME_S = 1 / 3
"""Under a dialog, where a frame costs three times as much (measured)."""
IDLE_FRAME_S = 0.5
"""When nothing moves: events are still seen, at next to no cost."""
_LATE_S = 0.008
_DIGEST_S = 2.0
_LONGEST = 160
"""Characters of a toast; the whole reason stands in the log and in the details."""


class EnginePoller:
    """The dashboard's view of the engine, as of the last tick."""

    def __init__(self, service: DownloadService) -> None:
        """Start listening to the service."""
        self.service = service
        self._subscription = service.subscribe()
        self.snapshot: EngineSnapshot = service.snapshot()

    def listen_to(self, subscription: Subscription) -> None:
        """Go on with a subscription that is older than the dashboard."""
        self._subscription.close()
        self._subscription = subscription

    def poll(self) -> list[Event]:
        """Take a new snapshot; return the events since the last call."""
        self.snapshot = self.service.snapshot()
        return self._subscription.drain()

    def close(self) -> None:
        """Stop listening."""
        self._subscription.close()

    @property
    def is_moving(self) -> bool:
        """Whether anything is in flight or waiting for its next attempt."""
        counts = self.snapshot.counts
        return any(counts[state] for state in ACTIVE) or bool(
            counts[DownloadState.WAITING]
        )

    @property
    def is_finished(self) -> bool:
        """Whether every download has ended and there was at least one."""
        counts = self.snapshot.counts
        held = counts[DownloadState.QUEUED] + counts[DownloadState.PAUSED]
        return self.snapshot.total > 0 and not self.is_moving and not held

    def interval(self, *, is_covered: bool) -> float:
        """Return the seconds until the next tick."""
        if not self.is_moving:
            return IDLE_FRAME_S
        if is_covered:
            return COVERED_FRAME_S
        return BUSY_FRAME_S if self.snapshot.loop.p50_s > _LATE_S else FRAME_S


def exit_status(snapshot: EngineSnapshot) -> int:
    """Return what the command ends with: 0 all done, 1 failures, 130 unfinished."""
    counts = snapshot.counts
    ended = (
        counts[DownloadState.DONE]
        + counts[DownloadState.FAILED]
        + counts[DownloadState.CANCELLED]
    )
    if ended < snapshot.total:
        return 130
    return 1 if counts[DownloadState.FAILED] else 0


class FailureDigest:
    """Many failures told in one sentence: a toast for each would drown the screen."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._last: Failed | None = None
        self._told_at_s = -_DIGEST_S

    def add(self, events: Iterable[Event]) -> None:
        """Count the failures among events."""
        for event in events:
            if isinstance(event, Failed):
                self._kinds[event.error_kind] += 1
                self._last = event

    def take(self, now_s: float, name_of: DownloadService) -> tuple[int, str]:
        """Return how many failed and what to tell; 0 for none, or if it is too early.

        Args:
            now_s: monotonic seconds.
            name_of: where the name of a single failed download is asked for.
        """
        total = self._kinds.total()
        if not total or self._last is None or now_s - self._told_at_s < _DIGEST_S:
            return 0, ""
        self._told_at_s = now_s
        if total == 1:
            (row,) = name_of.rows([self._last.id])
            why = plain(self._last.error) or _words(self._last.error_kind)
            text = f"{plain(row.name, 60)}: {why}"
        else:
            causes = [f"{n}× {_words(kind)}" for kind, n in self._kinds.most_common(4)]
            text = f"{total} failed: {', '.join(causes)}"
        self._kinds.clear()
        return total, plain(text, _LONGEST)


def _words(kind: str) -> str:
    return kind.replace("_", " ") or "unknown reason"

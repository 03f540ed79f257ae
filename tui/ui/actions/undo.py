"""The undo stack: one step for each action on downloads, however many it changed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DashboardService

_DEPTH = 100


class Step(NamedTuple):
    """Something that was done and how to undo it."""

    text: str
    """What was done, as a noun: ``cancel of manual.pdf``."""
    ids: tuple[DownloadId, ...]
    """Downloads that it changed; they are redrawn after the undo."""
    undo: Callable[[Sequence[DownloadId]], object]
    """Undoes it for some of the downloads."""


class UndoStack:
    """The last steps, the newest on top."""

    def __init__(self, service: DashboardService) -> None:
        """Undo steps through ``service``."""
        self._service = service
        self._steps: deque[Step] = deque(maxlen=_DEPTH)

    def __len__(self) -> int:
        return len(self._steps)

    def push(
        self,
        text: str,
        ids: Iterable[DownloadId],
        undo: Callable[[Sequence[DownloadId]], object],
    ) -> None:
        """Add a step that can be undone for some downloads at a time."""
        self._steps.append(Step(text, tuple(ids), undo))

    def push_states(
        self, text: str, ids: Sequence[DownloadId], paused: Sequence[DownloadId]
    ) -> None:
        """Add a step that cancelled, paused or resumed downloads.

        Args:
            text: what was done, as a noun.
            ids: the downloads.
            paused: those of them that were paused before.
        """
        were_paused = frozenset(paused)

        def undo(ids: Sequence[DownloadId]) -> None:
            # A paused download is queued first. Both calls happen in one turn of the
            # loop, so nothing can start in between.
            self._service.resume(ids)
            self._service.pause([id for id in ids if id in were_paused])

        self.push(text, ids, undo)

    def push_add(self, ids: Sequence[DownloadId]) -> None:
        """Add a step that added downloads; what they have downloaded is kept."""

        def undo(ids: Sequence[DownloadId]) -> None:
            self._service.cancel(ids)
            self._service.remove(ids)

        plural = "s" if len(ids) != 1 else ""
        self.push(f"adding of {count(len(ids))} download{plural}", ids, undo)

    def push_order(self, text: str, before: Mapping[DownloadId, float]) -> None:
        """Add a step that moved downloads in the queue.

        Args:
            text: what was done, as a noun.
            before: their earlier queue positions, as the service returned them.
        """

        def undo(ids: Sequence[DownloadId]) -> None:
            self._service.set_queue_positions({id: before[id] for id in ids})

        self.push(text, before, undo)

    def pop(self) -> Step | None:
        """Remove and return the newest step, or ``None`` if there is none."""
        return self._steps.pop() if self._steps else None

"""The undo stack: one step for each action on downloads, however many it changed.

A deletion of files waits for a few seconds, during which its step can be undone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.core.quick.named_tuple import NamedTuple
from tui.core.service import ServiceLost
from tui.core.text.units import plural
from tui.messages import deletion_text, loss_text

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Iterable,
        Mapping,
        Sequence,
    )

    from textual.notifications import SeverityLevel

    from tui.core.download import DownloadId
    from tui.core.service import DashboardService
    from tui.ui.actions.batch_runner import BackgroundHost

_DEPTH = 100
UNDO_S = 10.0
"""Time in which the deletion of files can be undone."""


class Step(NamedTuple):
    """Something that was done and how to undo it."""

    text: str
    """What was done, as a noun: ``cancel of manual.pdf``."""
    ids: tuple[DownloadId, ...]
    """Downloads that it changed; they are redrawn after the undo."""
    undo: Callable[[Sequence[DownloadId]], list[DownloadId]]
    """Undoes it for some of the downloads; returns those that it changed."""


class DeletionQueue:
    """Files of removed downloads, which are deleted once the time for undo is over."""

    def __init__(
        self,
        host: BackgroundHost,
        service: DashboardService,
        steps: UndoStack,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Delete through ``service``, report to ``host``, wait with ``sleep``."""
        self._host = host
        self._service = service
        self._steps = steps
        self.sleep = sleep
        self._waiting: dict[DownloadId, Step] = {}
        """The step that deletes each; a restored download may be removed again."""

    def add(self, step: Step) -> None:
        """Delete the data of a step's downloads, unless ``keep`` is called in time."""
        self._waiting.update(dict.fromkeys(step.ids, step))

        async def delete() -> None:
            await self.sleep(UNDO_S)
            self._steps.discard(step)
            await self._delete([id for id in step.ids if self._waiting.get(id) is step])

        self._host.run_in_background(delete, group="deletion", exclusive=False)

    def keep(self, ids: Iterable[DownloadId]) -> None:
        """Do not delete the data of these downloads."""
        for id in ids:
            self._waiting.pop(id, None)

    async def finish(self) -> None:
        """Delete now what still waits: the dashboard ends."""
        if self._waiting:
            with suppress(ServiceLost):  # the data is kept
                await self._service.delete_data(self._take(list(self._waiting)))

    async def _delete(self, ids: list[DownloadId]) -> None:
        if not ids:
            return
        severity: SeverityLevel = "warning"
        try:
            deletion = await self._service.delete_data(self._take(ids))
        except ServiceLost as error:
            text = loss_text(error, "data of removed downloads is kept")
        else:
            text = deletion_text(deletion)
            severity = "warning" if deletion.kept else "information"
        self._host.notify(text, severity=severity)

    def _take(self, ids: list[DownloadId]) -> list[DownloadId]:
        for id in ids:
            del self._waiting[id]
        return ids


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
        undo: Callable[[Sequence[DownloadId]], list[DownloadId]],
    ) -> Step:
        """Add a step that can be undone for some downloads at a time.

        Args:
            text: what was done, as a noun.
            ids: the downloads.
            undo: undoes it for some of them and returns those that it changed.
        """
        step = Step(text, tuple(ids), undo)
        self._steps.append(step)
        return step

    def clear(self) -> None:
        """Remove all steps."""
        self._steps.clear()

    def discard(self, step: Step) -> None:
        """Remove a step that can no longer be undone, if it is still there."""
        self._steps = deque((s for s in self._steps if s is not step), maxlen=_DEPTH)

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

        def undo(ids: Sequence[DownloadId]) -> list[DownloadId]:
            # A paused download is queued first. Both calls happen in one turn of the
            # loop, so nothing can start in between.
            changed = self._service.resume(ids)
            changed += self._service.pause([id for id in ids if id in were_paused])
            return changed

        self.push(text, ids, undo)

    def push_add(self, ids: Sequence[DownloadId]) -> None:
        """Add a step that added downloads; what they have downloaded is kept."""

        def undo(ids: Sequence[DownloadId]) -> list[DownloadId]:
            self._service.cancel(ids)
            return self._service.remove(ids)

        self.push(f"adding of {plural(len(ids))}", ids, undo)

    def push_order(self, text: str, before: Mapping[DownloadId, float]) -> None:
        """Add a step that moved downloads in the queue.

        Args:
            text: what was done, as a noun.
            before: their earlier queue positions, as the service returned them.
        """

        def undo(ids: Sequence[DownloadId]) -> list[DownloadId]:
            self._service.set_queue_positions({id: before[id] for id in ids})
            return list(ids)

        self.push(text, before, undo)

    def pop(self) -> Step | None:
        """Remove and return the newest step, or ``None`` if there is none."""
        return self._steps.pop() if self._steps else None

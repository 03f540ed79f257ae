"""Taking back what was done to downloads, one step at a time."""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from tui.core.query import DownloadQuery
from tui.core.service import Move

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tui.core.download import DownloadId, DownloadState
    from tui.core.service import DownloadService

_DEPTH = 100
_FEW = 200


def in_states(
    service: DownloadService, ids: Sequence[DownloadId], states: Iterable[DownloadState]
) -> list[DownloadId]:
    """Return those of ``ids`` that are in one of ``states``, in their order.

    Of a few the rows are asked for; of 100,000 that would take half a second, so for
    many the whole list is searched by state, which takes 10 ms.
    """
    wanted = frozenset(states)
    if len(ids) <= _FEW:
        return [row.id for row in service.rows(ids) if row.state in wanted]
    words = ",".join(state.word for state in wanted)
    found = set(service.select(DownloadQuery(text=f"is:{words}")))
    return [id for id in ids if id in found]


class Step(NamedTuple):
    """Something that was done and how to take it back."""

    text: str
    """What was done, in words: ``cancelled manual.pdf``."""
    ids: tuple[DownloadId, ...]
    """Downloads that it touched, to be painted again."""
    take_back: Callable[[Sequence[DownloadId]], object]
    """Takes it back for some of them."""
    is_whole: bool = False
    """It can only be taken back for all of them at once."""


class UndoStack:
    """The last steps, the newest on top."""

    def __init__(self, service: DownloadService) -> None:
        """Take the service that undoes."""
        self._service = service
        self._steps: deque[Step] = deque(maxlen=_DEPTH)

    def __len__(self) -> int:
        return len(self._steps)

    def push(
        self,
        text: str,
        ids: Iterable[DownloadId],
        take_back: Callable[[Sequence[DownloadId]], object],
    ) -> None:
        """Remember a step that can be taken back for some downloads at a time."""
        self._steps.append(Step(text, tuple(ids), take_back))

    def push_states(
        self, text: str, ids: Sequence[DownloadId], paused: Sequence[DownloadId]
    ) -> None:
        """Remember that downloads were cancelled, paused or resumed.

        Args:
            text: what was done, in words.
            ids: the downloads.
            paused: those of them that were paused before.
        """
        were_paused = frozenset(paused)

        def take_back(ids: Sequence[DownloadId]) -> None:
            # A paused download comes back by way of the queue; both happen in one
            # turn of the loop, so nothing can start in between.
            self._service.resume(ids)
            self._service.pause([id for id in ids if id in were_paused])

        self.push(text, ids, take_back)

    def push_order(
        self, text: str, ids: Sequence[DownloadId], before: Sequence[DownloadId]
    ) -> None:
        """Remember that downloads were moved in the queue.

        Args:
            text: what was done, in words.
            ids: those that were moved.
            before: the whole queue as it was.
        """
        moved = frozenset(ids)
        last = max(place for place, id in enumerate(before) if id in moved)
        runs = _runs(before[: last + 1], moved)

        def take_back(_: Sequence[DownloadId]) -> None:
            # From the back to the front, each stretch of it to the top: what was
            # between the moved ones has kept its order among itself.
            for run in reversed(runs):
                self._service.reorder(run, Move.TOP)

        self._steps.append(Step(text, tuple(ids), take_back, is_whole=True))

    def take(self) -> Step | None:
        """Return the newest step, to be taken back; ``None`` if there is none."""
        return self._steps.pop() if self._steps else None


def _runs(
    queue: Sequence[DownloadId], moved: Collection[DownloadId]
) -> list[list[DownloadId]]:
    """Cut a queue into stretches of moved and of other downloads."""
    return [list(run) for _, run in groupby(queue, key=lambda id: id in moved)]

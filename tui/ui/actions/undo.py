"""Taking back what was done to downloads, one step at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tui.core.listing.query import DownloadQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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

    def push_order(self, text: str, before: Mapping[DownloadId, float]) -> None:
        """Remember that downloads were moved in the queue.

        Args:
            text: what was done, in words.
            before: where they were, as the service said it.
        """

        def take_back(ids: Sequence[DownloadId]) -> None:
            self._service.place({id: before[id] for id in ids})

        self.push(text, before, take_back)

    def take(self) -> Step | None:
        """Return the newest step, to be taken back; ``None`` if there is none."""
        return self._steps.pop() if self._steps else None

"""Taking back what was done to downloads, one step at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import DownloadState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot

_DEPTH = 100


class Step(NamedTuple):
    """Something that was done and how to take it back."""

    text: str
    """What was done, in words: ``cancelled manual.pdf``."""
    ids: tuple[DownloadId, ...]
    """Downloads that it touched, to be painted again."""
    take_back: Callable[[], object]


class UndoStack:
    """The last steps, the newest on top."""

    def __init__(self, service: DownloadService) -> None:
        """Take the service that undoes."""
        self._service = service
        self._steps: deque[Step] = deque(maxlen=_DEPTH)

    def __len__(self) -> int:
        return len(self._steps)

    def push(
        self, text: str, ids: Iterable[DownloadId], take_back: Callable[[], object]
    ) -> None:
        """Remember a step."""
        self._steps.append(Step(text, tuple(ids), take_back))

    def push_states(self, text: str, before: Sequence[DownloadSnapshot]) -> None:
        """Remember the states that downloads had before they were changed."""
        was_paused = [row.id for row in before if row.state is DownloadState.PAUSED]
        ids = [row.id for row in before]

        def take_back() -> None:
            # A paused download comes back by way of the queue; both happen in one
            # turn of the loop, so nothing can start in between.
            self._service.resume(ids)
            self._service.pause(was_paused)

        self.push(text, ids, take_back)

    def undo(self) -> Step | None:
        """Take back the newest step and return it; ``None`` if there is none."""
        if not self._steps:
            return None
        step = self._steps.pop()
        step.take_back()
        return step

"""The states of all downloads as a client knows them, one byte each.

A client applies a verb before the background process has confirmed it. Such a state is
*assumed*: it is shown until the verb is answered, whatever arrives meanwhile, and then
the confirmed state counts again. So a key press shows at once, and what another client
did in the meantime shows as soon as the answer is there.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.service import REMOVED

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from tui.core.download import DownloadId

_STATES = bytes(state | flag for state in DownloadState for flag in (0, REMOVED))
_KINDS = 0x20
"""States with and without ``REMOVED``."""


class StateTable:
    """Confirmed and assumed states of downloads, and how many are in each."""

    def __init__(self, states: bytes = b"") -> None:
        """Start with the confirmed states of all downloads, indexed by id.

        Raises:
            ValueError: one of them is not a state.
        """
        if states.translate(None, _STATES):
            raise ValueError("an unknown state")
        self._confirmed = bytearray(states)
        self._shown = bytearray(states)
        self._assumed: dict[DownloadId, int] = {}
        """The verb that was applied last, by the downloads that it changed."""
        self._verbs: dict[int, list[DownloadId]] = {}
        self._counts = [states.count(state) for state in range(_KINDS)]

    def __len__(self) -> int:
        return len(self._shown)

    @property
    def counts(self) -> tuple[int, ...]:
        """Downloads by state, without removed ones, indexed by ``DownloadState``."""
        return tuple(self._counts[: len(DownloadState)])

    def get(self, id: DownloadId) -> int:
        """Return the state that is shown, with ``REMOVED`` if it was removed."""
        return self._shown[id]

    def in_states(self, states: Container[DownloadState]) -> list[DownloadId]:
        """Return the downloads in some states, in the order of adding."""
        wanted = bytes(state for state in DownloadState if state in states)
        if not wanted:
            return []
        is_wanted = bytes(state in wanted for state in range(256))
        return list(compress(range(len(self)), self._shown.translate(is_wanted)))

    # -- what the process says -------------------------------------------------------

    def confirm(self, ids: Iterable[DownloadId], state: int) -> None:
        """Take over a state from the process; new downloads have the next ids.

        Raises:
            ValueError: an id skips others, or ``state`` is not a state.
        """
        check_state(state)
        for id in ids:
            if id == len(self._shown):
                self._confirmed.append(state)
                self._shown.append(state)
                self._counts[state] += 1
                continue
            if id > len(self._shown):
                raise ValueError(f"download {id} after {len(self._shown)}")
            self._confirmed[id] = state
            if id not in self._assumed:
                self._show(id, state)

    # -- what verbs change -----------------------------------------------------------

    def assume(self, id: DownloadId, state: int, verb: int) -> None:
        """Show the state that a verb will lead to, until the verb is answered."""
        self._assumed[id] = verb
        self._verbs.setdefault(verb, []).append(id)
        self._show(id, state)

    def resolve(self, verb: int) -> None:
        """Show the confirmed states where no later verb has assumed another one."""
        for id in self._verbs.pop(verb, ()):
            if self._assumed.get(id) == verb:
                del self._assumed[id]
                self._show(id, self._confirmed[id])

    def _show(self, id: DownloadId, state: int) -> None:
        self._counts[self._shown[id]] -= 1
        self._counts[state] += 1
        self._shown[id] = state


def check_state(state: int) -> None:
    """Check a state that comes from outside.

    Raises:
        ValueError: it is not a state.
    """
    DownloadState(state & ~REMOVED)

"""The interface of post-processing: hooks, unpacking and notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Aftermath(Protocol):
    """Runs alongside the downloads; a front end waits for it at the end."""

    @property
    def failures(self) -> int:
        """Number of commands, archives and times that failed so far."""
        ...

    def waiting_for(self) -> str:
        """Return what is left to do, ``2 commands and 1 archive``; "" for nothing."""
        ...

    def summary(self) -> list[str]:
        """Return a few lines about what failed or was not run."""
        ...

    def use_terminal(self, write: Callable[[str], None] | None) -> None:
        """Write to the terminal through ``write``; ``None`` writes nothing."""
        ...

    async def settle(self) -> None:
        """Return when nothing is left to do and the end of the run was reported."""
        ...

    async def close(self) -> None:
        """End what still runs, after a short grace period. Safe to call twice."""
        ...

    def end_at_once(self) -> None:
        """Kill every command, since the process ends now. Fast; never fails."""
        ...

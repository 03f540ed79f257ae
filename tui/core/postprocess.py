"""What a face may know of what follows a download: hooks, unpacking, notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Aftermath(Protocol):
    """Goes on by itself beside the downloads; a face waits for it at the end."""

    @property
    def failures(self) -> int:
        """Commands, archives and times that went wrong so far."""
        ...

    def waiting_for(self) -> str:
        """Say what is left to do: ``2 commands and 1 archive``; "" for nothing."""
        ...

    def summary(self) -> list[str]:
        """Say in a few lines what went wrong or was left undone; empty if nothing."""
        ...

    def use_terminal(self, write: Callable[[str], None] | None) -> None:
        """Send what goes to the terminal through ``write``; ``None`` sends nothing."""
        ...

    async def settle(self) -> None:
        """Return when nothing is left to do, and the end of the run is told."""
        ...

    async def close(self) -> None:
        """End what still goes on, with a moment's grace. Safe to call twice."""
        ...

    def end_at_once(self) -> None:
        """Kill every command: the process ends on the spot. Quick, and never fails."""
        ...

"""What front ends know about post-processing: hooks, unpacking, notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.settings import Settings


def is_wanted(settings: Settings) -> bool:
    """Return True if these settings enable any post-processing besides uploads."""
    return (
        settings.hooks.has_any
        or settings.notify
        or settings.unpack
        or settings.server_time
        or settings.log_file is not None
    )


class PostProcessor(Protocol):
    """Runs beside the downloads; a front end waits for it at the end."""

    @property
    def failures(self) -> int:
        """Return the number of failed hooks, archives and timestamps."""
        ...

    def waiting_for(self) -> str:
        """Describe the remaining work: ``2 hooks and 1 archive``; "" if none."""
        ...

    def summary(self) -> list[str]:
        """Return a few lines about failed or unfinished work; empty if none."""
        ...

    def use_terminal(self, write: Callable[[str], None] | None) -> None:
        """Write terminal notifications with ``write``; ``None`` disables them."""
        ...

    async def drain(self) -> None:
        """Wait until all work is done, including that for the end of the run."""
        ...

    async def close(self) -> None:
        """Stop all work, with a short grace period. Safe to call twice."""
        ...

    def kill_all(self) -> None:
        """Kill every hook, right before the process exits. Quick; never fails."""
        ...

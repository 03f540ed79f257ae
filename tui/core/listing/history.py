"""Earlier sessions and what they downloaded, as front ends see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class SessionSummary(NamedTuple):
    """One saved session. Its text comes from outside: show it through ``sanitize``."""

    id: str
    """Names the session; for ``SessionHistory`` only."""
    title: str
    """What was downloaded, such as the name of a list; "" if it has no title."""
    used_at: float
    """Wall time of its last change."""
    output_dir: str
    done: int = 0
    failed: int = 0
    left: int = 0
    """Unfinished downloads, paused ones included."""
    nbytes: int = 0
    """Bytes received by all of its downloads."""
    is_current: bool = False
    """The session of this dashboard."""
    problem: str = ""
    """Why it cannot be opened now; "" if it can."""


class FinishedDownload(NamedTuple):
    """A finished download of a saved session; shown through ``sanitize``."""

    session: str
    """``SessionSummary.id``."""
    key: int
    """Names the download in its session."""
    name: str
    path: str
    """Absolute path of the file, which may have been moved since."""
    url: str
    """Without credentials."""
    size: int
    """Bytes."""
    finished_at: float
    """Wall time."""
    speed: float
    """Bytes per second from its first request to its end; 0 if unknown."""


class History(NamedTuple):
    """Everything that is saved, the newest first."""

    sessions: tuple[SessionSummary, ...]
    finished: tuple[FinishedDownload, ...]


class SessionHistory(Protocol):
    """The saved sessions of this user."""

    async def load(self) -> History:
        """Read all sessions, except what other processes are writing."""
        ...

    async def forget(self, ids: Sequence[str]) -> int:
        """Delete sessions, but no downloaded files; return how many are gone.

        The current session and those that another process has open are kept.
        """
        ...

    async def forget_finished(self, downloads: Sequence[FinishedDownload]) -> int:
        """Delete finished downloads from their sessions; return how many are gone.

        Those of the current session are kept: remove them from the list instead.
        """
        ...

    def open_next(self, id: str) -> None:
        """Open a session as soon as this dashboard has closed."""
        ...

"""What a dashboard knows of its connection to the process that downloads."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class LinkState(Enum):
    """State of the connection; the comment names the detail that belongs to it."""

    CONNECTED = "connected"
    LOST = "lost"  # reason, may be empty; it is tried again
    STOPPED = "stopped"  # the process has ended; it may be started again
    REFUSED = "refused"  # version of the process, which is not tried again


class Attachment(Protocol):
    """The connection to a background process, as the dashboard shows it."""

    @property
    def name(self) -> str:
        """Name of the background process."""
        ...

    @property
    def host(self) -> str:
        """The machine that it runs on, as given to ssh; "" for this one."""
        ...

    @property
    def is_watching(self) -> bool:
        """Whether this dashboard only looks."""
        ...

    @property
    def state(self) -> LinkState:
        """The state of the connection now."""
        ...

    @property
    def detail(self) -> str:
        """What belongs to the state; it may come from outside."""
        ...

    @property
    def restarts(self) -> int:
        """How often another process answered; ids are those of other downloads then."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What the process was started with, as text by key, without secrets."""
        ...

    on_change: Callable[[], object]
    """Called when the state has changed."""

    def on_arrival(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when rows have arrived that the dashboard waits for."""
        ...

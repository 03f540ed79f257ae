"""The tools that all parts of the engine share during one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.engine.metrics.wait_times import Waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.clock import Clock
    from tui.core.settings import Settings
    from tui.disk.folders import OutputFolders
    from tui.disk.writer import DiskWriter
    from tui.engine.events import EventBus
    from tui.engine.registry import DownloadRegistry
    from tui.engine.scheduling.queue import DownloadQueue
    from tui.net.limiter import Limiter
    from tui.net.mirrors import MirrorSelector
    from tui.net.session import HttpSession


@dataclass(slots=True, eq=False)
class RunLimits:
    """The limits that change during the run; ``engine.limits`` changes them."""

    concurrency: int
    """Downloads that may run at the same time."""
    segments: int
    """Connections per download; 0 lets the size decide."""
    is_auto: bool = False
    """The concurrency is automatic, and so are the connections of a file."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EngineContext:
    """The run's shared tools; built once by the factory and never changed."""

    settings: Settings
    clock: Clock
    random: Callable[[], float]
    """Uniform in [0, 1), for jitter."""
    session: HttpSession
    writer: DiskWriter
    folders: OutputFolders
    registry: DownloadRegistry
    queue: DownloadQueue
    bus: EventBus
    mirrors: MirrorSelector
    limiter: Limiter
    """Rate limit of the whole run."""
    limits: RunLimits
    waits: Waits = field(default_factory=Waits)
    """What connections wait for, over all downloads."""

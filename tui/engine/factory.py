"""Builds the engine: the only place that creates its parts and connects them."""

from __future__ import annotations

import asyncio
import random
from importlib import import_module
from typing import TYPE_CHECKING

from tui.core.clock import SystemClock
from tui.core.events import RunNotice
from tui.disk.folders import OutputFolders
from tui.disk.platform import raise_descriptor_limit
from tui.disk.writer import DiskWriter
from tui.engine.context import EngineContext, RunLimits
from tui.engine.engine import Engine
from tui.engine.events import EventBus
from tui.engine.registry import DownloadRegistry
from tui.engine.scheduling.queue import DownloadQueue
from tui.net.limiter import Limiter
from tui.net.mirrors import MirrorSelector
from tui.net.session import HttpSession
from tui.net.session_config import load_session_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.clock import Clock
    from tui.core.settings import Settings
    from tui.disk.state.host_limits import HostLimits
    from tui.engine.session.session import SavedSession
    from tui.net.session_config import SessionConfig
    from tui.net.transports.early_connections import EarlyConnections


_MANY_DESCRIPTORS = 1024
"""A limit that no run reaches in its first second."""
_LATE_S = 1.0


async def open_engine(
    settings: Settings,
    *,
    clock: Clock | None = None,
    chance: Callable[[], float] = random.random,
    session: SavedSession | None = None,
    host_limits: HostLimits | None = None,
    early: EarlyConnections | None = None,
) -> Engine:
    """Build an engine on the running loop and open its output directory.

    Args:
        settings: what the run starts with.
        clock: the source of time; the system's by default.
        chance: uniform numbers in [0, 1) for the jitter of waits.
        session: saves the downloads for the next run.
        host_limits: remembers for it how many connections hosts accept.
        early: connections that are being opened; closed with the engine.

    Returns:
        The engine; end it with its ``close``.

    Raises:
        LocalError: the output directory or a file of the settings cannot be used.
    """
    clock = clock or SystemClock()
    descriptors = raise_descriptor_limit()
    writer = _new_writer(settings, clock)
    folders = OutputFolders(settings.output_dir, writer)
    try:
        await folders.folder("")
        # In a thread: it reads files, and may wait for the keyring to be unlocked.
        config, remembered = await asyncio.to_thread(
            _read_files, settings, host_limits, clock.wall()
        )
        http = HttpSession(settings, config, early)
    except BaseException:
        await folders.close()
        await writer.close()
        raise
    context = EngineContext(
        settings=settings,
        clock=clock,
        random=chance,
        session=http,
        writer=writer,
        folders=folders,
        registry=DownloadRegistry(clock),
        queue=_new_queue(settings, remembered),
        bus=EventBus(),
        mirrors=MirrorSelector(),
        limiter=Limiter(settings.rate_limit, clock),
        limits=RunLimits(settings.concurrency, settings.segments),
    )
    _report_cookies(context, config)
    engine = Engine(context, host_limits, _load_later(descriptors))
    if session is not None:
        session.follow(engine, context)
    return engine


def _report_cookies(context: EngineContext, config: SessionConfig) -> None:
    cookies = config.cookie_file
    if cookies is not None and cookies.notice is not None:
        notice = RunNotice(context.clock.wall(), cookies.notice)
        context.bus.publish_to_all(notice)


def _load_later(descriptors: int) -> asyncio.TimerHandle | None:
    """Load late modules when the first frame and short runs are over: 3 ms.

    With few descriptors, that could be too late.

    Returns:
        The timer that loads them, unless they are loaded.
    """
    if descriptors < _MANY_DESCRIPTORS:
        _load_late_modules()
        return None
    loop = asyncio.get_running_loop()
    return loop.call_later(_LATE_S, loop.run_in_executor, None, _load_late_modules)


def _load_late_modules() -> None:
    """Load what only some downloads use, beside the first ones.

    An import opens a file, so it would fail once descriptors have run out.
    """
    for name in ("hashlib", "http", "email.utils"):
        import_module(name)


def _read_files(
    settings: Settings, host_limits: HostLimits | None, now: float
) -> tuple[SessionConfig, Mapping[str, int]]:
    """Read the files that settings name, and the limits remembered for hosts."""
    remembered = host_limits.load(now) if host_limits is not None else {}
    return load_session_config(settings), remembered


def _new_queue(settings: Settings, remembered: Mapping[str, int]) -> DownloadQueue:
    queue = DownloadQueue(settings.per_host, settings.hosts)
    queue.remembered = remembered
    return queue


def _new_writer(settings: Settings, clock: Clock) -> DiskWriter:
    return DiskWriter(
        writers=settings.writers,
        in_flight_limit=settings.in_flight_limit,
        fsync=settings.fsync,
        clock=clock,
    )

"""Handle Ctrl+C, SIGTERM and SIGHUP in a run without a dashboard, or before it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Self

from tui.core.rules.exit_status import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Interrupts:
    """Context manager that turns signals into an event.

    The first SIGINT or SIGTERM requests a clean shutdown; the second one exits
    immediately, which is safe because the files on disk can be resumed at any time.
    SIGHUP (a closed terminal) is ignored, as in wget.

    Args:
        on_forced_exit: called right before the immediate exit; must be quick.
    """

    def __init__(self, on_forced_exit: Callable[[], None] = lambda: None) -> None:
        self._at_once = on_forced_exit
        self._loop: asyncio.AbstractEventLoop
        self.arrived = asyncio.Event()
        self.signal_name = ""

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self.interrupt, number)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.remove_signal_handler(number)

    def interrupt(self, number: signal.Signals) -> None:
        """Handle a signal; the second call does not return."""
        if self.arrived.is_set():
            self._at_once()
            os._exit(INTERRUPTED)
        self.signal_name = number.name
        self.arrived.set()

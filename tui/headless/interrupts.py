"""ctrl+c, SIGTERM and a closed terminal, for a run without a dashboard."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

INTERRUPTED = 130
"""Exit status of an interrupted run, by the shells' custom of 128 + SIGINT."""


class Interrupts:
    """Turns signals into a fact to wait for, for as long as the block lasts.

    The first SIGINT or SIGTERM asks for an orderly end, the second one ends the
    process at once: everything on disk is resumable at any moment. SIGHUP, a closed
    terminal, is no reason to stop, as with wget.

    Args:
        at_once: called before the process is ended at once; must be quick.
    """

    def __init__(self, at_once: Callable[[], None] = lambda: None) -> None:
        self._at_once = at_once
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
        """Take a signal; the second one does not return."""
        if self.arrived.is_set():
            self._at_once()
            os._exit(INTERRUPTED)
        self.signal_name = number.name
        self.arrived.set()

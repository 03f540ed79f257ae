"""Signals that stop the program, and the streams of a terminal that is gone."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


def detach_dead_streams() -> None:
    """Redirect stdout and stderr to the null device if their terminal is gone.

    The interpreter flushes both when it exits; if that fails, it replaces the exit
    status with 120 (Python's manual, ``sys.exit``).
    """
    for fd in (1, 2):
        try:
            os.tcgetpgrp(fd)
        except OSError as error:
            if error.errno == errno.EIO:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, fd)
                os.close(null)


class StopSignals:
    """Context manager that turns SIGTERM, SIGHUP and SIGINT into a call."""

    _SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stop: Callable[[], object]
    ) -> None:
        """Call ``stop`` on the running ``loop`` for each of the signals."""
        self._loop = loop
        self._stop = stop
        self._handled: list[signal.Signals] = []

    def __enter__(self) -> None:
        for number in self._SIGNALS:
            try:
                self._loop.add_signal_handler(number, self._stop)
            except (RuntimeError, ValueError):
                continue  # not in the main thread
            self._handled.append(number)

    def __exit__(self, *_: object) -> None:
        for number in self._handled:
            self._loop.remove_signal_handler(number)

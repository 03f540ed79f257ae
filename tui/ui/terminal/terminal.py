"""A terminal that may stall or die without taking the downloads along.

Textual writes through a thread with a queue of 30 pieces; putting into the full queue
blocks the event loop, and with it every download. A terminal that is not read (a
stalled SSH session, a stopped pager) did that for 4.4 s, one that died did it for ever
(measured with 8.2.8). Here a write never waits: frames are skipped while the queue
is long, and a dead terminal swallows everything and says so.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from queue import Empty, Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, TextIO

from tui.ui.terminal.title import TerminalTitle, takes_progress, takes_title

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from textual.driver import Driver

BACKLOG = 9
"""Pieces waiting for the terminal at which frames are skipped; a frame is three."""
_ROOM = 64
_FAREWELL_S = 0.5


class TerminalWriter(Thread):
    """Writes pieces in order; never makes the caller wait."""

    def __init__(self, file: TextIO) -> None:
        """Take the terminal's file."""
        super().__init__(daemon=True, name="terminal-output")
        self._file = file
        self._queue: Queue[str | None] = Queue(_ROOM)
        self.is_dead = False
        """Writing failed: there is no terminal any more."""
        self.has_lost = False
        """Something was thrown away, so what the terminal shows is not known."""

    @property
    def backlog(self) -> int:
        """Pieces that the terminal has not taken yet."""
        return self._queue.qsize()

    def put(self, piece: str) -> None:
        """Queue a piece, or drop it if the terminal has not kept up at all."""
        if self.is_dead:
            return
        try:
            self._queue.put_nowait(piece)
        except Full:
            self.has_lost = True

    def run(self) -> None:
        """Write until told to stop, or until the terminal is gone."""
        try:
            while (piece := self._queue.get()) is not None:
                self._file.write(piece)
                if self._queue.empty():
                    self._file.flush()
            self._file.flush()
        except (OSError, ValueError):
            self.is_dead = True
            self._drop_all()

    def _drop_all(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            pass

    def finish(self) -> None:
        """Write what is queued, as far as the terminal takes it in half a second.

        A terminal that does not read must not keep the process from ending; the
        thread is a daemon and ends with it.
        """
        if not self.is_alive():
            return
        try:
            self._queue.put(None, timeout=_FAREWELL_S)
        except Full:
            return
        self.join(_FAREWELL_S)


def guarded_driver() -> type[Driver] | None:
    """Return a driver that never blocks; ``None`` keeps Textual's choice.

    Only the driver for Unix terminals is guarded.
    """
    if sys.platform == "win32" or not sys.__stdin__ or not sys.__stderr__:
        return None
    if "TEXTUAL_DRIVER" in os.environ:
        return None
    from tui.ui.terminal.driver import GuardedDriver

    return GuardedDriver


def is_behind(driver: Driver | None) -> bool:
    """Whether the terminal has not yet taken what was drawn before."""
    writer = getattr(driver, "writer", None)
    return isinstance(writer, TerminalWriter) and writer.backlog >= BACKLOG


def announcer_for(driver: Driver | None) -> TerminalTitle | None:
    """Let a driver of ours tell title and progress; ``None`` for any other one."""
    if not hasattr(driver, "closing"):
        return None
    guarded: Any = driver
    announcer = TerminalTitle(
        guarded.write, has_title=takes_title(), has_progress=takes_progress()
    )
    guarded.opening, guarded.closing = announcer.opening, announcer.closing
    guarded.write(announcer.opening)  # it has begun already
    return announcer


def is_gone(driver: Driver | None) -> bool:
    """Whether there is no terminal any more."""
    writer = getattr(driver, "writer", None)
    is_dead = isinstance(writer, TerminalWriter) and writer.is_dead
    return is_dead or bool(getattr(driver, "is_input_dead", False))


def take_losses(driver: Driver | None) -> bool:
    """Whether something was dropped since the last call, so all must be drawn anew."""
    writer = getattr(driver, "writer", None)
    if not isinstance(writer, TerminalWriter) or not writer.has_lost:
        return False
    writer.has_lost = False
    return True


def let_go_of_dead() -> None:
    """Point stdout and stderr nowhere if the terminal behind them is gone.

    The interpreter flushes both when it ends; where nobody takes it, it would end with
    status 120 instead of ours (Python's manual, ``sys.exit``).
    """
    for fd in (1, 2):
        try:
            os.tcgetpgrp(fd)
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, fd)
                os.close(nowhere)
        except AttributeError:
            return  # Windows has no such terminals


class StopSignals:
    """Turns SIGTERM, SIGHUP and SIGINT into a call, as long as it is in use."""

    _NAMES = ("SIGTERM", "SIGHUP", "SIGINT")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stop: Callable[[], object]
    ) -> None:
        """Take the running loop and what to call."""
        self._loop = loop
        self._stop = stop
        self._taken: list[int] = []

    def __enter__(self) -> None:
        for name in self._NAMES:
            number = getattr(signal, name, None)
            if number is None:
                continue
            try:
                self._loop.add_signal_handler(number, self._stop)
            except (NotImplementedError, RuntimeError, ValueError):
                continue  # Windows, or not the main thread
            self._taken.append(number)

    def __exit__(self, *_: object) -> None:
        for number in self._taken:
            self._loop.remove_signal_handler(number)

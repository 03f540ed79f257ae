"""Textual's driver for Unix terminals, with a writer that never waits."""

from __future__ import annotations

import os
import sys
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from selectors import EVENT_READ, SelectSelector
from typing import TYPE_CHECKING, Any

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import MouseMove

from tui.ui.terminal.terminal import TerminalWriter

if TYPE_CHECKING:
    from textual.message import Message

_LOOK_S = 0.1
"""Between two looks at whether an escape key is one, or begins a sequence."""
MOVE_EVERY_S = 0.02
"""Moves of the mouse closer together than this are passed over."""


class GuardedDriver(LinuxDriver):
    """Textual's driver with a writer that never waits.

    ``opening`` and ``closing`` are written around every stay on the screen, those
    between two suspensions included.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what Textual's driver takes."""
        super().__init__(*args, **options)
        self.writer: TerminalWriter | None = None
        self.is_input_dead = False
        self.opening = self.closing = ""
        self._next_move_at_s = 0.0
        # Open to the end of the process: select() takes no number above 1023, and
        # after a suspension others may have all the low ones.
        self._wake_from, self._wake_by = os.pipe()
        os.set_blocking(self._wake_from, False)

    def start_application_mode(self) -> None:
        """Take the screen, and begin to write."""
        if self.writer is None or not self.writer.is_alive():
            self.writer = TerminalWriter(sys.__stderr__ or sys.stderr)
            self.writer.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write(self.opening)

    def send_message(self, message: Message) -> None:
        """Pass on what came in, but not every move of the mouse."""
        # Called in the thread that reads keys. Each message costs a turn of the
        # loop, and a mouse sends a thousand moves a second: hovering needs fifty.
        if isinstance(message, MouseMove) and not message.button:
            now = time.monotonic()
            if now < self._next_move_at_s:
                return
            self._next_move_at_s = now + MOVE_EVERY_S
        super().send_message(message)

    def stop_application_mode(self) -> None:
        """Give the screen back as it was."""
        self.write(self.closing)
        super().stop_application_mode()

    def write(self, data: str) -> None:
        """Queue something for the terminal."""
        if self.writer is not None:
            self.writer.put(data)

    def close(self) -> None:
        """Write what is queued, as far as the terminal takes it."""
        if self.writer is not None:
            self.writer.finish()
        # Textual's own writer was given nothing. It is told to end and not waited
        # for: it flushes the file, which a stalled terminal can hold for ever.
        thread, self._writer_thread = self._writer_thread, None
        if thread is not None:
            thread.write(None)  # type: ignore[arg-type]  # what ends it

    def run_input_thread(self) -> None:
        """Read keys until the end, or until there is no terminal."""
        try:
            self._read_input()
        except OSError:
            # The terminal went away under a read; the next tick notices.
            self.is_input_dead = True

    def disable_input(self) -> None:
        """Stop reading keys, at once."""
        os.write(self._wake_by, b"x")
        super().disable_input()

    def _read_input(self) -> None:
        # As Textual's own does it (8.2.8), which looks ten times a second whether it
        # shall end, and then waits for as long once more: up to 0.2 s of every exit.
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        with suppress(BlockingIOError):
            os.read(self._wake_from, 64)  # left from the last time
        with SelectSelector() as selector:
            selector.register(self.fileno, EVENT_READ)
            selector.register(self._wake_from, EVENT_READ)
            while not self.exit_event.is_set():
                for key, _ in selector.select(_LOOK_S):
                    if key.fd == self._wake_from:
                        os.read(self._wake_from, 64)
                        continue
                    data = os.read(key.fd, 4096)
                    if not data:
                        raise OSError("end of input")
                    text = decode(data)
                    for message in parser.feed(text) if text else ():
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

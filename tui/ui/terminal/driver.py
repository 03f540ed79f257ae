"""Textual's driver for Unix terminals, writing through ``TerminalWriter``.

The functions take any driver, since tests and ``TEXTUAL_DRIVER`` use others.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from codecs import getincrementaldecoder
from contextlib import AbstractContextManager, nullcontext, suppress
from selectors import EVENT_READ, SelectSelector
from typing import TYPE_CHECKING, Any, TextIO

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import AppBlur, AppFocus, InputEvent, MouseMove, Paste, Resize
from textual.message import Message

from tui.core.quick.pattern import late_pattern
from tui.ui.terminal.paste import END, START, Keys, Pasted, PasteReader
from tui.ui.terminal.title import TerminalTitle, supports_progress, supports_title
from tui.ui.terminal.writer import BACKLOG, TerminalWriter, open_again

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver
    from textual.events import Event

_IDLE_S = 0.1
"""Interval at which the end of the program is checked."""
_PENDING_S = 0.02
"""The same while an ESC waits: it is a key, or the start of a sequence."""
_ERASE = "\x1b[2J"
_LONE_ESCAPE = late_pattern("\x1b(?=[\r\n ])")
"""Esc, with the next key right behind it, as over a slow connection. Textual (8.2.8)
drops it: Enter would confirm what Esc was to leave."""
_ESCAPE = "\x1b[27u"
"""The same in the Kitty protocol, which cannot be mistaken for a prefix."""
MOVE_EVERY_S = 0.02
"""Mouse moves closer together than this are ignored."""


class PasteProblem(Message):
    """A paste was too long, or has no end."""

    def __init__(self, *, is_open: bool) -> None:
        """Store which of both."""
        super().__init__()
        self.is_open = is_open


class GuardedDriver(LinuxDriver):
    """Textual's driver with a writer that never blocks the event loop.

    ``opening`` is written whenever the screen is taken over and ``closing`` whenever it
    is given back, also around a suspension.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Accept the arguments of Textual's driver."""
        super().__init__(*args, **options)
        self.writer: TerminalWriter | None = None
        self.is_input_dead = False
        self.opening = self.closing = ""
        self._next_move_at_s = 0.0
        # Kept open until the process ends: select() accepts no descriptor above 1023,
        # and after a suspension all low ones may be in use.
        self._wake_from, self._wake_by = os.pipe()
        os.set_blocking(self._wake_from, False)
        # Textual (8.2.8) handles these where they interrupt the program, and both write
        # to the terminal: within a write, that waits for a lock that is never released.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._sigtstp_application)
        loop.add_signal_handler(signal.SIGCONT, self._continue)

    def start_application_mode(self) -> None:
        """Switch to the alternate screen and start the writer."""
        if self.writer is None or not self.writer.is_alive():
            stream = terminal_stream()
            self.writer = TerminalWriter(stream, open_again(stream))
            self.writer.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write(self.opening)

    def send_message(self, message: Message) -> None:
        """Forward input messages, dropping most mouse moves."""
        # Called in the input thread. Each message costs an iteration of the event
        # loop, and a mouse sends a thousand moves a second: hovering needs fifty.
        if isinstance(message, MouseMove) and not message.button:
            now = time.monotonic()
            if now < self._next_move_at_s:
                return
            self._next_move_at_s = now + MOVE_EVERY_S
        super().send_message(message)

    def stop_application_mode(self) -> None:
        """Restore the normal screen."""
        # A tmux window that has become narrower keeps what was cut off, and puts it
        # into the scrollback together with the rest when the screen is given back.
        self.write(self.closing + _ERASE)
        super().stop_application_mode()

    def write(self, data: str) -> None:
        """Queue output for the terminal."""
        if self.writer is not None:
            self.writer.put(data)

    def _continue(self) -> None:
        """Take the terminal over after a suspension, or once more after SIGSTOP.

        After SIGSTOP, a shell may have used the terminal. Textual (8.2.8) would start a
        second thread that reads keys, and the program would never end.
        """
        has_terminal = self._key_thread is not None and self._key_thread.is_alive()
        if not (has_terminal or self._must_signal_resume):
            return  # it is ending, and has given the terminal back
        if has_terminal and self._auto_restart:
            self.suspend_application_mode()
        self._sigcont_application()
        if has_terminal and self.writer is not None:
            self.writer.has_lost = True  # so that all of the screen is drawn

    def close(self) -> None:
        """Flush what is queued, as far as the terminal accepts it."""
        if self.writer is not None:
            self.writer.finish()
        # Textual's own writer was never used. It is asked to stop but not joined: it
        # flushes the file, which can block for ever on a stalled terminal.
        thread, self._writer_thread = self._writer_thread, None
        if thread is not None:
            thread.write(None)  # type: ignore[arg-type]  # the stop marker

    def run_input_thread(self) -> None:
        """Read keys until the dashboard closes or the terminal is gone."""
        try:
            self._read_input()
        except OSError:
            # The terminal disappeared during a read; the next tick notices.
            self.is_input_dead = True

    def disable_input(self) -> None:
        """Stop reading keys immediately."""
        os.write(self._wake_by, b"x")
        super().disable_input()

    def _read_input(self) -> None:
        # Follows Textual's own loop (8.2.8), which checks ten times a second whether to
        # stop and then waits that long once more: up to 0.2 s of every exit. Here a
        # pipe wakes and ends it; it may do so before the event is set.
        parser = XTermParser(self._debug)
        pastes = PasteReader()
        # Input is not always UTF-8: X10 mouse reports, a paste of other bytes.
        decode = getincrementaldecoder("utf-8")("replace").decode
        with suppress(BlockingIOError):
            os.read(self._wake_from, 64)  # bytes of an earlier stop
        with SelectSelector() as selector:
            selector.register(self.fileno, EVENT_READ)
            selector.register(self._wake_from, EVENT_READ)
            is_over = False
            while not (is_over or self.exit_event.is_set()):
                is_pending = pastes.is_waiting or parser._timeout_time is not None
                for key, _ in selector.select(_PENDING_S if is_pending else _IDLE_S):
                    if key.fd == self._wake_from:
                        is_over = True
                        continue
                    data = os.read(key.fd, 4096)
                    if not data:
                        raise OSError("end of input")
                    self._process(pastes.feed(decode(data), time.monotonic()), parser)
                self._process(pastes.tick(time.monotonic()), parser)
                for message in parser.tick():
                    self.process_message(message)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _process(self, found: list[Keys | Pasted], parser: XTermParser) -> None:
        for item in found:
            if isinstance(item, Keys):
                for message in parser.feed(_LONE_ESCAPE.sub(_ESCAPE, item.text)):
                    self.process_message(message)
                continue
            # An empty paste ends a sequence that the parser may wait for.
            for message in parser.feed(START + END):
                if not isinstance(message, Paste):
                    self.process_message(message)
            self.process_message(Paste(item.text))
            if item.is_cut or item.is_open:
                self.process_message(PasteProblem(is_open=item.is_open))


def terminal_stream() -> TextIO:
    """Return the standard stream that is the terminal.

    Textual draws on stderr, which ``fetchtui list 2>err.log`` makes a file.
    """
    for stream in (sys.__stderr__, sys.__stdout__):
        if stream is not None and stream.isatty():
            return stream
    return sys.__stderr__ or sys.stderr


def guarded_driver() -> type[Driver] | None:
    """Return ``GuardedDriver``; ``None`` keeps Textual's choice of a driver."""
    if not sys.__stdin__ or not sys.__stderr__ or "TEXTUAL_DRIVER" in os.environ:
        return None
    return GuardedDriver


def is_behind(driver: Driver | None) -> bool:
    """Return True while the terminal has frames left to draw."""
    writer = getattr(driver, "writer", None)
    return isinstance(writer, TerminalWriter) and writer.backlog >= BACKLOG


def writing_together(driver: Driver | None) -> AbstractContextManager[None]:
    """Write what is drawn meanwhile as one piece."""
    writer = getattr(driver, "writer", None)
    return writer.together() if isinstance(writer, TerminalWriter) else nullcontext()


def is_gone(driver: Driver | None) -> bool:
    """Return True once the terminal is gone."""
    writer = getattr(driver, "writer", None)
    is_dead = isinstance(writer, TerminalWriter) and writer.is_dead
    return is_dead or bool(getattr(driver, "is_input_dead", False))


def is_too_late(app: App[Any], event: Event) -> bool:
    """Return True for input that arrives while an application closes.

    It has no screen any more then, and Textual fails to find one (8.2.8).
    """
    is_input = isinstance(event, InputEvent | Paste | Resize | AppFocus | AppBlur)
    return is_input and not app.screen_stack


def take_losses(driver: Driver | None) -> bool:
    """Return True if output was dropped since the last call: redraw everything."""
    writer = getattr(driver, "writer", None)
    if not isinstance(writer, TerminalWriter) or not writer.has_lost:
        return False
    writer.has_lost = False
    return True


def title_for(driver: Driver | None) -> TerminalTitle | None:
    """Return what sets title and progress; ``None`` unless ``driver`` is guarded."""
    if not isinstance(driver, GuardedDriver):
        return None
    title = TerminalTitle(
        driver.write, has_title=supports_title(), has_progress=supports_progress()
    )
    driver.opening, driver.closing = title.opening, title.closing
    driver.write(title.opening)  # the driver has started already
    return title

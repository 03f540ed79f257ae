"""Terminals that stall, die or are closed: the loop continues and the exit is clean."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import tty
from contextlib import suppress

import pytest
from textual._xterm_parser import XTermParser

from tests.ui.dashboards import dashboard
from tests.ui.latency import Terminal
from tui.cli import preflight
from tui.headless.terminal import can_show_dashboard, dashboard_problem
from tui.ui.terminal.driver import GuardedDriver
from tui.ui.terminal.paste import PasteReader
from tui.ui.terminal.writer import BACKLOG, TerminalWriter, open_again


class StalledFile:
    """A terminal that reads nothing until the test lets it."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.written: list[str] = []

    def write(self, piece: str) -> None:
        self.go.wait(10)
        self.written.append(piece)

    def flush(self) -> None:
        pass


class DeadFile:
    def write(self, piece: str) -> None:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        pass


@pytest.mark.alone
def test_a_stalled_terminal_never_blocks_the_writer():
    file = StalledFile()
    writer = TerminalWriter(file)
    writer.start()
    for number in range(1000):
        writer.put(str(number))
    assert writer.backlog >= BACKLOG
    assert writer.has_lost
    started = time.monotonic()
    writer.finish()
    assert time.monotonic() - started < 3
    file.go.set()
    writer.join(5)
    assert file.written[:3] == ["0", "1", "2"]


def test_output_arrives_in_order_and_finish_waits_for_it():
    file = StalledFile()
    file.go.set()
    writer = TerminalWriter(file)
    writer.start()
    for number in range(20):
        writer.put(str(number))
    writer.finish()
    assert file.written == [str(number) for number in range(20)]


def test_a_dead_terminal_is_detected_and_output_is_discarded():
    writer = TerminalWriter(DeadFile())
    writer.start()
    writer.put("a")
    writer.join(5)
    assert writer.is_dead
    for _ in range(1000):
        writer.put("b")
    writer.finish()


@pytest.fixture
def pseudo_terminal():
    """Return the side of the user, and the side of the program as a file."""
    reader, slave = os.openpty()
    tty.setraw(slave)
    with os.fdopen(reader, "rb", buffering=0) as user:
        file = os.fdopen(slave, "w", encoding="utf-8")
        yield user, file
        with suppress(OSError):  # the user may be gone
            file.close()


def read_exactly(user, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += user.read(size - len(got))
    return got


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="/dev/pts")


@needs_linux
def test_what_a_terminal_accepts_is_written_by_the_caller(pseudo_terminal):
    user, file = pseudo_terminal
    writer = TerminalWriter(file, open_again(file))  # its thread is not started
    writer.put("░")
    writer.put("x")
    assert read_exactly(user, 4).decode() == "░x"
    assert writer.backlog == 0
    assert os.get_blocking(file.fileno()), "others use this descriptor"
    writer.finish()


@needs_linux
def test_what_a_terminal_does_not_accept_follows_in_order(pseudo_terminal):
    user, file = pseudo_terminal
    writer = TerminalWriter(file, open_again(file))
    pieces = [f"{number}░" * 1000 for number in range(BACKLOG * 4)]
    for piece in pieces:  # more than it has space for, and nobody reads
        writer.put(piece)
    assert writer.backlog
    writer.start()
    wanted = "".join(pieces).encode()
    assert read_exactly(user, len(wanted)) == wanted
    writer.finish()


@needs_linux
@needs_linux
def test_what_is_put_together_is_written_at_once_and_in_order(pseudo_terminal):
    _, file = pseudo_terminal
    written: list[bytes] = []
    writer = TerminalWriter(file, open_again(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda _, data: written.append(data) or len(data))
        writer.put("a")
        with writer.together():
            writer.put("b")
            other = threading.Thread(target=writer.put, args=["key"])
            other.start()
            other.join()
            writer.put("c")
        with writer.together():
            pass
        writer.put("d")
    assert written == [b"a", b"key", b"bc", b"d"]
    writer.finish()


def test_a_terminal_that_is_gone_is_noticed_by_the_caller(pseudo_terminal):
    user, file = pseudo_terminal
    writer = TerminalWriter(file, open_again(file))
    user.close()
    writer.put("x")
    assert writer.is_dead
    writer.finish()


def test_only_a_terminal_is_opened_again(tmp_path):
    with open(tmp_path / "file", "w") as file:
        assert open_again(file) is None


async def test_frames_are_dropped_while_the_terminal_is_behind(monkeypatch):
    async with dashboard() as board:
        drawn = []
        app = board.app
        monkeypatch.setattr(
            type(app).__mro__[1], "_display", lambda *arguments: drawn.append(1)
        )
        monkeypatch.setattr("tui.ui.app.is_behind", lambda driver: True)
        board.main.refresh()
        await board.wait_idle()
        assert not drawn
        assert app._is_stale
        monkeypatch.setattr("tui.ui.app.is_behind", lambda driver: False)
        app._catch_up()
        await board.wait_idle()
        assert drawn
        assert not app._is_stale


async def test_a_frame_is_written_as_one_piece(monkeypatch):
    async with dashboard() as board:
        pieces: list[str] = []
        writer = TerminalWriter(StalledFile())
        monkeypatch.setattr(writer, "_write_now", lambda piece: pieces.append(piece))
        monkeypatch.setattr(board.app._driver, "writer", writer, raising=False)
        monkeypatch.setattr(board.app._driver, "write", writer.put)
        monkeypatch.setattr(type(board.app), "is_headless", False)
        board.app._sync_available = True
        board.main._on_timer_update()
        pieces.clear()
        board.main._timer.stop()
        board.main.refresh()
        board.main._on_timer_update()
        (frame,) = pieces
        assert frame.startswith("\x1b[?2026h")
        assert "running.bin" in frame
        assert frame.endswith("\x1b[?2026l")


async def test_a_lost_terminal_ends_the_dashboard(monkeypatch):
    async with dashboard() as board:
        monkeypatch.setattr("tui.ui.terminal.guarded_app.is_gone", lambda driver: True)
        await board.tick()
        assert board.app.return_value == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_restore_the_terminal_and_exit_with_130(program, number):
    program.process.send_signal(number)
    program.drain(30)
    assert program.process.wait(30) == 130
    assert "\x1b[?1049l" in program.text, "the shell's screen is restored"
    assert "\x1b[?25h" in program.text, "the cursor is visible"
    assert "\x1b[?1003l" in program.text, "mouse reporting is off"


def test_ctrl_c_twice_restores_the_terminal_and_exits_with_130(program):
    program.press("\x03\x03")
    program.drain(30)
    assert program.process.wait(30) == 130
    text = program.text
    # The screen is erased before it is given back.
    erased = text.index("\x1b[2J")
    assert text.rindex("\x1b[?2026h") < erased < text.index("\x1b[?1049l")


def test_a_closed_terminal_ends_the_program(program):
    program.close()
    assert program.process.wait(30) in (130, -signal.SIGHUP)


def test_an_unread_terminal_does_not_block_the_loop(program):
    # Two seconds without reading fill any pty's buffer at ten frames a second.
    threading.Event().wait(2)
    before = reported_at(program)
    for _ in range(300):
        if reported_at(program) > before:
            break
        threading.Event().wait(0.1)
    else:
        pytest.fail("the loop waits for the terminal")
    assert program.process.poll() is None
    assert program.wait_for(program.pattern("ubuntu"), 30) is not None


def reported_at(program) -> int:
    """Return when the loop last wrote its gaps, as it does every 10 ms."""
    return program.report.stat().st_mtime_ns if program.report.exists() else 0


def test_no_frame_clears_the_screen_and_every_frame_is_synchronised(program):
    three = re.compile("(?:\x1b\\[\\?2026h.*?){3}", re.DOTALL)
    assert program.wait_for(three, 30) is not None
    assert "\x1b[2J" not in program.text
    assert (
        abs(program.text.count("\x1b[?2026h") - program.text.count("\x1b[?2026l")) <= 1
    )


def test_a_driver_with_its_own_display_needs_no_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    assert not can_show_dashboard()
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
    assert can_show_dashboard()
    assert not dashboard_problem()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_without_cursor_movement_gets_a_reason(monkeypatch, capsys, term):
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    monkeypatch.setattr("os.isatty", lambda fd: True)
    assert not preflight.can_show_dashboard(is_wanted=True)
    told = capsys.readouterr().err
    assert told.startswith("note: no dashboard: TERM")
    assert "xterm-256color" in told
    assert not preflight.can_show_dashboard(is_wanted=False)
    monkeypatch.setattr("os.isatty", lambda fd: False)
    assert not preflight.can_show_dashboard(is_wanted=True)
    assert not capsys.readouterr().err, "a pipe needs no reason"


async def test_the_engine_is_notified_of_a_suspension():
    async with dashboard() as board:
        board.app._note_suspension(None)
        board.app._suspended_at_s -= 60
        board.app._report_suspension(None)
        verb, seconds = board.main.service.last
        assert verb == "note_suspension"
        assert 60 <= seconds < 70
        assert board.message().startswith("Back after 1m")


@pytest.mark.parametrize("redirection", ["2>err.log", "2>>err.log", "2>/dev/null"])
def test_the_dashboard_is_drawn_on_the_terminal_if_stderr_is_a_file(
    tmp_path, redirection
):
    command = f"cd {tmp_path}; exec {sys.executable} -m tests.ui.fake_run gap"
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.getcwd()}
    run = Terminal(["sh", "-c", f"{command} {redirection}"], environment)
    try:
        assert run.wait_for(run.pattern("ubuntu"), 30) is not None
        run.press("?")
        assert run.wait_for(run.pattern("type to search"), 30) is not None
        run.process.send_signal(signal.SIGTERM)
        run.drain(5)
        assert run.process.wait(30) == 130
        assert "\x1b[?1049l" in run.text
    finally:
        run.process.kill()
        run.close()
    log = tmp_path / "err.log"
    text = log.read_text() if log.exists() else ""
    assert "\x1b" not in text, "at most the summary"
    assert "ubuntu-24" not in text.partition("\n")[0]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"\x1b\r", ["escape", "enter"]),
        (b"\x1b ", ["escape", "space"]),
        (b"\x1b\x1b\r", ["escape", "escape", "enter"]),
        (b"\x1b[A\r", ["up", "enter"]),
    ],
)
def test_escape_counts_even_if_the_next_key_arrives_with_it(typed, keys):
    """As over a slow connection: what Escape leaves must not be confirmed by Enter."""
    driver = GuardedDriver.__new__(GuardedDriver)
    seen = []
    driver.process_message = lambda message: seen.append(message.key)
    parser = XTermParser()
    for found in PasteReader().feed(typed.decode(), 0.0):
        driver._process([found], parser)
    assert seen == keys


def test_input_ends_as_soon_as_it_is_woken():
    """Textual sets the event only after the wake-up, when the thread waits again."""
    driver = GuardedDriver.__new__(GuardedDriver)
    driver._debug = False
    driver.exit_event = threading.Event()
    driver.fileno, keys = os.pipe()
    driver._wake_from, driver._wake_by = os.pipe()
    os.set_blocking(driver._wake_from, False)
    is_reading = threading.Event()
    driver.process_message = lambda message: is_reading.set()
    thread = threading.Thread(target=driver.run_input_thread, daemon=True)
    thread.start()
    os.write(keys, b"a")
    assert is_reading.wait(10)
    os.write(driver._wake_by, b"x")
    thread.join(5)
    is_over = not thread.is_alive()
    driver.exit_event.set()
    thread.join(5)
    for descriptor in (driver.fileno, keys, driver._wake_from, driver._wake_by):
        os.close(descriptor)
    assert is_over

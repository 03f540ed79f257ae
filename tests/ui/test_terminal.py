"""Terminals that stall, die or are closed: the loop goes on, the end is clean."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tests.ui.dashboards import dashboard
from tui.headless.terminal import can_show_dashboard
from tui.ui.terminal.writer import BACKLOG, TerminalWriter


class StalledFile:
    """A terminal that takes nothing until it is told to."""

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


def test_a_terminal_that_takes_nothing_never_makes_the_writer_wait():
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


def test_pieces_arrive_in_order_and_the_end_is_waited_for():
    file = StalledFile()
    file.go.set()
    writer = TerminalWriter(file)
    writer.start()
    for number in range(20):
        writer.put(str(number))
    writer.finish()
    assert file.written == [str(number) for number in range(20)]


def test_a_dead_terminal_is_noticed_and_swallows_the_rest():
    writer = TerminalWriter(DeadFile())
    writer.start()
    writer.put("a")
    writer.join(5)
    assert writer.is_dead
    for _ in range(1000):
        writer.put("b")
    writer.finish()


async def test_frames_are_left_out_while_the_terminal_is_behind(monkeypatch):
    async with dashboard() as board:
        drawn = []
        app = board.app
        monkeypatch.setattr(
            type(app).__mro__[1], "_display", lambda *arguments: drawn.append(1)
        )
        monkeypatch.setattr("tui.ui.app.is_behind", lambda driver: True)
        board.main.refresh()
        await board.settle()
        assert not drawn
        assert app._is_stale
        monkeypatch.setattr("tui.ui.app.is_behind", lambda driver: False)
        app._catch_up()
        await board.settle()
        assert drawn
        assert not app._is_stale


async def test_a_lost_terminal_ends_the_dashboard(monkeypatch):
    async with dashboard() as board:
        monkeypatch.setattr("tui.ui.app.is_gone", lambda driver: True)
        await board.tick()
        assert board.app.return_value == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_a_clean_terminal_and_status_130(program, number):
    program.process.send_signal(number)
    program.drain(5)
    assert program.process.wait(10) == 130
    assert "\x1b[?1049l" in program.text, "the shell's screen is back"
    assert "\x1b[?25h" in program.text, "and so is its cursor"
    assert "\x1b[?1003l" in program.text, "and the mouse is its own"


def test_ctrl_c_twice_leaves_a_clean_terminal_and_status_130(program):
    program.press("\x03\x03")
    program.drain(5)
    assert program.process.wait(10) == 130
    assert "\x1b[?1049l" in program.text


def test_a_closed_terminal_ends_the_program(program):
    program.close()
    assert program.process.wait(10) in (130, -signal.SIGHUP)


def test_the_loop_turns_while_nobody_reads_the_terminal(program):
    # Two seconds without reading fill any pty's buffer at ten frames a second.
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        program.process.poll()
        threading.Event().wait(0.1)
    assert program.process.poll() is None
    assert float(program.report.read_text()) < 1.0
    assert program.wait_for(program.pattern("ubuntu"), 5) is not None


def test_no_frame_clears_the_screen_and_every_frame_is_synchronised(program):
    program.drain(1)
    assert "\x1b[2J" not in program.text
    assert program.text.count("\x1b[?2026h") >= 3
    assert (
        abs(program.text.count("\x1b[?2026h") - program.text.count("\x1b[?2026l")) <= 1
    )


def test_a_driver_that_brings_its_own_place_needs_no_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    assert not can_show_dashboard()
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
    assert can_show_dashboard()


async def test_the_engine_hears_how_long_the_process_was_stopped():
    async with dashboard() as board:
        board.app._note_suspension(None)
        board.app._suspended_at_s -= 60
        board.app._report_suspension(None)
        verb, seconds = board.main.service.last
        assert verb == "stood_still"
        assert 60 <= seconds < 70
        assert board.message().startswith("Back after 1m")

"""Suspending, resizing and many mouse events in a real terminal."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
import threading

import pytest

from tui.ui.terminal.title import CLEAR_PROGRESS, CLEAR_TITLE, SAVE_TITLE


def stopped(program, *, is_read: bool) -> bool:
    """Wait until the process is stopped, 30 seconds at most."""
    for _ in range(300):
        pid, status = os.waitpid(program.process.pid, os.WUNTRACED | os.WNOHANG)
        if pid:
            return os.WIFSTOPPED(status)
        if is_read:
            kept = program.text
            program.drain(0.1)
            program.text = kept + program.text
        else:
            threading.Event().wait(0.1)
    return False


def test_ctrl_z_restores_the_terminal_and_fg_resumes(program):
    program.drain(0.5)
    program.press("\x1a")
    assert stopped(program, is_read=True)
    kept = program.text
    program.drain(0.2)
    output = kept + program.text
    for sequence in ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1003l", CLEAR_TITLE):
        assert sequence in output
    modes = termios.tcgetattr(program.master)[3]
    assert modes & termios.ICANON, "the terminal reads lines again"
    assert modes & termios.ECHO

    program.process.send_signal(signal.SIGCONT)
    assert program.wait_for(program.pattern("Back after"), 30) is not None
    assert not termios.tcgetattr(program.master)[3] & termios.ICANON
    program.press("?")
    assert program.wait_for(program.pattern("type to search"), 30) is not None


def test_sigcont_without_a_suspension_takes_the_terminal_over_again(program):
    """As after SIGSTOP, which a program cannot notice, and when tmux ends."""
    program.drain(0.5)
    for _ in range(3):
        program.process.send_signal(signal.SIGCONT)
        assert program.wait_for(program.pattern("disk queue"), 30) is not None
    program.drain(0.5)
    program.press("?")
    assert program.wait_for(program.pattern("type to search"), 30) is not None
    assert not termios.tcgetattr(program.master)[3] & termios.ICANON
    program.process.send_signal(signal.SIGTERM)
    program.drain(1)
    assert program.process.wait(30) == 130
    assert termios.tcgetattr(program.master)[3] & termios.ICANON


# Runs the dashboard, and gets SIGCONT once, in the middle of a write.
INTERRUPTED = """
import runpy, signal
from tui.ui.terminal.writer import TerminalWriter

plain, waiting = TerminalWriter._write_now, [signal.SIGCONT]

def write_now(self, piece):
    if "type to search" in piece and waiting:
        signal.raise_signal(waiting.pop())
    return plain(self, piece)

TerminalWriter._write_now = write_now
runpy.run_module("tests.ui.fake_run", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("program", [["-c", INTERRUPTED]], indirect=True)
def test_a_signal_within_a_write_does_not_freeze_the_dashboard(program):
    """The handler writes as well, and waited forever for the lock of that write."""
    program.drain(0.5)
    program.press("?")
    assert program.wait_for(program.pattern("type to search"), 30) is not None
    program.drain(0.5)
    program.press("\x1b")
    program.drain(0.5)
    program.press("?")
    assert program.wait_for(program.pattern("type to search"), 30) is not None


def test_ctrl_z_does_not_wait_for_a_terminal_that_is_not_read(program):
    threading.Event().wait(2)  # the pty's buffer is full by now
    program.press("\x1a")
    assert stopped(program, is_read=False)


def test_title_and_progress_are_set_and_cleared(program):
    assert program.wait_for(program.pattern("\x1b]9;4;"), 30) is not None
    program.process.send_signal(signal.SIGTERM)
    program.drain(30)
    assert program.process.wait(30) == 130
    assert CLEAR_PROGRESS + CLEAR_TITLE in program.text
    assert SAVE_TITLE not in program.text, "saved once, at the start"


def test_many_mouse_moves_block_neither_keys_nor_the_loop(program):
    program.drain(1.5)  # opening the dashboard is not what is measured
    for step in range(4000):
        at = f"{1 + step % 119};{1 + step % 35}"
        os.write(program.master, f"\x1b[<35;{at}M".encode())
        if step % 200 == 0:
            program.drain(0.01)
    program.press("?")
    assert program.wait_for(program.pattern("type to search"), 30) is not None
    assert program.loop_gaps()[1] < 1.0


def test_many_resizes_end_in_the_last_size(program):
    program.drain(1.5)  # opening the dashboard is not what is measured
    sizes = [(80, 24), (39, 9), (200, 60), (60, 15), (1, 1), (120, 36), (40, 10)] * 12
    for width, height in [*sizes, (100, 30)]:
        size = struct.pack("4H", height, width, 0, 0)
        fcntl.ioctl(program.master, termios.TIOCSWINSZ, size)
        program.process.send_signal(signal.SIGWINCH)
        program.drain(0.01)
    program.press("?")
    assert program.wait_for(program.pattern("\x1b[28;"), 30) is not None
    assert program.process.poll() is None
    assert program.loop_gaps()[1] < 1.5

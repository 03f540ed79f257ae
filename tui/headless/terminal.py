"""Whether there is a terminal, and what it can do."""

from __future__ import annotations

import os
import sys


def fill_closed_streams() -> None:
    """Put the null device where stdin, stdout or stderr came closed (``>&-``).

    The next file or socket would get their number otherwise: JSON would be written
    into it, and libuv ends the process when it is asked to close one of the three.
    A write to such a stdout still fails, as it does without this.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free number is the one that is missing.
            os.open(os.devnull, os.O_RDWR if fd == 2 else os.O_RDONLY)


def can_repaint(fd: int) -> bool:
    """Whether ``fd`` is a terminal that understands cursor movement."""
    return os.isatty(fd) and os.environ.get("TERM", "") not in ("", "dumb")


def can_show_dashboard() -> bool:
    """Whether there is a place for a dashboard: a terminal with a keyboard.

    Or a driver that brings a place of its own, as ``textual-serve`` does, which names
    it in ``TEXTUAL_DRIVER`` and shows the dashboard in a browser.
    """
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return can_repaint(1) and give_keyboard_back()


def give_keyboard_back() -> bool:
    """Point standard input at the terminal again after a list was read from a pipe.

    Returns whether there is one; a dashboard without it would be a trap.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return False
    os.dup2(terminal, 0)
    os.close(terminal)
    return True

"""Detect a terminal and its abilities; repair the standard streams."""

from __future__ import annotations

import os
import sys

_SET_TERM = "set it to the name of your terminal, such as xterm-256color"


def fill_closed_streams() -> None:
    """Open the null device in place of a closed stdin, stdout or stderr (``>&-``).

    Otherwise the next file or socket would get its descriptor: JSON would be written to
    it, and libuv aborts the process when asked to close one of these three. Writing to
    such a stdout still fails, as it should.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free descriptor is the missing one.
            os.open(os.devnull, os.O_RDWR if fd == 2 else os.O_RDONLY)


def can_repaint(fd: int) -> bool:
    """Return True if ``fd`` is a terminal that supports cursor movement."""
    return os.isatty(fd) and os.environ.get("TERM", "") not in ("", "dumb")


def can_show_dashboard() -> bool:
    """Return True if a dashboard can be shown: on a terminal with a keyboard.

    Also True if ``TEXTUAL_DRIVER`` names another driver, as ``textual-serve`` does to
    show the dashboard in a browser.
    """
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return can_repaint(1) and give_keyboard_back()


def dashboard_problem() -> str:
    """Return why this terminal cannot show a dashboard; "" if it can, or in a pipe."""
    if os.environ.get("TEXTUAL_DRIVER") or not os.isatty(1) or can_repaint(1):
        return ""
    term = os.environ.get("TERM", "")[:40]
    if term:
        return f"TERM={term!r} has no cursor movement; {_SET_TERM}"
    return f"TERM is not set; {_SET_TERM}"


def give_keyboard_back() -> bool:
    """Reconnect standard input to the terminal after a list was read from a pipe.

    Returns:
        False if there is no terminal: the dashboard would have no keyboard to quit it.
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

"""Whether there is a terminal, and what it can do."""

from __future__ import annotations

import os
import sys


def can_repaint(fd: int) -> bool:
    """Whether ``fd`` is a terminal that understands cursor movement."""
    return os.isatty(fd) and os.environ.get("TERM", "") not in ("", "dumb")


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

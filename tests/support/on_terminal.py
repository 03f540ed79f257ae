"""Starts a program on a terminal of its own (a pty) that a test reads and types on."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def start_on_terminal(
    command: Sequence[str], environment: Mapping[str, str], width: int, height: int
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a program; return it and the file descriptor of the other side.

    Args:
        command: program and arguments.
        environment: all variables.
        width: columns of the terminal.
        height: its lines.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    return process, master

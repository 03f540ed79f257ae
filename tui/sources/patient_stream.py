"""Read files that may be pipes or devices, so that the wait for data always ends."""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO, Self

WAIT_S = 30.0
"""Longest wait for data; a program that writes a list may take some seconds."""

SIGNALS_S = 0.1
"""Seconds after which a wait on standard input looks for signals."""


class PatientStream:
    """A file opened for reading; every read ends within ``WAIT_S``.

    A named pipe that no program writes to, and files such as ``/proc/kmsg``, would
    otherwise block the first ``open`` or ``read`` for ever.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the path contains a NUL.
    """

    def __init__(self, path: str) -> None:
        """Open the file."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self._descriptor = os.open(path, flags)
        mode = os.fstat(self._descriptor).st_mode
        self._is_new_pipe = stat.S_ISFIFO(mode)
        """True until a pipe has data: before, it looks as if it had ended."""
        if stat.S_ISDIR(mode):
            os.close(self._descriptor)
            raise IsADirectoryError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, or ``b""`` at the end.

        Raises:
            TimeoutError: there was nothing to read for ``WAIT_S``.
            OSError: the file cannot be read.
        """
        if self._is_new_pipe:
            self._wait()
            self._is_new_pipe = False
        while True:
            try:
                return os.read(self._descriptor, size)
            except BlockingIOError:
                self._wait()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(WAIT_S * 1000):
            raise TimeoutError(
                f"no data for {WAIT_S:.0f} s; use a file, or - for standard input"
            )


class StandardInput:
    """Standard input, whose reads notice every Ctrl+C.

    Python notices a signal between two instructions, or if it interrupts a system call.
    One that arrives after the last instruction and before the call blocks would stay
    unnoticed until there is data, which may be never.

    Raises:
        OSError: the stream has no descriptor, or is closed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read from the stream's descriptor; nothing may have been read from it."""
        self._descriptor = stream.fileno()

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, or ``b""`` at the end.

        Raises:
            OSError: it cannot be read.
        """
        while not select.select([self._descriptor], [], [], SIGNALS_S)[0]:
            pass  # a signal raises its exception here
        return os.read(self._descriptor, size)

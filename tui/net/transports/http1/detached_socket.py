"""A connection's socket, for a thread that reads a body past the loop."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from typing import Any

CAN_LEND = sys.platform != "win32"
"""There the loop hands a read to the system before the bytes come: they would go into
its buffer, whoever reads."""


class DetachedSocket:
    """Reads what a socket has, in a thread, while the loop leaves it alone."""

    __slots__ = ("_poll", "_sock", "is_lent", "is_stopped")

    def __init__(self, sock: socket.socket) -> None:
        """Take a socket that does not block."""
        self._sock = sock
        self._poll: Any = None
        self.is_lent = False
        """A thread may be reading."""
        self.is_stopped = False

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        """Read what is there, or wait for it. Called in a thread.

        Returns:
            Bytes; 0 if nothing came, if there is an end or a fault (which the loop
            will find), and once it is stopped.
        """
        if self.is_stopped:
            return 0
        try:
            return self._sock.recv_into(buffer)
        except BlockingIOError:
            if not wait_s:
                return 0
        except OSError:
            return 0
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._sock, select.POLLIN)
        try:
            return self._sock.recv_into(buffer) if self._poll.poll(wait_s * 1e3) else 0
        except OSError:
            return 0

    def has_more(self) -> bool:
        """Whether something waits to be read: bytes, an end or a fault.

        Called on the loop.
        """
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def stop(self) -> None:
        """End the connection at once, also for the thread. Called on the loop."""
        if not self.is_stopped:
            self.is_stopped = True
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

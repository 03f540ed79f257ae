"""A connection's socket, for a thread that reads a body outside the loop."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any


class DetachedSocket:
    """Reads from a socket in a thread while the loop leaves it alone."""

    __slots__ = ("_poll", "_sock", "is_leased", "is_stopped")

    def __init__(self, sock: socket.socket) -> None:
        """Wrap a non-blocking socket."""
        self._sock = sock
        self._poll: Any = None
        self.is_leased = False
        """A thread may be reading."""
        self.is_stopped = False

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        """Read available bytes, or wait for some. Called in a thread.

        Returns:
            Bytes read; 0 if none came, at the end of the stream or after an error (both
            of which the loop will find), and once it is stopped.
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
        """Return True if there is something to read: bytes, an end or an error.

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
        """Shut the connection down at once, for the thread too. Called on the loop."""
        if not self.is_stopped:
            self.is_stopped = True
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

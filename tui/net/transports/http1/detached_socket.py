"""A connection's socket, for a thread that reads a body outside the loop."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.net.transports.http1.tls_stream import TlsStream

_ENCRYPTED_BYTES = 512 << 10
"""Limit of one read of encrypted bytes; they are decrypted while still in the cache.
Half of it takes 4 % more processor time for 100 files of 5 MiB at concurrency 16
(``python -m tests.bench.compare --work many-tls``)."""
_LEAST_ENCRYPTED_BYTES = 32 << 10
"""The same where there is little space."""

_local = threading.local()


class DetachedSocket:
    """Reads from a socket in a thread while the loop leaves it alone."""

    __slots__ = ("_poll", "_sock", "_tls", "is_leased", "is_stopped")

    def __init__(self, sock: socket.socket, tls: TlsStream | None = None) -> None:
        """Wrap a non-blocking socket.

        Args:
            sock: of the connection.
            tls: its TLS state; it must not be tunneled. Belongs to the thread while
                the socket is leased: what is left in it is read first, here or on the
                loop.
        """
        self._sock = sock
        self._tls = tls
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
        tls = self._tls
        if tls is None:
            return self._receive_into(buffer, wait_s)
        if self.is_stopped:
            return 0
        count = tls.decrypt_into(buffer, b"", sys.maxsize) if tls.has_more else 0
        # Little more than there is space for: the rest would have to be copied.
        encrypted = _encrypted_buffer()[: max(_LEAST_ENCRYPTED_BYTES, len(buffer))]
        while not (count or tls.is_closed or tls.error):
            received = self._receive_into(encrypted, wait_s)
            if not received:
                break
            count = tls.decrypt_into(buffer, encrypted[:received], sys.maxsize)
            # Half a record decrypts to nothing; do not wait for its rest byte by byte.
            wait_s = 0
        return count

    def _receive_into(self, buffer: memoryview, wait_s: float) -> int:
        """Receive available bytes from the socket, or wait for some."""
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


def _encrypted_buffer() -> memoryview:
    """Return the buffer of the calling thread for encrypted bytes."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(_ENCRYPTED_BYTES))
    buffer: memoryview = _local.buffer
    return buffer

"""TLS as plain state: bytes in, bytes out, with OpenSSL over memory.

An ``SSLObject`` over two ``MemoryBIO``s has no socket and no loop, so the same
connection can be decrypted on the loop and, while it is leased, in a thread. OpenSSL
releases the interpreter's lock while it decrypts.
"""

from __future__ import annotations

import ssl
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RECORDS_AT_ONCE = 128
"""Records decrypted on the loop before others run: full ones hold 2 MiB, and at one
byte each they take 0.3 ms."""
_BUFFER_BYTES = 640 << 10
"""Holds what one read of the loop brings."""

_local = threading.local()


class TlsStream:
    """The TLS state of a connection.

    Not thread-safe: the loop or the thread that leases the connection uses it.
    """

    __slots__ = (
        "_below",
        "_incoming",
        "_object",
        "_outgoing",
        "_unsent",
        "error",
        "has_more",
        "is_closed",
        "offered",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        host: str,
        session: ssl.SSLSession | None = None,
        below: TlsStream | None = None,
    ) -> None:
        """Prepare the handshake.

        Args:
            context: which certificates to trust and to show.
            host: name or address that the server's certificate must be for.
            session: of an earlier connection to the same server, to resume.
            below: TLS with the proxy that this connection is tunneled through.
        """
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_hostname=host.removesuffix("."),
            session=session,
        )
        self.offered = session
        """The session that the server was asked to resume."""
        self._below = below
        self._unsent = b""
        """Held back by a renegotiation."""
        self.error: ssl.SSLError | None = None
        """Why nothing can be read anymore."""
        self.has_more = False
        """There may be more to decrypt without another byte from the socket."""
        self.is_closed = False
        """The server has announced the end of its data (close_notify)."""

    @property
    def session(self) -> ssl.SSLSession | None:
        """The session, for another connection to the same server to resume."""
        session = self._object.session
        return session if session is not None and session.has_ticket else None

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(self._object.session_reused)

    @property
    def is_tunneled(self) -> bool:
        """Whether there is another layer of TLS below."""
        return self._below is not None

    def handshake(self) -> bool:
        """Continue the handshake; return False if it needs more from the server.

        Send ``take_outgoing()`` afterwards, also after an error: it may be an alert.

        Raises:
            ssl.SSLError: it failed.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, data: bytes | memoryview) -> None:
        """Accept bytes from the socket."""
        if self._below is not None:
            data = bytes(self._below.decrypt(data))
            while self._below.has_more:
                data += self._below.decrypt()
            self.error = self.error or self._below.error
        self._incoming.write(data)

    def decrypt(self, data: bytes | memoryview = b"") -> memoryview:
        """Accept bytes from the socket and return what can be decrypted now.

        Called on the loop. Valid until the next call for any connection of this loop;
        empty if that is nothing; see ``has_more``, ``is_closed`` and ``error``. Send
        ``take_outgoing()`` afterwards.
        """
        if data:
            self.feed(data)
        buffer = _loop_buffer()
        return buffer[: self.read_into(buffer, _RECORDS_AT_ONCE)]

    def read_into(self, buffer: memoryview, max_records: int) -> int:
        """Decrypt into a buffer; return the number of bytes, 0 if there are none."""
        size, space = 0, len(buffer)
        # With a buffer it returns a count, unlike its annotation.
        read: Callable[[int, memoryview], int] = self._object.read  # type: ignore[assignment]
        incoming = self._incoming
        self.has_more = True
        try:
            for _ in range(max_records):
                # A read returns one record at most.
                count = read(space - size, buffer[size:] if size else buffer)
                if not count:
                    self.is_closed = True
                    self.has_more = False
                    break
                size += count
                if not incoming.pending and not self._object.pending():
                    self.has_more = False
                    break
                if size == space:
                    break
        except ssl.SSLWantReadError:
            self.has_more = False
        except ssl.SSLError as error:
            self.error = error
            self.has_more = False
        if self._unsent and self.error is None:
            unsent, self._unsent = self._unsent, b""
            self._write(unsent)
        return size

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt; return what to send to the socket.

        Raises:
            ssl.SSLError: the connection is unusable.
        """
        self._write(data)
        return self.take_outgoing()

    def take_outgoing(self) -> bytes:
        """Return what to send to the socket, handshake messages included."""
        data = self._outgoing.read() if self._outgoing.pending else b""
        if self._below is None:
            return data
        return self._below.encrypt(data) if data else self._below.take_outgoing()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._object.write(view) :]
        except ssl.SSLWantReadError:
            self._unsent = bytes(view)


def _loop_buffer() -> memoryview:
    """Return the buffer that all connections of a loop decrypt into, one by one."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(_BUFFER_BYTES))
    buffer: memoryview = _local.buffer
    return buffer

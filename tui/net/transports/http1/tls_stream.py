"""TLS as plain state: bytes in, bytes out, with OpenSSL over memory.

An ``SSLObject`` over two ``MemoryBIO``s has no socket and no loop, so the same
connection can be decrypted on the loop and, while it is leased, in a thread. OpenSSL
releases the interpreter's lock while it decrypts.
"""

from __future__ import annotations

import contextlib
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

_HEADER_BYTES = 5
"""Of a record: type, version, length (RFC 8446, 5.1)."""
_MAX_RECORD_BYTES = _HEADER_BYTES + (1 << 14) + 2048
"""Of TLS 1.2 (RFC 5246, 6.2.3); those of TLS 1.3 are shorter."""

_local = threading.local()


class TlsStream:
    """The TLS state of a connection.

    Not thread-safe: the loop or the thread that leases the connection uses it.
    """

    __slots__ = (
        "_below",
        "_has_unread",
        "_incoming",
        "_missing",
        "_object",
        "_outgoing",
        "_rest",
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
        self._missing = 0
        """Encrypted bytes that are still to come of the record that OpenSSL has."""
        self._rest = b""
        """Encrypted bytes that OpenSSL has not got yet."""
        self._has_unread = False
        """OpenSSL may have data, apart from the record of which bytes are missing."""
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
        self._has_unread = self.has_more = self._incoming.pending > 0
        return True

    def feed(self, data: bytes | memoryview) -> None:
        """Accept bytes from the socket without decrypting them."""
        self._feed(self._below_and_rest(data))

    def _feed(self, data: memoryview) -> None:
        """Give OpenSSL bytes of this layer, and note where their last record ends."""
        at, total = self._missing, len(data)
        while at + _HEADER_BYTES <= total:
            at = _record_end(data, at)
        if at < total:
            # Part of a header: OpenSSL cannot use it, and its length is not known.
            self._rest = bytes(data[at:])
            data = data[:at]
        self._missing = max(0, at - total)
        self._incoming.write(data)
        if self._missing > _MAX_RECORD_BYTES:
            # No record is that long: OpenSSL says what is wrong.
            self._has_unread = self.has_more = True

    def decrypt(self, data: bytes | memoryview = b"") -> memoryview:
        """Accept bytes from the socket and return what can be decrypted now.

        Called on the loop. Valid until the next call for any connection of this loop;
        empty if that is nothing; see ``has_more``, ``is_closed`` and ``error``. Send
        ``take_outgoing()`` afterwards.
        """
        buffer = _loop_buffer()
        return buffer[: self.decrypt_into(buffer, data, _RECORDS_AT_ONCE)]

    def decrypt_into(
        self, buffer: memoryview, data: bytes | memoryview, max_records: int
    ) -> int:
        """Accept bytes from the socket and decrypt as many as there is space for.

        OpenSSL gets one record at a time. It would return one record per read anyway,
        and where it finds half of one at the end, it raises an exception. Pieces of 64
        KiB took 8 % more processor time for 100 files of 5 MiB at concurrency 16
        (``python -m tests.bench.compare --work many-tls``).

        Args:
            buffer: where the decrypted bytes go.
            data: from the socket; empty for what is left.
            max_records: after which the rest is left.

        Returns:
            How many bytes were decrypted, 0 if there are none; see ``has_more``,
            ``is_closed`` and ``error``.
        """
        data = self._below_and_rest(data)
        size = at = 0
        space, total = len(buffer), len(data)
        end = self._missing
        if not end and total >= _HEADER_BYTES:
            end = _record_end(data, 0)
        # With a buffer it returns a count, unlike its annotation.
        read: Callable[[int, memoryview], int] = self._object.read  # type: ignore[assignment]
        write = self._incoming.write
        try:
            if self._has_unread:
                size = self._read_unread(buffer, max_records)
            while at < end <= total and max_records and size < space:
                write(data[at:end])
                at = end
                if end + _HEADER_BYTES <= total:
                    end = _record_end(data, end)
                max_records -= 1
                try:
                    count = read(space - size, buffer[size:])
                except ssl.SSLWantReadError:
                    continue  # it held no data, but a session ticket, for example
                if not count:
                    self.is_closed = True
                    break
                size += count
            if size == space and not self._has_unread:
                self._has_unread = self._object.pending() > 0
        except ssl.SSLError as error:
            self.error = error
        self._leave(data[at:], is_boundary=at > 0, has_record=at < end <= total)
        return size

    def _leave(self, data: memoryview, is_boundary: bool, has_record: bool) -> None:
        """Keep what was not decrypted.

        Args:
            data: the rest.
            is_boundary: whether it begins with a record.
            has_record: whether it holds a whole one.
        """
        if self.is_closed or self.error is not None:
            self.has_more = self._has_unread = False
            return
        if is_boundary:
            self._missing = 0
        self.has_more = self._has_unread or has_record
        if has_record:
            self._rest = bytes(data)
        elif data:
            self._feed(data)
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            self._write(unsent)

    def _read_unread(self, buffer: memoryview, max_records: int) -> int:
        """Read what OpenSSL has of earlier records, as far as there is space."""
        size, space = 0, len(buffer)
        read: Callable[[int, memoryview], int] = self._object.read  # type: ignore[assignment]
        self._has_unread = False
        with contextlib.suppress(ssl.SSLWantReadError):
            for _ in range(max_records):
                count = read(space - size, buffer[size:])
                if not count:
                    self.is_closed = True
                    return size
                size += count
                if size == space:
                    break
            self._has_unread = self._object.pending() > 0 or self._incoming.pending > 0
        return size

    def _below_and_rest(self, data: bytes | memoryview) -> memoryview:
        """Return what to decrypt: bytes of this layer, and before them those left."""
        if self._below is not None:
            data = bytes(self._below.decrypt(data))
            while self._below.has_more:
                data += self._below.decrypt()
            self.error = self.error or self._below.error
        if self._rest:
            data = b"".join((self._rest, data))
            self._rest = b""
        return memoryview(data)

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


def _record_end(data: memoryview, start: int) -> int:
    """Return the end of the record whose header begins at ``start``."""
    return start + _HEADER_BYTES + (data[start + 3] << 8 | data[start + 4])


def _loop_buffer() -> memoryview:
    """Return the buffer that all connections of a loop decrypt into, one by one."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(_BUFFER_BYTES))
    buffer: memoryview = _local.buffer
    return buffer

"""One connection of the built-in client: requests out, responses in."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING, cast

from tui.net.transports.base import MAX_HEAD_BYTES, SocketLease
from tui.net.transports.http1.parser import (
    ChunkedDecoder,
    Framing,
    HeadTooLarge,
    Http2Frame,
    InvalidChunk,
    InvalidHead,
    find_head_end,
    parse_head,
    starts_http2,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tui.net.transports.base import Chunk
    from tui.net.transports.http1.detached_socket import DetachedSocket
    from tui.net.transports.http1.parser import ResponseHead
    from tui.net.transports.http1.read_budget import ReadBudget
    from tui.net.transports.http1.tls_stream import TlsStream

    Buffer: TypeAlias = "bytes | memoryview"


_LARGE_BYTES = 256 << 10
"""Of such a body, the rest waits until somebody reads it."""


class NoResponse(Exception):
    """The connection ended before a response started."""


class IncompleteBody(Exception):
    """The connection ended in the middle of a body."""


class Connection(asyncio.BufferedProtocol):
    """Speaks HTTP/1 with a server, one request and one response at a time."""

    __slots__ = (
        "_budget",
        "_buffered",
        "_chunked",
        "_end",
        "_error",
        "_framing",
        "_head",
        "_interim_bytes",
        "_is_busy",
        "_is_complete",
        "_is_paused",
        "_is_reusable",
        "_is_waiting_for_budget",
        "_left",
        "_loop",
        "_on_close",
        "_partial_head",
        "_queue",
        "_socket",
        "_transport",
        "_undecoded",
        "_undecoded_at",
        "_waiter",
        "has_no_data",
        "idle_since",
        "is_open",
        "read_limit",
        "tls",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        budget: ReadBudget,
        on_close: Callable[[Connection], None],
        detached: DetachedSocket,
        tls: TlsStream | None = None,
    ) -> None:
        """Prepare the protocol of a connection that is about to be made.

        Args:
            loop: runs it.
            budget: shared with the other connections of the transport.
            on_close: called once it is closed.
            detached: reads from the same socket, in a thread.
            tls: after its handshake, if there is any.
        """
        self._socket = detached
        self.tls = tls
        """Its state, with TLS."""
        self._loop = loop
        self._budget = budget
        self._on_close = on_close
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._partial_head = b""
        self._interim_bytes = 0
        """Of interim responses before the current one."""
        self._head: ResponseHead | None = None
        self._framing = Framing.NO_BODY
        self._chunked: ChunkedDecoder | None = None
        self._undecoded = b""
        """Chunks that arrived when the budget was spent; decoded by and by."""
        self._undecoded_at = 0
        self._left = 0
        self._queue: deque[Buffer] = deque()
        self._buffered = 0
        """Bytes in the queue."""
        self._end: Exception | None = None
        """How the stream ended, until what arrived before is decoded."""
        self._error: Exception | None = None
        self._is_busy = False
        """A request was sent, and its response has not been released."""
        self._is_complete = False
        """The whole body has arrived."""
        self._is_paused = False
        self._is_waiting_for_budget = False
        self._is_reusable = True
        self.is_open = False
        self.has_no_data = True
        """Nothing of the current response has arrived."""
        self.read_limit: int | None = None
        """Bytes to read at a time until ``read_chunk``, if not the usual number."""
        self.idle_since = 0.0
        """By the loop's clock."""

    # -- called by the loop ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        self._budget.connections += 1

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return the buffer for the next bytes."""
        buffer = self._budget.buffer(is_head=self._head is None)
        # A slice beyond the end is the buffer.
        return buffer if self.read_limit is None else buffer[: self.read_limit]

    def buffer_updated(self, nbytes: int) -> None:
        """Process the bytes that were read into the buffer."""
        data = self._budget.take(nbytes)
        if self.tls is not None:
            data = self._decrypt(self.tls, data)
        if data:
            self._receive(data)

    def _receive(self, data: memoryview) -> None:
        """Process bytes of HTTP."""
        if not self._is_busy or self._is_complete:
            # Unsolicited: the next response could be mistaken for it.
            self.abort()
            return
        self.has_no_data = False
        is_large = False
        if self._head is None:
            self._feed_head(data)
            is_large = self._left > _LARGE_BYTES and self._head is not None
        else:
            self._feed_body(data)
        waiter = self._waiter
        if waiter is not None and (self._head is not None or self._error is not None):
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if (
            self._buffered >= (self.read_limit or self._budget.pause_bytes)
            or self._budget.is_spent
            or self._undecoded
            # The file is still being created; until then a lease remains possible.
            or is_large
        ):
            self._pause()

    def eof_received(self) -> bool:
        """Handle the end of the stream; the loop closes the socket."""
        self._handle_end(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the loss of the socket."""
        self.is_open = False
        self._budget.connections -= 1
        self._handle_end(error)
        self._on_close(self)

    # -- called by the client ----------------------------------------------------------

    async def send_request(self, request: bytes) -> ResponseHead:
        """Send a request and wait for the response head; close if there is none.

        Raises:
            InvalidHead, HeadTooLarge, NoResponse, OSError: there was no valid response.
        """
        assert self._transport is not None
        self._is_busy = True
        self.has_no_data = True
        try:
            if self.tls is not None:
                if self.tls.error is not None:
                    # The alert came first: with TLS 1.3, the server sees the client
                    # certificate only after the handshake.
                    raise self.tls.error
                request = self.tls.encrypt(request)
            self._transport.write(request)
            while self._head is None:
                if self._error is not None:
                    raise self._error
                # As in _wait; inlined to save one coroutine per file.
                self._waiter = self._loop.create_future()
                await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None
        return self._head

    async def read_chunk(self) -> Buffer | None:
        """Wait for the next buffer of the body; ``None`` once it is complete.

        Raises:
            InvalidChunk, IncompleteBody, OSError: the body cannot be completed.
        """
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                return None
            if self._is_paused and not self._is_waiting_for_budget:
                self._is_waiting_for_budget = True
                self._budget.resume(self)
                if self._chunked is not None or self.tls is not None:
                    # It may have decoded something at once.
                    continue
            await self._wait()
        chunk = self._queue.popleft()
        self._buffered -= len(chunk)
        self.read_limit = None
        return chunk

    def read_rest_nowait(self) -> list[Chunk] | None:
        """Return the rest of the body if all of it has arrived."""
        if not self._is_complete or self._error is not None:
            return None
        rest: list[Chunk] = list(self._queue)
        self._queue.clear()
        self._buffered = 0
        return rest

    def lease(self) -> SocketLease | None:
        """Lease the socket to a thread that reads the body; ``None`` if impossible.

        Only for a body of known length of which nothing is buffered here.
        """
        if self._framing is not Framing.LENGTH or self._queue:
            return None
        if self._is_complete or self._error or self._is_waiting_for_budget:
            return None
        if not self.is_open or (self.tls is not None and self.tls.is_tunneled):
            return None
        self._pause()
        self._socket.is_leased = True
        return SocketLease(self._socket, self._left, self.return_)

    def return_(self, nbytes: int) -> None:
        """Take the socket back after a thread has read ``nbytes`` from it."""
        self._socket.is_leased = False
        self._left -= nbytes
        if self._socket.is_stopped:
            self.abort()
            return
        if not self._left:
            self._is_complete = True
        if self.tls is not None:
            self._flush(self.tls)
            self._check_end(self.tls)

    def release(self) -> bool:
        """Finish this response; return True if the connection can be reused.

        If not, it is closed at once.
        """
        is_clean = self._is_complete and self._is_reusable and self.is_open
        # Bytes that arrived behind the body during a pause would be taken for the next
        # response.
        if not is_clean or (self._is_paused and self._has_more()):
            self.abort()
            return False
        self._queue.clear()
        self._buffered = 0
        self.read_limit = None
        self._head = self._chunked = None
        self._interim_bytes = 0
        self._is_busy = self._is_complete = False
        if self._is_paused:
            self.resume_reading()
        return True

    def resume_reading(self) -> None:
        """Decode what is left, then read from the socket again after a pause."""
        self._is_waiting_for_budget = False
        if self._undecoded:
            self._feed_chunked(b"")
            waiter = self._waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
            if self._undecoded:
                return
        tls = self.tls
        if (
            tls is not None
            and tls.has_more
            and self.is_open
            and not self._socket.is_stopped
            and self._resume_tls(tls)
        ):
            return
        if self._is_paused and self.is_open:
            self._is_paused = False
            assert self._transport is not None
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the socket at once; a waiting reader gets an error."""
        self._is_reusable = False
        if self._socket.is_leased:
            # If it were closed, its descriptor could be another file's before the
            # thread notices.
            self._socket.stop()
        elif self._transport is not None:
            self._transport.abort()

    # -- inside ------------------------------------------------------------------------

    def _pause(self) -> None:
        if not self._is_paused and self.is_open:
            self._is_paused = True
            assert self._transport is not None
            self._transport.pause_reading()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # -- TLS ---------------------------------------------------------------------------

    def _decrypt(self, tls: TlsStream, received: Buffer) -> memoryview:
        """Decrypt what was received; the rest stays in ``tls`` until the next turn."""
        data = tls.decrypt(received)
        self._flush(tls)
        if tls.has_more:
            self._pause()
            is_unread = not data or self._head is None
            if is_unread and not self._is_waiting_for_budget:
                # There is nothing yet for a reader, who would resume it.
                self._is_waiting_for_budget = True
                self._loop.call_soon(self._budget.resume, self)
        elif tls.is_closed or tls.error is not None:
            # After the data that came before it.
            self._loop.call_soon(self._check_end, tls)
        return data

    def _resume_tls(self, tls: TlsStream) -> bool:
        """Process what a pause left in ``tls``; return True if something came of it."""
        data = self._decrypt(tls, b"")
        if not data:
            return tls.has_more
        self._budget.charge(len(data))
        self._receive(data)
        return True

    def _flush(self, tls: TlsStream) -> None:
        """Send what TLS has to say by itself, such as the answer to a key update."""
        try:
            outgoing = tls.take_outgoing()
        except ssl.SSLError as error:
            tls.error = tls.error or error
            return
        if outgoing and self.is_open:
            assert self._transport is not None
            self._transport.write(outgoing)

    def _check_end(self, tls: TlsStream) -> None:
        """End the stream if TLS has ended, and close the socket."""
        if tls.has_more or not (tls.is_closed or tls.error is not None):
            return
        self._handle_end(tls.error)
        if self._transport is not None:
            self._transport.abort()

    def _has_more(self) -> bool:
        """Whether anything has arrived that nobody has looked at."""
        has_undecrypted = self.tls is not None and self.tls.has_more
        return has_undecrypted or self._socket.has_more()

    # -- parsing -----------------------------------------------------------------------

    def _feed_head(self, data: Buffer) -> None:
        if self._partial_head:
            data = self._partial_head + data
        start = 0
        try:
            while (end := find_head_end(data, start)) >= 0:
                head = parse_head(data[start:end])
                if head.status >= 200 or head.status == 101:
                    self._partial_head = b""
                    self._start_body(head)
                    if end < len(data):
                        self._feed_body(data[end:])
                    return
                # Interim responses are skipped (RFC 9110 section 15.2).
                self._interim_bytes += end - start
                start = end
                if self._interim_bytes > MAX_HEAD_BYTES:
                    raise HeadTooLarge
            data = bytes(data[start:])
            if self._interim_bytes + len(data) > MAX_HEAD_BYTES:
                raise HeadTooLarge
            if data and not data.startswith(b"HTTP/"[: len(data)]):
                problem = Http2Frame if starts_http2(data) else InvalidHead
                raise problem("no HTTP/1 status line")
            self._partial_head = data
        except (InvalidHead, HeadTooLarge) as error:
            self._fail(error)

    def _start_body(self, head: ResponseHead) -> None:
        self._head = head
        self._framing = head.framing
        self._is_reusable = head.is_keep_alive
        self._is_complete = head.framing is Framing.NO_BODY
        self._left = 0 if self._is_complete else head.content_length or 0
        if head.framing is Framing.CHUNKED:
            self._chunked = ChunkedDecoder()

    def _feed_body(self, data: Buffer) -> None:
        """Store a part of the body: a copy, unless it is ``bytes`` already."""
        if self._framing is Framing.LENGTH:
            surplus = len(data) - self._left
            if surplus >= 0:
                self._is_complete = True
                if surplus:
                    self._is_reusable = False
                    data = data[:-surplus]
            self._left -= len(data)
            self._queue.append(bytes(data))
            self._buffered += len(data)
        elif self._framing is Framing.CLOSE:
            self._queue.append(bytes(data))
            self._buffered += len(data)
        elif self._chunked is None:
            self._is_reusable = False
        else:
            self._feed_chunked(bytes(data))

    def _feed_chunked(self, data: bytes) -> None:
        """Decode chunks, as many as the budget allows; keep the rest for later."""
        decoder = self._chunked
        assert decoder is not None
        if self._undecoded:
            data = self._undecoded + data if data else self._undecoded
        start, self._undecoded_at = self._undecoded_at, 0
        self._undecoded = b""
        lines = decoder.lines
        try:
            found, left = decoder.feed(data, start, self._budget.max_lines)
        except InvalidChunk as error:
            self._fail(error)
            return
        self._budget.charge_lines(decoder.lines - lines)
        self._queue.extend(found)
        self._buffered += sum(map(len, found))
        self._is_complete = decoder.is_complete
        if self._is_complete:
            self._is_reusable = self._is_reusable and not left
        elif left:
            self._undecoded, self._undecoded_at = data, len(data) - left
        elif self._end is not None:
            self._fail(self._end)

    def _handle_end(self, error: Exception | None) -> None:
        """Handle the end of the stream, which completes only a body without length."""
        self._is_reusable = False
        if self.tls is not None:
            # The alert of a server that closes at once says why it does.
            error = self.tls.error or error
        if self._is_busy and not self._is_complete:
            if self._head is None:
                self._fail(error or NoResponse())
            elif (
                self._framing is Framing.CLOSE
                and error is None
                # Without close_notify anybody can have cut the stream.
                and (self.tls is None or self.tls.is_closed)
            ):
                self._is_complete = self._error is None
            elif self._undecoded:
                self._end = error or IncompleteBody()
            else:
                self._fail(error or IncompleteBody())
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._is_reusable = False
        if self._error is None:
            self._error = error

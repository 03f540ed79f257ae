"""One connection of the loop's own wire: requests out, answers in."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from tui.net.transports.base import SocketLease
from tui.net.transports.http1.detached_socket import CAN_LEND
from tui.net.transports.http1.errors import CutShort, HungUp
from tui.net.transports.http1.parser import (
    MAX_HEAD_BYTES,
    BadChunk,
    BadHead,
    ChunkReader,
    EndlessHead,
    Framing,
    end_of_head,
    read_head,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tui.net.transports.base import Chunk
    from tui.net.transports.http1.detached_socket import DetachedSocket
    from tui.net.transports.http1.parser import Head
    from tui.net.transports.http1.read_budget import ReadBudget

    Buffer: TypeAlias = "bytes | memoryview"


class Connection(asyncio.BufferedProtocol):
    """Speaks HTTP/1 with a server, one request and one answer at a time."""

    __slots__ = (
        "_chunks",
        "_fault",
        "_forget",
        "_framing",
        "_head",
        "_held",
        "_is_asked",
        "_is_ended",
        "_is_paused",
        "_is_reusable",
        "_is_waiting_turn",
        "_left",
        "_loop",
        "_queue",
        "_queued",
        "_room",
        "_tap",
        "_transport",
        "_waiter",
        "idle_since",
        "is_fresh",
        "is_open",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        room: ReadBudget,
        forget: Callable[[Connection], None],
        tap: DetachedSocket,
    ) -> None:
        """Make the protocol of a connection that is about to be there.

        Args:
            loop: runs it.
            room: shared with the other connections of the wire.
            forget: called when it is gone.
            tap: lends the socket to a thread.
        """
        self._tap = tap
        self._loop = loop
        self._room = room
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._held = b""
        self._head: Head | None = None
        self._framing = Framing.NOTHING
        self._chunks: ChunkReader | None = None
        self._left = 0
        self._queue: deque[Buffer] = deque()
        self._queued = 0
        self._fault: Exception | None = None
        self._is_asked = False
        self._is_ended = False
        self._is_paused = False
        self._is_waiting_turn = False
        self._is_reusable = True
        self.is_open = False
        self.is_fresh = True
        """Nothing has come of the present answer."""
        self.idle_since = 0.0
        """By the loop's clock."""

    # -- what the loop calls -----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        # uvloop's transports are none by their class.
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        self._room.connections += 1

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Say where the next bytes go."""
        return self._room.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that are in the buffer."""
        data = self._room.take(nbytes)
        if not self._is_asked or self._is_ended:
            # Nobody asked: whatever it is, the next answer could be mistaken for it.
            self.abort()
            return
        self.is_fresh = False
        if self._head is None:
            self._take_head(data)
        else:
            self._take_body(data)
        waiter = self._waiter
        if waiter is not None and (self._head is not None or self._fault is not None):
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if self._queued >= self._room.held_bytes or self._room.is_used_up:
            self._pause()

    def eof_received(self) -> bool:
        """Nothing more will come; the loop closes the socket."""
        self._end(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        self.is_open = False
        self._room.connections -= 1
        self._end(error)
        self._forget(self)

    # -- what the wire calls -----------------------------------------------------------

    async def ask(self, request: bytes) -> Head:
        """Send a request and wait for the head of its answer; without one, close.

        Raises:
            BadHead, EndlessHead, HungUp, OSError: no valid answer came.
        """
        assert self._transport is not None
        self._is_asked = True
        self.is_fresh = True
        try:
            self._transport.write(request)
            while self._head is None:
                if self._fault is not None:
                    raise self._fault
                # As in _wait; one coroutine less for each file.
                self._waiter = self._loop.create_future()
                await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None
        return self._head

    async def read_chunk(self) -> Buffer | None:
        """Wait for the next buffer of the body; ``None`` at its orderly end.

        Raises:
            BadChunk, CutShort, OSError: there is no such end.
        """
        while not self._queue:
            if self._fault is not None:
                raise self._fault
            if self._is_ended:
                return None
            if self._is_paused and not self._is_waiting_turn:
                self._is_waiting_turn = True
                self._room.resume(self)
            await self._wait()
        chunk = self._queue.popleft()
        self._queued -= len(chunk)
        return chunk

    def take_rest(self) -> list[Chunk] | None:
        """Take the whole rest of the body, if it is here already."""
        if not self._is_ended or self._fault is not None:
            return None
        rest: list[Chunk] = list(self._queue)
        self._queue.clear()
        self._queued = 0
        return rest

    def lend(self) -> SocketLease | None:
        """Lend the socket to a thread that reads the body; ``None`` if it cannot be.

        Only where its length is known, and nothing of it waits here already.
        """
        if not CAN_LEND or self._framing is not Framing.LENGTH or self._queue:
            return None
        if self._is_ended or self._fault or self._is_waiting_turn or not self.is_open:
            return None
        self._pause()
        self._tap.is_lent = True
        return SocketLease(self._tap, self._left, self.take_back)

    def take_back(self, nbytes: int) -> None:
        """Go on behind ``nbytes`` that a thread has read."""
        self._tap.is_lent = False
        self._left -= nbytes
        if self._tap.is_stopped:
            self.abort()
        elif not self._left:
            self._is_ended = True

    def release(self) -> bool:
        """End this answer; return whether the connection may carry another one.

        If not, it is closed at once.
        """
        is_whole = self._is_ended and self._is_reusable and self.is_open
        # What came behind the body while paused would be taken for the next answer.
        if not is_whole or (self._is_paused and self._tap.has_more()):
            self.abort()
            return False
        self._queue.clear()
        self._queued = 0
        self._head = self._chunks = None
        self._is_asked = self._is_ended = False
        self.read_on()
        return True

    def read_on(self) -> None:
        """Go on after a pause."""
        self._is_waiting_turn = False
        if self._is_paused and self.is_open:
            self._is_paused = False
            assert self._transport is not None
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the socket at once; whoever waits for it is told."""
        self._is_reusable = False
        if self._tap.is_lent:
            # Closed, its number could be another file's before the thread sees it.
            self._tap.stop()
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

    def _take_head(self, data: bytes) -> None:
        data = self._held + data
        try:
            while (end := end_of_head(data)) >= 0:
                head = read_head(data[:end])
                if head.status >= 200 or head.status == 101:
                    self._held = b""
                    self._begin(head)
                    if end < len(data):
                        self._take_body(data[end:])
                    return
                # Interim answers are skipped (RFC 9110 section 15.2).
                data = data[end:]
            if len(data) > MAX_HEAD_BYTES:
                raise EndlessHead
            if data and not data.startswith(b"HTTP/"[: len(data)]):
                raise BadHead("no HTTP/1 status line")
            self._held = data
        except (BadHead, EndlessHead) as fault:
            self._fail(fault)

    def _begin(self, head: Head) -> None:
        self._head = head
        self._framing = head.framing
        self._left = head.length
        self._is_reusable = head.is_lasting
        self._is_ended = head.framing is Framing.NOTHING
        if head.framing is Framing.CHUNKS:
            self._chunks = ChunkReader()

    def _take_body(self, data: bytes) -> None:
        if self._framing is Framing.LENGTH:
            surplus = len(data) - self._left
            if surplus >= 0:
                self._is_ended = True
                if surplus:
                    self._is_reusable = False
                    data = data[:-surplus]
            self._left -= len(data)
            self._queue.append(data)
            self._queued += len(data)
        elif self._framing is Framing.CLOSE:
            self._queue.append(data)
            self._queued += len(data)
        elif self._chunks is None:
            self._is_reusable = False
        else:
            self._take_chunks(self._chunks, data)

    def _take_chunks(self, chunks: ChunkReader, data: bytes) -> None:
        try:
            views, surplus = chunks.feed(data)
        except BadChunk as fault:
            self._fail(fault)
            return
        self._queue.extend(views)
        self._queued += sum(map(len, views))
        self._is_ended = chunks.is_ended
        if surplus:
            self._is_reusable = False

    def _end(self, error: Exception | None) -> None:
        """Nothing more will come: an orderly end only where that is the sign of it."""
        self._is_reusable = False
        if self._is_asked and not self._is_ended:
            if self._head is None:
                self._fail(error or HungUp())
            elif self._framing is Framing.CLOSE and error is None:
                self._is_ended = self._fault is None
            else:
                self._fail(error or CutShort())
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, fault: Exception) -> None:
        self._is_reusable = False
        if self._fault is None:
            self._fault = fault

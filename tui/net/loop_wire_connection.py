"""One connection of the loop's own wire: bytes in, an answer out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from tui.net.loop_wire_chunks import BadChunk, ChunkReader
from tui.net.loop_wire_head import MAX_HEAD_BYTES, BadHead, Head, head_end, read_head

if TYPE_CHECKING:
    from collections.abc import Callable


class CutShort(Exception):
    """The connection ended in the middle of a body."""


class HungUp(Exception):
    """The connection ended before an answer."""


class EndlessHead(Exception):
    """The head has no end."""


_LENGTH, _CHUNKS, _CLOSE, _NONE = range(4)


class Room:
    """What all connections of a wire share: the buffer they read into, and a bound."""

    def __init__(self, bytes_at_once: int, buffer_bytes: int) -> None:
        self.buffer = memoryview(bytearray(buffer_bytes))
        """The loop fills and empties it within one callback, so one is enough."""
        self._bytes = bytes_at_once
        self.connections = 0
        self.high = bytes_at_once
        self.low = bytes_at_once

    def count(self, change: int) -> None:
        self.connections += change
        self.high = max(64 << 10, min(1 << 20, self._bytes // max(1, self.connections)))
        self.low = self.high // 2


class Connection(asyncio.BufferedProtocol):
    """Speaks HTTP/1 with a server, one answer at a time."""

    __slots__ = (
        "_chunks",
        "_fault",
        "_framing",
        "_held",
        "_is_ended",
        "_is_paused",
        "_left",
        "_loop",
        "_queue",
        "_queued",
        "_room",
        "_transport",
        "_waiter",
        "answered",
        "head",
        "idle_since",
        "is_open",
        "is_reusable",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, room: Room, lost) -> None:
        self._loop = loop
        self._room = room
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._held = b""
        self._queue: deque = deque()
        self._queued = 0
        self._is_paused = False
        self._chunks = None
        self._framing = _NONE
        self._left = 0
        self._is_ended = True
        self._fault: Exception | None = None
        self.head: Head | None = None
        self.is_open = False
        self.is_reusable = True
        self.is_busy = False
        self.idle_since = 0.0

    # -- the loop's side ---

    def connection_made(self, transport) -> None:
        self._transport = transport
        self.is_open = True
        self._room.count(1)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._room.buffer[:nbytes])
        if self.head is not None and not self._is_ended:
            self._take_body(data)
        elif self.is_busy and self.head is None:
            self._take_head(data)
        else:
            # nobody asked
            self.is_reusable = False
            self.abort()
            return
        waiter = self._waiter
        if waiter is not None and (self._queue or self._is_ended or self._fault):
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if self._queued >= self._room.high and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._end_of_stream(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_open:
            self.is_open = False
            self._room.count(-1)
        self._end_of_stream(error)
        self._lost(self)

    def _end_of_stream(self, error) -> None:
        self.is_reusable = False
        if not self.is_busy:
            return
        if self.head is None:
            self._fail(error or HungUp())
        elif not self._is_ended:
            if self._framing == _CLOSE and error is None:
                self._is_ended = True
            else:
                self._fail(error or CutShort())
        self._wake()

    def _fail(self, error: Exception) -> None:
        if self._fault is None:
            self._fault = error
        self.is_reusable = False

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- taking

    def _take_head(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        end = head_end(data)
        while end >= 0:
            try:
                head = read_head(data[:end])
                if not (100 <= head.status < 200) or head.status == 101:
                    self._begin(head, data, end)
                    return
            except BadHead as bad:
                self._fail(bad)
                return
            data = data[end:]
            end = head_end(data)
        self._held = data
        if len(data) > MAX_HEAD_BYTES:
            self._fail(EndlessHead())
        elif len(data) >= 5 and not data.startswith(b"HTTP/"):
            self._fail(BadHead("no HTTP/1 status line"))

    def _begin(self, head: Head, data: bytes, end: int) -> None:
        self._held = b""
        codings = ""
        lengths = []
        connection = ""
        for name, value in head.fields:
            if name == "content-length":
                lengths.append(value)
            elif name == "transfer-encoding":
                codings = f"{codings},{value}" if codings else value
            elif name == "connection":
                connection += "," + value.lower()
        status = head.status
        self.head = head
        self._is_ended = False
        if head.version == "1.1":
            if "close" in connection:
                self.is_reusable = False
        elif "keep-alive" not in connection:
            self.is_reusable = False
        if status in (204, 304):
            self._framing = _NONE
            self._is_ended = True
        elif codings:
            if lengths or head.version == "1.0":
                self.is_reusable = False
            if codings.rpartition(",")[2].strip().lower() == "chunked":
                self._framing = _CHUNKS
                self._chunks = ChunkReader()
            else:
                self._framing = _CLOSE
        elif lengths:
            self._framing = _LENGTH
            self._left = int(lengths[0])
            self._is_ended = not self._left
        else:
            self._framing = _CLOSE
        if self._framing == _CLOSE:
            self.is_reusable = False
        if end < len(data):
            if self._is_ended:
                self.is_reusable = False
            else:
                self._take_body(data if end == 0 else memoryview(data)[end:])

    def _take_body(self, data) -> None:
        size = len(data)
        framing = self._framing
        if framing == _LENGTH:
            left = self._left - size
            if left <= 0:
                if left < 0:
                    data = data[:left]
                    size += left
                    self.is_reusable = False
                    left = 0
                self._is_ended = True
            self._left = left
            self._queue.append(data)
            self._queued += size
        elif framing == _CHUNKS:
            try:
                found, used = self._chunks.feed(bytes(data))
            except BadChunk as bad:
                self._fail(bad)
                return
            for view in found:
                self._queue.append(view)
                self._queued += len(view)
            if self._chunks.is_ended:
                self._is_ended = True
                if used < size:
                    self.is_reusable = False
        else:
            self._queue.append(data)
            self._queued += size

    # -- the reader's side

    async def ask(self, request: bytes) -> Head:
        self.is_busy = True
        self.head = None
        self._transport.write(request)
        while self.head is None:
            if self._fault is not None:
                raise self._fault
            await self._wait()
        return self.head

    async def read_chunk(self):
        while True:
            if self._queue:
                chunk = self._queue.popleft()
                self._queued -= len(chunk)
                if self._is_paused and self._queued <= self._room.low and self.is_open:
                    self._is_paused = False
                    self._transport.resume_reading()
                return chunk
            if self._fault is not None:
                raise self._fault
            if self._is_ended:
                return None
            await self._wait()

    async def _wait(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def abort(self) -> None:
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    def release(self) -> bool:
        """True when reusable."""
        self.is_busy = False
        if not (self._is_ended and self.is_reusable and self.is_open and self._fault is None):
            self.abort()
            return False
        self._queue.clear()
        self._queued = 0
        self._chunks = None
        self.head = None
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return True

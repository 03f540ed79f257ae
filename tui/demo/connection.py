"""One connection of the scripted server: reads requests, plays scripts."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING, cast

from tui.demo.pattern import WRITE_SIZE, Pattern
from tui.demo.reply import Reply, parse_range, plan_reply
from tui.demo.script import RecordedRequest, ResponseScript

if TYPE_CHECKING:
    from tui.demo.server import ScriptedServer

_HEAD_LIMIT = 1 << 20
_PACE_S = 0.02
"""A limited rate is sent in slices of this length, so that progress looks smooth."""
_FAIR_SHARE = 1 << 20
"""Bytes sent before other connections get their turn, when the client keeps up."""
_PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


class _Gone(Exception):
    """The client closed the connection, or the server stops."""


class _Cut(Exception):
    """The script says that the connection ends here."""


class Connection(asyncio.Protocol):
    """Plays one connection.

    Reading never pauses, so a client that goes away is seen at once, even in the
    middle of a stall.
    """

    def __init__(self, server: ScriptedServer, number: int) -> None:
        self._server = server
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._seen: RecordedRequest | None = None
        self._sent_in_turn = 0
        self._transport: asyncio.Transport
        self.task: asyncio.Task[None] | None = None

    # -- what the loop calls ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to serve."""
        # A cast and no isinstance: uvloop's transports have a family of their own.
        self._transport = cast("asyncio.Transport", transport)
        # The writer is held up while a second byte waits, so that ``bytes_sent`` is
        # what the kernel took and not what a buffer swallowed. (Not 0: asyncio's TLS
        # transport would never resume.)
        self._transport.set_write_buffer_limits(high=1)
        self._server.connections.add(self)
        self.task = self._loop.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request."""
        self._received += data
        self._arrived.set()

    def eof_received(self) -> None:
        """The client is done: end at once instead of sending into the void."""
        self._note_lost()
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is closed, by whichever side."""
        self._note_lost()
        self._server.connections.discard(self)
        self._server.wake()

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The kernel took everything."""
        self._writable.set()

    def abort(self) -> None:
        """End it from the server's side, as an unplugged cable would."""
        self._note_lost()
        self._transport.abort()

    def _note_lost(self) -> None:
        if self._lost.done():
            return
        self._lost.set_result(None)
        self._arrived.set()
        self._writable.set()
        if self._seen is not None:
            self._seen.closed_at = time.monotonic()
        self._server.wake()

    # -- the conversation ------------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while not self._transport.is_closing():
                seen = await self._next_request()
                closes = await self._answer(seen)
                if closes:
                    break
            self._transport.close()
        except _Gone:
            self._transport.abort()
        finally:
            self._server.wake()

    async def _answer(self, seen: RecordedRequest) -> bool:
        script = self._server.script_for(seen)
        closes = True
        try:
            if script.raw is not None:
                await self._write([script.raw])
                raise _Cut
            reply = plan_reply(script, seen)
            closes = reply.closes
            await self._play(script, reply, seen)
            seen.ended = "sent"
        except _Cut:
            self._cut(script)
            seen.ended = "cut"
        except _Gone:
            seen.ended = "gone"
            raise
        finally:
            seen.ended = seen.ended or "gone"
            seen.ended_at = time.monotonic()
            self._server.wake()
        return closes or seen.ended == "cut"

    async def _next_request(self) -> RecordedRequest:
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if self._lost.done() or len(self._received) > _HEAD_LIMIT:
                raise _Gone
            self._arrived.clear()
            await self._arrived.wait()
        head = bytes(self._received[:end])
        del self._received[: end + 4]
        lines = head.decode("latin-1").split("\r\n")
        method, _, target = lines[0].partition(" ")
        path = target.rpartition(" ")[0]
        if "://" in path:  # absolute form, as sent to a proxy
            path = "/" + path.partition("://")[2].partition("/")[2]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        seen = RecordedRequest(
            method=method,
            path=path,
            headers=headers,
            number=self._server.count(path),
            connection=self._number,
            at=time.monotonic(),
            range=parse_range(headers.get("range")),
            raw_head=head,
        )
        self._seen = seen
        self._server.requests.append(seen)
        self._server.wake()
        return seen

    async def _play(
        self, script: ResponseScript, reply: Reply, seen: RecordedRequest
    ) -> None:
        if script.latency_s:
            await self._pause(script.latency_s)
        left = script.informational
        while left:
            await self._write([_PROCESSING])
            left -= 1
            if left < 0:
                await self._pause(_PACE_S)
        seen.status = int(reply.status)
        pending: list[bytes | memoryview] = [reply.head]
        if script.drip_s:
            for at in range(len(reply.head)):
                await self._write([reply.head[at : at + 1]])
                await self._pause(script.drip_s)
            pending = []
        if seen.method == "HEAD":
            await self._write(pending)
        else:
            await self._send_body(script, reply, seen, pending)

    async def _send_body(
        self,
        script: ResponseScript,
        reply: Reply,
        seen: RecordedRequest,
        pending: list[bytes | memoryview],
    ) -> None:
        """Send ``pending`` and the body, joined: a small file is one packet."""
        wrap = _as_chunk if reply.is_chunked else _as_is
        if reply.prefix:
            pending += wrap(reply.prefix)
        slice_size = WRITE_SIZE
        if script.rate:
            slice_size = max(1, min(WRITE_SIZE, int(script.rate * _PACE_S)))
        began = self._loop.time()
        at = reply.start
        while at < reply.end:
            limit = _room(script, at - reply.start, min(slice_size, reply.end - at))
            if limit:
                piece = _slice(reply, at, limit)
                pending += wrap(piece)
                at += len(piece)
            await self._write(pending)
            pending = []
            seen.bytes_sent = at - reply.start
            await self._misbehave(script, seen.bytes_sent)
            if script.rate:
                due = began + seen.bytes_sent / script.rate
                await self._pause(due - self._loop.time())
        if reply.suffix:
            pending += wrap(reply.suffix)
        if reply.is_chunked:
            pending.append(b"0\r\n\r\n")
        await self._write(pending)

    async def _misbehave(self, script: ResponseScript, sent: int) -> None:
        if script.cut_after is not None and sent >= script.cut_after:
            raise _Cut
        if script.stall_after is not None and sent >= script.stall_after:
            self._server.wake()
            await self._lost
            raise _Gone

    # -- bytes and waits -------------------------------------------------------------

    async def _write(self, pieces: list[bytes | memoryview]) -> None:
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        elif pieces:
            self._transport.writelines(pieces)
        self._sent_in_turn += sum(map(len, pieces))
        if not self._writable.is_set():
            self._sent_in_turn = 0
            await self._writable.wait()
        elif self._sent_in_turn > _FAIR_SHARE:
            self._sent_in_turn = 0
            await asyncio.sleep(0)
        if self._lost.done():
            raise _Gone

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.wait([self._lost], timeout=seconds)
        if self._lost.done():
            raise _Gone

    def _cut(self, script: ResponseScript) -> None:
        if script.cut == "reset":
            # Linger 0 turns the close into a RST; abort() drops what is unsent.
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()


def _room(script: ResponseScript, sent: int, limit: int) -> int:
    """Cap a write so that a scripted fault strikes at exactly its byte."""
    for fault in (script.cut_after, script.stall_after):
        if fault is not None:
            limit = min(limit, max(0, fault - sent))
    return limit


def _slice(reply: Reply, at: int, limit: int) -> memoryview:
    if isinstance(reply.body, Pattern):
        return reply.body.chunk(at, limit)
    return memoryview(reply.body)[at : at + limit]


def _as_is(data: bytes | memoryview) -> list[bytes | memoryview]:
    return [data]


def _as_chunk(data: bytes | memoryview) -> list[bytes | memoryview]:
    return [b"%x\r\n" % len(data), data, b"\r\n"]

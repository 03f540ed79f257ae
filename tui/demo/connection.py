"""One connection of the scripted server: reads requests and plays scripts."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Protocol, cast

from tui.demo.pattern import WRITE_SIZE, Pattern
from tui.demo.response import Response, parse_range, plan_response
from tui.demo.script import RecordedRequest, ResponseScript

_HEAD_LIMIT = 1 << 20
_SLICE_S = 0.02
"""With a limited rate, data is sent in slices of this length, for smooth progress."""
_FAIR_SHARE = 1 << 20
"""Bytes sent before other connections get a turn, if the client keeps up."""
_PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


class _Disconnected(Exception):
    """The client closed the connection, or the server stops."""


class _Cut(Exception):
    """The script closes the connection here."""


class ConnectionOwner(Protocol):
    """What a connection needs from its server."""

    requests: list[RecordedRequest]
    connections: set[Connection]

    def script_for(self, request: RecordedRequest) -> ResponseScript:
        """Return the script for a request."""
        ...

    def count(self, path: str) -> int:
        """Count a request for ``path``; return how many there were before."""
        ...

    def wake(self) -> None:
        """Note that something changed."""
        ...


class Connection(asyncio.Protocol):
    """Serves one connection.

    Reading never pauses, so a client that disconnects is noticed at once, even during
    a stall.
    """

    def __init__(self, server: ConnectionOwner, number: int) -> None:
        self._server = server
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._request: RecordedRequest | None = None
        self._sent_in_turn = 0
        self._transport: asyncio.Transport
        self.task: asyncio.Task[None] | None = None

    # -- asyncio.Protocol ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start serving."""
        # A cast, not isinstance: uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        # Pause writing while even a second byte is buffered, so that ``bytes_sent`` is
        # what the kernel accepted, not what a buffer absorbed. (Not 0: asyncio's TLS
        # transport would never resume.)
        self._transport.set_write_buffer_limits(high=1)
        self._server.connections.add(self)
        self.task = self._loop.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        """Buffer a part of a request."""
        self._received += data
        self._arrived.set()

    def eof_received(self) -> None:
        """Close at once: the client no longer reads."""
        self._note_lost()
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Unregister; either side may have closed the connection."""
        self._note_lost()
        self._server.connections.discard(self)
        self._server.wake()

    def pause_writing(self) -> None:
        """Wait: the kernel accepts no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Resume: the kernel accepted everything."""
        self._writable.set()

    def abort(self) -> None:
        """Close it from the server's side, without any goodbye."""
        self._note_lost()
        self._transport.abort()

    def _note_lost(self) -> None:
        if self._lost.done():
            return
        self._lost.set_result(None)
        self._arrived.set()
        self._writable.set()
        if self._request is not None:
            self._request.closed_at = time.monotonic()
        self._server.wake()

    # -- requests and responses ------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while not self._transport.is_closing():
                request = await self._next_request()
                closes = await self._answer(request)
                if closes:
                    break
            self._transport.close()
        except _Disconnected:
            self._transport.abort()
        finally:
            self._server.wake()

    async def _answer(self, request: RecordedRequest) -> bool:
        script = self._server.script_for(request)
        closes = True
        try:
            if script.raw is not None:
                await self._write([script.raw])
                raise _Cut
            response = plan_response(script, request)
            closes = response.closes
            await self._play(script, response, request)
            request.ended = "sent"
        except _Cut:
            self._cut(script)
            request.ended = "cut"
        except _Disconnected:
            request.ended = "gone"
            raise
        finally:
            request.ended = request.ended or "gone"
            request.ended_at = time.monotonic()
            self._server.wake()
        return closes or request.ended == "cut"

    async def _next_request(self) -> RecordedRequest:
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if self._lost.done() or len(self._received) > _HEAD_LIMIT:
                raise _Disconnected
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
        request = RecordedRequest(
            method=method,
            path=path,
            headers=headers,
            number=self._server.count(path),
            connection=self._number,
            at=time.monotonic(),
            range=parse_range(headers.get("range")),
            raw_head=head,
        )
        self._request = request
        self._server.requests.append(request)
        self._server.wake()
        return request

    async def _play(
        self, script: ResponseScript, response: Response, request: RecordedRequest
    ) -> None:
        if script.latency_s:
            await self._pause(script.latency_s)
        left = script.informational
        while left:
            await self._write([_PROCESSING])
            left -= 1
            if left < 0:
                await self._pause(_SLICE_S)
        request.status = int(response.status)
        pending: list[bytes | memoryview] = [response.head]
        if script.drip_s:
            for at in range(len(response.head)):
                await self._write([response.head[at : at + 1]])
                await self._pause(script.drip_s)
            pending = []
        if request.method == "HEAD":
            await self._write(pending)
        else:
            await self._send_body(script, response, request, pending)

    async def _send_body(
        self,
        script: ResponseScript,
        response: Response,
        request: RecordedRequest,
        pending: list[bytes | memoryview],
    ) -> None:
        """Send ``pending`` and the body together: a small file is one packet."""
        wrap = _as_chunk if response.is_chunked else _as_is
        if response.prefix:
            pending += wrap(response.prefix)
        slice_size = WRITE_SIZE
        if script.rate:
            slice_size = max(1, min(WRITE_SIZE, int(script.rate * _SLICE_S)))
        started = self._loop.time()
        at = response.start
        while at < response.end:
            limit = _limit_to_fault(
                script, at - response.start, min(slice_size, response.end - at)
            )
            if limit:
                piece = _slice(response, at, limit)
                pending += wrap(piece)
                at += len(piece)
            await self._write(pending)
            pending = []
            request.bytes_sent = at - response.start
            await self._inject_fault(script, request.bytes_sent)
            if script.rate:
                due = started + request.bytes_sent / script.rate
                await self._pause(due - self._loop.time())
        if response.suffix:
            pending += wrap(response.suffix)
        if response.is_chunked:
            pending.append(b"0\r\n\r\n")
        await self._write(pending)

    async def _inject_fault(self, script: ResponseScript, sent: int) -> None:
        if script.cut_after is not None and sent >= script.cut_after:
            raise _Cut
        if script.stall_after is not None and sent >= script.stall_after:
            self._server.wake()
            await self._lost
            raise _Disconnected

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
            raise _Disconnected

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.wait([self._lost], timeout=seconds)
        if self._lost.done():
            raise _Disconnected

    def _cut(self, script: ResponseScript) -> None:
        if script.cut == "reset":
            # Linger 0 turns the close into a RST; abort() drops what is unsent.
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()


def _limit_to_fault(script: ResponseScript, sent: int, limit: int) -> int:
    """Limit a write so that a scripted fault happens at exactly its byte."""
    for fault in (script.cut_after, script.stall_after):
        if fault is not None:
            limit = min(limit, max(0, fault - sent))
    return limit


def _slice(response: Response, at: int, limit: int) -> memoryview:
    if isinstance(response.body, Pattern):
        return response.body.chunk(at, limit)
    return memoryview(response.body)[at : at + limit]


def _as_is(data: bytes | memoryview) -> list[bytes | memoryview]:
    return [data]


def _as_chunk(data: bytes | memoryview) -> list[bytes | memoryview]:
    return [b"%x\r\n" % len(data), data, b"\r\n"]

"""WebSocket clients: calls in, replies and notifications out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from tui.rpc.dispatch import notification
from tui.rpc.web.guard import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from tui.rpc.dispatch import Dispatcher

MAX_SOCKETS = 64
"""WebSockets that may be open; clients keep one."""
MAX_WAITING = 1000
"""Messages that wait for a client that reads nothing; one more ends the connection."""
MAX_BURST = 200_000
"""Messages that wait for a client that reads. There is one for each download, also if
all downloads are cancelled at once."""
STALL_S = 10.0
"""Time after which a client that has taken no message counts as one that does not read.
"""
_SLICE = 100
"""Messages sent per loop iteration: 3 ms."""
MAX_MESSAGE = 2 << 20
"""Bytes of a message; as of a request over HTTP."""
_TOO_BIG, _TRY_LATER = 1009, 1013


class _Peer:
    """One open WebSocket; a single task writes to it."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._waiting: deque[tuple[str, asyncio.Future[None] | None]] = deque()
        """Messages, and what to resolve when one is sent."""
        self._wake = asyncio.Event()
        self._moved_at_s = 0.0
        """When a message was sent last, or the first one was put."""
        self.is_authorized = False
        """Whether the client has sent the right secret."""
        self._is_cut = asyncio.Event()
        self._reason = ""

    def put(self, text: str, sent: asyncio.Future[None] | None = None) -> None:
        """Send a message as soon as the client reads; resolve ``sent`` then."""
        now_s = asyncio.get_running_loop().time()
        if not self._waiting:
            self._moved_at_s = now_s
        count, still_s = len(self._waiting), now_s - self._moved_at_s
        if count >= MAX_BURST or (count >= MAX_WAITING and still_s >= STALL_S):
            self.cut("it does not read its WebSocket")
            return
        self._waiting.append((text, sent))
        self._wake.set()

    def cut(self, reason: str) -> None:
        """End the connection."""
        self._reason = reason
        self._is_cut.set()

    async def until_cut(self) -> str:
        """Return the reason once the connection has to end."""
        await self._is_cut.wait()
        return self._reason

    async def write(self) -> None:
        """Send what is put, until the client has gone."""
        loop = asyncio.get_running_loop()
        number = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                text, sent = self._waiting.popleft()
                await self.socket.send_text(text)
                self._moved_at_s = loop.time()
                if sent is not None and not sent.done():
                    sent.set_result(None)
                number += 1
                if number % _SLICE == 0:
                    await asyncio.sleep(0)


class Sockets:
    """All open WebSockets."""

    def __init__(
        self, dispatcher: Dispatcher, on_refused: Callable[[str, str], None]
    ) -> None:
        """Answer calls with a dispatcher.

        Args:
            dispatcher: answers the messages.
            on_refused: receives the address of a client that was turned away or cut
                off, and the reason.
        """
        self._dispatcher = dispatcher
        self._on_refused = on_refused
        self._peers: dict[_Peer, None] = {}
        """In the order in which they came."""

    def __len__(self) -> int:
        return len(self._peers)

    def notify(self, name: str, gid: str) -> None:
        """Send a notification to every client."""
        if self._peers:
            text = notification(name, gid)
            for peer in self._peers:
                peer.put(text)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client until it leaves."""
        client = client_of(socket.scope)
        if len(self._peers) >= MAX_SOCKETS and not self._make_room():
            self._on_refused(client, _too_many())
            await socket.close(_TRY_LATER)
            return
        peer = _Peer(socket)
        self._peers[peer] = None
        try:
            await socket.accept()
            await self._talk(peer, client)
        finally:
            self._peers.pop(peer, None)

    def _make_room(self) -> bool:
        """Cut off the oldest client that has sent no right secret, if there is one.

        Otherwise anybody on this machine could keep all others out.
        """
        oldest = next((peer for peer in self._peers if not peer.is_authorized), None)
        if oldest is None:
            return False
        oldest.cut(_too_many())
        del self._peers[oldest]
        return True

    async def _talk(self, peer: _Peer, client: str) -> None:
        reading = asyncio.create_task(self._read(peer, client))
        writing = asyncio.create_task(peer.write())
        cutting = asyncio.create_task(peer.until_cut())
        tasks = (reading, writing, cutting)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if cutting.done():
                self._on_refused(client, cutting.result())
                # Closed cleanly, it would wait for what the client does not read.
                peer.socket.state.abort()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, peer: _Peer, client: str) -> None:
        while True:
            message = await peer.socket.receive()
            if message["type"] == "websocket.disconnect":
                if message.get("code") == _TOO_BIG:
                    reason = f"the message is larger than {MAX_MESSAGE >> 20} MiB"
                    self._on_refused(client, reason)
                return
            # aria2 takes binary frames as text, too.
            body = message.get("text") or message.get("bytes") or b""
            reply = await self._dispatcher.answer(body, client)
            peer.is_authorized |= reply.is_authorized
            # Replies can be large: no further one before the client has taken this one.
            sent = asyncio.get_running_loop().create_future()
            peer.put(reply.text, sent)
            await sent


def _too_many() -> str:
    return f"more than {MAX_SOCKETS} WebSockets are open"

"""WebSocket clients: calls in, replies and notifications out."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

from tui.rpc.dispatch import notification
from tui.rpc.web.guard import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from tui.rpc.dispatch import Dispatcher

MAX_SOCKETS = 64
"""WebSockets that may be open; clients keep one."""
MAX_WAITING = 1000
"""Messages that wait for a client that does not read; one more ends the connection."""
_TRY_LATER = 1013


class _Peer:
    """One open WebSocket; a single task writes to it."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self.is_stuck = False

    def put(self, text: str) -> None:
        """Send a message as soon as the client reads."""
        if len(self._waiting) >= MAX_WAITING:
            self.is_stuck = True
        else:
            self._waiting.append(text)
        self._wake.set()

    async def write(self) -> None:
        """Send what is put, until the client reads too slowly or has gone."""
        while not self.is_stuck:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self.is_stuck:
                await self.socket.send_text(self._waiting.popleft())


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
        self._peers: set[_Peer] = set()

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
        if len(self._peers) >= MAX_SOCKETS:
            self._on_refused(client, f"more than {MAX_SOCKETS} WebSockets are open")
            await socket.close(_TRY_LATER)
            return
        await socket.accept()
        peer = _Peer(socket)
        self._peers.add(peer)
        reading = asyncio.create_task(self._read(peer, client))
        writing = asyncio.create_task(peer.write())
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            if peer.is_stuck:
                self._on_refused(client, "it does not read its WebSocket")
                with suppress(RuntimeError, WebSocketDisconnect):
                    await asyncio.wait_for(socket.close(_TRY_LATER), 1.0)
        except TimeoutError:
            pass
        finally:
            self._peers.discard(peer)
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _read(self, peer: _Peer, client: str) -> None:
        while True:
            message = await peer.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            # aria2 takes binary frames as text, too.
            body = message.get("text") or message.get("bytes") or b""
            reply = await self._dispatcher.answer(body, client)
            peer.put(reply.text)

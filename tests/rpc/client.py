"""A client of the RPC over real sockets, which shows everything that it gets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from tui.core.service import DownloadService
    from tui.rpc.web.server import RpcServer

SECRET = "correct horse"


class Answer(NamedTuple):
    """A response of the RPC."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class CallFailed(Exception):
    """The response has an error; the message begins with its code."""


class RpcClient:
    """Calls one server."""

    def __init__(self, server: RpcServer, service: DownloadService) -> None:
        self.server = server
        self.service = service
        self.slept: list[float] = []
        """Waits of the server, which the test does not wait for."""
        self.http = httpx.AsyncClient(base_url=server.config.url, timeout=20)

    async def post(self, body: bytes | str, **headers: str) -> Answer:
        """Send a body to /jsonrpc; ``_`` in names of headers means ``-``."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await self.http.post("/jsonrpc", content=body, headers=names)
        return Answer(reply.status_code, reply.headers, reply.content)

    async def get(self, path: str, **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await self.http.get(path, headers=names)
        return Answer(reply.status_code, reply.headers, reply.content)

    async def call(self, method: str, *params: Any, token: str = SECRET) -> Any:
        """Call a method of aria2 and return its result.

        Raises:
            CallFailed: with ``CODE MESSAGE``.
        """
        full = method if "." in method else f"aria2.{method}"
        given = [f"token:{token}", *params] if token else list(params)
        message = {"jsonrpc": "2.0", "id": "q", "method": full, "params": given}
        answer = (await self.post(json.dumps(message))).json
        assert answer["id"] == "q"
        if "error" in answer:
            raise CallFailed(f"{answer['error']['code']} {answer['error']['message']}")
        return answer["result"]

    def socket(self) -> connect:
        """Return a context manager of a WebSocket."""
        url = self.server.config.url.replace("http", "ws", 1)
        return connect(f"{url}jsonrpc", proxy=None)

    async def reach(self, gid: str, status: str) -> dict[str, Any]:
        """Wait until a download has a status; return all that is told of it."""
        async with asyncio.timeout(20):
            while True:
                found: dict[str, Any] = await self.call("tellStatus", gid)
                if found["status"] == status:
                    return found
                await asyncio.sleep(0.01)


async def next_message(socket: ClientConnection) -> Any:
    """Return the next message, as Python values."""
    return json.loads(await asyncio.wait_for(socket.recv(), 20))

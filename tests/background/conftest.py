"""A server of a background process in the loop of the test."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from tui import __version__
from tui.background.address import Lock, address_of
from tui.background.protocol import PROTOCOL, Code, Hello, RequestError
from tui.background.server import BackgroundServer
from tui.messages import notice_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.background.server import Client


class Echo:
    """A handler that answers with what it got, and lets the test send and fail."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.is_closed = False
        self.release = asyncio.Event()

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        if method == "wait":
            await self.release.wait()
        if method == "fail":
            raise ZeroDivisionError("in the handler")
        if method == "refuse":
            raise RequestError(Code.REFUSED, "no", {"value": 1})
        return {"method": method, "params": params}

    def close(self) -> None:
        self.is_closed = True


class RunningServer:
    """A server with its address, its handlers and what it logged."""

    def __init__(self) -> None:
        self.address = address_of("test")
        self.lock = Lock(self.address)
        self.handlers: list[Echo] = []
        self.log: list[str] = []
        self.uid = os.getuid()
        self.hello = Hello(PROTOCOL, __version__, os.getpid(), 1000.0, "test")
        self.server = BackgroundServer(
            self.address,
            self.hello,
            self._handler,
            notify=lambda notice: self.log.append(notice_text(notice)),
            peer_uid=lambda peer: self.uid,
        )

    def _handler(self, client: Client) -> Echo:
        self.handlers.append(Echo(client))
        return self.handlers[-1]


@pytest.fixture
async def running() -> AsyncIterator[RunningServer]:
    made = RunningServer()
    assert made.lock.acquire()
    made.lock.write(made.hello)
    await made.server.open()
    yield made
    await made.server.close("stopped")
    made.lock.release()

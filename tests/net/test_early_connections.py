"""Connections that are opened before the session exists."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.net.fetching import fetch
from tests.support.until import until
from tui.core.settings import HostRule, Settings
from tui.net.request import GetRequest
from tui.net.session import HttpSession
from tui.net.transports import early_connections, sockets
from tui.net.transports.early_connections import EarlyConnections, open_early

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Address = early_connections.Address

_RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"


class Server:
    """A server that counts connections."""

    def __init__(self) -> None:
        self.accepted = self.closed = 0
        self.port = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(_RESPONSE)
        self.closed += 1
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/x"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def counting() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def fetch_three(early: EarlyConnections, url: str, settings: Settings) -> None:
    session = HttpSession(settings, early=early)
    try:
        bodies = await asyncio.gather(
            *(fetch(session, GetRequest(url)) for _ in range(3))
        )
        assert bodies == [b"x"] * 3
    finally:
        await session.close()


async def test_requests_use_them_and_the_rest_is_closed(counting: Server) -> None:
    urls = [counting.url] * 5 + ["http://other.invalid/x"] * 5
    early = open_early(Settings(), urls, {})
    assert early is not None
    await until(lambda: counting.accepted == 5)
    await fetch_three(early, counting.url, Settings())
    await until(lambda: counting.closed == 5)
    assert counting.accepted == 5


async def test_old_ones_are_not_used(
    counting: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_connections, "KEEPALIVE_S", 0.0)
    early = EarlyConnections("127.0.0.1", counting.port, 1)
    await until(lambda: counting.accepted == 1)
    await fetch_three(early, counting.url, Settings())
    await until(lambda: counting.closed == 4)


async def test_another_host_does_not_get_them(counting: Server) -> None:
    early = EarlyConnections("127.0.0.1", counting.port, 1)
    await until(lambda: counting.accepted == 1)
    assert early.take("127.0.0.1", counting.port + 1) is None
    assert early.take("localhost", counting.port) is None
    early.close()
    await until(lambda: counting.closed == 1)


async def test_after_the_session_has_closed_none_is_opened(counting: Server) -> None:
    early = EarlyConnections("127.0.0.1", counting.port, 1)
    early.close()
    assert early.take("127.0.0.1", counting.port) is None
    await until(lambda: counting.closed == counting.accepted)


def _resolve_to(
    monkeypatch: pytest.MonkeyPatch, first: tuple[str, int], second: tuple[str, int]
) -> None:
    """Give every name two addresses, as seen by the thread and by the loop."""
    kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    found: list[Address] = [(*kind, first), (*kind, second)]

    async def resolve(*_: object, **__: object) -> list[Address]:
        return found

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)


async def test_a_refused_one_is_replaced(
    counting: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()
    _resolve_to(monkeypatch, refusing, ("127.0.0.1", counting.port))
    early = EarlyConnections("several.example", counting.port, 3)
    url = f"http://several.example:{counting.port}/x"
    await fetch_three(early, url, Settings())


async def test_one_that_does_not_answer_is_overtaken(
    counting: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_HEAD_START_S", 0.01)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as silent,
        # Its queue is full, so it does not answer any more.
        socket.create_connection(silent.getsockname()),
    ):
        _resolve_to(monkeypatch, silent.getsockname(), ("127.0.0.1", counting.port))
        early = EarlyConnections("several.example", counting.port, 3)
        url = f"http://several.example:{counting.port}/x"
        await fetch_three(early, url, Settings())


@pytest.mark.parametrize(
    "settings",
    [
        Settings(proxy="http://127.0.0.1:1"),
        Settings(proxy="no-scheme://x"),
        Settings(hosts=(HostRule("127.0.0.1", proxy="socks5://127.0.0.1:1"),)),
        Settings(interface="lo"),
        Settings(ip_version=4),
        Settings(resolve=(("127.0.0.1", 0, "127.0.0.2"),)),
        Settings(http2=True),
        Settings(http_backend="httpx"),
    ],
)
def test_none_is_opened_if_settings_say_how(settings: Settings) -> None:
    assert open_early(settings, ["http://127.0.0.1:9/x"], {}) is None


def test_none_is_opened_if_the_environment_names_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert open_early(Settings(), ["https://127.0.0.1:9/x"], {}) is None


@pytest.mark.parametrize(
    ("settings", "remembered", "count"),
    [
        (Settings(), 0, 16),
        (Settings(per_host=2), 0, 2),
        (Settings(per_host=2, hosts=(HostRule("*", cap=4),)), 0, 4),
        (Settings(), 3, 3),
    ],
)
async def test_no_more_are_opened_than_downloads_start(
    counting: Server, settings: Settings, remembered: int, count: int
) -> None:
    early = open_early(settings, [counting.url] * 80, {counting.origin: remembered})
    assert early is not None
    await until(lambda: counting.accepted >= count)
    early.close()
    await until(lambda: counting.closed == counting.accepted)
    assert counting.accepted == count


def test_none_is_opened_without_downloads() -> None:
    assert open_early(Settings(), [], {}) is None

"""The built-in HTTP/1.1 client over sockets, on asyncio and uvloop."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohappyeyeballs
import pytest
import uvloop

from tests.net.fetching import error_of, fetch
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.request import GetRequest
from tui.net.routing.router import Route
from tui.net.session import HttpSession
from tui.net.session_config import load_session_config
from tui.net.transports.http1 import client
from tui.net.transports.selector import TransportSelector
from tui.net.transports.sockets import SocketConnector

if TYPE_CHECKING:
    from collections.abc import Callable


def on_uvloop(run: Callable[[HttpSession, ScriptedServer], object]) -> None:
    """Run on uvloop, as in production: its transports differ from asyncio's."""

    async def within() -> None:
        async with ScriptedServer() as server:
            session = HttpSession(Settings(http_backend="http1", timeout_s=5))
            try:
                await run(session, server)  # type: ignore[misc]
            finally:
                await session.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(within())


def test_requests_work_on_uvloop() -> None:
    async def run(session: HttpSession, server: ScriptedServer) -> None:
        body = bytes(range(256)) * 8192
        plain = server.add("/plain", ResponseScript(body))
        chunked = server.add("/chunked", ResponseScript(body, length="chunked"))
        closed = server.add("/closed", ResponseScript(body, length="none"))
        cut = server.add("/cut", ResponseScript(body, cut_after=1000, cut="reset"))
        for url in (plain, chunked, closed, plain):
            assert await fetch(session, GetRequest(url)) == body
        assert (await error_of(session, GetRequest(cut))).kind == "reset"

    on_uvloop(run)


def test_many_large_bodies_share_the_read_budget() -> None:
    async def run(session: HttpSession, server: ScriptedServer) -> None:
        body = bytes(1 << 20)
        url = server.add("/x", ResponseScript(body))
        bodies = await asyncio.gather(
            *(fetch(session, GetRequest(url)) for _ in range(40))
        )
        assert all(found == body for found in bodies)

    on_uvloop(run)


def test_a_body_that_nobody_reads_is_paused() -> None:
    async def run(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(bytes(64 << 20)))
        response = await session.open(GetRequest(url))
        assert len(await response.read() or b"") <= 1 << 20
        sent = -1
        while sent != (now := server.requests[0].bytes_sent):
            sent = now
            await asyncio.sleep(0.05)
        # Kernel buffers take some of it; the client buffers next to nothing.
        assert sent < 32 << 20
        await response.close()

    on_uvloop(run)


def test_response_times_are_kept_of_a_bounded_number_of_origins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MAX_TIMED_ORIGINS", 2)

    async def run(session: HttpSession, first: ScriptedServer) -> None:
        async with ScriptedServer() as second, ScriptedServer() as third:
            urls = []
            for server in (first, second, third):
                urls.append(server.add("/x", ResponseScript(b"x", latency_s=0.01)))
                for _ in range(2):  # on a new connection, and on an idle one
                    await fetch(session, GetRequest(urls[-1]))
            known = [session.idle_connections(url) for url in urls]
            assert [idle.number for idle in known] == [1, 1, 1]
            assert [idle.reply_s > 0 for idle in known] == [False, True, True]

    on_uvloop(run)


def test_a_cancelled_request_closes_its_connection() -> None:
    async def run(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(b"x", latency_s=60))
        asked = asyncio.ensure_future(session.open(GetRequest(url)))
        await server.until(lambda: server.requests)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await server.until(lambda: not server.open_connections)

    on_uvloop(run)


async def test_a_request_into_a_closed_idle_connection_is_retried() -> None:
    requests = 0
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
            # Announces keep-alive, but closes when the next request arrives.
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
        writer.close()
        gone.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        session = HttpSession(Settings(http_backend="http1"))
        target = GetRequest(f"http://127.0.0.1:{port}/")
        assert await fetch(session, target) == b"x"
        assert await fetch(session, target) == b"x"
        assert requests == 3
        gone.clear()
        await session.close()
        await gone.wait()


ONE_BYTE = "Content-Length: 1\r\n\r\nx"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "response",
    [
        f"HTTP/1.1 200 OK\r\nConnection: close\r\n{ONE_BYTE}",
        f"HTTP/1.1 200 OK\r\nConnection: x-other, Close\r\n{ONE_BYTE}",
        f"HTTP/1.0 200 OK\r\n{ONE_BYTE}",
        f"HTTP/1.0 200 OK\r\nConnection: x-other\r\n{ONE_BYTE}",
        # Servers and proxies may disagree about where it ends.
        f"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n{CHUNKED}",
        # Bytes that would be taken for the next response.
        f"HTTP/1.1 200 OK\r\n{ONE_BYTE}HTTP/1.1 200 OK\r\n{ONE_BYTE}",
        f"HTTP/1.1 200 OK\r\n{CHUNKED}HTTP/1.1 200 OK\r\n{ONE_BYTE}",
    ],
)
async def test_a_connection_is_not_used_again_after_such_a_response(
    response: str,
) -> None:
    """The server leaves it open for a while, and reads nothing more from it."""
    handlers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response.encode())
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        session = HttpSession(Settings(http_backend="http1", timeout_s=20))
        target = GetRequest(f"http://127.0.0.1:{port}/")
        for _ in range(3):
            assert await fetch(session, target) == b"x"
        assert len(handlers) == 3
        await session.close()
        await asyncio.gather(*handlers)


async def test_a_refusing_address_does_not_hide_a_working_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        kind = (socket.SOCK_STREAM, 0, "")
        addresses = [
            (socket.AF_INET6, *kind, ("::1", port)),
            (socket.AF_INET, *kind, ("127.0.0.2", port)),
            (socket.AF_INET, *kind, ("127.0.0.1", port)),
        ]

        async def resolve(*_: object, **__: object) -> object:
            return addresses

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        connected = await SocketConnector(Route()).connect("several.example", port)
        assert connected.getpeername()[1] == port
        connected.close()
        addresses.pop()
        with pytest.raises(OSError, match=r"Connect|refused|Address"):
            await SocketConnector(Route()).connect("several.example", port)


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (errno.ECONNREFUSED, errno.ENETUNREACH, "refused"),
        (errno.ENETUNREACH, errno.ECONNREFUSED, "unreachable"),
    ],
)
async def test_of_addresses_that_fail_in_different_ways_the_first_is_reported(
    monkeypatch: pytest.MonkeyPatch, first: int, second: int, kind: str
) -> None:
    async def fail(*_: object, **__: object) -> socket.socket:
        # The form of aiohappyeyeballs.
        raise OSError(f"Multiple exceptions: [Errno {first}] a, [Errno {second}] b")

    async def resolve(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", fail)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    session = HttpSession(Settings(http_backend="http1"))
    error = await error_of(session, GetRequest("http://several.example/x"))
    await session.close()
    assert error.kind == kind


@pytest.mark.parametrize(
    ("wanted", "has_http2", "plain", "secure"),
    [
        ("", False, "http1", "http1"),
        ("", True, "http1", "httpx"),
        ("http1", True, "http1", "http1"),
        ("httpx", False, "httpx", "httpx"),
    ],
)
async def test_only_http2_is_left_to_httpx(
    wanted: str, has_http2: bool, plain: str, secure: str
) -> None:
    settings = Settings(http_backend=wanted, http2=has_http2)
    router = load_session_config(settings).router
    transports = TransportSelector(settings, None, router)
    try:
        assert transports.transport_for("http://a/x").name == plain
        assert transports.transport_for("https://a/x").name == secure
        ranges = transports.transport_for("https://a/x", is_range=True)
        assert ranges.name == (wanted or "http1")
    finally:
        await transports.aclose()


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("connections", [1, 8, 40])
def test_tiny_chunks_do_not_occupy_the_loop(size: int, connections: int) -> None:
    async def run(session: HttpSession, server: ScriptedServer) -> None:
        count = 120_000 // connections
        chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = head + chunk * count + b"0\r\n\r\n"
        url = server.add("/x", ResponseScript(raw=raw))
        decoded = buffers = 0
        most_at_once = last = 0

        async def read() -> int:
            nonlocal decoded, buffers
            response = await session.open(GetRequest(url))
            nbytes = 0
            while (found := await response.read()) is not None:
                nbytes += len(found)
                buffers += 1
                decoded += len(found) // size
            await response.close()
            return nbytes

        async def watch() -> None:
            nonlocal most_at_once, last
            while True:
                most_at_once = max(most_at_once, decoded - last)
                last = decoded
                await asyncio.sleep(0)

        watching = asyncio.ensure_future(watch())
        sizes = await asyncio.gather(*(read() for _ in range(connections)))
        watching.cancel()
        assert sizes == [count * size] * connections
        # A chunk takes about a microsecond: the loop runs every few milliseconds.
        assert most_at_once <= 5_000
        assert buffers < decoded / 50, "whoever reads gets few buffers"

    on_uvloop(run)


def test_interim_responses_count_as_headers() -> None:
    async def run(session: HttpSession, server: ScriptedServer) -> None:
        raw = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000
        url = server.add("/x", ResponseScript(raw=raw))
        error = await error_of(session, GetRequest(url))
        assert error.kind == "bad_reply"

    on_uvloop(run)

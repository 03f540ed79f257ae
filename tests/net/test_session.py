"""Requests, their headers, and connection errors."""

from __future__ import annotations

import asyncio
import select
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.net.fetching import error_of, fetch
from tests.support.until import until
from tui import __version__
from tui.core.errors import PermanentError, TransientError
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from tui.demo.server import ScriptedServer


async def test_default_headers_are_sent(
    session: HttpSession, server: ScriptedServer
) -> None:
    await fetch(session, GetRequest(server.add("/x", ResponseScript(b"x"))))
    seen = server.requests[0]
    assert seen.method == "GET"
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": f"fetchtui/{__version__}",
    } | ({"connection": "keep-alive"} if "connection" in seen.headers else {})


@pytest.mark.parametrize(
    ("start", "end", "if_range", "headers"),
    [
        (0, None, '"v"', {}),
        (5, None, "", {"range": "bytes=5-"}),
        (0, 5, "", {"range": "bytes=0-4"}),
        (5, 6, '"v"', {"range": "bytes=5-5", "if-range": '"v"'}),
    ],
)
async def test_a_range_is_requested_by_header(
    session: HttpSession,
    server: ScriptedServer,
    start: int,
    end: int | None,
    if_range: str,
    headers: dict[str, str],
) -> None:
    url = server.add("/x", ResponseScript(b"0123456789", etag='"v"'))
    body = await fetch(
        session, GetRequest(url, start=start, end=end, if_range=if_range)
    )
    assert body == b"0123456789"[start:end]
    seen = server.requests[0].headers
    assert {k: v for k, v in seen.items() if "range" in k} == headers


async def test_reserved_headers_are_not_overridden(
    session: HttpSession, server: ScriptedServer
) -> None:
    given = (
        ("User-Agent", "Mine/1"),
        ("X-Name", "gr\u00fc\u00dfe"),
        ("Accept-Encoding", "gzip"),
        ("Range", "bytes=7-"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "7"),
        ("If-Range", '"ours"'),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
        ("Upgrade", "h2c"),
    )
    await fetch(
        session, GetRequest(server.add("/x", ResponseScript(b"x")), headers=given)
    )
    seen = server.requests[0]
    assert seen.headers["user-agent"] == "Mine/1"
    assert seen.headers["accept-encoding"] == "identity"
    assert "gr\u00fc\u00dfe".encode() in seen.raw_head
    for name in (b"range", b"transfer-encoding", b"content-length", b"close"):
        assert name not in seen.raw_head.lower()
    assert seen.headers.keys().isdisjoint({"te", "expect", "upgrade"})


@pytest.mark.parametrize(
    "header",
    [
        ("X", "a\r\nInjected: b"),
        ("X\n", "a"),
        ("", "a"),
        ("X Y", "a"),
        ("X", "a\x00"),
        ("X", "a\x1b[31m"),
    ],
)
async def test_an_invalid_header_is_not_sent(
    session: HttpSession, server: ScriptedServer, header: tuple[str, str]
) -> None:
    target = GetRequest(server.add("/x", ResponseScript(b"x")), headers=(header,))
    error = await error_of(session, target)
    assert isinstance(error, PermanentError)
    assert error.kind == "bad_header"
    assert server.requests == []


async def test_a_refused_connection_names_the_server(session: HttpSession) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = await error_of(session, GetRequest(f"http://127.0.0.1:{port}/x"))
    assert isinstance(error, TransientError)
    assert error.kind == "refused"
    assert f"127.0.0.1:{port}" in str(error)


async def test_an_unknown_host_fails_at_once(session: HttpSession) -> None:
    # RFC 6761: no name under .invalid resolves.
    error = await error_of(session, GetRequest("http://no-such-host.invalid/x"))
    assert error.kind in ("unknown_host", "dns")
    assert "no-such-host.invalid:80" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://exa mple/",
        "http://xn--/",
        "http://1.2.3.4.5.6.7.8.invalid:99999/",
        "http://user@/",
        "http://@/x",
    ],
)
async def test_an_invalid_url_fails_at_once(session: HttpSession, url: str) -> None:
    error = await error_of(session, GetRequest(url))
    assert error.kind in ("unknown_host", "dns")


async def test_a_server_that_does_not_accept_connections_times_out(
    hasty: HttpSession,
) -> None:
    # The queue of pending connections is full: the kernel ignores the next ones.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        await until(lambda: select.select([], fillers, [], 0)[1])
        error = await error_of(hasty, GetRequest(f"http://127.0.0.1:{address[1]}/"))
        for filler in fillers:
            filler.close()
    assert isinstance(error, TransientError)
    assert error.kind in ("connect_timeout", "stalled")


async def test_concurrent_requests_do_not_interfere(
    session: HttpSession, server: ScriptedServer
) -> None:
    urls = [server.add(f"/{n}", ResponseScript(b"%d" % n * 1000)) for n in range(40)]
    bodies = await asyncio.gather(*(fetch(session, GetRequest(url)) for url in urls))
    assert bodies == [b"%d" % n * 1000 for n in range(40)]


async def test_a_closed_keepalive_connection_is_not_reused(
    session: HttpSession, server: ScriptedServer
) -> None:
    url = server.add("/x", ResponseScript(b"x", keep_alive=False))
    for _ in range(3):
        assert await fetch(session, GetRequest(url)) == b"x"


async def test_close_can_be_called_twice(backend: str, server: ScriptedServer) -> None:
    session = HttpSession(Settings(http_backend=backend))
    await fetch(session, GetRequest(server.add("/x", ResponseScript(b"x"))))
    await session.close()
    await session.close()


async def test_odd_characters_of_a_url_reach_the_server(
    session: HttpSession, server: ScriptedServer
) -> None:
    odd = "!$&'()*+,-.:;=@[]^_`{|}~\"<>"
    for url in (
        server.add("/x", ResponseScript(b"file")) + f"?a={odd}",
        server.url(f"/{odd}"),
    ):
        response = await session.open(GetRequest(url))
        await response.close()
    query, path = (unquote(seen.path) for seen in server.requests)
    assert (query, path) == (f"/x?a={odd}", f"/{odd}")

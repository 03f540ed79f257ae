"""The loop's own wire: its reading of bytes, its turns, and the loop it runs on."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import h11
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tests.net.fetching import error_of, fetch
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.request import GetRequest
from tui.net.session import HttpSession
from tui.net.session_config import load_session_config
from tui.net.transports.http1.client import connect_socket
from tui.net.transports.http1.parser import (
    ChunkDecoder,
    HeadTooLarge,
    InvalidChunk,
    InvalidHead,
    ResponseHead,
    find_head_end,
    parse_head,
)
from tui.net.transports.selector import TransportSelector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LINES = st.sampled_from(
    [
        "Content-Length: 3",
        "Content-Length: 4",
        "Content-Length: +3",
        "content-length:\t3 ",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Connection: close",
        "Connection: Keep-Alive, x",
        "X: a",
        "X: \u00e4",
        "X:",
        "X : a",
        "no colon",
        "X: a\r",
        "X: \x00",
        " folded",
        "\tfolded",
        ": a",
    ]
)


def oracle(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]] | None:
    """Read a head with h11, httpx's parser."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(head)
    try:
        answer = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    assert isinstance(answer, h11.Response | h11.InformationalResponse)
    return answer.status_code, list(answer.headers)


def values_of(head: ResponseHead, name: str) -> list[str]:
    return [value for field, value in head.fields if field == name]


@given(
    status=st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.0 206", "HTTP/1.1 99 x", "x"]),
    lines=st.lists(LINES, max_size=5),
    ending=st.sampled_from(["\r\n", "\n"]),
)
def test_heads_are_parsed_as_by_h11(status: str, lines: list[str], ending: str) -> None:
    text = ending.join([status, *lines, "", ""]).encode("latin-1")
    expected = oracle(text)
    try:
        head = parse_head(text)
    except InvalidHead:
        head = None
    if expected is None:
        # h11 knows one transfer coding only, and no length of more than 20 digits;
        # what is none of our business to refuse is refused by who reads the answer.
        codings = () if head is None else values_of(head, "transfer-encoding")
        assert head is None or set(codings) - {"chunked"}
        return
    assert head is not None
    found, told = expected
    assert head.status == found
    names = [name for name, _ in head.fields]
    # h11 drops repetitions of an equal length.
    assert set(names) == {name.decode() for name, _ in told}
    for name, value in head.fields:
        values = [v.decode("latin-1").split() for n, v in told if n.decode() == name]
        assert value.split() in values


@given(
    sizes=st.lists(st.integers(1, 40), max_size=6),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    extension=st.sampled_from([b"", b";x=y", b" ;a"]),
    trailer=st.sampled_from([b"", b"X: y\r\n"]),
    surplus=st.sampled_from([b"", b"HTTP/1.1"]),
)
def test_chunks_are_decoded_however_they_are_split(
    sizes: list[int],
    cuts: list[int],
    extension: bytes,
    trailer: bytes,
    surplus: bytes,
) -> None:
    body = b"".join(bytes([65 + n]) * size for n, size in enumerate(sizes))
    data = b"".join(
        b"%x%s\r\n%s\r\n" % (size, extension, bytes([65 + n]) * size)
        for n, size in enumerate(sizes)
    )
    data += b"0\r\n" + trailer + b"\r\n"
    end = len(data)
    data += surplus
    found, left = read_in_pieces(data, [cut for cut in cuts if cut < end])
    assert found == body
    assert left == len(surplus)


def read_in_pieces(data: bytes, cuts: Iterable[int]) -> tuple[bytes, int]:
    decoder = ChunkDecoder()
    found = b""
    borders = [0, *sorted(set(cuts)), len(data)]
    left = 0
    for start, end in pairwise(borders):
        assert not decoder.is_complete
        if start < end:
            views, left = decoder.feed(data[start:end])
            found += b"".join(views)
    assert decoder.is_complete
    return found, left


@pytest.mark.parametrize(
    "data",
    [
        b"g\r\n",
        b"\r\n",
        b" 3\r\n",
        b"3\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabcx",
        b"0x3\r\n",
        b"1" * 16 + b"\r\n",
        b"3;" + b"x" * 20_000,
        b"0\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_ambiguous_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidChunk):
        ChunkDecoder().feed(data)


def test_the_end_of_a_head_is_found_with_either_line_ending() -> None:
    assert find_head_end(b"HTTP/1.1 200\r\nA: b\r\n\r\nbody\n\n") == 22
    assert find_head_end(b"HTTP/1.1 200\nA: b\n\nbody\r\n\r\n") == 19
    assert find_head_end(b"HTTP/1.1 200\r\nA: b\r\n\r") == -1


def test_a_pathological_header_is_refused_quickly() -> None:
    blanks = b" " * 100_000
    began = time.process_time()
    with pytest.raises(InvalidHead):
        parse_head(b"HTTP/1.1 200 OK\r\nA:" + blanks + b"\x01\r\n\r\n")
    assert time.process_time() - began < 1, "a minute, if blanks are tried twice"


def test_a_head_with_too_many_fields_is_refused() -> None:
    with pytest.raises(HeadTooLarge):
        parse_head(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 201 + b"\r\n")


# -- over sockets ----------------------------------------------------------------------


def on_uvloop(run: Callable[[HttpSession, ScriptedServer], object]) -> None:
    """Run on the loop of the product: its transports differ from asyncio's."""

    async def within() -> None:
        async with ScriptedServer() as server:
            session = HttpSession(Settings(http_backend="builtin", timeout_s=5))
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
        # Kernel buffers hold some of it; we hold next to nothing.
        assert sent < 32 << 20
        await response.close()

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
    asked = 0
    gone = asyncio.Event()

    async def serve(
        decoder: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal asked
        with suppress(asyncio.IncompleteReadError):
            await decoder.readuntil(b"\r\n\r\n")
            asked += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
            # It promised to stay, and goes at the sight of the next request.
            await decoder.readuntil(b"\r\n\r\n")
            asked += 1
        writer.close()
        gone.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        session = HttpSession(Settings(http_backend="builtin"))
        target = GetRequest(f"http://127.0.0.1:{port}/")
        assert await fetch(session, target) == b"x"
        assert await fetch(session, target) == b"x"
        assert asked == 3
        gone.clear()
        await session.close()
        await gone.wait()


async def test_a_refusing_address_does_not_hide_a_working_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        kind = (socket.SOCK_STREAM, 0, "")
        places = [
            (socket.AF_INET6, *kind, ("::1", port)),
            (socket.AF_INET, *kind, ("127.0.0.2", port)),
            (socket.AF_INET, *kind, ("127.0.0.1", port)),
        ]

        async def resolve(*_: object, **__: object) -> object:
            return places

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        connected = await connect_socket(loop, "several.example", port, 5)
        assert connected.getpeername()[1] == port
        connected.close()
        places.pop()
        with pytest.raises(OSError, match=r"Connect|refused|Address"):
            await connect_socket(loop, "several.example", port, 5)


async def test_plain_http_uses_the_builtin_client():
    def chosen(transports: TransportSelector, url: str) -> str:
        return transports.transport_for(url).name

    transports = TransportSelector(
        Settings(), None, 1.0, load_session_config(Settings()).router
    )
    try:
        assert chosen(transports, "http://a.example/x") == "builtin"
        assert chosen(transports, "https://a.example/x") == "pyreqwest"
        assert (
            transports.transport_for("http://a.example/x", is_range=True).name
            == "builtin"
        )
    finally:
        await transports.aclose()

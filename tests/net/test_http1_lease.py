"""Connections leased to a thread: what it reads, and how they are reused."""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import ssl
import struct
import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.net.fetching import fetch, read_all
from tests.support.loops import LOOPS
from tui.core.errors import TransientError
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.request import GetRequest
from tui.net.response import RateLimitedResponse
from tui.net.session import HttpSession
from tui.net.transports.http1.detached_socket import DetachedSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import trustme

    from tui.net.response import Response
    from tui.net.transports.base import SocketLease

WAIT_S = 10.0
BODY = Pattern(3_000_001, 5)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


# -- the detached socket ---------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[DetachedSocket, socket.socket]]:
    """A detached socket and its peer."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield DetachedSocket(near), far


def read(source: DetachedSocket, wait_s: float = 0.0, size: int = 100) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: source.read_into(memoryview(buffer), wait_s)])


def test_available_bytes_are_read_without_waiting(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    source, far = pair
    assert read(source) == b""
    far.sendall(b"abcdef")
    assert read(source, size=4) == b"abcd"
    assert read(source, wait_s=WAIT_S) == b"ef"
    assert read(source) == b""


def test_bytes_that_arrive_during_a_wait_are_read(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    source, far = pair
    found: list[bytes] = []
    for piece in (b"one", b"two"):
        thread = threading.Thread(target=lambda: found.append(read(source, WAIT_S)))
        thread.start()
        far.sendall(piece)
        thread.join(WAIT_S)
    assert found == [b"one", b"two"]


def test_stop_interrupts_a_waiting_thread(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    source, far = pair
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(read(source, 60)))
    thread.start()
    source.stop()
    thread.join(WAIT_S)
    assert found == [b""]
    assert far.recv(1) == b"", "the peer sees the end"


def test_nothing_is_read_after_stop(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    source, far = pair
    far.sendall(b"abc")
    source.stop()
    source.stop()
    assert read(source, WAIT_S) == b""


def test_an_end_and_an_error_read_as_nothing(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    source, far = pair
    far.close()
    assert read(source, WAIT_S) == b""
    source._sock.close()
    assert read(source, WAIT_S) == b""
    source.stop()


def test_has_more_does_not_consume(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    source, far = pair
    assert not source.has_more()
    far.sendall(b"abc")
    assert source.has_more()
    assert read(source) == b"abc"
    assert not source.has_more()
    far.close()
    assert source.has_more(), "an end counts"
    source._sock.close()
    assert source.has_more(), "so does an error"


# -- leased connections ----------------------------------------------------------------


class Play:
    """Runs on both event loops, whose transports differ, in the open and over TLS."""

    def __init__(
        self, loop: str, context: ssl.SSLContext | None, ca_file: Path
    ) -> None:
        self.context = context
        self._loop = loop
        self._ca_file = ca_file

    def __call__(self, scene: Callable[[HttpSession, ScriptedServer], Any]) -> None:
        async def within() -> None:
            async with ScriptedServer(self.context) as server, asyncio.timeout(20):
                session = HttpSession(
                    Settings(http_backend="http1", timeout_s=5, ca_file=self._ca_file)
                )
                try:
                    await scene(session, server)
                finally:
                    await session.close()

        with asyncio.Runner(loop_factory=LOOPS[self._loop]) as runner:
            runner.run(within())
        gc.collect()  # an unclosed socket must show here, not in another test


@pytest.fixture(params=[(loop, tls) for loop in LOOPS for tls in ("", "tls")])
def play(request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path) -> Play:
    loop, tls = request.param
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    return Play(loop, context, ca_file)


async def lease_when_possible(response: Response) -> tuple[bytes, SocketLease]:
    """Read until the connection can be leased; return what was read as well."""
    received = b""
    while (lease := response.lease()) is None:
        chunk = await response.read()
        assert chunk is not None, "it ended before it could be leased"
        received += bytes(chunk)
    return received, lease


def drain(lease: SocketLease, limit: int) -> bytes:
    """Read up to ``limit`` bytes in a thread; fewer if none arrive for long."""
    received = bytearray()
    while len(received) < limit and (
        piece := read(lease.source, WAIT_S, min(limit - len(received), 1 << 18))  # type: ignore[arg-type]
    ):
        received += piece
    return bytes(received)


async def drain_and_return(lease: SocketLease, limit: int) -> bytes:
    received = await asyncio.to_thread(drain, lease, limit)
    lease.return_(len(received))
    return received


def test_thread_and_loop_take_turns_without_losing_bytes(play: Play) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY))
        for _ in range(2):
            response = await session.open(GetRequest(url))
            body = b""
            while True:
                received, lease = await lease_when_possible(response)
                body += received + await drain_and_return(lease, 500_000)
                if len(body) > 2_000_000:
                    break
            body += await read_all(response)
            assert body == BODY.read()
        assert [seen.connection for seen in server.requests] == [0, 0]

    play(scene)


def test_a_large_body_is_left_for_a_thread(play: Play) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        raw = HEAD % len(BODY) + BODY.read()
        response = await session.open(
            GetRequest(server.add("/x", ResponseScript(raw=raw)))
        )
        # Whoever creates the file lets the loop run meanwhile.
        for _ in range(20):
            await asyncio.sleep(0)
        lease = response.lease()
        received = b""
        if lease is None:
            received = bytes(await response.read() or b"")
            lease = response.lease()
        assert len(received) <= 64 << 10
        assert lease is not None
        assert lease.left == len(BODY) - len(received)
        received += await drain_and_return(lease, lease.left)
        assert received == BODY.read()
        await response.close()

    play(scene)


def test_a_connection_is_reused_after_a_leased_body(play: Play) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY))
        for _ in range(3):
            response = await session.open(GetRequest(url))
            received, lease = await lease_when_possible(response)
            received += await drain_and_return(lease, lease.left)
            assert received == BODY.read()
            assert response.lease() is None
            assert await response.read() is None
            await response.close()
        assert [seen.connection for seen in server.requests] == [0, 0, 0]

    play(scene)


@pytest.mark.parametrize(
    "surplus",
    [b"!", HEAD % 5 + b"false", b"x" * 70_000],
    ids=["byte", "response", "much"],
)
def test_bytes_behind_a_leased_body_are_not_a_response(
    play: Play, surplus: bytes
) -> None:
    """They were once taken for the response to the next request."""
    body = BODY.read(0, 1_000_000)
    asked = []

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(HEAD % len(body) + body + surplus)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def scene(session: HttpSession, _: ScriptedServer) -> None:
        async with await asyncio.start_server(
            answer, "127.0.0.1", ssl=play.context
        ) as server:
            port = server.sockets[0].getsockname()[1]
            scheme = "https" if play.context else "http"
            target = GetRequest(f"{scheme}://127.0.0.1:{port}/x")
            response = await session.open(target)
            received, lease = await lease_when_possible(response)
            received += await drain_and_return(lease, lease.left)
            assert received == body
            # The last bytes of a body and those behind it may arrive separately.
            source: Any = lease.source
            if source._tls is None or not source._tls.has_more:
                await asyncio.to_thread(select.select, [source._sock], [], [], WAIT_S)
            await response.close()
            assert await fetch(session, target) == body
            assert len(asked) == 2

    play(scene)


@pytest.mark.parametrize("length", ["chunked", "none"])
def test_a_body_without_length_cannot_be_leased(play: Play, length: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        response = await session.open(
            GetRequest(server.add("/x", ResponseScript(BODY, length=length)))
        )
        body = b""
        while (chunk := await response.read()) is not None:
            body += bytes(chunk)
            assert response.lease() is None
        await response.close()
        assert body == BODY.read()

    play(scene)


def test_no_lease_with_buffered_bytes_or_after_the_end(play: Play) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        small = await session.open(
            GetRequest(server.add("/s", ResponseScript(b"all at once")))
        )
        assert small.lease() is None, "it has arrived completely"
        assert await read_all(small) == b"all at once"
        assert small.lease() is None
        large = await session.open(GetRequest(server.add("/x", ResponseScript(BODY))))
        _, lease = await lease_when_possible(large)
        lease.return_(0)
        await large.close()
        assert large.lease() is None

    play(scene)


async def test_a_rate_limited_response_cannot_be_leased(
    server: ScriptedServer,
) -> None:
    url = server.add("/x", ResponseScript(BODY))
    settings = Settings(http_backend="http1", timeout_s=5)
    session = HttpSession(settings)
    try:
        response = await session.open(GetRequest(url))
        _, lease = await lease_when_possible(response)
        lease.return_(0)
        limited = object.__new__(RateLimitedResponse)
        for slot in type(response).__slots__:
            setattr(limited, slot, getattr(response, slot))
        assert response.lease() is not None
        lease.return_(0)
        assert limited.lease() is None
        await response.close()
    finally:
        await session.close()


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_an_early_end_is_found_by_the_loop(play: Play, cut: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        script = ResponseScript(BODY, cut_after=2_000_000, cut=cut)
        response = await session.open(GetRequest(server.add("/x", script)))
        received, lease = await lease_when_possible(response)
        received += await drain_and_return(lease, lease.left)
        assert len(received) <= 2_000_000
        assert cut == "reset" or len(received) == 2_000_000
        assert received == BODY.read(0, len(received))
        with pytest.raises(TransientError) as caught:
            await read_all(response)
        assert caught.value.kind in ("truncated", "reset")

    play(scene)


@asynccontextmanager
async def leased_out(
    response: Response,
) -> AsyncIterator[tuple[SocketLease, asyncio.Future[bytes]]]:
    """Have a thread read from a connection that sends nothing more."""
    _, lease = await lease_when_possible(response)
    is_reading = threading.Event()

    def wait() -> bytes:
        is_reading.set()
        return drain(lease, lease.left)

    thread = asyncio.ensure_future(asyncio.to_thread(wait))
    await asyncio.to_thread(is_reading.wait, WAIT_S)
    yield lease, thread


@pytest.mark.parametrize("who", ["response", "session"])
def test_closing_a_leased_connection_keeps_its_descriptor(play: Play, who: str) -> None:
    """It could become another file's before the thread notices."""

    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY, stall_after=2_000_000))
        response = await session.open(GetRequest(url))
        async with leased_out(response) as (lease, thread):
            source: Any = lease.source
            await (response if who == "response" else session).close()
            received = await asyncio.wait_for(thread, WAIT_S)
            await server.until(lambda: server.requests[0].ended == "gone")
            assert source._sock.fileno() >= 0
            lease.return_(len(received))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert source._sock.fileno() < 0
        assert response.lease() is None or who == "session"
        with pytest.raises(TransientError):
            await response.read()

    play(scene)


def test_a_stopped_connection_is_not_reused(play: Play) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY))
        response = await session.open(GetRequest(url))
        received, lease = await lease_when_possible(response)
        received += await asyncio.to_thread(drain, lease, lease.left)
        lease.source.stop()
        lease.return_(len(BODY) - len(received) + lease.left)
        await response.close()
        assert await fetch(session, GetRequest(url)) == BODY.read()
        assert [seen.connection for seen in server.requests] == [0, 1]

    play(scene)


def test_nothing_is_read_from_a_stopped_connection(play: Play) -> None:
    """Continuing at the loop's position would return the wrong bytes."""

    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        response = await session.open(
            GetRequest(server.add("/x", ResponseScript(BODY)))
        )
        _, lease = await lease_when_possible(response)
        await asyncio.to_thread(drain, lease, 100_000)
        lease.source.stop()
        lease.return_(50_000)
        with pytest.raises(TransientError):
            await response.read()
        assert response.lease() is None

    play(scene)


def test_a_reset_seen_only_by_the_thread_is_an_incomplete_body(
    play: Play,
) -> None:
    """The system reports an error once: the loop then sees an early end."""

    def answer(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(10_000)
            sock.sendall(HEAD % 1_000_000 + bytes(300_000))
            assert is_read.wait(WAIT_S)
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )

    is_read = threading.Event()

    async def scene(session: HttpSession, _: ScriptedServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            served = asyncio.ensure_future(asyncio.to_thread(partial(answer, listener)))
            port = listener.getsockname()[1]
            response = await session.open(GetRequest(f"http://127.0.0.1:{port}/x"))
            received, lease = await lease_when_possible(response)
            rest = await asyncio.to_thread(drain, lease, 300_000 - len(received))
            assert len(received) + len(rest) == 300_000
            is_read.set()
            await served
            assert await asyncio.to_thread(drain, lease, 1) == b""
            lease.return_(len(rest))
            with pytest.raises(TransientError):
                await response.read()
            await response.close()

    play(scene)
    is_read.clear()

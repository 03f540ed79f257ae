"""A connection lent to a thread: what it reads, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import struct
import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.net.fetching import fetch, rest_of
from tests.support.loops import LOOPS
from tui.core.errors import TransientError
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.response import RateLimitedResponse
from tui.net.session import GetRequest, HttpSession
from tui.net.transports.http1.detached_socket import DetachedSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tui.net.response import Response
    from tui.net.transports.base import SocketLease

WAIT_S = 10.0
BODY = Pattern(3_000_001, 5)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


# -- the tap itself --------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[DetachedSocket, socket.socket]]:
    """A tap, and the far end of its socket."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield DetachedSocket(near), far


def read(tap: DetachedSocket, wait_s: float = 0.0, room: int = 100) -> bytes:
    buffer = bytearray(room)
    return bytes(buffer[: tap.read_into(memoryview(buffer), wait_s)])


def test_it_reads_what_is_there_and_does_not_wait_for_more(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    tap, far = pair
    assert read(tap) == b""
    far.sendall(b"abcdef")
    assert read(tap, room=4) == b"abcd"
    assert read(tap, wait_s=WAIT_S) == b"ef"
    assert read(tap) == b""


def test_what_comes_while_it_waits_is_read(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    tap, far = pair
    found: list[bytes] = []
    for piece in (b"one", b"two"):
        thread = threading.Thread(target=lambda: found.append(read(tap, WAIT_S)))
        thread.start()
        far.sendall(piece)
        thread.join(WAIT_S)
    assert found == [b"one", b"two"]


def test_a_stop_reaches_a_thread_that_waits(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    tap, far = pair
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(read(tap, 60)))
    thread.start()
    tap.stop()
    thread.join(WAIT_S)
    assert found == [b""]
    assert far.recv(1) == b"", "the far end hears of it"


def test_once_stopped_it_reads_nothing_even_if_there_is_something(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    tap, far = pair
    far.sendall(b"abc")
    tap.stop()
    tap.stop()
    assert read(tap, WAIT_S) == b""


def test_an_end_and_a_fault_are_nothing(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    tap, far = pair
    far.close()
    assert read(tap, WAIT_S) == b""
    tap._sock.close()
    assert read(tap, WAIT_S) == b""
    tap.stop()


def test_it_tells_whether_something_waits_and_leaves_it_there(
    pair: tuple[DetachedSocket, socket.socket],
) -> None:
    tap, far = pair
    assert not tap.has_more()
    far.sendall(b"abc")
    assert tap.has_more()
    assert read(tap) == b"abc"
    assert not tap.has_more()
    far.close()
    assert tap.has_more(), "an end is something"
    tap._sock.close()
    assert tap.has_more(), "so is a fault"


# -- a connection that is lent ---------------------------------------------------------


@pytest.fixture(params=LOOPS)
def play(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    """Run on both loops: their transports have nothing in common."""
    factory = LOOPS[request.param]

    def run(scene: Callable[[HttpSession, ScriptedServer], Any]) -> None:
        async def within() -> None:
            async with ScriptedServer() as server, asyncio.timeout(20):
                session = HttpSession(Settings(http_backend="builtin", timeout_s=5))
                try:
                    await scene(session, server)
                finally:
                    await session.close()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(within())
        gc.collect()  # an unclosed socket shows here, not in another test

    return run


async def borrow(reply: Response) -> tuple[bytes, SocketLease]:
    """Read on until the connection can be lent; return what was read as well."""
    came = b""
    while (lent := reply.lend()) is None:
        chunk = await reply.read()
        assert chunk is not None, "it ended before it could be lent"
        came += bytes(chunk)
    return came, lent


def drain(lent: SocketLease, limit: int) -> bytes:
    """Read up to ``limit`` bytes in a thread; less only if nothing comes for long."""
    came = bytearray()
    while len(came) < limit and (
        piece := read(lent.tap, WAIT_S, min(limit - len(came), 1 << 18))  # type: ignore[arg-type]
    ):
        came += piece
    return bytes(came)


async def pour(lent: SocketLease, limit: int) -> bytes:
    came = await asyncio.to_thread(drain, lent, limit)
    lent.take_back(len(came))
    return came


def test_thread_and_loop_take_turns_and_no_byte_is_lost(play: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY))
        for _ in range(2):
            reply = await session.open(GetRequest(url))
            body = b""
            while True:
                came, lent = await borrow(reply)
                body += came + await pour(lent, 500_000)
                if len(body) > 2_000_000:
                    break
            body += await rest_of(reply)
            assert body == BODY.read()
        assert [seen.connection for seen in server.requests] == [0, 0]

    play(scene)


def test_poured_to_its_end_it_carries_the_next_request(play: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY))
        for _ in range(3):
            reply = await session.open(GetRequest(url))
            came, lent = await borrow(reply)
            came += await pour(lent, lent.left)
            assert came == BODY.read()
            assert reply.lend() is None
            assert await reply.read() is None
            await reply.close()
        assert [seen.connection for seen in server.requests] == [0, 0, 0]

    play(scene)


@pytest.mark.parametrize(
    "surplus",
    [b"!", HEAD % 5 + b"false", b"x" * 70_000],
    ids=["byte", "answer", "much"],
)
def test_what_follows_a_poured_body_is_no_answer(play: Any, surplus: bytes) -> None:
    """It was taken for the answer to the next request of the same turn once."""
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
        async with await asyncio.start_server(answer, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            target = GetRequest(f"http://127.0.0.1:{port}/x")
            reply = await session.open(target)
            came, lent = await borrow(reply)
            came += await pour(lent, lent.left)
            assert came == body
            # Of a server, the last bytes of a body and what follows come as they like.
            tap: Any = lent.tap
            await asyncio.to_thread(select.select, [tap._sock], [], [], WAIT_S)
            await reply.close()
            assert await fetch(session, target) == body
            assert len(asked) == 2

    play(scene)


@pytest.mark.parametrize("length", ["chunked", "none"])
def test_without_an_announced_length_nothing_is_lent(play: Any, length: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        reply = await session.open(
            GetRequest(server.add("/x", ResponseScript(BODY, length=length)))
        )
        body = b""
        while (chunk := await reply.read()) is not None:
            body += bytes(chunk)
            assert reply.lend() is None
        await reply.close()
        assert body == BODY.read()

    play(scene)


def test_nothing_is_lent_while_bytes_wait_on_the_loop_or_it_is_over(play: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        small = await session.open(
            GetRequest(server.add("/s", ResponseScript(b"all at once")))
        )
        assert small.lend() is None, "it is here already"
        assert await rest_of(small) == b"all at once"
        assert small.lend() is None
        large = await session.open(GetRequest(server.add("/x", ResponseScript(BODY))))
        _, lent = await borrow(large)
        lent.take_back(0)
        await large.close()
        assert large.lend() is None

    play(scene)


async def test_the_reply_of_an_origin_with_a_rate_is_never_lent(
    server: ScriptedServer,
) -> None:
    url = server.add("/x", ResponseScript(BODY))
    settings = Settings(http_backend="builtin", timeout_s=5)
    session = HttpSession(settings)
    try:
        reply = await session.open(GetRequest(url))
        _, lent = await borrow(reply)
        lent.take_back(0)
        paced = object.__new__(RateLimitedResponse)
        for slot in type(reply).__slots__:
            setattr(paced, slot, getattr(reply, slot))
        assert reply.lend() is not None
        lent.take_back(0)
        assert paced.lend() is None
        await reply.close()
    finally:
        await session.close()


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_an_end_in_the_middle_is_found_by_the_loop_afterwards(
    play: Any, cut: Any
) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        script = ResponseScript(BODY, cut_after=2_000_000, cut=cut)
        reply = await session.open(GetRequest(server.add("/x", script)))
        came, lent = await borrow(reply)
        came += await pour(lent, lent.left)
        assert len(came) <= 2_000_000
        assert cut == "reset" or len(came) == 2_000_000
        assert came == BODY.read(0, len(came))
        with pytest.raises(TransientError) as caught:
            await rest_of(reply)
        assert caught.value.kind in ("truncated", "reset")

    play(scene)


@asynccontextmanager
async def lent_out(
    reply: Response,
) -> AsyncIterator[tuple[SocketLease, asyncio.Future[bytes]]]:
    """Have a thread read from a connection that brings nothing more."""
    _, lent = await borrow(reply)
    is_reading = threading.Event()

    def wait() -> bytes:
        is_reading.set()
        return drain(lent, lent.left)

    thread = asyncio.ensure_future(asyncio.to_thread(wait))
    await asyncio.to_thread(is_reading.wait, WAIT_S)
    yield lent, thread


@pytest.mark.parametrize("who", ["reply", "session"])
def test_closed_while_it_is_lent_it_ends_at_once_but_keeps_its_number(
    play: Any, who: str
) -> None:
    """Its number could be that of another file before the thread has seen it."""

    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY, stall_after=2_000_000))
        reply = await session.open(GetRequest(url))
        async with lent_out(reply) as (lent, thread):
            tap: Any = lent.tap
            await (reply if who == "reply" else session).close()
            came = await asyncio.wait_for(thread, WAIT_S)
            await server.until(lambda: server.requests[0].ended == "gone")
            assert tap._sock.fileno() >= 0
            lent.take_back(len(came))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert tap._sock.fileno() < 0
        assert reply.lend() is None or who == "session"
        with pytest.raises(TransientError):
            await reply.read()

    play(scene)


def test_stopped_it_is_of_no_use_any_more_even_if_its_body_is_whole(play: Any) -> None:
    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        url = server.add("/x", ResponseScript(BODY))
        reply = await session.open(GetRequest(url))
        came, lent = await borrow(reply)
        came += await asyncio.to_thread(drain, lent, lent.left)
        lent.tap.stop()
        lent.take_back(len(BODY) - len(came) + lent.left)
        await reply.close()
        assert await fetch(session, GetRequest(url)) == BODY.read()
        assert [seen.connection for seen in server.requests] == [0, 1]

    play(scene)


def test_stopped_in_the_middle_nothing_more_is_read_from_it(play: Any) -> None:
    """Whoever goes on where the loop thinks it stands would write the wrong bytes."""

    async def scene(session: HttpSession, server: ScriptedServer) -> None:
        reply = await session.open(GetRequest(server.add("/x", ResponseScript(BODY))))
        _, lent = await borrow(reply)
        await asyncio.to_thread(drain, lent, 100_000)
        lent.tap.stop()
        lent.take_back(50_000)
        with pytest.raises(TransientError):
            await reply.read()
        assert reply.lend() is None

    play(scene)


def test_a_reset_that_only_the_thread_saw_does_not_become_a_whole_body(
    play: Any,
) -> None:
    """The system tells a fault once: the loop finds an end, which is one too early."""

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
            reply = await session.open(GetRequest(f"http://127.0.0.1:{port}/x"))
            came, lent = await borrow(reply)
            rest = await asyncio.to_thread(drain, lent, 300_000 - len(came))
            assert len(came) + len(rest) == 300_000
            is_read.set()
            await served
            assert await asyncio.to_thread(drain, lent, 1) == b""
            lent.take_back(len(rest))
            with pytest.raises(TransientError):
                await reply.read()
            await reply.close()

    play(scene)
    is_read.clear()

"""Responses: headers, body, stalls, and what happens to their connection."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.net.fetching import TIMEOUT_S, error_of, fetch, read_all
from tests.support.stream_server import StreamServer
from tui.core.errors import TransientError
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.demo.server import ScriptedServer
    from tui.net.response import Response
    from tui.net.session import HttpSession


async def test_a_file_is_received_completely(
    session: HttpSession, server: ScriptedServer
) -> None:
    pattern = Pattern(3_000_001, seed=3)
    url = server.add("/x", ResponseScript(pattern, etag='"v1"'))
    response = await session.open(GetRequest(url))
    assert (response.status, response.redirects, response.url) == (200, 0, url)
    assert response.http_version == "HTTP/1.1"
    assert response.content_length == 3_000_001
    assert response.is_identity
    assert response.header("ETag") == '"v1"'
    assert response.header("absent") == ""
    assert await read_all(response) == pattern.read()


async def test_an_empty_file_is_received(
    session: HttpSession, server: ScriptedServer
) -> None:
    assert (
        await fetch(session, GetRequest(server.add("/x", ResponseScript(b"")))) == b""
    )


async def test_complete_bodies_return_their_connection_to_the_pool(
    session: HttpSession, server: ScriptedServer
) -> None:
    urls = [
        server.add("/length", ResponseScript(b"x" * 10_240)),
        server.add("/chunked", ResponseScript(b"x" * 10_240, length="chunked")),
        server.add("/empty", ResponseScript(b"")),
        server.add("/missing", ResponseScript(b"sorry", status=404)),
    ]
    for url in urls * 3:
        await fetch(session, GetRequest(url))
    assert {seen.connection for seen in server.requests} == {0}


async def test_closing_a_response_early_closes_its_connection(
    session: HttpSession, server: ScriptedServer
) -> None:
    url = server.add("/x", ResponseScript(Pattern(50_000_000)))
    response = await session.open(GetRequest(url))
    await response.read()
    await response.close()
    await response.close()
    await server.until(lambda: server.open_connections == 0)
    with pytest.raises(TransientError, match="closed"):
        await response.read()


async def waiting_read(
    session: HttpSession, server: ScriptedServer
) -> tuple[Response, asyncio.Task[Any]]:
    """Return a response without further data, and a task that reads from it."""
    url = server.add("/x", ResponseScript(b"x" * 1000, stall_after=500))
    response = await session.open(GetRequest(url))
    received = 0
    while received < 500:
        received += len(await response.read() or b"")
    task = asyncio.ensure_future(response.read())
    await asyncio.sleep(0)  # the task runs up to its first await
    return response, task


async def test_cancelling_a_read_closes_the_connection_at_once(
    session: HttpSession, server: ScriptedServer
) -> None:
    response, task = await waiting_read(session, server)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The timeout of 20 s is longer than this waits.
    await server.until(lambda: server.open_connections == 0)
    await response.close()


async def test_cancelling_open_returns_at_once_and_closes_the_connection(
    session: HttpSession, server: ScriptedServer
) -> None:
    url = server.add("/x", ResponseScript(b"x", latency_s=30))
    task = asyncio.ensure_future(session.open(GetRequest(url)))
    await server.until(lambda: server.requests)
    task.cancel()
    # The timeout of 20 s is longer than this waits.
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await task
    await server.until(lambda: server.open_connections == 0)


async def test_closing_a_response_interrupts_a_read_in_another_task(
    session: HttpSession, server: ScriptedServer
) -> None:
    response, task = await waiting_read(session, server)
    await response.close()
    with pytest.raises(TransientError, match="closed the connection"):
        await asyncio.wait_for(task, 20)
    assert task.cancelling() == 0
    await server.until(lambda: server.open_connections == 0)


# -- stalls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        ResponseScript(b"x", latency_s=30),
        ResponseScript(b"x" * 100, drip_s=0.1),
        ResponseScript(b"x", informational=-1),
        ResponseScript(b"x" * 100, stall_after=50),
        ResponseScript(b"x" * 100, stall_after=50, length="chunked"),
        ResponseScript(b"x" * 100, stall_after=50, length="none"),
        ResponseScript(b"x" * 100, stall_after=0),
    ],
    ids=["answer", "slow-loris", "1xx", "body", "chunked", "close", "first-byte"],
)
async def test_silence_and_slow_headers_are_stalls(
    hasty: HttpSession, server: ScriptedServer, script: ResponseScript
) -> None:
    began = time.monotonic()
    error = await error_of(hasty, GetRequest(server.add("/x", script)))
    elapsed = time.monotonic() - began
    assert isinstance(error, TransientError)
    assert error.kind == "stalled"
    assert elapsed > TIMEOUT_S * 0.9
    await server.until(lambda: server.open_connections == 0)


async def test_a_slow_but_steady_body_is_not_a_stall(
    hasty: HttpSession, server: ScriptedServer
) -> None:
    # Takes three times the timeout, with one byte every tenth of it.
    url = server.add("/x", ResponseScript(b"x" * 30, rate=25))
    assert await fetch(hasty, GetRequest(url)) == b"x" * 30


async def test_headers_are_returned_before_a_slow_body(
    hasty: HttpSession, server: ScriptedServer
) -> None:
    url = server.add("/x", ResponseScript(b"x" * 60_000, rate=600))
    response = await asyncio.wait_for(hasty.open(GetRequest(url)), 20)
    assert response.content_length == 60_000
    await response.close()


async def test_no_stall_is_detected_while_nobody_reads(
    hasty: HttpSession, server: ScriptedServer
) -> None:
    pattern = Pattern(2_000_000)
    response = await hasty.open(GetRequest(server.add("/x", ResponseScript(pattern))))
    first = bytes(await response.read() or b"")
    await asyncio.sleep(TIMEOUT_S * 2)
    assert first + await read_all(response) == pattern.read()


async def test_a_stall_is_detected_after_a_pause(
    hasty: HttpSession, server: ScriptedServer
) -> None:
    response = await hasty.open(
        GetRequest(server.add("/x", ResponseScript(b"xy", stall_after=1)))
    )
    await response.read()
    await asyncio.sleep(TIMEOUT_S * 2)
    with pytest.raises(TransientError) as caught:
        await asyncio.wait_for(response.read(), 20)
    assert caught.value.kind == "stalled"


@pytest.mark.parametrize("phase", ["headers", "body"])
async def test_what_arrived_while_the_process_was_suspended_is_no_stall(
    session: HttpSession, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """As after Ctrl+Z: every wait is overdue, and its data is in the socket."""
    loop = asyncio.get_running_loop()
    time_of_loop, is_waiting = loop.time, asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nda"
        if phase == "body":
            writer.write(head)
            head = b""
            await is_waiting.wait()
        writer.write(head + b"ta")
        monkeypatch.setattr(loop, "time", lambda: time_of_loop() + 3600)
        await reader.read()

    async with StreamServer(talk) as server:
        response = await session.open(GetRequest(f"http://127.0.0.1:{server.port}/"))
        received = bytes(await response.read() or b"")
        loop.call_soon(is_waiting.set)
        while chunk := await response.read():
            received += bytes(chunk)
        await response.close()
    assert received == b"data"


async def test_a_stall_does_not_leave_the_task_cancelled(
    hasty: HttpSession, server: ScriptedServer
) -> None:
    await error_of(
        hasty, GetRequest(server.add("/x", ResponseScript(b"x", latency_s=30)))
    )
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


# -- headers ---------------------------------------------------------------------------


async def test_displayed_headers_have_no_secrets_and_no_controls(
    session: HttpSession, raw: Callable[..., GetRequest]
) -> None:
    head = (
        "HTTP/1.1 200 OK\nContent-Length: 0\nServer: nginx\nX-Name: na\xc3\xafve\n"
        "Set-Cookie: id=SECRET\nX-Auth-Token: SECRET\nAuthentication-Info: SECRET\n"
        "Location: http://u:SECRET@h/\nX-Api-Key: SECRET\nX-Twice: a\nX-Twice: b"
    )
    response = await session.open(raw(head))
    shown = response.headers()
    assert "SECRET" not in str(shown)
    assert ("server", "nginx") in shown
    assert [v for n, v in shown if n == "x-twice"] == ["a", "b"]
    assert response.header("X-Twice") == "a, b"
    assert all(v.isprintable() and n.isprintable() for n, v in shown)
    await response.close()


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b'attachment; filename="na\xc3\xafve.txt"', "naïve.txt"),
        (b'attachment; filename="caf\xe9.txt"', "café.txt"),
    ],
)
async def test_file_names_in_raw_bytes_are_decoded(
    session: HttpSession, server: ScriptedServer, sent: bytes, name: str
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Disposition: " + sent
    target = GetRequest(
        server.add(
            "/x", ResponseScript(raw=head + b"\r\nContent-Length: 3\r\n\r\nabc")
        ),
        headers=(("Authorization", "Basic eDp5"),),
    )
    response = await session.open(target)
    assert read_resource_info(response, target).suggested_name == name
    assert ("content-disposition", sent.decode("utf-8", "ignore")) in [
        (n, v.replace("é", "")) for n, v in response.headers()
    ]
    assert await read_all(response) == b"abc"
    assert all(s.headers["authorization"] == "Basic eDp5" for s in server.requests)
    assert len(server.requests) == 1, "a link may be valid only once"


async def test_an_unreadable_file_name_does_not_fail_the_file(
    session: HttpSession, server: ScriptedServer
) -> None:
    good = ResponseScript(
        raw=b'HTTP/1.1 200 OK\r\nContent-Disposition: a; filename="\xe9"\r\n'
        b"Content-Length: 3\r\n\r\nabc"
    )
    url = server.add("/x", ResponseScript(raw=b"", first=[good]))
    assert await fetch(session, GetRequest(url)) == b"abc"

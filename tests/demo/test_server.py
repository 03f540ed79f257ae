"""The scripted server follows the RFC unless a script says otherwise."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from contextlib import suppress

import httpx
import pytest
import trustme
import uvloop

from tui.demo.server import Pattern, RecordedRequest, ResponseScript, ScriptedServer


async def fetch(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, url, headers=named)


async def response_to(server: ScriptedServer, request: bytes) -> bytes:
    """Send bytes over a plain socket and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


# -- patterns --------------------------------------------------------------------------


def test_a_pattern_has_the_same_bytes_however_it_is_read() -> None:
    pattern = Pattern(3_000_001, seed=7)
    whole = pattern.read()
    assert len(whole) == 3_000_001
    assert whole[1_048_570:1_048_600] == pattern.read(1_048_570, 1_048_600)
    assert bytes(pattern.chunk(2_000_000, 50)) == whole[2_000_000:2_000_050]
    assert pattern.sha256() == hashlib.sha256(whole).hexdigest()
    assert pattern.digest("md5") == hashlib.md5(whole).hexdigest()


def test_patterns_differ_between_seeds_and_between_aligned_offsets() -> None:
    pattern = Pattern(4 << 20, seed=1)
    assert pattern.read(0, 4096) != Pattern(4 << 20, seed=2).read(0, 4096)
    starts = {pattern.read(at, at + 64) for at in range(0, 4 << 20, 64 << 10)}
    assert len(starts) == 64


# -- honest answers --------------------------------------------------------------------


async def test_it_serves_a_body_and_records_the_request(
    server: ScriptedServer,
) -> None:
    body = Pattern(200_000, seed=3)
    url = server.add(
        "/f.bin", ResponseScript(body=body, etag='"v1"', last_modified="x")
    )
    response = await fetch(url, X_Test="yes")
    assert response.content == body.read()
    assert response.headers["etag"] == '"v1"'
    assert response.headers["last-modified"] == "x"
    assert response.headers["accept-ranges"] == "bytes"
    (seen,) = server.requests
    assert (seen.method, seen.path, seen.status) == ("GET", "/f.bin", 200)
    assert (seen.headers["x-test"], seen.range) == ("yes", None)
    assert (seen.bytes_sent, seen.ended) == (200_000, "sent")


async def test_head_sends_the_length_and_no_body(server: ScriptedServer) -> None:
    url = server.add("/f", ResponseScript(body=b"12345"))
    response = await fetch(url, "HEAD")
    assert response.headers["content-length"] == "5"
    assert response.content == b""


async def test_an_unknown_path_is_404_and_the_lookup_ignores_the_query(
    server: ScriptedServer,
) -> None:
    server.add("/f", ResponseScript(body=b"ok"))
    assert (await fetch(server.url("/nothing"))).status_code == 404
    assert (await fetch(server.url("/f?token=1"))).content == b"ok"


async def test_keep_alive_serves_many_requests_on_one_connection(
    server: ScriptedServer,
) -> None:
    url = server.add("/f", ResponseScript(body=b"x" * 100))
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(3):
            assert (await client.get(url)).content == b"x" * 100
        assert server.open_connections == 1
    await server.until(lambda: server.open_connections == 0)
    assert {seen.connection for seen in server.requests} == {0}
    assert server.requests[-1].closed_at is not None


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=0-3", 206, "bytes 0-3/10", b"0123"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=7-99", 206, "bytes 7-9/10", b"789"),
        ("bytes=-2", 206, "bytes 8-9/10", b"89"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=5-3", 200, None, b"0123456789"),
        ("bytes=0-1,4-5", 200, None, b"0123456789"),
        ("pages=1-2", 200, None, b"0123456789"),
    ],
)
async def test_ranges_are_honoured(
    server: ScriptedServer,
    asked: str,
    status: int,
    content_range: str | None,
    body: bytes,
) -> None:
    url = server.add("/f", ResponseScript(body=b"0123456789"))
    response = await fetch(url, Range=asked)
    assert (response.status_code, response.content) == (status, body)
    assert response.headers.get("content-range") == content_range


@pytest.mark.parametrize(
    ("etag", "if_range", "status"),
    [
        ('"v1"', '"v1"', 206),
        ('"v2"', '"v1"', 200),
        ('W/"v1"', 'W/"v1"', 200),
        (None, "Mon, 01 Jan 2024 00:00:00 GMT", 206),
        (None, "Mon, 01 Jan 2024 00:00:01 GMT", 200),
    ],
)
async def test_if_range_needs_the_same_strong_validator(
    server: ScriptedServer, etag: str | None, if_range: str, status: int
) -> None:
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    url = server.add("/f", ResponseScript(body=b"0123", etag=etag, last_modified=date))
    response = await fetch(url, Range="bytes=1-", If_Range=if_range)
    assert response.status_code == status


async def test_it_supports_tls() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    body = Pattern(300_000)
    async with (
        ScriptedServer(tls=context) as server,
        httpx.AsyncClient(verify=trusting, trust_env=False) as client,
    ):
        url = server.add("/f", ResponseScript(body=body))
        assert url.startswith("https://")
        assert (await client.get(url)).content == body.read()


# -- scripted faults -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "status", "content_range", "body"),
    [
        ("ignore", 200, None, b"0123456789"),
        ("refuse", 416, "bytes */10", b""),
        ("wrong_start", 206, "bytes 3-7/10", b"34567"),
        ("wrong_total", 206, "bytes 4-7/11", b"4567"),
        ("wrong_bytes", 206, "bytes 4-7/10", b"0123"),
        ("short", 206, "bytes 4-5/10", b"45"),
        ("star_total", 206, "bytes 4-7/*", b"4567"),
        ("no_content_range", 206, None, b"4567"),
    ],
)
async def test_range_faults_are_exact(
    server: ScriptedServer,
    lie: str,
    status: int,
    content_range: str | None,
    body: bytes,
) -> None:
    url = server.add("/f", ResponseScript(body=b"0123456789", ranges=lie))  # type: ignore[arg-type]
    response = await fetch(url, Range="bytes=4-7")
    assert (response.status_code, response.content) == (status, body)
    assert response.headers.get("content-range") == content_range


async def test_multipart_ranges_are_wrapped(server: ScriptedServer) -> None:
    url = server.add("/f", ResponseScript(body=b"0123456789", ranges="multipart"))
    response = await fetch(url, Range="bytes=4-7")
    assert response.headers["content-type"].startswith("multipart/byteranges")
    assert b"Content-Range: bytes 4-7/10\r\n\r\n4567\r\n--" in response.content


async def test_it_fails_first_and_then_succeeds(server: ScriptedServer) -> None:
    busy = ResponseScript(status=429, retry_after=2)
    url = server.add("/f", ResponseScript(body=b"ok", first=[503, busy]))
    answers = [await fetch(url) for _ in range(3)]
    assert [a.status_code for a in answers] == [503, 429, 200]
    assert answers[1].headers["retry-after"] == "2"


async def test_a_file_changes_after_some_requests(server: ScriptedServer) -> None:
    new = ResponseScript(body=b"new", etag='"2"')
    url = server.add(
        "/f", ResponseScript(body=b"old", etag='"1"', change_after=1, changed=new)
    )
    first, second = await fetch(url), await fetch(url)
    assert (first.content, first.headers["etag"]) == (b"old", '"1"')
    assert (second.content, second.headers["etag"]) == (b"new", '"2"')


async def test_a_callable_chooses_by_request(server: ScriptedServer) -> None:
    def choose(seen: RecordedRequest) -> ResponseScript | None:
        return ResponseScript(status=403) if "cookie" not in seen.headers else None

    url = server.add("/f", ResponseScript(body=b"in", answer=choose))
    assert (await fetch(url)).status_code == 403
    assert (await fetch(url, Cookie="a=b")).content == b"in"


async def test_a_redirect_has_the_scripted_location(server: ScriptedServer) -> None:
    url = server.add("/old", ResponseScript(redirect="/new"))
    moved = server.add("/gone", ResponseScript(status=308, redirect=server.url("/new")))
    assert (await fetch(url)).headers["location"] == "/new"
    assert (await fetch(moved)).status_code == 308


async def test_scripted_headers_replace_and_may_repeat(server: ScriptedServer) -> None:
    pairs = [("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b")]
    url = server.add(
        "/f", ResponseScript(body=b"x", headers=pairs, content_encoding="gzip")
    )
    reply = await response_to(server, get("/f", "Connection: close"))
    head = reply.partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"content-type") == 1
    assert head.count(b"set-cookie") == 2
    assert b"content-encoding: gzip" in head
    assert url.endswith("/f")


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_a_cut_happens_after_exactly_that_many_bytes(
    server: ScriptedServer, cut: str
) -> None:
    server.add("/f", ResponseScript(body=Pattern(500_000), cut_after=123_457, cut=cut))  # type: ignore[arg-type]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/f"))
    got = bytearray()
    ending: BaseException | None = None
    try:
        while piece := await reader.read(65536):
            got += piece
    except ConnectionResetError as error:
        ending = error
    writer.close()
    assert (ending is not None) == (cut == "reset")
    (seen,) = server.requests
    assert (seen.bytes_sent, seen.ended) == (123_457, "cut")
    if cut == "close":
        assert len(got.partition(b"\r\n\r\n")[2]) == 123_457


async def test_a_stall_lasts_until_the_client_disconnects(
    server: ScriptedServer,
) -> None:
    server.add("/f", ResponseScript(body=Pattern(100_000), stall_after=1000))
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/f"))
    await server.until(lambda: server.requests and server.requests[0].bytes_sent)
    (seen,) = server.requests
    assert (seen.bytes_sent, seen.ended) == (1000, "")
    writer.close()
    await server.until(lambda: seen.closed_at is not None)
    await server.until(lambda: seen.ended == "gone")


async def test_a_client_that_does_not_read_pauses_the_server(
    server: ScriptedServer,
) -> None:
    server.add("/f", ResponseScript(body=Pattern(64 << 20)))
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(get("/f"))
    await server.until(lambda: server.requests and server.requests[0].bytes_sent)
    writer.close()
    await server.until(lambda: server.requests[0].ended == "gone")
    assert server.requests[0].bytes_sent < 32 << 20


async def test_the_rate_is_limited(server: ScriptedServer) -> None:
    url = server.add("/f", ResponseScript(body=Pattern(100_000), rate=500_000))
    began = time.monotonic()
    assert len((await fetch(url)).content) == 100_000
    assert time.monotonic() - began > 0.15


async def test_latency_delays_the_first_byte(server: ScriptedServer) -> None:
    url = server.add("/f", ResponseScript(body=b"x", latency_s=0.1))
    began = time.monotonic()
    await fetch(url)
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize(
    ("length", "version", "line"),
    [
        ("none", b"HTTP/1.0 200", b"connection: close"),
        ("chunked", b"HTTP/1.1 200", b"transfer-encoding: chunked"),
        (9999, b"HTTP/1.1 200", b"content-length: 9999"),
    ],
)
async def test_framing_is_as_scripted(
    server: ScriptedServer, length: object, version: bytes, line: bytes
) -> None:
    server.add("/f", ResponseScript(body=b"hello", length=length))  # type: ignore[arg-type]
    reply = await response_to(server, get("/f", "Connection: close"))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(version)
    assert line in head
    assert body == (b"5\r\nhello\r\n0\r\n\r\n" if length == "chunked" else b"hello")


async def test_a_chunked_body_is_cut_short_without_its_last_chunk(
    server: ScriptedServer,
) -> None:
    server.add("/f", ResponseScript(body=b"hello world", length="chunked", cut_after=5))
    reply = await response_to(server, get("/f"))
    assert reply.endswith(b"\r\n\r\n5\r\nhello\r\n")


async def test_raw_bytes_are_sent_unchanged(server: ScriptedServer) -> None:
    server.add("/junk", ResponseScript(raw=b"\x00\xffnot http"))
    server.add("/mute", ResponseScript(raw=b""))
    assert await response_to(server, get("/junk")) == b"\x00\xffnot http"
    assert await response_to(server, get("/mute")) == b""
    assert [seen.ended for seen in server.requests] == ["cut", "cut"]


async def test_headers_drip_and_informational_responses_come_first(
    server: ScriptedServer,
) -> None:
    server.add("/f", ResponseScript(body=b"x", drip_s=0.001, informational=2))
    reply = await response_to(server, get("/f", "Connection: close"))
    assert reply.startswith(b"HTTP/1.1 102 Processing\r\n\r\n" * 2 + b"HTTP/1.1 200")
    assert reply.endswith(b"\r\n\r\nx")


async def test_endless_informational_responses_end_with_the_client(
    server: ScriptedServer,
) -> None:
    server.add("/f", ResponseScript(body=b"x", informational=-1))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/f"))
    assert await reader.readexactly(200)
    writer.close()
    await server.until(lambda: server.requests[0].ended == "gone")


async def test_stopping_closes_stalled_connections() -> None:
    server = ScriptedServer()
    await server.start()
    server.add("/f", ResponseScript(body=b"x" * 10, stall_after=1))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/f"))
    await server.until(lambda: server.requests)
    await server.stop()
    assert server.open_connections == 0
    with suppress(ConnectionError):  # an orderly end is as good
        await reader.read()
    assert server.requests[0].ended == "gone"
    writer.close()


async def test_until_times_out_and_lists_the_requests(server: ScriptedServer) -> None:
    await fetch(server.url("/lonely"))
    with pytest.raises(TimeoutError, match="/lonely"):
        await server.until(lambda: False, timeout_s=0.05)


def test_it_works_on_uvloop() -> None:
    async def conversation() -> None:
        async with ScriptedServer() as server:
            body = Pattern(3 << 20)
            assert (
                await fetch(server.add("/f", ResponseScript(body=body)))
            ).content == (body.read())
            server.add(
                "/cut", ResponseScript(body=body, cut_after=1 << 20, cut="reset")
            )
            with pytest.raises(httpx.ReadError):
                await fetch(server.url("/cut"))
            server.add("/stall", ResponseScript(body=body, stall_after=1))
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(get("/stall"))
            await server.until(lambda: server.requests[-1].bytes_sent == 1)
            writer.close()
            await server.until(lambda: server.requests[-1].ended == "gone")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(conversation())

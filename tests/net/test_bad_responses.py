"""Incomplete, oversized and invalid responses over real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.net.fetching import error_of, fetch, read_all, refusal_of
from tui.core.errors import PermanentError, TransientError
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tui.demo.server import ScriptedServer

    Raw: TypeAlias = Callable[..., GetRequest]

CHUNKED = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"

# -- bodies ----------------------------------------------------------------------------


async def test_a_body_shorter_than_its_length_is_truncated(
    session: HttpSession, raw: Raw
) -> None:
    response = await session.open(raw("HTTP/1.1 200 OK\nContent-Length: 10", b"abc"))
    assert bytes(await response.read() or b"") == b"abc"
    with pytest.raises(TransientError) as caught:
        await response.read()
    assert caught.value.kind == "truncated"
    with pytest.raises(TransientError):
        await response.read()


async def test_bytes_behind_the_body_close_the_connection(
    session: HttpSession, server: ScriptedServer, raw: Raw
) -> None:
    target = raw("HTTP/1.1 200 OK\nContent-Length: 3", b"abcHTTP/1.1 200 OK\r\n\r\nX")
    assert await fetch(session, target) == b"abc"
    assert await fetch(session, target) == b"abc"
    assert [seen.connection for seen in server.requests] == [0, 1]


async def test_a_body_without_length_ends_with_its_connection(
    session: HttpSession, raw: Raw
) -> None:
    response = await session.open(raw("HTTP/1.0 200 OK", b"abc"))
    assert response.content_length is None
    assert response.http_version == "HTTP/1.0"
    assert bytes(await response.read() or b"") == b"abc"
    assert await response.read() is None
    assert await response.read() is None
    await response.close()


async def test_a_body_that_ends_with_a_reset_is_incomplete(
    session: HttpSession, server: ScriptedServer
) -> None:
    script = ResponseScript(b"x" * 1000, length="none", cut_after=500, cut="reset")
    error = await error_of(session, GetRequest(server.add("/x", script)))
    assert isinstance(error, TransientError)
    assert error.kind == "reset"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "truncated"),
        (b"3\r\nabc\r\n", "truncated"),
        (b"30\r\nabc", "truncated"),
        (b"3\r\nabc\r\n0\r\n", "truncated"),
        (b"zz\r\nabc\r\n0\r\n\r\n", "bad_reply"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "bad_reply"),
        (b"3\r\nabcdef\r\n0\r\n\r\n", "bad_reply"),
    ],
)
async def test_incomplete_or_invalid_chunks_are_transient_errors(
    session: HttpSession, raw: Raw, body: bytes, kind: str
) -> None:
    error = await error_of(session, raw(CHUNKED, body))
    assert isinstance(error, TransientError)
    assert error.kind == kind


async def test_a_chunk_of_impossible_size_is_an_error(
    session: HttpSession, raw: Raw
) -> None:
    body = b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"
    assert (await error_of(session, raw(CHUNKED, body))).kind in (
        "bad_reply",
        "truncated",
    )


async def test_chunk_extensions_and_trailers_are_skipped(
    session: HttpSession, raw: Raw
) -> None:
    body = b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: y\r\n\r\n"
    target = raw(CHUNKED, body)
    assert await fetch(session, target) == b"abcde"
    response = await session.open(target)
    assert response.is_identity
    assert response.content_length is None
    await response.close()


async def test_content_length_is_ignored_with_chunks(
    session: HttpSession, raw: Raw
) -> None:
    target = raw(CHUNKED + "\nContent-Length: 30", b"3\r\nabc\r\n0\r\n\r\n")
    response = await session.open(target)
    assert response.content_length is None
    await response.close()
    assert await fetch(session, target) == b"abc"


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_a_connection_closed_without_response_is_a_transient_error(
    session: HttpSession, server: ScriptedServer, cut: str
) -> None:
    script = ResponseScript(raw=b"", cut="reset" if cut == "reset" else "close")
    error = await error_of(session, GetRequest(server.add("/x", script)))
    assert isinstance(error, TransientError)
    assert error.kind == "reset"
    assert f"127.0.0.1:{server.port}" in str(error)


async def test_incomplete_headers_are_a_transient_error(
    session: HttpSession, server: ScriptedServer
) -> None:
    script = ResponseScript(raw=b"HTTP/1.1 200 OK\r\nContent-Le")
    error = await error_of(session, GetRequest(server.add("/x", script)))
    assert isinstance(error, TransientError)


# -- heads -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        "SSH-2.0-OpenSSH_9.6",
        "<html>hello</html>",
        "220 mail.example ESMTP",
        "HTTP/1.1 abc OK",
        "HTTP/1.1 99 OK",
        "HTTP/1.1 200 OK\nno colon here",
        "HTTP/1.1 200 OK\nNul: a\x00b",
        "HTTP/1.1 200 OK\nContent-Length: 3\nContent-Length: 4",
        "HTTP/1.1 200 OK\nContent-Length: -3",
        "HTTP/1.1 200 OK\nContent-Length: +3",
        "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999999",
        "HTTP/1.1 200 OK\nX: " + "a" * 600_000,
    ],
)
async def test_invalid_http_is_a_permanent_error(
    session: HttpSession, raw: Raw, head: str
) -> None:
    error = await error_of(session, raw(head))
    assert isinstance(error, PermanentError)
    assert error.kind == "bad_reply"


@pytest.mark.parametrize("fields", [(1, 150_000), (90, 2_000), (250, 10)])
async def test_oversized_headers_are_refused(
    session: HttpSession, raw: Raw, fields: tuple[int, int]
) -> None:
    count, size = fields
    lines = "".join(f"\nX-{n}: {'a' * size}" for n in range(count))
    error = await error_of(session, raw(f"HTTP/1.1 200 OK{lines}\nContent-Length: 0"))
    assert isinstance(error, PermanentError)
    assert error.kind == "bad_reply"
    assert "too many response headers" in str(error)


async def test_a_folded_header_line_is_unfolded(session: HttpSession, raw: Raw) -> None:
    target = raw("HTTP/1.1 200 OK\nX-Long: a\n  b\nContent-Length: 0")
    response = await session.open(target)
    assert response.header("x-long").split() == ["a", "b"]
    await response.close()


async def test_a_repeated_equal_content_length_is_accepted(
    session: HttpSession, raw: Raw
) -> None:
    head = "HTTP/1.1 200 OK\nContent-Length: 3\nContent-Length: 3"
    assert await fetch(session, raw(head, b"abc")) == b"abc"


async def test_interim_responses_are_skipped(session: HttpSession, raw: Raw) -> None:
    interim = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: </x>\n\n"
    target = raw(interim + "HTTP/1.1 200 OK\nContent-Length: 3", b"abc")
    assert await fetch(session, target) == b"abc"


@pytest.mark.parametrize("status", [204, 205, 304, 300, 305])
async def test_statuses_without_a_file_are_refused(
    session: HttpSession, raw: Raw, status: int
) -> None:
    target = raw(f"HTTP/1.1 {status} Surprise\nContent-Length: 0")
    error = await refusal_of(session, target)
    assert isinstance(error, PermanentError)
    assert (error.kind, error.status) == ("http_status", status)


@pytest.mark.parametrize("rest", [b"", b"abc", b"HTTP/1.1 200 OK\r\n\r\nabc"])
async def test_an_unrequested_protocol_switch_is_refused(
    session: HttpSession, raw: Raw, rest: bytes
) -> None:
    target = raw("HTTP/1.1 101 Switching\nUpgrade: x\nConnection: upgrade", rest)
    error = await refusal_of(session, target)
    assert error.kind in ("http_status", "bad_reply")


@pytest.mark.parametrize(
    "coding",
    [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
    ],
)
async def test_an_unrequested_coding_is_refused(
    session: HttpSession, raw: Raw, coding: str
) -> None:
    target = raw(f"HTTP/1.1 200 OK\n{coding}", b"abc")
    error = await refusal_of(session, target)
    assert isinstance(error, PermanentError)
    assert error.kind == "encoding"


@pytest.mark.parametrize("value", ["gzip", "x-gzip", "br", "aws-chunked", "utf-8"])
async def test_an_encoded_body_is_returned_as_sent(
    session: HttpSession, raw: Raw, value: str
) -> None:
    target = raw(
        f"HTTP/1.1 200 OK\nContent-Encoding: {value}\nContent-Length: 3", b"abc"
    )
    response = await session.open(target)
    assert read_resource_info(response, target).size == 3
    assert await read_all(response) == b"abc"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("X-Note: a\x02b\x7f\nContent-Length: 3", b"abc"),
        ("X-Note : b\nContent-Length : 3", b"abc"),
        ("X-Note: a\rb\nContent-Length: 3", b"abc"),
        ("Content-Length: 3,03,3", b"abc"),
        ("Content-Length: 3\nContent-Length: 003", b"abc"),
        ("Transfer-Encoding: identity, chunked", b"3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\nA: b\n\n"),
    ],
)
async def test_odd_heads_are_accepted_as_in_curl(
    server: ScriptedServer, head: str, body: bytes
) -> None:
    # curl's tests 770, 1417, 1493 and 2105, and what Firefox's tests send.
    session = HttpSession(Settings(http_backend="http1", timeout_s=20))
    lines = f"HTTP/1.1 200 O\x1bK\n{head}\nContent-Disposition: filename=I\x04T(m8).pdf"
    data = lines.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body
    target = GetRequest(server.add("/raw", ResponseScript(raw=data)))
    response = await session.open(target)
    info = read_resource_info(response, target)
    assert info.suggested_name == "IT(m8).pdf"
    assert all(value.isprintable() for _, value in response.headers())
    assert await read_all(response) == b"abc"
    await session.close()


async def test_the_identity_coding_is_accepted(session: HttpSession, raw: Raw) -> None:
    target = raw(
        "HTTP/1.1 200 OK\nContent-Encoding: identity\nContent-Length: 3", b"abc"
    )
    response = await session.open(target)
    assert read_resource_info(response, target).size == 3
    await response.close()


async def test_messages_contain_no_escape_sequences(
    session: HttpSession, raw: Raw
) -> None:
    head = "HTTP/1.1 200 \x1b]0;pwned\x07\nX-A: \x1b[31m\nContent-Length: 0"
    for first_line in (head, "\x1b]0;pwned\x07\x1b[2J"):
        try:
            response = await session.open(raw(first_line))
        except PermanentError as error:
            assert str(error).isprintable()  # noqa: PT017  # either outcome is right
        else:
            assert all(v.isprintable() for _, v in response.headers())
            await response.close()


async def test_a_bad_response_does_not_affect_the_next(
    session: HttpSession, server: ScriptedServer
) -> None:
    good = server.add("/good", ResponseScript(b"good"))
    for script in (
        ResponseScript(b"x" * 100, length=200),
        ResponseScript(b"x" * 100, length="chunked", cut_after=50),
        ResponseScript(b"x" * 100, cut_after=50, cut="reset"),
    ):
        await error_of(session, GetRequest(server.add("/bad", script)))
        assert await fetch(session, GetRequest(good)) == b"good"


async def test_bytes_behind_a_body_are_not_the_next_response(
    session: HttpSession, server: ScriptedServer, raw: Raw
) -> None:
    body = b"abcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    target = raw("HTTP/1.1 200 OK\nContent-Length: 3", body)
    other = GetRequest(server.add("/y", ResponseScript(b"good")))
    for _ in range(3):
        assert await fetch(session, target) == b"abc"
        assert await fetch(session, other) == b"good"


# -- floods ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_informational_responses_without_end_are_refused(
    session: HttpSession, server: ScriptedServer, interim: bytes
) -> None:
    flood = interim * (400_000 // len(interim))
    end = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    url = server.add("/x", ResponseScript(raw=flood + end))
    error = await error_of(session, GetRequest(url))
    assert isinstance(error, PermanentError)
    assert "too many response headers" in str(error)


async def test_httpx_gives_others_their_turn_while_tiny_chunks_arrive(raw: Raw) -> None:
    session = HttpSession(Settings(http_backend="httpx", timeout_s=20))
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(count)

    number = 20_000
    response = await session.open(raw(CHUNKED, b"1\r\na\r\n" * number + b"0\r\n\r\n"))
    loop = asyncio.get_running_loop()
    loop.call_soon(count)
    assert await read_all(response) == b"a" * number
    await session.close()
    # Each turn decodes a few hundred chunks: 64 KiB at once would take three turns.
    assert turns > number / 1000

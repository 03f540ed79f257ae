"""TLS as users get it: what is agreed to, and what hostile servers send.

Sessions have default settings here, so these tests also say that the built-in client is
what https uses.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.net.fetching import error_of, fetch, read_all
from tests.support.tls_peer import TlsPeer, serving, serving_tls
from tests.support.until import until
from tui.core.errors import FetchError, PermanentError, TransientError
from tui.core.settings import Settings
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info
from tui.net.session import HttpSession
from tui.net.transports.http1.client import Http1Transport
from tui.net.transports.http1.tls_stream import TlsStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.net.transports.http1.connection import Connection
    from tui.net.transports.http1.connector import Origin

OK = b"HTTP/1.1 200 OK\r\n"
CLOSING = OK + b"Connection: close\r\n"
FILE = OK + b"Content-Length: 4\r\n\r\nfile"


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


def server_context(
    authority: trustme.CA, key: trustme.KeyType = trustme.KeyType.ECDSA
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(context)
    authority.issue_cert("localhost", "127.0.0.1", key_type=key).configure_cert(context)
    return context


@pytest.fixture
async def session(bundle: Path) -> AsyncIterator[HttpSession]:
    session = HttpSession(Settings(ca_file=bundle, timeout_s=5))
    assert session.backend_name == "http1"
    yield session
    await session.close()


def target(port: int) -> GetRequest:
    return GetRequest(f"https://localhost:{port}/x")


async def answer_file(peer: TlsPeer) -> None:
    while True:
        await peer.request()
        await peer.send(FILE)


# -- what is agreed to -----------------------------------------------------------------


async def test_name_and_protocol_are_announced(
    session: HttpSession, context: ssl.SSLContext
) -> None:
    names: list[str | None] = []
    protocols: list[str | None] = []
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _, name, __: names.append(name)

    async def script(peer: TlsPeer) -> None:
        protocols.append(peer.object.selected_alpn_protocol())
        await answer_file(peer)

    async with serving_tls(context, script) as port:
        assert await fetch(session, target(port)) == b"file"
    assert names == ["localhost"]
    assert protocols == ["http/1.1"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_second_connection_resumes_the_session(
    session: HttpSession, context: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    context.maximum_version = version
    resumed: list[bool] = []

    async def script(peer: TlsPeer) -> None:
        resumed.append(bool(peer.object.session_reused))
        await peer.request()
        await peer.send(CLOSING + b"Content-Length: 1\r\n\r\nx")

    async with serving_tls(context, script) as port:
        for _ in range(3):
            assert await fetch(session, target(port)) == b"x"
    assert resumed == [False, True, True]


async def test_a_session_that_is_not_known_anymore_is_replaced(
    session: HttpSession, authority: trustme.CA
) -> None:
    """Each connection gets a context, and with it ticket keys, of its own."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        peer = TlsPeer(server_context(authority), reader, writer)
        await peer.handshake()
        await peer.request()
        await peer.send(CLOSING + b"Content-Length: 1\r\n\r\nx")

    async with serving(serve) as port:
        for _ in range(3):
            assert await fetch(session, target(port)) == b"x"
    assert served == 3


async def test_many_handshakes_leave_the_loop_to_others(
    session: HttpSession, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count steps of handshakes per iteration of the loop, of 40 begun at once."""
    loop = asyncio.get_running_loop()
    steps = [0]
    step = TlsStream.handshake

    def counted(tls: TlsStream) -> bool:
        steps[-1] += 1
        return step(tls)

    def begin_iteration() -> None:
        nonlocal ticking
        steps.append(0)
        ticking = loop.call_soon(begin_iteration)

    monkeypatch.setattr(TlsStream, "handshake", counted)
    async with serving_tls(context, answer_file) as port:
        ticking = loop.call_soon(begin_iteration)
        files = await asyncio.gather(*(fetch(session, target(port)) for _ in range(40)))
        ticking.cancel()
    assert files == [b"file"] * 40
    assert sum(steps) >= 80
    assert max(steps) <= 16


async def test_a_handshake_given_up_in_the_queue_does_not_keep_others_waiting(
    session: HttpSession, context: ssl.SSLContext
) -> None:
    async with serving_tls(context, answer_file) as port:
        fetches = [
            asyncio.ensure_future(fetch(session, target(port))) for _ in range(40)
        ]
        assert await fetches[0] == b"file"
        for late in fetches[20:30]:
            late.cancel()
        files = await asyncio.gather(*fetches, return_exceptions=True)
    whole = [file for file in files if file == b"file"]
    assert len(whole) >= 30


async def test_old_suites_of_tls_1_2_are_offered(
    session: HttpSession, authority: trustme.CA
) -> None:
    context = server_context(authority, trustme.KeyType.RSA)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    async with serving_tls(context, answer_file) as port:
        assert await fetch(session, target(port)) == b"file"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_versions_before_tls_1_2_are_refused(
    session: HttpSession, authority: trustme.CA
) -> None:
    context = server_context(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving_tls(context, answer_file) as port:
        error = await error_of(session, target(port))
    assert isinstance(error, PermanentError)
    assert error.kind == "tls"


@pytest.mark.parametrize("has_certificate", [True, False])
async def test_a_certificate_asked_for_after_the_handshake_is_sent(
    context: ssl.SSLContext,
    authority: trustme.CA,
    bundle: Path,
    tmp_path: Path,
    has_certificate: bool,
) -> None:
    """As Apache does for ``SSLVerifyClient`` in a ``Location``."""
    context.verify_mode = ssl.CERT_OPTIONAL
    context.post_handshake_auth = True
    certificate = tmp_path / "me.pem"
    leaf = authority.issue_cert("me@example.org")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    shown: list[bool] = []

    async def script(peer: TlsPeer) -> None:
        while True:
            await peer.request()
            peer.object.verify_client_post_handshake()
            peer.object.do_handshake()
            await peer.flush()
            await peer.receive()
            shown.append(bool(peer.object.getpeercert()))
            await peer.send(FILE)

    settings = Settings(
        ca_file=bundle,
        client_cert=certificate if has_certificate else None,
        timeout_s=5,
    )
    session = HttpSession(settings)
    async with serving_tls(context, script) as port:
        assert await fetch(session, target(port)) == b"file"
    await session.close()
    assert shown == [has_certificate]


@pytest.mark.parametrize(
    ("version", "has_certificate"),
    [
        (ssl.TLSVersion.TLSv1_3, False),
        (ssl.TLSVersion.TLSv1_3, True),
        (ssl.TLSVersion.TLSv1_2, True),
    ],
)
async def test_a_rejected_client_certificate_is_no_broken_connection(
    context: ssl.SSLContext,
    bundle: Path,
    tmp_path: Path,
    version: ssl.TLSVersion,
    has_certificate: bool,
) -> None:
    """With TLS 1.3, the client learns of it only after its side of the handshake."""
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    certificate = tmp_path / "me.pem"
    stranger = trustme.CA().issue_cert("me@example.org")
    stranger.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    settings = Settings(
        ca_file=bundle,
        client_cert=certificate if has_certificate else None,
        timeout_s=5,
    )
    session = HttpSession(settings)
    async with serving_tls(context, answer_file) as port:
        error = await error_of(session, target(port))
    await session.close()
    assert error.kind == "client_cert", error


async def test_an_alert_before_the_request_says_why_there_is_no_response(
    session: HttpSession, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Http1Transport._connect

    async def connect(transport: Http1Transport, origin: Origin) -> Connection:
        connection = await real(transport, origin)
        await until(lambda: not connection.is_open)
        return connection

    monkeypatch.setattr(Http1Transport, "_connect", connect)
    context.verify_mode = ssl.CERT_REQUIRED
    async with serving_tls(context, answer_file) as port:
        error = await error_of(session, target(port))
    assert error.kind == "client_cert", error


async def test_header_values_outside_ascii_take_no_second_request(
    session: HttpSession, context: ssl.SSLContext
) -> None:
    """A link may be valid only once."""
    asked: list[bytes] = []
    moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
    answers = [
        moved + b"Location: /gr\xc3\xb6\xc3\x9fe\r\n\r\n",
        OK + b'Content-Disposition: a; filename="gr\xf6\xdfe"\r\n' + FILE[len(OK) :],
    ]

    async def script(peer: TlsPeer) -> None:
        for answer in answers:
            asked.append((await peer.request()).split(b"\r\n")[0])
            await peer.send(answer)

    async with serving_tls(context, script) as port:
        response = await session.open(target(port))
        assert read_resource_info(response, target(port)).suggested_name == "größe"
        assert await read_all(response) == b"file"
        await response.close()
    assert asked == [b"GET /x HTTP/1.1", b"GET /gr%C3%B6%C3%9Fe HTTP/1.1"]


# -- the end of a body -----------------------------------------------------------------


async def check_body_without_length(
    session: HttpSession, context: ssl.SSLContext, *, is_announced: bool
) -> None:
    """A body ends with ``close_notify`` or is incomplete."""

    async def script(peer: TlsPeer) -> None:
        await peer.request()
        await peer.send(CLOSING + b"\r\nthe whole file")
        if is_announced:
            await peer.send_close_notify()

    async with serving_tls(context, script) as port:
        if is_announced:
            assert await fetch(session, target(port)) == b"the whole file"
        else:
            error = await error_of(session, target(port))
            assert isinstance(error, TransientError)
            assert error.kind == "truncated"


@pytest.mark.parametrize("is_announced", [True, False])
async def test_without_a_length_only_close_notify_ends_a_body(
    session: HttpSession, context: ssl.SSLContext, is_announced: bool
) -> None:
    await check_body_without_length(session, context, is_announced=is_announced)


@pytest.mark.parametrize("is_announced", [True, False])
async def test_httpx_needs_close_notify_as_well(
    context: ssl.SSLContext, bundle: Path, is_announced: bool
) -> None:
    settings = Settings(http_backend="httpx", ca_file=bundle, timeout_s=5)
    session = HttpSession(settings)
    await check_body_without_length(session, context, is_announced=is_announced)
    await session.close()


async def test_with_a_length_close_notify_is_not_needed(
    session: HttpSession, context: ssl.SSLContext
) -> None:
    async def script(peer: TlsPeer) -> None:
        await peer.request()
        await peer.send(FILE)

    async with serving_tls(context, script) as port:
        for _ in range(2):
            assert await fetch(session, target(port)) == b"file"


@pytest.mark.parametrize("end", ["close_notify", "cut", "damage"])
async def test_an_early_end_is_not_a_whole_body(
    session: HttpSession, context: ssl.SSLContext, end: str
) -> None:
    async def script(peer: TlsPeer) -> None:
        await peer.request()
        await peer.send(OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 1000)
        if end == "close_notify":
            await peer.send_close_notify()
            return
        record = peer.record(b"y" * 9000)
        if end == "cut":
            peer.writer.write(record[:5000])
        else:
            peer.writer.write(record[:5000] + b"!" + record[5001:])
            await peer.reader.read()

    async with serving_tls(context, script) as port:
        error = await error_of(session, target(port))
    assert isinstance(error, TransientError)
    assert error.kind == ("reset" if end == "damage" else "truncated")


async def test_an_idle_connection_that_the_server_ends_is_not_used(
    session: HttpSession, context: ssl.SSLContext
) -> None:
    ended = asyncio.Event()
    served = 0

    async def script(peer: TlsPeer) -> None:
        nonlocal served
        served += 1
        await peer.request()
        await peer.send(FILE)
        await peer.send_close_notify()
        await peer.reader.read()
        ended.set()

    async with serving_tls(context, script) as port:
        assert await fetch(session, target(port)) == b"file"
        await ended.wait()
        assert await fetch(session, target(port)) == b"file"
    assert served == 2


# -- hostile servers -------------------------------------------------------------------


async def error_with(answer: bytes, bundle: Path, timeout_s: float = 5) -> FetchError:
    """Return the error of a server that answers the handshake with ``answer``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(answer)
        if timeout_s < 1:
            await reader.read()

    settings = Settings(ca_file=bundle, timeout_s=timeout_s)
    session = HttpSession(settings)
    async with serving(serve) as port:
        error = await error_of(session, target(port))
    await session.close()
    return error


async def test_plain_http_on_an_https_port_is_named(bundle: Path) -> None:
    error = await error_with(b"HTTP/1.1 400 Bad Request\r\n\r\n", bundle)
    assert isinstance(error, PermanentError)
    assert error.kind == "tls"
    assert "does not speak TLS but plain HTTP; try http://" in str(error)


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-x\r\n", b"\0" * 100, b"\x16\x03\x03\xff\xff" + b"x" * 100],
    ids=["ssh", "zeros", "record"],
)
async def test_garbage_instead_of_a_handshake_is_refused(
    bundle: Path, answer: bytes
) -> None:
    error = await error_with(answer, bundle)
    assert isinstance(error, PermanentError)
    assert error.kind == "tls"


async def test_a_connection_closed_in_the_handshake_is_lost(bundle: Path) -> None:
    for answer in (b"", b"\x16\x03\x03\x00\x7a\x02"):
        error = await error_with(answer, bundle)
        assert isinstance(error, TransientError)
        assert error.kind == "reset"


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x40\x00\x02"])
async def test_a_handshake_without_end_times_out(bundle: Path, answer: bytes) -> None:
    error = await error_with(answer, bundle, timeout_s=0.3)
    assert error.kind == "connect_timeout"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_tiny_records_keep_the_loop_free(
    session: HttpSession, context: ssl.SSLContext, framing: str
) -> None:
    body = bytes(range(250)) * 80
    heads = {
        "length": b"Content-Length: %d\r\n\r\n" % len(body),
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n",
        "close": b"Connection: close\r\n\r\n",
    }
    sent = body
    if framing == "chunked":
        sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = OK + heads[framing]

    async def script(peer: TlsPeer) -> None:
        await peer.request()
        peer.writer.write(b"".join(peer.record(bytes((c,))) for c in head + sent))
        await peer.send_close_notify()

    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest = max(longest, now - before)
            before = now

    async with serving_tls(context, script) as port:
        response = await session.open(target(port))
        # The server has encrypted everything; from here on only the client works.
        watching = asyncio.ensure_future(watch())
        assert await read_all(response) == body
        watching.cancel()
    assert longest < 0.1


async def test_large_bodies_arrive_whole(
    session: HttpSession, context: ssl.SSLContext
) -> None:
    body = bytes(range(256)) * (5 << 12)

    async def script(peer: TlsPeer) -> None:
        await peer.request()
        view = memoryview(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        for at in range(0, len(view), 16_384):
            await peer.send(bytes(view[at : at + 16_384]))

    async with serving_tls(context, script) as port:
        found = await asyncio.gather(*(fetch(session, target(port)) for _ in range(4)))
    assert all(one == body for one in found)

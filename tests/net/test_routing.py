"""Local address, pins, client certificates, HTTP/2 and rate limits of connections."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from h2.config import H2Configuration
from h2.connection import H2Connection

from tests.net.fetching import error_by, error_of, fetch, fetch_by, read_all
from tests.support.http2_server import Http2Server
from tui.core.errors import LocalError, PermanentError
from tui.core.settings import HostRule, Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.messages import error_text
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from asyncio import StreamReader as Reader
    from asyncio import StreamWriter as Writer
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme


@pytest.fixture(params=["http1", "httpx"])
def backend(request: pytest.FixtureRequest) -> str:
    """The backends that support routes."""
    return str(request.param)


@pytest.fixture
def client_certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    """A client certificate with its key in the same file."""
    path = tmp_path / "me.pem"
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(
        str(path)
    )
    return path


@pytest.fixture
async def strict(authority: trustme.CA) -> AsyncIterator[ScriptedServer]:
    """A server that requires a client certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    async with ScriptedServer(context) as running:
        running.add("/x", ResponseScript(b"file"))
        yield running


class Peers:
    """A server that records who connected."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.addresses: list[str] = []
        self.port = 0

    async def __aenter__(self) -> Peers:
        self._server = await asyncio.start_server(self._answer, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.addresses.append(writer.get_extra_info("peername")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfile"
        )
        await writer.drain()
        writer.close()


def refused(settings: Settings) -> LocalError:
    async def make() -> None:
        HttpSession(settings)

    with pytest.raises(LocalError) as caught:
        asyncio.run(make())
    return caught.value


async def test_connections_come_from_the_chosen_address(backend: str) -> None:
    async with Peers() as peers:
        settings = Settings(http_backend=backend, interface="127.0.0.2")
        assert await fetch_by(settings, f"http://127.0.0.1:{peers.port}/") == b"file"
        assert peers.addresses == ["127.0.0.2"]


async def test_connections_go_through_the_chosen_interface(backend: str) -> None:
    async with Peers() as peers:
        settings = Settings(http_backend=backend, interface="lo", ip_version=4)
        assert await fetch_by(settings, f"http://127.0.0.1:{peers.port}/") == b"file"
        assert peers.addresses == ["127.0.0.1"]


def test_an_invalid_interface_is_reported_at_startup() -> None:
    error = refused(Settings(interface="eth99"))
    assert error.kind == "network"
    assert "'eth99'" in str(error)
    assert "lo" in str(error)
    assert "cannot connect from 192.0.2.1" in str(
        refused(Settings(interface="192.0.2.1"))
    )
    assert "not an IPv6" in str(refused(Settings(interface="127.0.0.1", ip_version=6)))
    assert "4 or 6, not 5" in str(refused(Settings(ip_version=5)))


@pytest.mark.parametrize(("version", "host"), [(4, "127.0.0.1"), (6, "::1")])
async def test_connections_use_only_the_chosen_ip_version(
    backend: str, version: int, host: str
) -> None:
    async with Peers(host) as peers:
        session = HttpSession(
            Settings(
                http_backend=backend,
                ip_version=version,
                timeout_s=5,
                resolve=(("right.example", 0, host),),
            )
        )
        url = f"http://right.example:{peers.port}/"
        assert await fetch(session, GetRequest(url)) == b"file"
        wrong = "[::1]" if version == 4 else "127.0.0.1"
        error = await error_of(session, GetRequest(f"http://{wrong}:{peers.port}/"))
        await session.close()
    assert error.kind == "network"
    assert "IP version" in str(error)
    assert peers.addresses == [host]


async def test_a_pinned_host_is_not_resolved(
    backend: str, server: ScriptedServer
) -> None:
    server.add("/x", ResponseScript(b"file"))
    settings = Settings(
        http_backend=backend, resolve=(("Pinned.example", 0, "127.0.0.1"),)
    )
    url = f"http://pinned.example:{server.port}/x"
    assert await fetch_by(settings, url) == b"file"
    assert server.requests[0].headers["host"] == f"pinned.example:{server.port}"


async def test_a_pin_for_one_port_does_not_affect_others(
    backend: str, server: ScriptedServer, other: ScriptedServer
) -> None:
    settings = Settings(
        http_backend=backend,
        timeout_s=5,
        resolve=(
            ("pinned.invalid", server.port, "127.0.0.1"),
            ("pinned.invalid", 1, "127.0.0.9"),
        ),
    )
    server.add("/x", ResponseScript(b"file"))
    assert await fetch_by(settings, f"http://pinned.invalid:{server.port}/x") == b"file"
    error = await error_by(settings, f"http://pinned.invalid:{other.port}/file")
    assert error.kind in ("unknown_host", "dns")


@pytest.mark.parametrize("pinned", ["bücher.invalid", "xn--bcher-kva.invalid"])
@pytest.mark.parametrize("host", ["bücher.invalid", "xn--bcher-kva.invalid"])
@pytest.mark.parametrize("has_port", [False, True])
async def test_a_pin_is_found_in_either_spelling_of_a_host(
    server: ScriptedServer, pinned: str, host: str, has_port: bool
) -> None:
    port = server.port if has_port else 0
    settings = Settings(timeout_s=5, resolve=((pinned, port, "127.0.0.1"),))
    server.add("/x", ResponseScript(b"file"))
    assert await fetch_by(settings, f"http://{host}:{server.port}/x") == b"file"


async def test_a_pinned_host_is_verified_by_its_name(
    backend: str, authority: trustme.CA, bundle: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("pinned.example").configure_cert(context)
    async with ScriptedServer(context) as server:
        server.add("/x", ResponseScript(b"file"))
        settings = Settings(
            http_backend=backend,
            ca_file=bundle,
            resolve=(("pinned.example", 0, "127.0.0.1"),),
        )
        url = f"https://pinned.example:{server.port}/x"
        assert await fetch_by(settings, url) == b"file"


@pytest.mark.parametrize(
    ("pin", "version"),
    [
        (("h", 0, "h2"), 0),
        (("h", 70000, "127.0.0.1"), 0),
        (("h", 0, "127.0.0.1"), 6),
    ],
)
def test_an_invalid_pin_is_reported_at_startup(
    pin: tuple[str, int, str], version: int
) -> None:
    assert refused(Settings(resolve=(pin,), ip_version=version)).kind == "network"


async def test_a_client_certificate_is_sent_to_a_server_that_requires_one(
    backend: str, strict: ScriptedServer, bundle: Path, client_certificate: Path
) -> None:
    settings = Settings(
        http_backend=backend, ca_file=bundle, client_cert=client_certificate
    )
    assert await fetch_by(settings, strict.url("/x")) == b"file"


async def test_certificate_and_key_may_be_two_files(
    backend: str,
    authority: trustme.CA,
    strict: ScriptedServer,
    bundle: Path,
    tmp_path: Path,
) -> None:
    leaf = authority.issue_cert("me@example.org")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    leaf.private_key_pem.write_to_path(str(key))
    settings = Settings(
        http_backend=backend, ca_file=bundle, client_cert=cert, client_key=key
    )
    assert await fetch_by(settings, strict.url("/x")) == b"file"


async def test_without_a_client_certificate_such_a_server_refuses(
    backend: str, strict: ScriptedServer, bundle: Path
) -> None:
    error = await error_by(
        Settings(http_backend=backend, ca_file=bundle), strict.url("/x")
    )
    assert error.kind in ("tls", "reset")
    assert strict.requests == []


async def test_a_client_certificate_is_not_sent_after_a_cross_origin_redirect(
    backend: str, strict: ScriptedServer, bundle: Path, client_certificate: Path
) -> None:
    away = strict.url("/x", host="localhost")
    url = strict.add("/away", ResponseScript(redirect=away))
    settings = Settings(
        http_backend=backend, ca_file=bundle, client_cert=client_certificate
    )
    error = await error_by(settings, url)
    assert error.kind in ("tls", "reset")
    assert [seen.path for seen in strict.requests] == ["/away"]


def test_an_unusable_client_certificate_is_reported_at_startup(
    authority: trustme.CA, client_certificate: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    leaf = authority.issue_cert("x@example.org")
    leaf.private_key_pem.write_to_path(str(stranger))
    sealed = tmp_path / "sealed.pem"
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    sealed.write_bytes(
        leaf.cert_chain_pems[0].bytes()
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        )
    )
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for cert, other, reason in (
        (sealed, None, "the key is encrypted"),
        (client_certificate, stranger, "does not match the certificate"),
        (empty, None, "no PEM certificate and key"),
        (tmp_path / "gone.pem", None, "No such file"),
        (None, stranger, "without a certificate"),
    ):
        error = refused(Settings(client_cert=cert, client_key=other))
        assert error.kind == "client_cert"
        assert reason in str(error)


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("library", ["", "httpx"])
async def test_whole_files_use_http2_and_ranges_use_http1(
    library: str, tls: ssl.SSLContext, bundle: Path
) -> None:
    body = bytes(range(256)) * 1000
    async with Http2Server(tls, body) as server:
        url = f"https://127.0.0.1:{server.port}/x"
        session = HttpSession(
            Settings(http_backend=library, http2=True, ca_file=bundle)
        )
        response = await session.open(GetRequest(url))
        assert response.http_version == "HTTP/2.0"
        assert await read_all(response) == body
        assert await fetch(session, GetRequest(url, (), 5)) == body[5:]
        await session.close()
        settings = Settings(http_backend=library, ca_file=bundle)
        assert await fetch_by(settings, url) == body
        assert server.protocols == ["h2", "http/1.1", "http/1.1"]


async def test_a_reset_http2_stream_is_an_incomplete_body(
    tls: ssl.SSLContext, bundle: Path
) -> None:
    async with Http2Server(tls, b"x" * 100_000, cut_at=50_000) as server:
        settings = Settings(http2=True, ca_file=bundle)
        error = await error_by(settings, f"https://127.0.0.1:{server.port}/x")
    assert error.kind in ("reset", "truncated")


@asynccontextmanager
async def answering(
    data: bytes, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Answer every connection with the same bytes; yield the port."""

    async def answer(reader: Reader, writer: Writer) -> None:
        with suppress(OSError):
            await reader.read(1)
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_server_that_rejects_the_offered_protocol_does_not_speak_http1(
    backend: str, bundle: Path
) -> None:
    settings = Settings(http_backend=backend, ca_file=bundle)
    # A fatal alert, no_application_protocol (RFC 7301 section 3.2).
    async with answering(bytes.fromhex("15 0303 0002 02 78")) as port:
        error = await error_by(settings, f"https://127.0.0.1:{port}/x")
    assert isinstance(error, PermanentError)
    assert error.kind == "no_http1"
    assert str(error) == f"127.0.0.1:{port} does not speak HTTP/1.1"
    assert "--http2" in error_text(error)


@pytest.mark.parametrize("first", ["SETTINGS", "GOAWAY"])
async def test_a_server_that_answers_with_an_http2_frame_does_not_speak_http1(
    tls: ssl.SSLContext, bundle: Path, first: str
) -> None:
    """Only the built-in client sees the bytes."""
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    frames = connection.data_to_send()
    if first == "GOAWAY":
        connection.close_connection()
        frames = connection.data_to_send()
    settings = Settings(http_backend="http1", ca_file=bundle)
    async with answering(frames, tls) as port:
        error = await error_by(settings, f"https://127.0.0.1:{port}/x")
    assert isinstance(error, PermanentError)
    assert error.kind == "no_http1"


async def test_an_http2_frame_without_tls_is_invalid_http() -> None:
    """``--http2`` is only for https."""
    async with answering(bytes.fromhex("000000 04 00 00000000")) as port:
        settings = Settings(http_backend="http1")
        error = await error_by(settings, f"http://127.0.0.1:{port}/x")
    assert error.kind == "bad_reply"


async def test_the_rate_limit_of_a_host_is_shared_by_its_responses(
    backend: str, server: ScriptedServer
) -> None:
    url = server.add("/x", ResponseScript(b"x" * 20_000))
    session = HttpSession(
        Settings(
            http_backend=backend, hosts=(HostRule("127.0.0.1", rate_limit=100_000),)
        )
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(fetch(session, GetRequest(url)) for _ in range(2)))
    # 40,000 bytes minus the burst of a tenth of a second.
    assert loop.time() - began > 0.29
    origin = f"http://127.0.0.1:{server.port}"
    assert session.limiters.rate(origin) == 100_000
    session.limiters.set_rate(origin, None)
    server.add("/large", ResponseScript(b"x" * 2_000_000))
    async with asyncio.timeout(10):  # it would be 20 s
        await fetch(session, GetRequest(server.url("/large")))
    await session.close()


async def test_waiting_for_a_rate_limit_is_not_a_stall(
    backend: str, server: ScriptedServer
) -> None:
    url = server.add("/x", ResponseScript(b"x" * 24_000))
    session = HttpSession(
        Settings(
            http_backend=backend,
            timeout_s=1.0,
            hosts=(HostRule("127.*", rate_limit=12_000),),
        )
    )
    assert len(await fetch(session, GetRequest(url))) == 24_000
    await session.close()

"""Server certificates are always verified."""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.net.fetching import error_by, error_of, fetch
from tui.core.errors import LocalError, PermanentError, TransientError
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    """A bundle whose first certificate is not the right one."""
    path = tmp_path / "ca.pem"
    path.write_bytes(trustme.CA().cert_pem.bytes() + authority.cert_pem.bytes())
    return path


def serving(leaf: trustme.LeafCert) -> ScriptedServer:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    return ScriptedServer(context)


@pytest.fixture
async def secure(authority: trustme.CA) -> AsyncIterator[ScriptedServer]:
    async with serving(authority.issue_cert("127.0.0.1")) as running:
        running.add("/x", ResponseScript(b"file"))
        yield running


async def error_over(backend: str, bundle: Path | None, url: str) -> Exception:
    settings = Settings(http_backend=backend, ca_file=bundle, timeout_s=5)
    return await error_by(settings, url)


async def test_a_server_with_a_certificate_from_ca_file_is_trusted(
    backend: str, secure: ScriptedServer, bundle: Path
) -> None:
    session = HttpSession(Settings(http_backend=backend, ca_file=bundle))
    assert await fetch(session, GetRequest(secure.url("/x"))) == b"file"
    await session.close()


async def test_ca_file_does_not_change_the_environment(
    backend: str, bundle: Path
) -> None:
    await HttpSession(Settings(http_backend=backend, ca_file=bundle)).close()
    assert "SSL_CERT_FILE" not in os.environ


async def test_ca_file_takes_precedence_over_ssl_cert_file(
    backend: str,
    secure: ScriptedServer,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    session = HttpSession(Settings(http_backend=backend))
    assert await fetch(session, GetRequest(secure.url("/x"))) == b"file"
    await session.close()
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    error = await error_over(backend, stranger, secure.url("/x"))
    assert "not trusted" in str(error)
    assert os.environ["SSL_CERT_FILE"] == str(bundle)


async def test_an_unknown_authority_is_not_trusted(
    backend: str, secure: ScriptedServer
) -> None:
    error = await error_over(backend, None, secure.url("/x"))
    assert isinstance(error, PermanentError)
    assert error.kind == "tls"
    assert "not signed by a trusted authority" in str(error)
    assert secure.requests == []


async def test_a_certificate_for_another_host_is_not_trusted(
    backend: str, authority: trustme.CA, bundle: Path
) -> None:
    async with serving(authority.issue_cert("other.example")) as server:
        error = await error_over(backend, bundle, server.url("/x"))
    assert isinstance(error, PermanentError)
    assert error.kind == "tls"
    assert "for another host" in str(error)


async def test_an_expired_certificate_is_not_trusted(
    backend: str, authority: trustme.CA, bundle: Path
) -> None:
    leaf = authority.issue_cert(
        "127.0.0.1",
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(2021, 1, 1, tzinfo=UTC),
    )
    async with serving(leaf) as server:
        error = await error_over(backend, bundle, server.url("/x"))
    assert isinstance(error, PermanentError)
    assert "has expired" in str(error)


async def test_https_to_a_plain_http_port_is_reported(backend: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        error = await error_over(backend, None, f"https://127.0.0.1:{port}/x")
    assert isinstance(error, PermanentError)
    assert error.kind == "tls"
    assert "does not speak TLS" in str(error)


async def test_a_bundle_without_certificates_is_reported_at_startup(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificates")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(LocalError, match=path.name) as caught:
            HttpSession(Settings(http_backend=backend, ca_file=path))
        assert caught.value.kind == "ca_file"
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(LocalError):
        HttpSession(Settings(http_backend=backend))


async def test_a_bundle_that_starts_with_an_invalid_certificate_is_reported_at_startup(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(LocalError, match=broken.name):
        HttpSession(Settings(http_backend=backend, ca_file=broken))
    monkeypatch.setenv("SSL_CERT_FILE", str(broken))
    with pytest.raises(LocalError, match=broken.name):
        HttpSession(Settings(http_backend=backend))


async def test_all_of_ca_file_is_checked(backend: str, bundle: Path) -> None:
    with bundle.open("a") as file:
        file.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(LocalError, match=bundle.name):
        HttpSession(Settings(http_backend=backend, ca_file=bundle))


async def test_a_body_cut_inside_tls_is_incomplete(
    backend: str, authority: trustme.CA, bundle: Path
) -> None:
    session = HttpSession(Settings(http_backend=backend, ca_file=bundle, timeout_s=5))
    async with serving(authority.issue_cert("127.0.0.1")) as server:
        url = server.add("/x", ResponseScript(b"x" * 1000, cut_after=500, cut="reset"))
        error = await error_of(session, GetRequest(url))
        assert isinstance(error, TransientError)
        assert error.kind in ("truncated", "reset")
    await session.close()

"""Sessions over every HTTP backend, and responses given byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

from tests.net.fetching import TIMEOUT_S
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture(params=["http1", "httpx"])
def backend(request: pytest.FixtureRequest) -> str:
    """The HTTP backend under test: each test runs with all of them."""
    return str(request.param)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority that no client trusts by default."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    """A file with the certificate of ``authority``."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
async def session(backend: str) -> AsyncIterator[HttpSession]:
    """A session with a long timeout."""
    session = HttpSession(Settings(http_backend=backend, timeout_s=20))
    assert session.backend_name == backend
    yield session
    await session.close()


@pytest.fixture
async def hasty(backend: str) -> AsyncIterator[HttpSession]:
    """A session with a timeout of ``TIMEOUT_S``."""
    session = HttpSession(Settings(http_backend=backend, timeout_s=TIMEOUT_S))
    yield session
    await session.close()


@pytest.fixture
async def other() -> AsyncIterator[ScriptedServer]:
    """A server on another port: another origin."""
    async with ScriptedServer() as running:
        running.add("/file", ResponseScript(b"file"))
        yield running


@pytest.fixture
def raw(server: ScriptedServer) -> Callable[..., GetRequest]:
    """Make a request whose response is exactly this head (LF for CRLF) and body."""

    def make(head: str, body: bytes = b"") -> GetRequest:
        lines = head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"
        return GetRequest(server.add("/raw", ResponseScript(raw=lines + body)))

    return make

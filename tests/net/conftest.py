"""Sessions over all wires, and replies written out byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.net.fetching import TIMEOUT_S
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.session import GetRequest, HttpSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture(params=["builtin", "pyreqwest", "httpx"])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the wire under test: each test runs over all."""
    return str(request.param)


@pytest.fixture
async def session(backend: str) -> AsyncIterator[HttpSession]:
    """A patient session: whatever it does not finish is cut by the test's own limit."""
    session = HttpSession(Settings(http_backend=backend, timeout_s=20))
    assert session.wire_name == backend
    yield session
    await session.close()


@pytest.fixture
async def hasty(backend: str) -> AsyncIterator[HttpSession]:
    """A session that calls ``TIMEOUT_S`` without bytes a stall."""
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
    """Make a target that is answered with exactly this head (LF for CRLF) and body."""

    def make(head: str, body: bytes = b"") -> GetRequest:
        lines = head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"
        return GetRequest(server.add("/raw", ResponseScript(raw=lines + body)))

    return make

"""Helpers to fetch, and to check the error of a failed fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tui.core.errors import FetchError
from tui.net.request import GetRequest
from tui.net.resource import ResourceInfo, read_resource_info
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from tui.core.settings import Settings
    from tui.net.response import Response

TIMEOUT_S = 0.4


async def read_all(response: Response) -> bytes:
    """Read a body to its end and close the response."""
    try:
        chunks = []
        while (chunk := await response.read()) is not None:
            chunks.append(bytes(chunk))
        return b"".join(chunks)
    finally:
        await response.close()


async def fetch(session: HttpSession, target: GetRequest) -> bytes:
    """Send a request and read the whole body."""
    return await read_all(await session.open(target))


async def error_of(session: HttpSession, target: GetRequest) -> FetchError:
    """Return the error of a fetch that must fail."""
    with pytest.raises(FetchError) as caught:
        await fetch(session, target)
    return _presentable(caught.value)


async def fetch_by(settings: Settings, url: str) -> bytes:
    """Fetch with a session of its own."""
    session = HttpSession(settings)
    try:
        return await fetch(session, GetRequest(url))
    finally:
        await session.close()


async def error_by(settings: Settings, url: str) -> FetchError:
    """Return the error of a fetch with a session of its own."""
    session = HttpSession(settings)
    try:
        return await error_of(session, GetRequest(url))
    finally:
        await session.close()


async def refusal_of(session: HttpSession, target: GetRequest) -> FetchError:
    """Return the error of a response that must be refused."""
    with pytest.raises(FetchError) as caught:
        await _read_info(session, target)
    return _presentable(caught.value)


async def _read_info(session: HttpSession, target: GetRequest) -> ResourceInfo:
    response = await session.open(target)
    try:
        return read_resource_info(response, target)
    finally:
        await response.close()


def _presentable(error: FetchError) -> FetchError:
    message = str(error)
    assert message
    assert message.isprintable()
    for word in ("httpx", "reqwest", "h11", "hyper", "Traceback", "os error"):
        assert word not in message.lower()
    return error

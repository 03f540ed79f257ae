"""What most tests of the wire do: fetch, and name what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tui.core.errors import FetchError
from tui.net.resource import ResourceInfo, read_answer

if TYPE_CHECKING:
    from tui.net.response import Response
    from tui.net.session import GetRequest, HttpSession

TIMEOUT_S = 0.4


async def rest_of(reply: Response) -> bytes:
    """Read a body to its end and close the reply."""
    try:
        chunks = []
        while (chunk := await reply.read()) is not None:
            chunks.append(bytes(chunk))
        return b"".join(chunks)
    finally:
        await reply.close()


async def fetch(session: HttpSession, target: GetRequest) -> bytes:
    """Open a target and read it to its end."""
    return await rest_of(await session.open(target))


async def fault_of(session: HttpSession, target: GetRequest) -> FetchError:
    """Fetch what must fail, and return the failure."""
    with pytest.raises(FetchError) as caught:
        await fetch(session, target)
    return _presentable(caught.value)


async def judged(session: HttpSession, target: GetRequest) -> FetchError:
    """Return why an answer is refused, by the wire or by its reading."""
    with pytest.raises(FetchError) as caught:
        await _judge(session, target)
    return _presentable(caught.value)


async def _judge(session: HttpSession, target: GetRequest) -> ResourceInfo:
    reply = await session.open(target)
    try:
        return read_answer(reply, target)
    finally:
        await reply.close()


def _presentable(error: FetchError) -> FetchError:
    message = str(error)
    assert message
    assert message.isprintable()
    for word in ("httpx", "reqwest", "h11", "hyper", "Traceback", "os error"):
        assert word not in message.lower()
    return error

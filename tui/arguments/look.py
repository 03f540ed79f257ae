"""A look at what servers have, without fetching it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import FetchError
from tui.net.probe import RangeRefused, read_answer
from tui.net.session import HttpSession, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings


class Look(NamedTuple):
    """What a server says about a file."""

    size: int | None = None
    name: str | None = None
    """Safe name out of Content-Disposition."""
    fault: str = ""
    """Why it would fail; safe to show."""


async def look_at_all(
    settings: Settings, requests: Sequence[DownloadRequest]
) -> list[Look]:
    """Ask for the first byte of each file, ``settings.concurrency`` at once.

    The first byte and not HEAD, which many servers answer differently from the GET
    that a download would be. Every wait is bounded by ``settings.timeout_s``.
    """
    session = HttpSession(settings)
    looks = [Look()] * len(requests)
    left = iter(range(len(requests)))

    async def work() -> None:
        for index in left:
            looks[index] = await _look(session, requests[index])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(settings.concurrency, len(requests))):
                group.create_task(work())
    finally:
        await session.close()
    return looks


async def _look(session: HttpSession, request: DownloadRequest) -> Look:
    url = request.url
    headers = session.headers_for(url, request.headers, is_named=True)
    target = Target(url, headers, start=0, end=1)
    try:
        reply = await session.open(target)
        try:
            answer = read_answer(reply, target)
            if answer.status == 206:
                # One byte; read to its end, the connection serves the next one.
                while await reply.read() is not None:
                    pass
            return Look(answer.size, answer.suggested_name)
        finally:
            await reply.close()
    except RangeRefused as error:
        # An empty file has no first byte (RFC 9110, section 15.5.17).
        return Look(0) if error.total == 0 else Look(fault=str(error))
    except FetchError as error:
        return Look(fault=f"{error}; {error.advice}")

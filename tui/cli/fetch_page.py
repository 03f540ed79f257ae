"""Fetch a web page before the run, to use its links as a list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, PermanentError
from tui.core.quick.pattern import late_pattern
from tui.core.text.sanitize import sanitize
from tui.sources.page import PAGE_LIMIT, Page

if TYPE_CHECKING:
    from tui.core.settings import Settings
    from tui.sources.page import FetchPage

_CHARSET = late_pattern(r"charset\s*=\s*\"?([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)


def page_fetcher(settings: Settings) -> FetchPage:
    """Return a function that fetches a page with the run's proxies and logins."""

    def fetch(url: str) -> Page:
        import asyncio

        return asyncio.run(_fetch(url, settings))

    return fetch


async def _fetch(url: str, settings: Settings) -> Page:
    """Fetch a page; the settings' timeout bounds every wait.

    Raises:
        FetchError: the request failed, or the response is not a page.
    """
    from tui.net.request import GetRequest
    from tui.net.resource import check_is_plain, read_resource_info
    from tui.net.session import HttpSession

    session = HttpSession(settings)
    try:
        target = GetRequest(url, session.headers_for(url, (), is_named=True))
        reply = await session.open(target)
        try:
            answer = read_resource_info(reply, target)
            check_is_plain(answer, reply.url)
            kind = answer.content_type
            if kind.startswith(("image/", "video/", "audio/", "application/zip")):
                raise PermanentError(
                    ErrorKind.HTTP_STATUS, f"expected a page, got {sanitize(kind)}"
                )
            body = bytearray()
            while len(body) <= PAGE_LIMIT:
                chunk = await reply.read()
                if chunk is None:
                    break
                body += chunk
            charset = _CHARSET.search(reply.header("content-type"))
            return Page(
                reply.url, bytes(body[: PAGE_LIMIT + 1]), charset[1] if charset else ""
            )
        finally:
            await reply.close()
    finally:
        await session.close()

"""The request headers of a download: what is secret stays with its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.request import origin_of

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.net.session import HttpSession


def request_headers(
    session: HttpSession, download: Download, url: str
) -> tuple[tuple[str, str], ...]:
    """Return the request headers for one of a download's URLs.

    A list (or a Metalink file) names mirrors at will; credentials given for the first
    URL must not go to the others.
    """
    request = download.request
    if url is request.mirrors[0] or origin_of(url) == origin_of(request.url):
        return session.headers_for(url, request.headers, is_named=True)
    # A URL that no list names as a mirror is one beside the file, on its server.
    is_named = url not in request.mirrors
    return session.headers_for(url, (), is_named=is_named)

"""Follow redirects without sending anything to the wrong server.

httpx's own redirect handling is not used, because its rules are looser: it keeps
Authorization from http to https on one host, drops nothing but Authorization elsewhere,
and does not detect loops (checked in 0.28). Cookies apply along the chain and end with
it.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, PermanentError
from tui.core.text.sanitize import display_url
from tui.net.auth.received_cookies import ReceivedCookies
from tui.net.url import host_port, parse_url

if TYPE_CHECKING:
    from tui.net.auth.cookies import CookieFile
    from tui.net.auth.credentials import Credentials
    from tui.net.transports.base import RawResponse

MAX_HOPS = 20
"""As in browsers and wget; real chains have 1 to 4."""
MAX_VISITS = 2
"""Of one URL with the same cookies: some servers redirect to the same URL once."""


class RedirectChain:
    """The state of one request along its redirects: URL, headers and cookies.

    Credentials (all headers of the request, and the URL's userinfo) are sent to the
    first origin only. Once the chain has left it they are gone for good: a later
    redirect back would be another server's choice. Per-host rules, netrc entries that
    name a host, and the cookie file apply wherever their host appears.
    """

    def __init__(
        self,
        url: str,
        secret_headers: list[tuple[str, str]],
        other_headers: list[tuple[str, str]],
        credentials: Credentials,
        cookie_file: CookieFile | None,
    ) -> None:
        """Start at ``url``.

        Args:
            url: may contain userinfo, which becomes a login for the scheme of the run.
            secret_headers: bound to the origin of ``url``.
            other_headers: sent on every hop (``Range``, ``If-Range``).
            credentials: give the headers for other origins.
            cookie_file: of the user, if there is one.

        Raises:
            PermanentError: the URL is invalid.
        """
        self._credentials = credentials
        self._cookie_file = cookie_file
        self._cookies = ReceivedCookies()
        self._is_cross_origin = False
        self._current = parse_url(url)
        self._authorization = credentials.of_userinfo(self._current, is_named=True)
        self._secret_headers = secret_headers
        self._other_headers = other_headers
        self._visits = Counter([(self._current.url, "")])
        self.hops = 0
        self.has_sent_login = False
        """Whether the last request carried an Authorization header."""

    @property
    def url(self) -> str:
        """The URL of the current hop, without credentials."""
        return self._current.url

    @property
    def is_cross_origin(self) -> bool:
        """Whether the chain has left the origin where it started."""
        return self._is_cross_origin

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers for the current hop, without the default ones.

        Digest credentials are in the form of ``auth.credentials``; apply
        ``DigestAuthCache.apply`` before sending.
        """
        headers = [(k, v) for k, v in self._secret_headers if k.lower() != "cookie"]
        if self._authorization and not any(
            k.lower() == "authorization" for k, _ in headers
        ):
            headers.append(("Authorization", self._authorization))
        cookies = self._cookie_header()
        if cookies:
            headers.append(("Cookie", cookies))
        return headers + self._other_headers

    def follow(self, location: str) -> None:
        """Move to the target of a redirect.

        Args:
            location: its Location, bytes decoded as Latin-1.

        Raises:
            PermanentError: ``bad_redirect`` or ``too_many_redirects``.
        """
        before = self._current
        after = parse_url(_to_unicode(location), base=before.url)
        if before.origin[0] == "https" and after.origin[0] == "http":
            raise PermanentError(
                ErrorKind.BAD_REDIRECT,
                f"{host_port(before.url)} redirects from https to plain http"
                f" ({host_port(after.url)}); not followed",
            )
        if after.origin != before.origin:
            self._is_cross_origin = True
            self._secret_headers = list(self._credentials.for_redirect(after.url))
            self._authorization = self._credentials.of_userinfo(after, is_named=False)
        elif after.authorization:
            self._authorization = self._credentials.of_userinfo(after, is_named=False)
        self._current = after
        self.hops += 1
        # The same URL with other cookies is another request.
        key = (after.url, dict(self.headers()).get("Cookie", ""))
        if self._visits[key] >= MAX_VISITS:
            raise PermanentError(
                ErrorKind.TOO_MANY_REDIRECTS,
                f"{host_port(before.url)} redirects in a loop,"
                f" back to {display_url(after.url, 200)}",
            )
        if self.hops > MAX_HOPS:
            raise PermanentError(
                ErrorKind.TOO_MANY_REDIRECTS,
                f"{host_port(before.url)} exceeds the limit of {MAX_HOPS} redirects",
            )
        self._visits[key] += 1

    def store_cookies(self, response: RawResponse) -> None:
        """Store the cookies of a response."""
        lines = response.values("set-cookie")
        if lines:
            self._cookies.store(self._current, lines, time.time())

    def _cookie_header(self) -> str:
        """Return the Cookie header: the request's own, the chain's and the file's.

        Of one name the chain's cookie replaces the file's: it is newer.
        """
        cookies = [v for k, v in self._secret_headers if k.lower() == "cookie"]
        received = self._cookies.pairs_for(self._current, time.time())
        cookies += [f"{name}={value}" for name, value in received]
        if self._cookie_file is not None:
            names = {name for name, _ in received}
            cookies += [
                f"{name}={value}" if name else value
                for name, value in self._cookie_file.cookies_for(self.url)
                if name not in names
            ]
        return "; ".join(cookies)


def _to_unicode(location: str) -> str:
    """Decode raw bytes in a Location: as UTF-8 if valid, else percent-encode them."""
    location = location.strip()
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return "".join(c if c.isascii() else f"%{ord(c):02X}" for c in location)

"""Following redirects without handing anything to the wrong server.

The loop is ours and not httpx's, because its rules are looser: it keeps Authorization
from http to https on one host, drops nothing but Authorization elsewhere, allows
20 hops and does not notice circles (0.28, read). Requests, cookies and the parsing of
``Set-Cookie`` are httpx's, with one client for each chain: cookies work along the
chain and end with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from tui.core.errors import PermanentError
from tui.core.text.plain_text import plain_url
from tui.net.transports.httpx_client import FOREIGN, HttpxFace
from tui.net.url import read_address, where

if TYPE_CHECKING:
    from tui.net.senders import Senders
    from tui.net.transports.base import RawResponse

MAX_HOPS = 10
"""As reqwest and most browsers' extensions; real chains have 1 to 4."""


class RedirectChain:
    """The way from a URL to the server that has the file.

    Credentials (all headers of the target, and the URL's userinfo) are sent to the
    first origin only. Once the chain has left it they are gone for good: a way back
    would be one that another server chose. What the user's own rules and netrc say of
    a host by name, and the cookies of a file, hold wherever that host is met.
    """

    def __init__(
        self,
        senders: Senders,
        url: str,
        secrets: list[tuple[str, str]],
        others: list[tuple[str, str]],
    ) -> None:
        """Begin at ``url``.

        Args:
            senders: send the requests, and know who we are to whom.
            url: may hold userinfo, which becomes Basic authentication.
            secrets: headers bound to the origin of ``url``.
            others: headers for every hop (``Range``, ``If-Range``).

        Raises:
            PermanentError: the URL leads nowhere.
        """
        self._client = httpx.AsyncClient(
            transport=HttpxFace(senders.wires), trust_env=False
        )
        self._senders = senders
        self._is_foreign = False
        self._address = read_address(url)
        self._authorization = self._address.authorization
        self._secrets = secrets
        self._others = others
        self._seen = {(self._address.url, "")}
        self.hops = 0

    @property
    def url(self) -> str:
        """Where the chain stands; without credentials."""
        return self._address.url

    @property
    def is_foreign(self) -> bool:
        """Whether the chain has left the origin where it began."""
        return self._is_foreign

    def headers(self) -> list[tuple[str, str]]:
        """What to send there, beside what every request carries.

        A login for Digest is among it as ``logins`` writes it; ``send`` puts in the
        proof.
        """
        headers = [(k, v) for k, v in self._secrets if k.lower() != "cookie"]
        if self._authorization and not any(
            k.lower() == "authorization" for k, _ in headers
        ):
            headers.append(("Authorization", self._authorization))
        cookies = self._cookies()
        if cookies:
            headers.append(("Cookie", cookies))
        return headers + self._others

    async def send(self) -> RawResponse:
        """Ask the place where the chain stands.

        Raises:
            FetchError: no valid answer came.
        """
        headers = self._senders.digests.applied(self.url, self.headers())
        request = httpx.Request(
            "GET",
            self.url,
            headers=[(k.encode("ascii"), v.encode()) for k, v in headers],
            extensions={FOREIGN: self._is_foreign},
        )
        response = await self._client.send(request, stream=True, auth=None)
        exchange: RawResponse = response.extensions["exchange"]
        return exchange

    def follow(self, exchange: RawResponse, location: str) -> None:
        """Step to where a redirect leads.

        Args:
            exchange: the redirect.
            location: its Location, bytes as Latin-1.

        Raises:
            PermanentError: ``bad_redirect`` or ``too_many_redirects``.
        """
        self._learn_cookies(exchange)
        before = self._address
        after = read_address(_unicode(location), base=before.url)
        if before.origin[0] == "https" and after.origin[0] == "http":
            raise PermanentError(
                "bad_redirect",
                f"{where(before.url)} redirects from https to plain http"
                f" ({where(after.url)}); not followed",
            )
        if after.origin != before.origin:
            self._is_foreign = True
            self._secrets = list(self._senders.logins.elsewhere(after.url))
            self._authorization = after.authorization
        elif after.authorization:
            self._authorization = after.authorization
        self._address = after
        self.hops += 1
        # The same URL with other cookies is not the same question.
        key = (after.url, dict(self.headers()).get("Cookie", ""))
        if key in self._seen:
            raise PermanentError(
                "too_many_redirects",
                f"{where(before.url)} redirects in a circle,"
                f" back to {plain_url(after.url, 200)}",
            )
        if self.hops > MAX_HOPS:
            raise PermanentError(
                "too_many_redirects",
                f"{where(before.url)} redirects for the {self.hops}th time",
            )
        self._seen.add(key)

    def _cookies(self) -> str:
        """The Cookie header: the request's own, the chain's, and the file's.

        Of one name the chain's counts before the file's: it is the newer one.
        """
        cookies = [v for k, v in self._secrets if k.lower() == "cookie"]
        request = httpx.Request("GET", self.url)
        self._client.cookies.set_cookie_header(request)
        learnt = request.headers.get("cookie", "")
        if learnt:
            cookies.append(learnt)
        if self._senders.cookies is not None:
            names = {pair.partition("=")[0].strip() for pair in learnt.split(";")}
            cookies += [
                f"{name}={value}" if name else value
                for name, value in self._senders.cookies.pairs_for(self.url).items()
                if name not in names
            ]
        return "; ".join(cookies)

    def _learn_cookies(self, exchange: RawResponse) -> None:
        """Take the cookies of an answer, and bind host-only ones to its port.

        RFC 6265 section 8.5 lets all ports of a host share cookies; another port may be
        another server, so only the step from http to https of a site is allowed.
        """
        lines = exchange.values("set-cookie")
        if not lines:
            return
        response = httpx.Response(
            exchange.status,
            headers=[(b"set-cookie", line.encode("latin-1")) for line in lines],
            request=httpx.Request("GET", self.url),
        )
        self._client.cookies.extract_cookies(response)
        port = self._address.origin[2]
        for cookie in self._client.cookies.jar:
            if not cookie.domain_specified and not cookie.port_specified:
                cookie.port = "80,443" if port == 80 else str(port)
                cookie.port_specified = True


def _unicode(location: str) -> str:
    """Raw bytes in a Location: UTF-8 where they are that, else percent-encoded."""
    location = location.strip()
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return "".join(c if c.isascii() else f"%{ord(c):02X}" for c in location)

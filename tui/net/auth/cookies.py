"""Read cookies from a Netscape file (``cookies.txt``), as browsers and curl write it.

Seven fields per line, separated by tabs: domain, whether it includes subdomains, path,
whether the cookie is for https only, expiry in seconds since the epoch (0 for the end
of the session), name, value. ``#`` starts a comment, except for ``#HttpOnly_`` in front
of a domain. RFC 6265 section 5.4 defines which cookies a request gets.

``http.cookiejar.MozillaCookieJar`` is not used: it requires a magic first line, rejects
``example.org TRUE`` and ``.example.org FALSE``, which browsers write, and empty values
as curl writes them, accepts any word for TRUE and FALSE, and quotes the whole line in
its errors, which may contain a session's secret.
"""

from __future__ import annotations

import re
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import ErrorKind, LocalError
from tui.core.notices import Notice, NoticeCode
from tui.core.request import origin_of
from tui.core.rules.hosts import ascii_host, split_port
from tui.core.text.sanitize import sanitize
from tui.net.auth.received_cookies import is_path_match, is_public_suffix, request_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_LIMIT = 16 << 20
"""Bytes; a browser with 10,000 cookies exports some 3 MiB."""
_HTTP_ONLY = "#HttpOnly_"
_BAD_TEXT = re.compile(r"[\x00-\x1f\x7f;]")
_FLAGS = {"TRUE": True, "FALSE": False}


class Cookie(NamedTuple):
    """One line of the file."""

    domain: str
    has_subdomains: bool
    path: str
    is_secure: bool
    expires: float
    """Seconds since the epoch; 0 for a session cookie."""
    name: str
    value: str


class CookieFile:
    """The cookies of one file, by domain.

    Raises:
        LocalError: ``cookies``, with file and line, if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.notice: Notice | None = None
        """Says which lines were skipped, if any."""
        self._by_domain: dict[str, list[Cookie]] = {}
        # Of several lines for one cookie the last one counts, as in curl.
        cookies: dict[tuple[str, str, str], Cookie] = {}
        skipped: list[tuple[int, str]] = []
        for cookie in _read(path, skipped):
            cookies[cookie.domain, cookie.path, cookie.name] = cookie
        for cookie in cookies.values():
            self._by_domain.setdefault(cookie.domain, []).append(cookie)
        if skipped:
            number, reason = skipped[0]
            shown = sanitize(str(path))
            if not cookies:
                raise _bad(f"{shown}:{number}: {reason}")
            self.notice = Notice(
                NoticeCode.COOKIE_LINES_SKIPPED, (len(skipped), shown, number, reason)
            )

    def cookies_for(
        self, url: str, now_wall: float | None = None
    ) -> list[tuple[str, str]]:
        """Return the cookies for ``url``, name and value, longest path first.

        Args:
            url: http or https, without credentials.
            now_wall: seconds since the epoch; ``None`` uses the system clock.
        """
        scheme, _, authority = origin_of(url).partition("://")
        host = ascii_host(split_port(authority)[0]).removesuffix(".")
        now = time.time() if now_wall is None else now_wall
        path = request_path(url)
        found = [
            cookie
            for domain in _domains_of(host)
            for cookie in self._by_domain.get(domain, ())
            if (
                domain == host
                or (cookie.has_subdomains and not is_public_suffix(domain))
            )
            and (scheme == "https" or not cookie.is_secure)
            and (not cookie.expires or cookie.expires > now)
            and is_path_match(path, cookie.path)
        ]
        found.sort(key=lambda cookie: -len(cookie.path))
        return [(cookie.name, cookie.value) for cookie in found]


def _read(path: Path, skipped: list[tuple[int, str]]) -> Iterator[Cookie]:
    """Read the cookies; append the numbers of other lines, and why, to ``skipped``."""
    shown = sanitize(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise _bad(f"{shown}: {error.strerror or type(error).__name__}") from None
    if len(content) > FILE_LIMIT:
        raise _bad(f"{shown}: larger than {FILE_LIMIT >> 20} MiB")
    # Other encodings are sent back as they are in the file.
    text = content.decode("utf-8-sig", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        is_comment = line.startswith("#") and not line.startswith(_HTTP_ONLY)
        if is_comment or not line.strip():
            continue
        try:
            yield _parse(line.removeprefix(_HTTP_ONLY))
        except ValueError as error:
            skipped.append((number, str(error)))


def _parse(line: str) -> Cookie:
    """Parse one line.

    Raises:
        ValueError: with a reason that omits the cookie's value.
    """
    fields = line.split("\t")
    if len(fields) == 6:
        fields.append("")  # curl writes an empty value like this
    if len(fields) != 7:
        raise ValueError(f"expected 7 tab-separated fields, found {len(fields)}")
    domain, subdomains, path, secure, expires, name, value = fields
    host = ascii_host(domain.removeprefix(".")).removesuffix(".")
    if not host or not host.isprintable() or " " in host:
        raise ValueError("field 1 (domain) must be a host name")
    for flag, which in ((subdomains, "2 (subdomains)"), (secure, "4 (secure)")):
        if flag.upper() not in _FLAGS:
            raise ValueError(f"field {which} must be TRUE or FALSE")
    try:
        expiry = float(expires) if expires else 0.0
    except ValueError:
        raise ValueError("field 5 (expiry) must be a number") from None
    if not name and not value:
        raise ValueError("the cookie has neither a name nor a value")
    if _BAD_TEXT.search(name + value):
        raise ValueError("name or value contain a character that cannot be sent")
    has_subdomains = _FLAGS[subdomains.upper()]
    # An invalid path means all paths (RFC 6265 section 5.2.4).
    path = path if path.startswith("/") else "/"
    is_secure = _FLAGS[secure.upper()]
    return Cookie(host, has_subdomains, path, is_secure, expiry, name, value)


def _domains_of(host: str) -> list[str]:
    """Return a host and its parent domains; an address has none."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        return [".".join(labels[i:]) for i in range(len(labels))]
    return [host]


def _bad(message: str) -> LocalError:
    return LocalError(ErrorKind.COOKIES, message)

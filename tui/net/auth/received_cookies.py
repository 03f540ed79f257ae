"""The cookies that servers set along a chain of redirects (RFC 6265, section 5).

``http.cookiejar`` and ``httpx.Cookies`` are not used: they send a host-only cookie to
subdomains and a cookie for ``.co.uk`` to all of it, take ``Secure=`` for no attribute,
drop cookies with an empty ``Domain`` or a quoted ``Version``, and fail on bytes outside
ASCII. Where the RFC and browsers differ, this follows draft-ietf-httpbis-rfc6265bis.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from publicsuffixlist import PublicSuffixList

    from tui.net.url import ParsedUrl

MAX_COOKIES = 150
"""In one chain; curl sends as many. Further ones replace the oldest."""
MAX_PAIR_CHARS = 4096
"""Of name and value together (rfc6265bis section 5.6)."""
MAX_HEADER_CHARS = 8190
"""Of the Cookie header, as in curl: servers refuse longer ones."""
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_AGE = re.compile(r"-?[0-9]+")
_MONTHS = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_DATE_TOKEN = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")


class _Cookie(NamedTuple):
    name: str
    value: str
    domain: str
    is_host_only: bool
    port: int
    """Of a host-only cookie, which only this port gets."""
    path: str
    is_secure: bool
    expires: float
    """Seconds since the epoch."""

    def matches(self, url: ParsedUrl, path: str, now_wall: float) -> bool:
        """Return True if a request for ``url`` gets this cookie."""
        scheme, host, port = url.origin
        if self.is_host_only:
            # RFC 6265 section 8.5 lets all ports of a host share cookies; another port
            # may be another server, so only the step from http to https is allowed.
            is_right = host == self.domain and (
                port == self.port or (self.port, port) == (80, 443)
            )
        else:
            is_right = is_domain_match(host, self.domain)
        return (
            is_right
            and (scheme == "https" or not self.is_secure)
            and self.expires > now_wall
            and is_path_match(path, self.path)
        )


class ReceivedCookies:
    """The cookies of one chain, in the order in which they were set."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str, bool], _Cookie] = {}

    def store(self, url: ParsedUrl, lines: Iterable[str], now_wall: float) -> None:
        """Store the cookies of a response; cookies that have expired are removed.

        Args:
            url: of the request.
            lines: the values of ``Set-Cookie``, decoded as Latin-1.
            now_wall: seconds since the epoch.
        """
        for line in lines:
            cookie = _parse(line, url, now_wall)
            if cookie is None:
                continue
            key = (cookie.domain, cookie.path, cookie.name, cookie.is_host_only)
            if cookie.expires <= now_wall:
                self._cookies.pop(key, None)
                continue
            # A replaced cookie keeps its position (RFC 6265 section 5.3, step 11).
            self._cookies[key] = cookie
            if len(self._cookies) > MAX_COOKIES:
                del self._cookies[next(iter(self._cookies))]

    def pairs_for(self, url: ParsedUrl, now_wall: float) -> list[tuple[str, str]]:
        """Return names and values for a request, those with the longest path first.

        Bytes outside ASCII are decoded as UTF-8, with ``surrogateescape``.
        """
        path = request_path(url.url)
        found = [c for c in self._cookies.values() if c.matches(url, path, now_wall)]
        found.sort(key=lambda cookie: -len(cookie.path))
        pairs = []
        left = MAX_HEADER_CHARS
        for cookie in found:
            left -= len(cookie.name) + len(cookie.value) + 3
            if left < 0:
                break
            pairs.append((_decode(cookie.name), _decode(cookie.value)))
        return pairs


def is_domain_match(host: str, domain: str) -> bool:
    """Return True if a host is the domain or below it (RFC 6265 section 5.1.3)."""
    return host == domain or (host.endswith(f".{domain}") and not _is_address(host))


def is_path_match(path: str, cookie_path: str) -> bool:
    """Return True if a request path matches a cookie path (RFC 6265 section 5.1.4)."""
    return path.startswith(cookie_path) and (
        path == cookie_path
        or cookie_path.endswith("/")
        or path[len(cookie_path)] == "/"
    )


def is_public_suffix(domain: str) -> bool:
    """Return True if unrelated people can register names below a domain.

    Follows the Public Suffix List, private section included (``github.io``).
    """
    return not _is_address(domain) and bool(_suffixes().is_public(domain.rstrip(".")))


def request_path(url: str) -> str:
    """Return the path of a URL, without its query; ``/`` if it has none."""
    rest = url.partition("://")[2]
    _, slash, path = rest.partition("/")
    return slash + re.split(r"[?#]", path, maxsplit=1)[0] if slash else "/"


def parse_cookie_date(text: str) -> float | None:
    """Parse a date as browsers do (RFC 6265 section 5.1.1).

    Returns:
        Seconds since the epoch, or ``None`` if it is not a date.
    """
    time = day = month = year = None
    for token in _DATE_TOKEN.findall(text):
        if time is None and (found := _TIME.match(token)):
            time = tuple(map(int, found.groups()))
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.match(token)):
            year = int(found[1])
            year += 1900 if 70 <= year <= 99 else 2000 if year < 70 else 0
    if time is None or day is None or month is None or year is None or year < 1601:
        return None
    try:
        hour, minute, second = time
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return moment.timestamp()
    except ValueError:
        return None


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    # Late: takes 50 ms, and few chains have a cookie with a domain.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def _parse(line: str, url: ParsedUrl, now_wall: float) -> _Cookie | None:
    """Return the cookie of one line, or ``None`` if it must be ignored."""
    pair, *attributes = line.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals or not name or _CONTROLS.search(line):
        return None
    if len(name) + len(value) > MAX_PAIR_CHARS:
        return None
    # The last one of a name counts.
    given = {}
    for attribute in attributes:
        key, _, text = (part.strip(" \t") for part in attribute.partition("="))
        if text or key.lower() != "domain":
            given[key.lower()] = text
    scheme, host, port = url.origin
    domain = given.get("domain", "").lower().removeprefix(".")
    if not domain:
        domain, is_host_only = host, True
    elif domain == host:
        is_host_only = _is_address(host) or is_public_suffix(host)
    elif is_domain_match(host, domain) and not is_public_suffix(domain):
        is_host_only = False
    else:
        return None
    path = given.get("path", "")
    is_secure = "secure" in given
    if not path.startswith("/"):
        path = request_path(url.url).rpartition("/")[0] or "/"
    cookie = _Cookie(
        name,
        value,
        domain,
        is_host_only,
        port,
        path,
        is_secure,
        _expiry(given, now_wall),
    )
    # Only https may set such cookies (rfc6265bis section 5.7, steps 8 and 20 to 21).
    if is_secure and scheme != "https":
        return None
    lower = name.lower()
    if lower.startswith("__secure-") and not is_secure:
        return None
    if lower.startswith("__host-") and not (
        is_secure and "domain" not in given and given.get("path") == "/"
    ):
        return None
    return cookie


def _expiry(given: dict[str, str], now_wall: float) -> float:
    """Return the time when a cookie expires; an invalid attribute does not count."""
    age = given.get("max-age", "")
    if _MAX_AGE.fullmatch(age):
        # A number of thousands of digits is slow to convert.
        return now_wall + int(age[:12]) if age[0] != "-" else 0.0
    expires = parse_cookie_date(given.get("expires", "")[:200])
    return float("inf") if expires is None else expires


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _decode(text: str) -> str:
    return (
        text
        if text.isascii()
        else text.encode("latin-1").decode(errors="surrogateescape")
    )

"""A request for one file, as a list line gives it, and its URL rules."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.settings import OnExists

#: Spellings of hash names in lists, headers and tools, and hashlib's names.
ALGORITHMS = {
    "sha-1": "sha1",
    "sha1": "sha1",
    "sha-224": "sha224",
    "sha-256": "sha256",
    "sha256": "sha256",
    "sha-384": "sha384",
    "sha-512": "sha512",
    "sha224": "sha224",
    "sha384": "sha384",
    "sha512": "sha512",
    "md5": "md5",
    "blake2b": "blake2b",
    "blake2s": "blake2s",
}
_PLAIN_SPELLINGS = ("sha1", "sha224", "sha256", "sha384", "sha512")
_HEX_LENGTHS = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "blake2b": 128,
    "blake2s": 64,
}
STRONGEST_FIRST = (
    "sha512",
    "blake2b",
    "sha384",
    "sha256",
    "blake2s",
    "sha224",
    "sha1",
    "md5",
)
"""hashlib's names; of several digests of a file, the first in this order counts."""
_HEX = late_pattern(r"[0-9a-f]+")

DIGEST_LOGIN = "Digest-Login"
"""Scheme of an ``Authorization`` value that is never sent: user and password, encoded
as for Basic, which the session replaces by a Digest value."""
ANY_LOGIN = "Any-Login"
"""The same, but for the scheme that the server's challenge asks for, Basic included."""
OMITTABLE_HEADERS = frozenset({"accept", "user-agent"})
"""Request headers that are not sent at all if their value is empty."""


class Checksum(NamedTuple):
    """The expected digest of a file."""

    algorithm: str
    """hashlib's name, such as ``sha256``."""
    digest: str
    """Lower-case hexadecimal."""

    @classmethod
    def parse(cls, text: str) -> Checksum:
        """Parse ``sha-256=HEX`` (the format of aria2; ``:`` works as well).

        Raises:
            ValueError: the algorithm is unknown, or the digest has the wrong length;
                the message says which and what is allowed.
        """
        name, separator, digest = text.strip().partition("=")
        if not separator:
            name, separator, digest = text.strip().partition(":")
        algorithm = ALGORITHMS.get(name.strip().lower())
        if not separator or algorithm is None:
            known = ", ".join(k for k in ALGORITHMS if k not in _PLAIN_SPELLINGS)
            raise ValueError(f"checksum must be TYPE=HEX with TYPE one of {known}")
        digest = digest.strip().lower()
        if _HEX.fullmatch(digest) is None or len(digest) != _HEX_LENGTHS[algorithm]:
            raise ValueError(
                f"{name.strip()} needs {_HEX_LENGTHS[algorithm]} hexadecimal digits,"
                f" got {len(digest)}"
            )
        return cls(algorithm, digest)

    def __str__(self) -> str:
        return f"{self.algorithm}={self.digest}"


class Pieces(NamedTuple):
    """Digests of equal pieces of a file (RFC 5854, section 4.1.3).

    They allow repairing a corrupt file instead of downloading it again.
    """

    algorithm: str
    """hashlib's name."""
    length: int
    """Bytes of each piece; the last one may be shorter."""
    digests: tuple[str, ...]
    """Lower-case hexadecimal, in the order of the file."""

    def covers(self, size: int) -> bool:
        """Return True if each piece of a file of ``size`` bytes has a digest."""
        return len(self.digests) == -(-size // self.length)

    def span(self, index: int, size: int) -> tuple[int, int]:
        """Return the half-open range of one piece of a file of ``size`` bytes."""
        start = index * self.length
        return start, min(start + self.length, size)


class DownloadRequest(NamedTuple):
    """A file to download, before anything else is known about it."""

    mirrors: tuple[str, ...]
    """One or more http(s) URLs of the same bytes; the first is preferred."""
    name: str | None = None
    """File name (``out=``); ``None`` takes it from the server or the URL."""
    directory: str | None = None
    """Folder below the output directory (``dir=``), ``/``-separated, or ``None``."""
    checksum: Checksum | None = None
    """Expected digest of the finished file."""
    headers: tuple[tuple[str, str], ...] = ()
    """Extra request headers; sent to the origin of the first mirror only."""
    size: int | None = None
    """Size in bytes according to the list, or ``None``."""
    source: str = ""
    """Where the request comes from (``list.txt:12``), for messages."""
    pieces: Pieces | None = None
    """Digests of its pieces, if the list gives them."""
    on_exists: OnExists | None = None
    """What to do if its name is taken; ``None`` uses the setting of the run."""

    @property
    def url(self) -> str:
        """The preferred URL."""
        return self.mirrors[0]


class BadRequestLine(ValueError):
    """An entry of a list or the command line cannot be downloaded.

    ``str()`` gives ``where: reason``, safe to show.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        """``file:line`` or the name of an option."""
        self.reason = reason
        """What is wrong, and what to write instead."""


URL_LIMIT = 65536
"""Characters: the limit of httpx; servers rarely accept more than 8,192."""

_HTTP_URL = late_pattern(r"https?://[^/?#]*", re.IGNORECASE | re.ASCII)
_SCHEME = late_pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,19}")
_AUTHORITY_END = late_pattern(r"[/?#]")
_AUTHORITY = late_pattern(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
_PORT = late_pattern(r"[0-9]{0,5}")
_HOST = late_pattern(r"[^\x00-,/:-@\[-^`{-\x7f]+")
_NUMBER = late_pattern(r"[0-9]+|0[xX][0-9a-fA-F]*")


def check_url(url: str) -> str:
    """Return ``url`` if it can be downloaded.

    The scheme is checked here, before any request; the HTTP session checks it again at
    every redirect.

    Raises:
        ValueError: the URL is not http or https, has no valid host, or contains white
            space or control characters. The message is a reason without the URL.
    """
    match = _HTTP_URL.match(url)
    if match is None:
        scheme, separator, _ = url.partition("://")
        if not separator or _SCHEME.fullmatch(scheme) is None:
            # Not repeated in the message: it may contain a password.
            raise ValueError(
                "not a URL; write http:// or https:// in front of the host"
            )
        raise ValueError(f"unsupported scheme {scheme!r}; only http and https")
    if len(url) > URL_LIMIT:
        raise ValueError(f"the URL is longer than {URL_LIMIT} characters")
    if " " in url or not url.isprintable():
        raise ValueError("the URL contains a space or a control character; encode it")
    _check_authority(match[0])
    return url


_LOGIN = late_pattern(r"(\bhttps?://)[^/?#\s]*@", re.IGNORECASE)


def without_login(url: str) -> str:
    """Return a URL without its user name and password.

    A URL within its query keeps its own: the server may need it.
    """
    match = _LOGIN.match(url) if "@" in url else None
    return url if match is None else match[1] + url[match.end() :]


def without_logins(text: str) -> str:
    """Return a text without the user names and passwords of all URLs in it."""
    return _LOGIN.sub(r"\1", text) if "@" in text else text


def referer_for(url: str, value: str) -> str:
    """Return the Referer of a download for a value of aria2's option ``referer``.

    Args:
        url: of the download.
        value: a URL, or ``*`` for the URL of the download.

    Returns:
        The URL without login and fragment, which must not be sent (RFC 9110, section
        10.1.3).
    """
    return without_login(url if value == "*" else value).partition("#")[0]


def with_login_of(url: str, known: Iterable[str]) -> str:
    """Return a URL with the login of the first known URL of the same origin.

    A URL that has a login of its own, or for which none is known, stays as it is.
    """
    if without_login(url) != url:
        return url
    origin = origin_of(url)
    for other in known:
        if origin_of(other) == origin and without_login(other) != other:
            match = _LOGIN.match(other)
            assert match is not None
            scheme, separator, rest = url.partition("://")
            return f"{scheme}{separator}{match[0][len(match[1]) :]}{rest}"
    return url


# A list repeats few hosts many times: both functions below run once for each host, and
# all downloads of an origin share one string.


@lru_cache(4096)
def _check_authority(prefix: str) -> None:
    """Check ``scheme://authority`` (RFC 3986, section 3.2) and its host."""
    authority = prefix.partition("://")[2].rpartition("@")[2]
    if "\\" in prefix:
        # Browsers read it as a slash, other clients do not: the host is ambiguous.
        raise ValueError("the URL has a backslash in its host; write / instead")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError("the host of the URL has an unexpected bracket")
    host, port = match.groups(default="")
    if not host:
        raise ValueError("the URL has no host")
    if _PORT.fullmatch(port) is None or (port and not 0 < int(port) < 65536):
        # Do not show it: a slash in a password makes its beginning look like a port.
        raise ValueError("the port of the URL must be between 1 and 65535")
    _check_host(host)


def _check_host(host: str) -> None:
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("the URL has an invalid IPv6 address") from None
        if "%" in host:
            raise ValueError("an IPv6 zone (%...) cannot be used in a URL")
        return
    if _HOST.fullmatch(host) is None:
        raise ValueError("the host of the URL has an invalid character")
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # A last label that is a number makes it an IPv4 address (WHATWG URL, 3.1).
        try:
            IPv4Address(host)
        except ValueError:
            raise ValueError("the URL has an invalid IPv4 address") from None
        return
    try:
        encoded = host.encode("idna") if not host.isascii() else host.encode()
    except UnicodeError:
        raise ValueError("the host of the URL is not a valid domain name") from None
    # RFC 1035, section 2.3.4: 63 bytes a label, 253 in all.
    if len(encoded.rstrip(b".")) > 253 or not all(0 < len(x) < 64 for x in labels):
        raise ValueError(
            "the host of the URL has an empty label or one that is too long"
        )


def origin_of(url: str) -> str:
    """Return the origin of a URL (``scheme://host:port``, RFC 6454).

    It is fast, since it runs once for each of 100,000 list lines. The host becomes
    lower case; credentials and a default port are removed. Nothing is checked.
    """
    match = _HTTP_URL.match(url)
    if match is not None:
        return _origin(match[0])
    scheme, _, rest = url.partition("://")
    return _origin(f"{scheme}://{_AUTHORITY_END.split(rest, maxsplit=1)[0]}")


@lru_cache(4096)
def _origin(prefix: str) -> str:
    scheme, _, authority = prefix.lower().partition("://")
    host = authority.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        return f"{scheme}://{host}"
    if port.isascii() and port.isdecimal():
        port = port.lstrip("0")
    default = "443" if scheme == "https" else "80"
    return (
        f"{scheme}://{name}" if port in ("", default) else f"{scheme}://{name}:{port}"
    )

"""What a list line asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Hash names as lists, headers and tools spell them, mapped to hashlib's.
ALGORITHMS = {
    "sha-1": "sha1",
    "sha1": "sha1",
    "sha-224": "sha224",
    "sha-256": "sha256",
    "sha256": "sha256",
    "sha-384": "sha384",
    "sha-512": "sha512",
    "sha384": "sha384",
    "sha512": "sha512",
    "md5": "md5",
    "blake2b": "blake2b",
    "blake2s": "blake2s",
}
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
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Checksum:
    """The digest that a file is expected to have."""

    algorithm: str
    """The name hashlib knows, such as ``sha256``."""
    digest: str
    """Lower-case hexadecimal."""

    @classmethod
    def parse(cls, text: str) -> Checksum:
        """Read ``sha-256=HEX`` (aria2's spelling; ``:`` separates as well).

        Raises:
            ValueError: unknown algorithm, or a digest of the wrong length; the
                message says which and what is known.
        """
        name, separator, digest = text.strip().partition("=")
        if not separator:
            name, separator, digest = text.strip().partition(":")
        algorithm = ALGORITHMS.get(name.strip().lower())
        if not separator or algorithm is None:
            known = ", ".join(sorted(k for k in ALGORITHMS if "-" in k or k == "md5"))
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


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """One file that somebody wants, before anything is known about it."""

    mirrors: tuple[str, ...]
    """One or more http(s) URLs that carry the same bytes; the first is preferred."""
    name: str | None = None
    """File name asked for (``out=``); ``None`` lets the server or the URL name it."""
    directory: str | None = None
    """Folder below the output directory (``dir=``), ``/``-separated, or ``None``."""
    checksum: Checksum | None = None
    """What the finished file must hash to."""
    headers: tuple[tuple[str, str], ...] = ()
    """Extra request headers; sent to the origin of the first mirror only."""
    size: int | None = None
    """Size in bytes that the list promises, or ``None``."""
    source: str = ""
    """Where it was asked for (``list.txt:12``), for messages."""

    @property
    def url(self) -> str:
        """The preferred URL."""
        return self.mirrors[0]


class BadRequestLine(ValueError):
    """Something in a list or on the command line cannot be fetched.

    ``str()`` gives ``where: reason``, safe to show.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        """``file:line`` or the name of an option."""
        self.reason = reason
        """What is wrong and what to do about it."""


def check_url(url: str) -> str:
    """Return ``url`` if it can be fetched, else say why not.

    The scheme is checked here, before anything is fetched; the wire checks it again
    at every redirect.

    Raises:
        ValueError: not http or https, no host, or white space or control characters
            inside. The message is a reason without the URL.
    """
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise ValueError("not a URL (it has no http:// or https:// in front)")
    if scheme not in ("http", "https"):
        raise ValueError(f"unsupported scheme {scheme[:20]!r}; only http and https")
    if not url.isprintable() or " " in url:
        raise ValueError("the URL holds a space or a control character; encode it")
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    host = authority.rpartition("@")[2]
    if not host or host.startswith(":"):
        raise ValueError("the URL has no host")
    name, colon, port = host.rpartition(":")
    if (
        colon
        and "]" not in port
        and not (port == "" or (port.isdecimal() and 0 < int(port) < 65536 and name))
    ):
        raise ValueError(f"bad port {port[:20]!r}")
    return url


def origin_of(url: str) -> str:
    """Return the origin (``scheme://host:port``, RFC 6454) that slots are counted by.

    Cheap on purpose: it runs once for each of 100,000 list lines. The host is lowered,
    credentials are dropped, a default port stays away.
    """
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    host = authority.rpartition("@")[2].lower()
    scheme = scheme.lower()
    default = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host.removesuffix(default)}"

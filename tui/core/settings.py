"""Every default in one place, each with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

MAX_CONCURRENCY = 1000
"""Downloads at once; above it file descriptors run out on common systems."""
MAX_SEGMENTS = 64
MAX_WRITERS = 32
_NAME_BYTES = 255
"""The longest name on common file systems."""


class OnExists(Enum):
    """What to do when the final name is already taken."""

    RESUME = "resume"
    """Go on with a part file; a whole file of the right size counts as done; any
    other file is left alone and the download gets a name of its own."""
    SKIP = "skip"
    """Keep what is there and count it as done, without asking the server."""
    RENAME = "rename"
    """Always fetch, under a new name: ``name (1).ext``."""
    OVERWRITE = "overwrite"
    """Replace it, at the moment when the new file is whole."""


class Verify(Enum):
    """What a file is held against where the list gives no checksum."""

    HEADERS = "headers"
    """The digest of the whole file that the server's own headers tell, if any."""
    AUTO = "auto"
    """That, or else a checksum file beside it on the server, which costs requests."""
    OFF = "off"
    """Nothing. A checksum that the list or the command line gives always counts."""


class Scheme(Enum):
    """How a login is proven to a server."""

    BASIC = "basic"
    """RFC 7617: name and password with every request to that origin."""
    DIGEST = "digest"
    """RFC 7616: proven after a 401, the password itself is not sent."""
    BEARER = "bearer"
    """RFC 6750: a token, with every request to that origin."""


class Login(NamedTuple):
    """Who we are to a server, and where the secret is; never the secret itself."""

    user: str = ""
    """Empty for a bearer token."""
    secret: str = ""
    """A reference: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE``, ``netrc``, or
    ``ask``, which the face asks for. ``text:`` is what was typed on the command line
    of this run; it is never written anywhere."""
    scheme: Scheme = Scheme.BASIC

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, scheme={self.scheme})"


class HostRule(NamedTuple):
    """What holds for some hosts and not for others; the first that matches counts."""

    pattern: str
    """A host, ``*.example.org`` or ``*``; shell patterns, without regard to case.
    ``HOST:PORT`` for one port."""
    cap: int = 0
    """Downloads at once from each such origin; 0 leaves it to ``per_host``."""
    rate_limit: int | None = None
    """Bytes per second of each such origin, all its downloads together."""
    headers: tuple[tuple[str, str], ...] = ()
    login: Login | None = None
    proxy: str = ""
    """As ``Settings.proxy``; "" leaves it to that."""


class _Folder(NamedTuple):
    pattern: str
    """A shell pattern for the file's name, such as ``*.iso``; case does not matter."""
    directory: str
    """Relative, ``/``-separated."""


class FolderRule(_Folder):
    """Where files go that match, below the output directory."""

    __slots__ = ()

    def __new__(cls, pattern: str, directory: str) -> FolderRule:
        """Refuse a place outside the output directory.

        Raises:
            ValueError: the pattern is empty, or the directory is absolute, climbs out,
                is hidden or holds what no name holds. The message says which.
        """
        rule = super().__new__(cls, pattern, directory)
        rule._check()
        return rule

    def _check(self) -> None:
        if not self.pattern:
            raise ValueError("the pattern is empty; * matches every name")
        parts = self.directory.removesuffix("/").split("/")
        if self.directory.startswith(("/", "~")) or ".." in parts:
            raise ValueError("the folder must stay below the output directory")
        if any(part.startswith(".") for part in parts):
            raise ValueError("the folder is hidden; take the dot away")
        if "" in parts or "\\" in self.directory or not self.directory.isprintable():
            raise ValueError("that is no name of a folder; write it as isos/linux")
        if any(len(part.encode()) > _NAME_BYTES for part in parts):
            raise ValueError("the folder holds a name of more than 255 bytes")


class Hooks(NamedTuple):
    """Commands to run, each an argument vector; no shell is between."""

    on_done: tuple[str, ...] = ()
    on_failed: tuple[str, ...] = ()
    on_all_done: tuple[str, ...] = ()
    timeout_s: float = 600.0
    """After it a command is ended, with all that it started."""
    at_once: int = 4
    """Commands that run at the same time; the others wait for their turn."""

    @property
    def has_any(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.on_done or self.on_failed or self.on_all_done)


_NO_HOOKS = Hooks()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run starts with; most of it changes live through the service."""

    output_dir: Path = Path()
    concurrency: int = 8
    """Downloads at once. Browsers use 6 per host, aria2 5; more rarely wins."""
    per_host: int = 0
    """Downloads at once from one origin; 0 leaves it to ``concurrency``."""
    segments: int = 0
    """Connections per download; 0 decides by size."""
    retries: int = 5
    """Attempts after the first one. Only transient errors are tried again."""
    timeout_s: float = 30.0
    """To connect, to get an answer, and between two chunks (stall)."""
    rate_limit: int | None = None
    """Bytes per second over everything."""
    on_exists: OnExists = OnExists.RESUME
    verify: Verify = Verify.HEADERS
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent with every request to the origin that the list names, never to another."""
    ca_file: Path | None = None
    """PEM bundle that replaces the system's; ``SSL_CERT_FILE`` is honoured too."""
    fsync: bool = True
    """Sync data before the rename, so that a power cut leaves no torn file."""
    writers: int = 4
    """Threads that write."""
    in_flight_limit: int = 64 << 20
    """Bytes between wire and disk at which reading stops: memory stays flat when the
    disk is slow. 64 MiB holds half a second of a 1 Gbit/s link."""
    http_backend: str = ""
    """``builtin``, ``pyreqwest`` or ``httpx``; "" picks the fastest one that supports
    the request."""
    proxy: str = ""
    """``http://``, ``https://``, ``socks5://`` or ``socks5h://`` ``[USER@]HOST:PORT``;
    ``direct`` for none; "" takes what the environment says (``http_proxy``,
    ``https_proxy``, ``all_proxy``, ``no_proxy``)."""
    proxy_login: Login | None = None
    netrc: Path | None = None
    """File with logins by host; ``None`` reads none."""
    login: Login | None = None
    """For the origins that the list names, as ``headers`` are."""
    cookies: Path | None = None
    """Netscape cookie file; read, never written."""
    client_cert: Path | None = None
    """PEM certificate that proves us to a server; the key may be in the same file."""
    client_key: Path | None = None
    interface: str = ""
    """Name of the network interface, or a local address, to connect from."""
    ip_version: int = 0
    """4 or 6; 0 takes either."""
    resolve: tuple[tuple[str, int, str], ...] = ()
    """(host, port, address): connect there without asking the DNS; port 0 for all."""
    http2: bool = False
    """Offer HTTP/2 for downloads in one stream; ranges stay on HTTP/1.1."""
    hosts: tuple[HostRule, ...] = field(default=(), repr=False)
    hooks: Hooks = _NO_HOOKS
    notify: bool = False
    """Tell the desktop when all is done."""
    unpack: bool = False
    """Unpack archives (zip, tar and its compressed kinds) beside themselves."""
    server_time: bool = False
    """Give files the time of ``Last-Modified``."""
    folders: tuple[FolderRule, ...] = ()
    """The first that matches counts; a directory that the list names wins."""
    auto: bool = False
    """Let a controller choose ``concurrency`` from measured goodput."""
    log_file: Path | None = None
    """Every event as a line, secrets masked; ``None`` writes none."""

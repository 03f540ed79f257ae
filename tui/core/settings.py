"""Settings of a run: every default in one place, with its unit and its reason."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from tui.core.quick.named_tuple import NamedTuple

MAX_CONCURRENCY = 1000
"""Highest concurrency; above it file descriptors run out on common systems."""
MAX_SEGMENTS = 64
MAX_WRITERS = 32
MAX_RATE = 1 << 53
"""Highest rate limit in bytes per second: whole numbers above it are not exact in JSON,
and those from 2^63 do not fit into a session."""
COLUMNS = (
    "state",
    "size",
    "received",
    "percent",
    "bar",
    "speed",
    "eta",
    "finished",
    "tries",
    "host",
)
"""Columns of the dashboard's list besides the name, from left to right."""
_NAME_BYTES = 255
"""The longest name on common file systems."""


class OnExists(Enum):
    """What to do when the final name is already taken."""

    RESUME = "resume"
    """Resume a part file; a complete file of the right size counts as done; any other
    file is left alone, and the download is saved under a numbered name."""
    SKIP = "skip"
    """Keep the existing file and count it as done, without a request to the server."""
    RENAME = "rename"
    """Always download, under a new name: ``name (1).ext``."""
    OVERWRITE = "overwrite"
    """Replace it as soon as the new file is complete."""
    NEWER = "newer"
    """Replace it like ``OVERWRITE`` if the file of the server is newer, else keep it.
    """
    RESUME_ONLY = "resume-only"
    """As ``RESUME``, but fail instead of using a numbered name."""
    FAIL = "fail"
    """Fail; only a part file is resumed."""

    @property
    def replaces(self) -> bool:
        """Whether a final file is replaced when the new one is complete."""
        return self in _REPLACING

    @property
    def renames(self) -> bool:
        """Whether a numbered name may be used if the name is taken."""
        return self not in _NOT_RENAMING

    @property
    def compares(self) -> bool:
        """Whether a complete file of the right size counts as done."""
        return self in (OnExists.RESUME, OnExists.RESUME_ONLY)


_REPLACING = (OnExists.OVERWRITE, OnExists.NEWER)
_NOT_RENAMING = (OnExists.RESUME_ONLY, OnExists.FAIL)


class Verify(Enum):
    """What a file is verified against if the list gives no checksum."""

    HEADERS = "headers"
    """The digest of the file in the response headers, if any."""
    AUTO = "auto"
    """That, or else a checksum file next to it on the server, which costs requests."""
    OFF = "off"
    """Nothing. A checksum in the list or on the command line always counts."""


class Scheme(Enum):
    """HTTP authentication scheme."""

    AUTO = "auto"
    """Answers a challenge (401) with Digest if the server accepts it, else with Basic;
    nothing is sent before."""
    BASIC = "basic"
    """RFC 7617: user and password with every request to that origin."""
    DIGEST = "digest"
    """RFC 7616: answers a challenge (401); the password itself is not sent."""
    BEARER = "bearer"
    """RFC 6750: a token, with every request to that origin."""


class Login(NamedTuple):
    """Credentials for a server: the user and where the secret is, never the secret."""

    user: str = ""
    """Empty for a bearer token."""
    secret: str = ""
    """A reference: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE``, ``netrc``, or
    ``ask`` for a prompt. ``text:`` is a secret typed on the command line of this run;
    it is never written anywhere."""
    scheme: Scheme = Scheme.BASIC

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, scheme={self.scheme})"


class HostRule(NamedTuple):
    """Settings for some hosts; the first rule that matches applies."""

    pattern: str
    """A host, ``*.example.org`` or ``*``: a case-insensitive shell pattern.
    ``HOST:PORT`` for one port."""
    cap: int = 0
    """Concurrent downloads from each such origin; 0 uses ``per_host``."""
    rate_limit: int | None = None
    """Bytes per second of each such origin, over all its downloads."""
    headers: tuple[tuple[str, str], ...] = ()
    login: Login | None = None
    proxy: str = ""
    """As ``Settings.proxy``, which "" uses."""


class _Folder(NamedTuple):
    pattern: str
    """A case-insensitive shell pattern for the file name, such as ``*.iso``."""
    directory: str
    """Relative, ``/``-separated."""


class FolderRule(_Folder):
    """The folder, below the output directory, of files that match."""

    __slots__ = ()

    def __new__(cls, pattern: str, directory: str) -> FolderRule:
        """Refuse a folder outside the output directory.

        Raises:
            ValueError: the pattern is empty, or the directory is absolute, outside the
                output directory, hidden or not a valid name. The message says which.
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
            raise ValueError("hidden folders are not allowed; remove the leading dot")
        if "" in parts or "\\" in self.directory or not self.directory.isprintable():
            raise ValueError("invalid folder name; write it like isos/linux")
        if any(len(part.encode()) > _NAME_BYTES for part in parts):
            raise ValueError("a folder name is longer than 255 bytes")


class Hooks(NamedTuple):
    """Commands to run, each a list of arguments; no shell is involved."""

    on_done: tuple[str, ...] = ()
    on_failed: tuple[str, ...] = ()
    on_all_done: tuple[str, ...] = ()
    timeout_s: float = 600.0
    """Time limit of a command; it then ends, with all processes that it started."""
    at_once: int = 4
    """Commands that run at the same time; others wait."""

    @property
    def has_any(self) -> bool:
        """Return True if any command is set."""
        return bool(self.on_done or self.on_failed or self.on_all_done)


_NO_HOOKS = Hooks()


AUTO_START = 16
"""Concurrent downloads with which the automatic concurrency starts: as many as one host
gets of large files, between the 6 of browsers and the 50 of curl."""


class Settings(NamedTuple):
    """Settings that a run starts with; the service can change most of them."""

    output_dir: Path = Path()
    concurrency: int = 8
    """Concurrent downloads. Browsers use 6 per host, aria2 5; more is rarely faster."""
    sizes_ahead: bool = False
    """Ask for the sizes of queued files over spare connections."""
    per_host: int = 0
    """Concurrent downloads from one origin; 0: no limit but ``concurrency``."""
    segments: int = 0
    """Connections per download; 0 decides by size."""
    retries: int = 5
    """Retries per download and mirror. Only transient errors are retried."""
    max_retry_after_s: float = 3600.0
    """Longest ``Retry-After`` that is waited for. Rate limits reset within the hour
    (GitHub's does); with a longer one the download fails."""
    timeout_s: float = 30.0
    """For connecting, for the response headers, and between two chunks (stall)."""
    rate_limit: int | None = None
    """Bytes per second over everything."""
    on_exists: OnExists = OnExists.RESUME
    verify: Verify = Verify.HEADERS
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request to the origin that the list names, never to another."""
    user_agent: str | None = None
    """Sent with every request; "" sends none, ``None`` names this program."""
    ca_file: Path | None = None
    """PEM bundle that replaces the system's, as ``SSL_CERT_FILE`` does."""
    fsync: bool = True
    """Sync data before the rename, so that a power failure leaves no corrupt file."""
    writers: int = 4
    """Threads that write."""
    in_flight_limit: int = 64 << 20
    """Bytes buffered in memory at which reading pauses, so that a slow disk does not
    fill the memory. 64 MiB is half a second of a 1 Gbit/s link."""
    http_backend: str = ""
    """``http1`` or ``httpx``; "" uses httpx only for HTTP/2."""
    proxy: str = ""
    """``http://``, ``https://``, ``socks5://`` or ``socks5h://`` ``[USER@]HOST:PORT``;
    ``direct`` for none; "" takes what the environment says (``http_proxy``,
    ``https_proxy``, ``all_proxy``, ``no_proxy``)."""
    proxy_login: Login | None = None
    netrc: Path | None = None
    """File with credentials by host."""
    login: Login | None = None
    """For the origins that the list names, like ``headers``."""
    auth: Scheme = Scheme.AUTO
    """How logins in URLs and in netrc are sent."""
    cookies: Path | None = None
    """Netscape cookie file; read, never written."""
    client_cert: Path | None = None
    """PEM client certificate; the key may be in the same file."""
    client_key: Path | None = None
    interface: str = ""
    """Name of the network interface, or a local address, to connect from."""
    ip_version: int = 0
    """4 or 6; 0 for either."""
    resolve: tuple[tuple[str, int, str], ...] = ()
    """(host, port, address): connect to it without DNS; port 0 for all ports."""
    http2: bool = False
    """Offer HTTP/2 for downloads in one stream; ranges stay on HTTP/1.1."""
    hosts: tuple[HostRule, ...] = ()
    hooks: Hooks = _NO_HOOKS
    notify: bool = False
    """Notify the desktop when all is done."""
    unpack: bool = False
    """Extract archives (zip, tar and compressed tar) into a folder next to them."""
    server_time: bool = False
    """Set modification times from ``Last-Modified``."""
    folders: tuple[FolderRule, ...] = ()
    """The first match applies; a directory in the list has precedence."""
    auto: bool = False
    """Adjust ``concurrency`` automatically, from measured throughput and errors."""
    log_file: Path | None = None
    """File for a line per event, with secrets masked."""
    keeps_corrupt: bool = True
    """Keep a file with a wrong checksum as ``NAME.bad``; false for output to stdout."""
    keeps_etags: bool = False
    """Remember the ETag of each download, for manifests."""

    def __repr__(self) -> str:
        """Leave out what may have secrets: all headers, and the rules for hosts."""
        shown = self._asdict()
        del shown["headers"], shown["hosts"]
        fields = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"Settings({fields})"

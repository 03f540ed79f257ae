"""Every default in one place, each with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MAX_CONCURRENCY = 1000
"""Downloads at once; above it file descriptors run out on common systems."""
MAX_SEGMENTS = 64
MAX_WRITERS = 32


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
    headers: tuple[tuple[str, str], ...] = ()
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
    wire: str = ""
    """``pyreqwest`` or ``httpx``; "" takes the fast one where it is installed."""

"""The interface of all transports, and the limits that they share.

Each transport (our own HTTP/1.1 client and httpx) returns a ``RawResponse``;
the session and its responses know nothing else about them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from tui.core.errors import FetchError

    Chunk: TypeAlias = "bytes | memoryview"

MAX_HEADER_BYTES = 100 << 10
"""Bytes of header values in one response; httpcore stops at the same size, curl at
three times as much. Real responses stay under 8 KiB."""
MAX_HEADER_FIELDS = 200
"""Fields in one response."""
MAX_HEAD_BYTES = MAX_HEADER_BYTES + (28 << 10)
"""Everything before the body, with header names and informational responses."""

_MAX_DIGITS = 18


class SocketSource(Protocol):
    """A connection that a thread may read from."""

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        """Read available bytes, or wait for some; 0 if none came. Never raises."""
        ...

    def stop(self) -> None:
        """Close the connection at once. Called on the loop."""
        ...


class SocketLease(NamedTuple):
    """A connection leased to a thread, and the way to return it."""

    source: SocketSource
    left: int
    """Bytes of the body that have not been read; what follows is not part of it."""
    return_: Callable[[int], None]
    """Return the lease, on the loop, with the number of bytes that the thread has read.
    Until then nothing else reads from the socket, and it stays open."""


class RawResponse(ABC):
    """The response of a transport, from its headers on."""

    __slots__ = ("content_length", "header_map", "http_version", "read_chunk", "status")

    status: int
    http_version: str
    """``HTTP/1.1``, ``HTTP/1.0`` or ``HTTP/2.0``."""
    read_chunk: Callable[[], Awaitable[Chunk | None]]
    """Wait for the next buffer of the body; ``None`` once it is complete. Raises the
    library's own exceptions, which ``to_error`` maps. An attribute, not a method: that
    saves one coroutine per chunk."""

    content_length: int | None
    """Content-Length in bytes; ``None`` if it is missing or invalid, or does not count
    because there is a Transfer-Encoding (RFC 9112 section 6.3)."""

    header_map: Mapping[str, str]
    """All headers by lower-case name; repeated headers are joined
    by ``, ``. Decoded as in ``values``."""

    @abstractmethod
    def values(self, name: str) -> list[str]:
        """Return all values of a header, decoded as Latin-1 (which loses no bytes).

        Args:
            name: in lower case.
        """

    def read_rest_nowait(self) -> list[Chunk] | None:
        """Return the rest of the body if all of it has arrived, without waiting.

        ``None`` if it has not: use ``read_chunk``.
        """
        return None

    def lease(self) -> SocketLease | None:
        """Lease the connection to a thread that reads the body outside the loop.

        ``None`` if that is impossible now: use ``read_chunk``.
        """
        return None

    def limit_reads(self, nbytes: int | None) -> None:  # noqa: B027  # optional
        """Let at most so many bytes arrive until the next chunk is read.

        ``None`` for the usual number. A rate limit delays the reader of bytes that have
        arrived already.
        """

    @abstractmethod
    def fields(self) -> list[tuple[str, str]]:
        """Return all headers, decoded as in ``values``."""

    @abstractmethod
    def to_error(self, error: Exception, url: str) -> FetchError:
        """Map an exception raised by ``read_chunk``."""

    @abstractmethod
    async def close(self) -> None:
        """Release the connection: to the pool after a complete body, else close it."""


class IdleConnections(NamedTuple):
    """Connections to an origin that are open and that no request uses."""

    number: int = 0
    reply_s: float = 0.0
    """Seconds until the headers of a response on such a connection, at best; 0.0 if
    there was none yet."""


class Transport(ABC):
    """Sends requests and returns raw responses."""

    name: str
    """``http1`` or ``httpx``."""

    @abstractmethod
    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers.

        Args:
            url: http or https, without credentials.
            headers: sent in addition to the default ones.

        Raises:
            FetchError: there was no valid response.
        """

    def idle_connections(self, url: str) -> IdleConnections:  # noqa: ARG002
        """Return what is known of the idle connections to the origin of ``url``."""
        return IdleConnections()

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""


def join_fields(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name, repeated ones joined by ``, ``."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(several) for name, several in values.items()}


def parse_length(value: str) -> int | None:
    """Parse Content-Length (RFC 9110 section 8.6).

    Args:
        value: of the header; equal repetitions are allowed, joined by commas.

    Returns:
        Bytes, or ``None`` if it is conflicting, or not a plain decimal number below
        10^18.
    """
    if "," in value:
        parts = [part.strip() for part in value.split(",")]
        if len({part.lstrip("0") for part in parts}) != 1:
            return None
        value = parts[0]
    is_decimal = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
    return int(value) if is_decimal else None

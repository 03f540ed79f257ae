"""One HTTP exchange as every wire shows it.

All wires (the loop's own, pyreqwest and httpx's) give a ``RawResponse``; the session
and the reply know nothing else of them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from pyreqwest.bytes import Bytes

    from tui.core.errors import FetchError

    Chunk: TypeAlias = "bytes | memoryview | Bytes"

MAX_HEADER_BYTES = 100 << 10
"""Bytes of header values in one reply; httpcore stops at the same size, curl at three
times as much. Real replies stay under 8 KiB."""
MAX_HEADER_FIELDS = 200
"""Fields in one reply. pyreqwest's parser stops at 100 by itself."""

_DECIMAL = re.compile(r"[0-9]{1,18}")


class SocketSource(Protocol):
    """A connection that is lent to a thread."""

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        """Read what is there, or wait for it; 0 when nothing came. Never raises."""
        ...

    def stop(self) -> None:
        """End the connection at once. Called on the loop."""
        ...


class SocketLease(NamedTuple):
    """What is lent, and how it is given back."""

    tap: SocketSource
    left: int
    """Bytes of the body that are still to come; what follows them is no part of it."""
    take_back: Callable[[int], None]
    """To be called on the loop with the bytes that were read, when the thread is done:
    until then nothing else is read, and the socket stays open."""


class RawResponse(ABC):
    """A request that was sent and whose response headers are there."""

    __slots__ = ("http_version", "read_chunk", "status", "table")

    status: int
    http_version: str
    """``HTTP/1.1`` or ``HTTP/1.0``."""
    read_chunk: Callable[[], Awaitable[Chunk | None]]
    """Wait for the next buffer of the body; ``None`` at its orderly end. Raises the
    library's own exceptions, which ``fault`` translates. An attribute, not a method:
    one coroutine less for each chunk."""

    table: Mapping[str, str]
    """All headers whose values can be read, by name in lower case; several values are
    joined by ``, ``. Decoded as in ``values``."""

    @abstractmethod
    def values(self, name: str) -> list[str]:
        """All values of a header, bytes decoded as Latin-1 (which loses none).

        Args:
            name: in lower case.
        """

    def take_rest(self) -> list[Chunk] | None:
        """Take the whole rest of the body if it is here already, without waiting.

        ``None`` means: ask ``read_chunk``.
        """
        return None

    def lend(self) -> SocketLease | None:
        """Lend the connection to a thread that reads the body past the loop.

        ``None`` where that is not possible (now): ask ``read_chunk``.
        """
        return None

    @abstractmethod
    def fields(self) -> list[tuple[str, str]]:
        """All headers whose values can be read, decoded as in ``values``."""

    @abstractmethod
    def is_unreadable(self, name: str) -> bool:
        """Whether a header is there whose value this wire cannot give."""

    @abstractmethod
    def fault(self, error: Exception, url: str) -> FetchError:
        """Say what an exception out of ``read_chunk`` means."""

    @abstractmethod
    async def close(self) -> None:
        """Let the connection go: back to the pool after a whole body, else closed."""


class Transport(ABC):
    """A wire: opens exchanges."""

    name: str
    """``builtin``, ``pyreqwest`` or ``httpx``."""

    @abstractmethod
    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers.

        Args:
            url: http or https, without credentials.
            headers: to send beside the ones that every request carries.

        Raises:
            FetchError: no valid answer came.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""


def table_of(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name, several values of one joined by ``, ``."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(several) for name, several in values.items()}


def parse_length(values: list[str]) -> int | None:
    """Read Content-Length (RFC 9110 section 8.6).

    Args:
        values: all values of the header; equal repetitions are allowed.

    Returns:
        Bytes, or ``None`` where it is absent, conflicting or no plain decimal number
        below 10^18.
    """
    if not values:
        return None
    first = values[0]
    if len(values) > 1 or "," in first:
        parts = {part.strip() for part in ",".join(values).split(",")}
        if len(parts) != 1:
            return None
        first = parts.pop()
    return int(first) if _DECIMAL.fullmatch(first) is not None else None

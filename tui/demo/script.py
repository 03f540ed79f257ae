"""Scripts for the server's responses, and records of the requests it received."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from tui.demo.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Body: TypeAlias = bytes | Pattern

Ranges: TypeAlias = Literal[
    "honour",  # 206 with the requested range, 416 past the end
    "ignore",  # always 200 with the whole body
    "refuse",  # 416 to any range
    "wrong_start",  # 206 that announces and sends another start
    "wrong_total",  # 206 whose total is one byte too large
    "wrong_bytes",  # 206 with a correct header but the first bytes of the file
    "short",  # 206 with the first half of the requested range
    "star_total",  # 206 with /* as the total, which is legal
    "no_content_range",  # 206 without Content-Range
    "multipart",  # 206 with the right bytes as multipart/byteranges
]


@dataclass(slots=True)
class ResponseScript:
    """One response and its faults. Every field is optional."""

    body: Body = b""
    status: int = 200
    reason: str | None = None
    """Reason phrase; ``None`` for the standard one."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    """Additional headers, which replace the server's own. Sent as UTF-8."""
    etag: str | None = None
    """As sent, with its quotes: ``'"v1"'`` or ``'W/"v1"'``."""
    last_modified: str | None = None
    ranges: Ranges = "honour"
    redirect: str = ""
    """Location, absolute or relative; the status becomes 302 unless set."""
    retry_after: str | float | None = None
    content_encoding: str = ""
    """Value of the header; the body is sent unchanged."""

    latency_s: float = 0.0
    """Seconds before the first byte of the response."""
    rate: float | None = None
    """Body bytes per second, for each connection."""
    drip_s: float = 0.0
    """Seconds between the single bytes of the header section."""
    informational: int = 0
    """``102 Processing`` responses before the final one; -1 for an endless stream."""
    length: Literal["exact", "none", "chunked"] | int = "exact"
    """``none``: HTTP/1.0, ended by closing the connection; a number: a wrong length."""
    keep_alive: bool = True
    stall_after: int | None = None
    """Body bytes after which nothing more is sent, until the client disconnects."""
    cut_after: int | None = None
    """Body bytes after which the connection is closed."""
    cut: Literal["close", "reset"] = "close"
    """How it is closed: with FIN or with RST."""
    raw: bytes | None = None
    """The whole response, byte for byte, after which the connection is closed as in
    ``cut``. ``b""`` closes it without a response."""

    first: Sequence[ResponseScript | int] = ()
    """Responses to the first requests for the path, one each; a number is a status
    without a body. After them, this script applies."""
    change_after: int | None = None
    """Requests for the path after which ``changed`` applies."""
    changed: ResponseScript | None = None
    answer: Callable[[RecordedRequest], ResponseScript | None] | None = None
    """Called for each request: returns a script to use instead, or ``None``."""

    def script_for(self, request: RecordedRequest) -> ResponseScript:
        """Return the script for a request, according to its number."""
        if request.number < len(self.first):
            first = self.first[request.number]
            return ResponseScript(status=first) if isinstance(first, int) else first
        if (
            self.changed is not None
            and self.change_after is not None
            and request.number >= self.change_after
        ):
            return self.changed
        chosen = self.answer(request) if self.answer is not None else None
        return self if chosen is None else chosen


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """One received request, and how the response went."""

    method: str
    path: str
    """As requested, with the query."""
    headers: dict[str, str]
    """Names in lower case; of repeated headers, the last one."""
    number: int
    """Number of earlier requests for this path."""
    connection: int
    """Number of the connection, from 0; requests on one connection share it."""
    at: float
    """Monotonic time at which the header section was complete."""
    range: tuple[int, int | None] | None = None
    """The ``Range`` header, half-open; an end of ``None`` is the end of the file, a
    negative start a suffix."""
    status: int = 0
    """Status of the response; 0 before it, and for raw responses."""
    bytes_sent: int = 0
    """Body bytes handed to the socket."""
    ended: Literal["", "sent", "cut", "gone"] = ""
    """``sent``: completely; ``cut``: as scripted; ``gone``: the client disconnected (or
    the server stopped) in the middle; "" while in progress."""
    ended_at: float | None = None
    """Monotonic time at which the response ended."""
    closed_at: float | None = None
    """Monotonic time at which the connection closed, on its last request."""
    raw_head: bytes = field(default=b"", repr=False)
    """The header section, byte for byte."""

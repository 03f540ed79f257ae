"""What the scripted server answers, said as data, and what it saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from tui.demo.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Body: TypeAlias = bytes | Pattern

Ranges: TypeAlias = Literal[
    "honour",  # 206 with what was asked for, 416 past the end
    "ignore",  # always 200 with everything
    "refuse",  # 416 to any range
    "wrong_start",  # 206 that says and sends another start
    "wrong_total",  # 206 whose total is one byte more than there is
    "wrong_bytes",  # 206 with a right head over the file's first bytes
    "short",  # 206 with the first half of what was asked for
    "star_total",  # 206 that says /* for the total, which is legal
    "no_content_range",  # 206 without Content-Range
    "multipart",  # 206 with multipart/byteranges around the right bytes
]


@dataclass(slots=True)
class ResponseScript:
    """One reply, and what goes wrong with it. Every field may be left out."""

    body: Body = b""
    status: int = 200
    reason: str | None = None
    """Reason phrase; ``None`` takes the usual one."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    """Extra headers; names given here replace the server's own. Sent as UTF-8."""
    etag: str | None = None
    """As it stands on the wire, quotes included: ``'"v1"'`` or ``'W/"v1"'``."""
    last_modified: str | None = None
    ranges: Ranges = "honour"
    redirect: str = ""
    """Location, absolute or relative; the status becomes 302 unless one is given."""
    retry_after: str | float | None = None
    content_encoding: str = ""
    """Claimed in the header; the body is sent as it is."""

    latency_s: float = 0.0
    """Seconds before the first byte of the answer."""
    rate: float | None = None
    """Body bytes per second and connection."""
    drip_s: float = 0.0
    """Seconds between single bytes of the head."""
    informational: int = 0
    """``102 Processing`` replies before the real one; -1 sends them without end."""
    length: Literal["exact", "none", "chunked"] | int = "exact"
    """``none`` is HTTP/1.0 and ends with the connection; a number is a lie."""
    keep_alive: bool = True
    stall_after: int | None = None
    """Body bytes after which nothing more comes, until the client goes away."""
    cut_after: int | None = None
    """Body bytes after which the connection ends."""
    cut: Literal["close", "reset"] = "close"
    """How it ends: orderly (FIN) or broken (RST)."""
    raw: bytes | None = None
    """The whole reply, byte for byte, after which the connection ends as ``cut``
    says. ``b""`` ends it without an answer."""

    first: Sequence[ResponseScript | int] = ()
    """Replies to the first requests for the path, one each; a number is a status
    without a body. This script answers from then on."""
    change_after: int | None = None
    """Requests for the path after which ``changed`` answers."""
    changed: ResponseScript | None = None
    answer: Callable[[RecordedRequest], ResponseScript | None] | None = None
    """Asked for each request: a script to play instead, or ``None`` for this one."""

    def turn(self, seen: RecordedRequest) -> ResponseScript:
        """Return the script that answers ``seen``, its number being counted from 0."""
        if seen.number < len(self.first):
            turn = self.first[seen.number]
            return ResponseScript(status=turn) if isinstance(turn, int) else turn
        if (
            self.changed is not None
            and self.change_after is not None
            and seen.number >= self.change_after
        ):
            return self.changed
        chosen = self.answer(seen) if self.answer is not None else None
        return self if chosen is None else chosen


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """One request, and what became of its reply."""

    method: str
    path: str
    """As asked for, the query included."""
    headers: dict[str, str]
    """Names in lower case; the last one wins where a name came twice."""
    number: int
    """Requests for this path before this one."""
    connection: int
    """Counts the server's connections from 0; equal numbers shared one."""
    at: float
    """Monotonic time at which the whole head was there."""
    range: tuple[int, int | None] | None = None
    """What ``Range`` asks for, half-open; end ``None`` means to the end, and a
    negative start means a suffix."""
    status: int = 0
    """What was answered; 0 before, and for raw replies."""
    bytes_sent: int = 0
    """Body bytes handed to the socket."""
    ended: Literal["", "sent", "cut", "gone"] = ""
    """``sent``: to its end; ``cut``: as scripted; ``gone``: the client went away (or
    the server stopped) in the middle; "" while it goes on."""
    ended_at: float | None = None
    """Monotonic time of that."""
    closed_at: float | None = None
    """Monotonic time at which the connection closed; kept on its last request."""
    raw_head: bytes = field(default=b"", repr=False)
    """The request's head, byte for byte."""

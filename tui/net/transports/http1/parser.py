"""Parse HTTP/1 response heads (RFC 9112) and chunked bodies (section 7.1).

``httptools`` would save 2.5 of 6.8 us per small file, with one parser per connection
(with one per response it costs 3.5 us more). But it refuses responses that old servers
send and that curl and browsers accept, such as folded lines, a repeated Content-Length,
and a length next to chunks, and a leased socket would leave it in an unknown state.
``tests/net/test_http1_parser.py`` compares the two and names every difference.
"""

from __future__ import annotations

import re
import sys
from enum import Enum, auto

from tui.core.quick.named_tuple import NamedTuple
from tui.net.transports.base import (
    MAX_HEADER_BYTES,
    MAX_HEADER_FIELDS,
    join_fields,
    parse_length,
)

_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: [^\x00\r\n]*)?\r?\n")
_NAME = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]*+")
_known_names: dict[str, str] = {}
"""Names in lower case, by what was received: servers repeat them in every response."""
_MAX_KNOWN_NAMES = 256
_MAX_KNOWN_CHARACTERS = 64
"""Longer names are rare and not worth their memory."""
_FOLD = re.compile(r"\r?\n[ \t]+")


class InvalidHead(Exception):
    """This is not an HTTP/1 response head; ``str()`` says why, in our own words."""


class Http2Frame(InvalidHead):
    """The server sent an HTTP/2 frame."""


class HeadTooLarge(Exception):
    """The head is longer than any real one."""


class InvalidChunk(Exception):
    """The framing of a chunked body is invalid."""


# -- heads -----------------------------------------------------------------------------


class Framing(Enum):
    """What marks the end of a body."""

    NO_BODY = auto()
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


class ResponseHead(NamedTuple):
    """A status line, its header fields, and what they say about the body."""

    version: str
    """``1.0`` or ``1.1``."""
    status: int
    fields: list[tuple[str, str]]
    """Names in lower case; values decoded as Latin-1, which loses no bytes."""
    header_map: dict[str, str]
    """The same by name; repeated headers are joined by ``, ``."""
    framing: Framing
    content_length: int | None
    """As in ``RawResponse``."""
    is_keep_alive: bool
    """The connection may carry another response after this one."""


def starts_http2(data: bytes) -> bool:
    """Return True if a stream starts with a SETTINGS or GOAWAY frame of HTTP/2.

    RFC 9113 section 4.1: three bytes of length, type, flags, and stream 0.
    """
    return data[:1] == b"\0" and data[3:4] in (b"\4", b"\7") and data[4:9] == bytes(5)


def find_head_end(data: bytes | memoryview, start: int = 0) -> int:
    """Return the offset behind the empty line that ends a head, or -1."""
    found = _END.search(data, start)
    return -1 if found is None else found.end()


def parse_head(data: bytes | memoryview) -> ResponseHead:
    """Parse a head.

    Args:
        data: the head with its empty line.

    Raises:
        InvalidHead: it is not one.
        HeadTooLarge: it has more fields or bytes than any real one.
    """
    text = str(data, "latin-1")
    first = _STATUS.match(text)
    if first is None:
        raise InvalidHead("no HTTP/1 status line")
    lines = text[first.end() :].removesuffix("\n").removesuffix("\r")
    if "\n " in lines or "\n\t" in lines:
        lines = _FOLD.sub(" ", lines)
    if "\0" in lines:
        raise InvalidHead("an invalid header line")
    fields: list[tuple[str, str]] = []
    for line in lines.split("\n")[:-1]:
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidHead("an invalid header line")
        name = _known_names.get(name) or _field_name(name)
        fields.append((name, value.strip(" \t\r")))
    if lines.count("\r") > len(fields):
        # A carriage return within a value counts as a space (RFC 9112 section 2.2).
        fields = [(name, value.replace("\r", " ")) for name, value in fields]
    if len(fields) > MAX_HEADER_FIELDS or len(lines) > MAX_HEADER_BYTES:
        raise HeadTooLarge
    header_map = dict(fields)
    if len(header_map) < len(fields):
        header_map = join_fields(fields)
    version, status = first[1], int(first[2])
    return ResponseHead(
        version, status, fields, header_map, *_framing(version, status, header_map)
    )


def _field_name(text: str) -> str:
    """Return what is in front of a colon, in lower case.

    Raises:
        InvalidHead: it is not the name of a field.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise InvalidHead("an invalid header line")
    name = found[1].lower()
    if len(text) <= _MAX_KNOWN_CHARACTERS and len(_known_names) < _MAX_KNOWN_NAMES:
        _known_names[text] = name
    return name


def _framing(
    version: str, status: int, header_map: dict[str, str]
) -> tuple[Framing, int | None, bool]:
    """Return framing, Content-Length and whether the connection stays usable.

    RFC 9112 section 6.3.
    """
    options = header_map.get("connection", "").lower()
    if options in ("", "keep-alive"):
        is_keep_alive = version == "1.1" or bool(options)
    else:
        tokens = {token.strip() for token in options.split(",")}
        is_keep_alive = "close" not in tokens and (
            version == "1.1" or "keep-alive" in tokens
        )
    announced = header_map.get("content-length")
    length = None if announced is None else parse_length(announced)
    if announced is not None and length is None:
        raise InvalidHead("an invalid Content-Length")
    codings = header_map.get("transfer-encoding")
    if codings is not None:
        length = None
    if status == 101:
        # We never ask for another protocol: nothing that follows is for us.
        return Framing.NO_BODY, length, False
    if status in (204, 304):
        return Framing.NO_BODY, length, is_keep_alive
    if codings is not None:
        # With a length as well, or in HTTP/1.0, this could be a smuggled message
        # (section 6.1): read the body, but do not trust what follows.
        is_keep_alive = is_keep_alive and announced is None and version == "1.1"
        names = [name.strip().lower() for name in codings.split(",")]
        if names.count("chunked") > 1:
            raise InvalidHead("chunks within chunks")
        if names[-1] == "chunked":
            return Framing.CHUNKED, None, is_keep_alive
        return Framing.CLOSE, None, False
    if length is None:
        return Framing.CLOSE, None, False
    return (Framing.LENGTH if length else Framing.NO_BODY), length, is_keep_alive


# -- chunked bodies --------------------------------------------------------------------

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*+(?:;[^\x00\r\n]*+)?\r\n")
_LINE_BYTES = 16 << 10
"""Longest size line with its extensions; hyper allows as much, curl a quarter."""
_TRAILER_BYTES = 64 << 10
_VIEW_BYTES = 4 << 10
"""Chunks from this size on are returned as views; smaller ones are joined, because a
copy of them costs less than what every buffer costs further up."""


class ChunkedDecoder:
    """Extracts the data from a chunked body, however the network splits it."""

    __slots__ = (
        "_in_trailer",
        "_is_before_line_end",
        "_left",
        "_partial_line",
        "_trailer_bytes",
        "is_complete",
        "lines",
    )

    def __init__(self) -> None:
        self._partial_line = b""
        self._left = 0
        """Bytes of this chunk that have not arrived."""
        self._is_before_line_end = False
        """Its last byte has arrived, the line end behind it has not."""
        self._in_trailer = False
        self._trailer_bytes = 0
        self.is_complete = False
        """The last chunk and the trailer have arrived."""
        self.lines = 0
        """Size and trailer lines decoded so far; each takes about a microsecond."""

    def feed(
        self, data: bytes, start: int = 0, max_lines: int = sys.maxsize
    ) -> tuple[list[bytes | memoryview], int]:
        """Decode the next bytes from the connection.

        Args:
            data: what arrived.
            start: where to begin; not 0 only after a call that stopped early.
            max_lines: stop after this many lines, so that a server that sends its body
                byte by byte cannot occupy the loop.

        Returns:
            The data in it, small chunks joined, and the number of bytes left over: what
            is behind the end of the body, or the rest after ``max_lines``.

        Raises:
            InvalidChunk: the framing is invalid.
        """
        if self._partial_line:
            data, self._partial_line = self._partial_line + data, b""
        view = memoryview(data)
        found: list[bytes | memoryview] = []
        small: list[bytes] = []
        at, end = start, len(data)
        max_lines += self.lines
        while at < end and not self.is_complete and self.lines < max_lines:
            if not self._left:
                at = self._read_line(data, at)
                continue
            size = min(self._left, end - at)
            if size < _VIEW_BYTES:
                small.append(data[at : at + size])
            else:
                if small:
                    found.append(b"".join(small))
                    small.clear()
                found.append(view[at : at + size])
            at += size
            self._left -= size
            if data.startswith(b"\r\n", at) and not self._left:
                at += 2
            else:
                self._is_before_line_end = not self._left
        if small:
            found.append(b"".join(small))
        return found, end - at

    def _read_line(self, data: bytes, at: int) -> int:
        """Read one line, or keep its beginning; return the offset behind it."""
        self.lines += 1
        if not self._is_before_line_end and not self._in_trailer:
            size = _SIZE.match(data, at, at + _LINE_BYTES)
            if size is not None:
                self._left = int(size[1], 16)
                self._in_trailer = not self._left
                return size.end()
        behind = data.find(b"\n", at, at + _LINE_BYTES) + 1
        line = data[at : behind or None]
        if not behind:
            if len(line) >= _LINE_BYTES or (self._is_before_line_end and line != b"\r"):
                raise InvalidChunk
            self._partial_line = line
            return len(data)
        if self._is_before_line_end and line == b"\r\n":
            self._is_before_line_end = False
        elif self._in_trailer:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _TRAILER_BYTES:
                raise InvalidChunk
            # A lone line feed ends a field line as well (RFC 9112 section 2.2).
            self.is_complete = line in (b"\r\n", b"\n")
        else:
            raise InvalidChunk
        return behind

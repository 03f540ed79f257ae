"""Takes a chunked body apart (RFC 9112 section 7.1)."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from tui.net.transports.base import (
    MAX_HEADER_BYTES,
    MAX_HEADER_FIELDS,
    parse_length,
    table_of,
)

MAX_HEAD_BYTES = MAX_HEADER_BYTES + (28 << 10)
"""Of everything before the body, names and interim answers included."""

_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(
    r"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?\r?\n"
)
# Possessive: a line of 100,000 blanks and a control would otherwise take a minute.
_FIELD = re.compile(
    r"^([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)\r?\n",
    re.MULTILINE,
)
_FOLD = re.compile(r"\r?\n[ \t]+")


class BadHead(Exception):
    """What came is no HTTP/1 head; ``str()`` says why, in our own words."""


class EndlessHead(Exception):
    """The head is longer than any real one."""


class Framing(Enum):
    """What ends the body of an answer."""

    NOTHING = auto()
    """There is none."""
    LENGTH = auto()
    CHUNKS = auto()
    CLOSE = auto()


class Head(NamedTuple):
    """A status line and its fields, judged."""

    version: str
    """``1.0`` or ``1.1``."""
    status: int
    fields: list[tuple[str, str]]
    """Names in lower case; values decoded as Latin-1, which loses no byte."""
    table: dict[str, str]
    """The same by name; several values are joined by ``, ``."""
    framing: Framing
    length: int
    """Bytes of the body; only with ``LENGTH``."""
    is_lasting: bool
    """The connection may carry another answer after this one."""


def end_of_head(data: bytes) -> int:
    """Return the offset behind the empty line that ends a head, or -1."""
    found = _END.search(data)
    return -1 if found is None else found.end()


def read_head(data: bytes) -> Head:
    """Read a head.

    Args:
        data: the head with its empty line.

    Raises:
        BadHead: it is none.
        EndlessHead: more fields or bytes than any real one has.
    """
    text = data.decode("latin-1")
    first = _STATUS.match(text)
    if first is None:
        raise BadHead("no HTTP/1 status line")
    lines = text[first.end() :].removesuffix("\n").removesuffix("\r")
    if "\n " in lines or "\n\t" in lines:
        lines = _FOLD.sub(" ", lines)
    found = _FIELD.findall(lines)
    # As many fields as lines: so each line is one.
    if len(found) != lines.count("\n"):
        raise BadHead("a header line that is none")
    fields = [(name.lower(), value.rstrip(" \t")) for name, value in found]
    if len(fields) > MAX_HEADER_FIELDS or len(lines) > MAX_HEADER_BYTES:
        raise EndlessHead
    table = dict(fields)
    if len(table) < len(fields):
        table = table_of(fields)
    version, status = first[1], int(first[2])
    framing, length, is_lasting = _judge(version, status, table)
    return Head(version, status, fields, table, framing, length, is_lasting)


def _judge(
    version: str, status: int, table: dict[str, str]
) -> tuple[Framing, int, bool]:
    """Say how the body ends (RFC 9112 section 6.3), and what may follow."""
    options = table.get("connection", "").lower()
    if options in ("", "keep-alive"):
        is_lasting = version == "1.1" or bool(options)
    else:
        tokens = {token.strip() for token in options.split(",")}
        is_lasting = "close" not in tokens and (
            version == "1.1" or "keep-alive" in tokens
        )
    told = table.get("content-length")
    length = None if told is None else parse_length([told])
    if told is not None and length is None:
        raise BadHead("an impossible Content-Length")
    if status == 101:
        # Nobody asked for another protocol: nothing behind it is ours to read.
        return Framing.NOTHING, 0, False
    if status in (204, 304):
        return Framing.NOTHING, 0, is_lasting
    codings = table.get("transfer-encoding")
    if codings is not None:
        # A length beside it, or in HTTP/1.0, could be a smuggled message (section 6.1):
        # the body can be read, what follows cannot be trusted.
        is_lasting = is_lasting and told is None and version == "1.1"
        names = [name.strip().lower() for name in codings.split(",")]
        if names.count("chunked") > 1:
            raise BadHead("chunks within chunks")
        if names[-1] == "chunked":
            return Framing.CHUNKS, 0, is_lasting
        return Framing.CLOSE, 0, False
    if length is None:
        return Framing.CLOSE, 0, False
    return (Framing.LENGTH if length else Framing.NOTHING), length, is_lasting


_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_LINE_BYTES = 16 << 10
"""Longest size line with its extensions; hyper allows as much, curl a quarter."""
_TRAILER_BYTES = 64 << 10


class BadChunk(Exception):
    """The framing of the body is broken."""


class ChunkReader:
    """Finds the data in a chunked body, in whatever pieces it comes."""

    __slots__ = ("_held", "_in_trailer", "_is_behind", "_left", "_trailed", "is_ended")

    def __init__(self) -> None:
        self._held = b""
        """The beginning of a line."""
        self._left = 0
        """Bytes of this chunk that are still to come."""
        self._is_behind = False
        """Its last byte came, the end of line behind it did not."""
        self._in_trailer = False
        self._trailed = 0
        self.is_ended = False
        """The last chunk and the trailer have come."""

    def feed(self, data: bytes) -> tuple[list[memoryview], int]:
        """Take the next bytes off the connection.

        Returns:
            Views of the data in them, and how many bytes were left over: not 0 only
            behind the end of the body.

        Raises:
            BadChunk: it cannot be read on.
        """
        found: list[memoryview] = []
        if self._held:
            data, self._held = self._held + data, b""
        view = memoryview(data)
        at, end = 0, len(data)
        while at < end and not self.is_ended:
            if self._left:
                size = min(self._left, end - at)
                found.append(view[at : at + size])
                at += size
                self._left -= size
                self._is_behind = not self._left
                continue
            behind = data.find(b"\n", at, at + _LINE_BYTES) + 1
            if not behind:
                self._hold(data[at:])
                return found, 0
            self._take_line(data[at:behind])
            at = behind
        return found, end - at

    def _hold(self, line: bytes) -> None:
        if len(line) >= _LINE_BYTES or (self._is_behind and line != b"\r"):
            raise BadChunk
        self._held = line

    def _take_line(self, line: bytes) -> None:
        if self._is_behind:
            if line != b"\r\n":
                raise BadChunk
            self._is_behind = False
        elif self._in_trailer:
            self._trailed += len(line)
            if self._trailed > _TRAILER_BYTES:
                raise BadChunk
            self.is_ended = line == b"\r\n"
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise BadChunk
            self._left = int(size[1], 16)
            self._in_trailer = not self._left

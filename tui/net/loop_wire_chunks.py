"""Takes a chunked body apart (RFC 9112 section 7.1)."""

from __future__ import annotations

import re

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

"""Takes chunks apart (RFC 9112 section 7.1)."""

from __future__ import annotations

import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_LINE_BYTES = 4 << 10
"""Longest size line with its extensions; curl allows as much, hyper 16 KiB."""
_TRAILER_BYTES = 64 << 10


class BadChunk(Exception):
    """The body's framing is broken."""


class ChunkReader:
    """Finds the data in a chunked body, whatever the pieces are in which it comes."""

    __slots__ = ("_held", "_is_trailer", "_left", "_needs_end", "_trailed", "is_ended")

    def __init__(self) -> None:
        self._left = 0
        self._needs_end = False
        self._held = b""
        self._is_trailer = False
        self._trailed = 0
        self.is_ended = False
        """The last chunk and the trailer have come."""

    def feed(self, data: bytes) -> tuple[list[memoryview], int]:
        """Take the next bytes off the connection.

        Returns:
            Views of the data in it, and how many of the bytes belong to this body:
            fewer than all where it ended.

        Raises:
            BadChunk: it cannot be read on.
        """
        found: list[memoryview] = []
        if self._held:
            kept = len(self._held)
            data = self._held + data
            self._held = b""
        else:
            kept = 0
        view = memoryview(data)
        at, end = 0, len(data)
        while at < end and not self.is_ended:
            if self._left:
                size = min(self._left, end - at)
                found.append(view[at : at + size])
                at += size
                self._left -= size
                self._needs_end = not self._left
                continue
            line_end = data.find(b"\n", at)
            if line_end < 0:
                if end - at > _LINE_BYTES:
                    raise BadChunk("endless line")
                self._held = data[at:]
                if self._needs_end and self._held != b"\r":
                    raise BadChunk("longer than announced")
                at = end
                break
            self._take_line(data[at : line_end + 1])
            at = line_end + 1
        return found, at - kept

    def _take_line(self, line: bytes) -> None:
        if self._needs_end:
            if line != b"\r\n":
                raise BadChunk("longer than announced")
            self._needs_end = False
        elif self._is_trailer:
            self._trailed += len(line)
            if self._trailed > _TRAILER_BYTES:
                raise BadChunk("endless trailer")
            self.is_ended = line in (b"\r\n", b"\n")
        else:
            size = _SIZE.fullmatch(line)
            if size is None or len(line) > _LINE_BYTES:
                raise BadChunk("no size")
            self._left = int(size[1], 16)
            self._is_trailer = not self._left

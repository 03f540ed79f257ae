"""Lines of a list, whatever its encoding and line ends, in bounded memory."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_LIMIT = 65536
"""Characters of one line; longer ones are refused. Servers take URLs of 8 KiB."""

_READ_SIZE = 65536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Readable(Protocol):
    """What a list is read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        ...


def encoding_of(start: bytes) -> str:
    """Return the encoding that the first bytes of a text tell; UTF-8 without a mark."""
    return next((name for bom, name in _BOMS if start.startswith(bom)), "utf-8")


def read_lines(stream: Readable) -> Iterator[str]:
    """Read text in pieces, so that no line takes unbounded memory.

    Takes UTF-8, with or without a byte order mark, and UTF-16 with one, as PowerShell
    writes it. Bytes that are neither stay visible as lone surrogates, which
    ``parse_text`` refuses where they matter: a comment may hold anything.

    Returns:
        Lines without their line end, each cut at ``LINE_LIMIT`` + 1 characters. A
        NUL anywhere ends the reading with a line that holds nothing else.

    Raises:
        OSError: the stream cannot be read.
    """
    chunk = stream.read(_READ_SIZE)
    encoding = encoding_of(chunk)
    decoder = codecs.getincrementaldecoder(encoding)(
        "surrogateescape" if encoding != "utf-16" else "replace"
    )
    # "\r\n" and a lone "\r", of old Macs, become "\n"; the pair may be torn apart.
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    pending = ""
    while chunk:
        text = newlines.decode(chunk)
        if "\0" in text:
            # No text holds it; the lines around it would only be noise.
            yield "\0"
            return
        first, *lines = text.split("\n")
        pending = (pending + first)[: LINE_LIMIT + 1]
        if lines:
            yield pending
            pending = lines.pop()
            yield from lines
        chunk = stream.read(_READ_SIZE)
    pending += newlines.decode(b"", final=True)
    if pending:
        yield pending

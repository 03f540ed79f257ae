"""Read the lines of a list in any encoding and with any line endings, within bounds."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_LIMIT = 65536
"""Maximum characters of a line. Servers accept URLs of up to 8 KiB."""

LINES_LIMIT = 10_000_000
LIST_LIMIT = 1 << 30
"""Maximum lines and bytes of a list, so that reading an endless pipe stops."""
_READ_SIZE = 65536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Readable(Protocol):
    """A stream of bytes that contains a list."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, or ``b""`` at the end."""
        ...


def encoding_of(start: bytes) -> str:
    """Return the encoding given by a byte order mark, else UTF-8."""
    return next((name for bom, name in _BOMS if start.startswith(bom)), "utf-8")


def read_lines(stream: Readable, *, is_limited: bool = True) -> Iterator[str]:
    """Read text in chunks, so that a long line takes bounded memory.

    Accepts UTF-8, with or without a byte order mark, and UTF-16 with one (which
    PowerShell writes). Other bytes become lone surrogates, which ``parse_text`` refuses
    except in comments.

    Returns:
        Lines without line endings, each cut at ``LINE_LIMIT`` + 1 characters. At the
        first NUL character, yields a line with just that character and stops.

    Raises:
        OSError: the stream cannot be read.
        ValueError: it is limited and has more than ``LINES_LIMIT`` lines or
            ``LIST_LIMIT`` bytes.
    """
    chunk = stream.read(_READ_SIZE)
    encoding = encoding_of(chunk)
    decoder = codecs.getincrementaldecoder(encoding)(
        "surrogateescape" if encoding != "utf-16" else "replace"
    )
    # Converts "\r\n" and a lone "\r" (old Macs) to "\n", also across chunks.
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    pending = ""
    count = size = 0
    while chunk:
        size += len(chunk)
        if is_limited and size > LIST_LIMIT:
            raise ValueError(f"larger than {LIST_LIMIT >> 20:,} MiB")
        text = newlines.decode(chunk)
        if "\0" in text:
            # Not text; errors about its lines would be useless.
            yield "\0"
            return
        first, *lines = text.split("\n")
        pending = (pending + first)[: LINE_LIMIT + 1]
        count += len(lines)
        if is_limited and count > LINES_LIMIT:
            raise ValueError(f"more than {LINES_LIMIT:,} lines")
        if lines:
            yield pending
            pending = lines.pop()
            yield from lines
        chunk = stream.read(_READ_SIZE)
    pending += newlines.decode(b"", final=True)
    if pending:
        yield pending

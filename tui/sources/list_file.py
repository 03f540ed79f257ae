"""One list, from a file or a stream: finds out what it is, and lets that be read.

A file's name says it where it can; else, and for standard input, the beginning of the
text does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from tui.core.request import BadRequestLine, DownloadRequest
from tui.core.text.plain_text import plain
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.patterns import expand_requests
from tui.sources.readers.digest_list import is_sums_line, parse_sums_list
from tui.sources.readers.lines import encoding_of, read_lines
from tui.sources.readers.text_list import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.sources.readers.lines import Readable

JSON_LIMIT = 128 << 20
"""Bytes of a ``.json`` file, which is taken into memory as a whole."""
_LOOK = 65536
"""Bytes that are looked at to find out what a list is."""

_BARE_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/.*)?", re.ASCII)
_KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".meta4": "metalink",
    ".metalink": "metalink",
    ".html": "page",
    ".htm": "page",
    ".xhtml": "page",
}
LIST_SUFFIXES = frozenset(_KINDS) | {".txt", ".lst", ".list", ".urls", ".session"}
"""Ends of names that lists usually have; a list may have any other."""
_UNREAD = (".torrent",)


class Reading(NamedTuple):
    """How lists are read: what somebody said about them all."""

    notes: list[str] | None = None
    """Gets a line for everything that is ignored but not wrong."""
    links: str | None = None
    """Which links of a page are meant; see ``page_links.LinkPattern``."""
    base_url: str | None = None
    """What is relative in digest lists, pages and plain lists belongs there."""


_AS_IT_IS = Reading()


def load_file(
    path: str, reading: Reading = _AS_IT_IS
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read one list file; what is wrong with the file itself is a complaint as well."""
    where = plain(path, 200)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _UNREAD:
        yield BadRequestLine(
            where,
            f"{suffix} lists are not supported; put one URL on each line of a .txt",
        )
        return
    try:
        with open(path, "rb") as stream:
            yield from load_stream(stream, where, reading, suffix)
    except FileNotFoundError:
        reason = "no such file"
        if _BARE_HOST.fullmatch(path):
            reason += "; if it is a URL, write https:// in front"
        yield BadRequestLine(where, reason)
    except IsADirectoryError:
        yield BadRequestLine(where, "this is a directory; name a list file in it")
    except PermissionError:
        yield BadRequestLine(where, "no permission to read it")
    except (OSError, ValueError) as error:
        # ValueError: a NUL inside the path.
        reason = getattr(error, "strerror", None) or str(error)
        yield BadRequestLine(where, f"cannot be read: {plain(reason, 200)}")


def load_stream(
    stream: Readable, where: str, reading: Reading = _AS_IT_IS, suffix: str = ""
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read a list from an open stream; an empty one is a complaint.

    Args:
        stream: read to its end, but not further than is sane.
        where: what the list is called in messages.
        reading: how.
        suffix: the end of the file's name, which says what it is.

    Raises:
        OSError: the stream cannot be read.
    """
    is_empty = True
    for item in _parse(stream, where, reading, suffix):
        is_empty = False
        yield item
    if is_empty:
        yield BadRequestLine(where, "no URLs in it")


def _parse(
    stream: Readable, where: str, reading: Reading, suffix: str
) -> Iterator[DownloadRequest | BadRequestLine]:
    kind = _KINDS.get(suffix)
    if kind is None:
        start = stream.read(_LOOK)
        stream = _Begun(start, stream)
        kind = kind_of(start)
    notes = reading.notes
    # Readers are loaded late: a list has one kind.
    match kind:
        case "json":
            return expand_requests(_parse_whole(stream, where, notes))
        case "metalink":
            from tui.sources.readers.metalink import parse_metalink

            return parse_metalink(stream, where, notes)
        case "page":
            return _parse_page(stream, where, reading)
        case "csv":
            from tui.sources.readers.csv_list import parse_csv

            return expand_requests(parse_csv(read_lines(stream), where, notes))
        case "jsonl":
            from tui.sources.readers.json_list import parse_json_lines

            return expand_requests(parse_json_lines(read_lines(stream), where, notes))
        case "sums":
            return parse_sums_list(read_lines(stream), where, reading.base_url)
        case _:
            return parse_text(read_lines(stream), where, notes, reading.base_url)


def kind_of(start: bytes) -> str:
    """Find out what a list is from its first bytes; ``text`` if nothing tells."""
    text = start[:_LOOK].decode(encoding_of(start), "replace").lstrip()
    if text.startswith("<"):
        return "metalink" if "<metalink" in text[:4096] else "page"
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return "jsonl"
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            names = {name.strip(' "').lower() for name in re.split("[,;\t]", line)}
            if "url" in names:
                return "csv"
            return "sums" if is_sums_line(line) else "text"
    return "text"


class _Begun:
    """A stream whose first bytes were read already."""

    def __init__(self, start: bytes, stream: Readable) -> None:
        self._start = start
        self._stream = stream

    def read(self, size: int) -> bytes:
        start, self._start = self._start[:size], self._start[size:]
        return start or self._stream.read(size)


def _parse_whole(
    stream: Readable, where: str, notes: list[str] | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    import json

    from tui.sources.readers.json_list import parse_json

    data = _read_whole(stream, JSON_LIMIT + 1)
    if len(data) > JSON_LIMIT:
        yield BadRequestLine(
            where, f"larger than {JSON_LIMIT >> 20} MiB; write it as .jsonl"
        )
        return
    try:
        # Finds UTF-8, UTF-16 and UTF-32, with or without a mark (RFC 4627, section 3).
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        yield BadRequestLine(where, "this is not JSON in UTF-8")
        return
    if text.strip():
        yield from parse_json(text, where, notes)


def _parse_page(
    stream: Readable, where: str, reading: Reading
) -> Iterator[DownloadRequest | BadRequestLine]:
    if reading.links is None:
        yield BadRequestLine(
            where, "this is a page; tell which of its links are meant: --links '*.zip'"
        )
        return
    # Late: the parser of pages is not needed for any other list.
    from tui.sources.readers.links import parse_page

    page = Page(reading.base_url or "", _read_whole(stream, PAGE_LIMIT + 1))
    yield from parse_page(page, reading.links, where, reading.notes)


def _read_whole(stream: Readable, limit: int) -> bytes:
    """Read to the end, or to ``limit``; a stream may give less than it is asked for."""
    data = bytearray()
    while len(data) < limit and (part := stream.read(min(limit - len(data), 1 << 20))):
        data += part
    return bytes(data)

"""Read one list from a file or a stream: detect its format and call the reader.

The file name's suffix decides if it is known; otherwise, and for standard input, the
start of the text does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tui.core.quick.pattern import late_pattern
from tui.core.request import BadRequestLine, DownloadRequest
from tui.core.text.checksum_list import continues_digest
from tui.core.text.sanitize import display_url, sanitize
from tui.sources.compressed import SUFFIXES, PrefixedStream, decompressed
from tui.sources.options import ReadOptions
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.patient_stream import PatientStream
from tui.sources.patterns import expand_requests
from tui.sources.readers.columnar import is_columnar
from tui.sources.readers.digest_list import is_sums_line, parse_sums_list
from tui.sources.readers.lines import encoding_of, read_lines
from tui.sources.readers.shell_words import is_command
from tui.sources.readers.text_list import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.sources.readers.lines import Readable

JSON_LIMIT = 128 << 20
"""Maximum bytes of a ``.json`` file, which is read into memory at once."""
_SNIFF_SIZE = 65536
"""Bytes examined to detect a list's format."""

_COMMAND = late_pattern(r"(?<![A-Za-z0-9+.-])https?://|\b(?:curl|wget2?|aria2c|xh)\s")
"""A command, or code with a URL in it, where the name of a list is expected."""
_BARE_HOST = late_pattern(
    r"([\w-]+(\.[\w-]+)+(:\d+)?|localhost(:\d+)?)(/.*)?", re.ASCII
)
_ONE_SLASH = late_pattern(r"https?:/?[^/]", re.ASCII | re.IGNORECASE)
_IS_TEXT = late_pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://|[a-z-]{1,40}=")
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
LIST_SUFFIXES = frozenset(_KINDS) | {
    *(".txt", ".lst", ".list", ".urls", ".session"),
    *(".parquet", ".pq", ".arrow", ".feather"),
}
"""Usual suffixes of list files; a list may have any other."""
_UNSUPPORTED = (".torrent",)


_DEFAULTS = ReadOptions()


def _missing(path: str, suffix: str) -> str:
    """Say that a file is missing, or what is wrong with what was meant as a URL."""
    if path.startswith("magnet:"):
        return "magnet links are not supported; use an http or https URL"
    if _ONE_SLASH.match(path):
        return "no such file; a URL has two slashes after its scheme, as in https://"
    is_list = suffix in LIST_SUFFIXES and "/" not in path
    if _BARE_HOST.fullmatch(path) and not is_list:
        return "no such file; if it is a URL, write https:// in front"
    return "no such file"


def list_suffix(name: str) -> str:
    """Return a file name's suffix in lower case, without that of a compression."""
    stem, suffix = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] if suffix in SUFFIXES else suffix


def load_file(
    path: str, options: ReadOptions = _DEFAULTS
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read one list file; failing to open it also yields a ``BadRequestLine``."""
    if _COMMAND.search(path) is not None and not os.path.lexists(path):
        # It may contain a password, so nothing of it is repeated.
        reason = "is neither a URL nor a file; pipe commands into fetchtui -"
        yield BadRequestLine("an argument with several words", reason)
        return
    where = sanitize(path, 200)
    suffix = list_suffix(path)
    if suffix in _UNSUPPORTED:
        yield BadRequestLine(
            where,
            f"{suffix} files are not supported; use a text file with one URL per line",
        )
        return
    try:
        with PatientStream(path) as stream:
            yield from load_stream(stream, where, options, suffix, path)
    except FileNotFoundError:
        # A mistyped URL may contain a password.
        where = display_url(path, 200)
        yield BadRequestLine(where, _missing(path, suffix))
    except IsADirectoryError:
        yield BadRequestLine(where, "is a directory; name a list file in it")
    except PermissionError:
        yield BadRequestLine(where, "permission denied")
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the path.
        where = display_url(path, 200)
        reason = getattr(error, "strerror", None) or str(error)
        yield BadRequestLine(where, f"cannot read: {sanitize(reason, 200)}")


def load_stream(
    stream: Readable,
    where: str,
    options: ReadOptions = _DEFAULTS,
    suffix: str = "",
    path: str | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read a list from an open stream; an empty list is an error.

    Args:
        stream: the list; reading stops at the format's size limit.
        where: the list's name in messages.
        options: links, base URL and the list for notes.
        suffix: the file name's suffix, from which the format is known.
        path: the file, for formats that have to be read from several positions.

    Raises:
        OSError: the stream cannot be read.
        ValueError: it is too long, or its compression cannot be undone.
    """
    is_empty = True
    for item in _parse(stream, where, options, suffix, path):
        is_empty = False
        yield item
    if is_empty:
        yield BadRequestLine(where, "contains no URLs")


def _parse(
    stream: Readable,
    where: str,
    options: ReadOptions,
    suffix: str,
    path: str | None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    start = stream.read(_SNIFF_SIZE)
    if is_columnar(start):
        return _parse_columnar(path, start, where, options)
    stream = decompressed(PrefixedStream(start, stream))
    kind = _KINDS.get(suffix)
    if kind is None:
        start = stream.read(_SNIFF_SIZE)
        stream = PrefixedStream(start, stream)
        kind = detect_format(start)
    notes = options.notes
    # A generator: nothing is read before a reader asks for it.
    lines = read_lines(stream, is_limited=options.is_limited)
    # Import readers late, because a list needs only one of them.
    match kind:
        case "json":
            return expand_requests(_parse_json_file(stream, where, options))
        case "metalink":
            from tui.sources.readers.metalink import parse_metalink

            return parse_metalink(stream, where, notes, options.base_url)
        case "page":
            return _parse_page(stream, where, options)
        case "csv":
            from tui.sources.readers.csv_list import parse_csv

            return expand_requests(parse_csv(lines, where, notes, options.columns))
        case "jsonl":
            from tui.sources.readers.json_list import parse_json_lines

            items = parse_json_lines(lines, where, notes, options.columns)
            return expand_requests(items)
        case "sums":
            return parse_sums_list(
                lines,
                where,
                options.base_url,
                notes,
            )
        case _:
            return parse_text(
                lines, where, notes, options.base_url, adds_https=options.adds_https
            )


def detect_format(start: bytes) -> str:
    """Detect a list's format from its first bytes; ``text`` by default."""
    text = start[:_SNIFF_SIZE].decode(encoding_of(start), "replace").lstrip()
    if text.startswith("<"):
        return "metalink" if "<metalink" in text[:4096] else "page"
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return "jsonl"
    is_first = True
    for row in text.splitlines():
        line = row.strip()
        if is_sums_line(line) or continues_digest(row):
            return "sums"
        if not line or line.startswith("#"):
            continue
        if is_first:
            names = {name.strip(' "').lower() for name in re.split("[,;\t]", line)}
            if "url" in names:
                return "csv"
        if _IS_TEXT.match(line) or is_command(line):
            return "text"
        # Digest lists may start with prose.
        is_first = False
    return "text"


def _parse_columnar(
    path: str | None, start: bytes, where: str, options: ReadOptions
) -> Iterator[DownloadRequest | BadRequestLine]:
    from tui.sources.readers.columnar import parse_columnar

    if path is None or not os.path.isfile(path):
        return iter(
            (
                BadRequestLine(
                    where, "is Parquet or Arrow, which cannot be read from a pipe"
                ),
            )
        )
    return expand_requests(parse_columnar(path, start, where, options.columns))


def _parse_json_file(
    stream: Readable, where: str, options: ReadOptions
) -> Iterator[DownloadRequest | BadRequestLine]:
    import json

    from tui.sources.readers.json_list import parse_json

    data = _read_up_to(stream, JSON_LIMIT + 1)
    if len(data) > JSON_LIMIT:
        yield BadRequestLine(
            where, f"larger than {JSON_LIMIT >> 20} MiB; use JSON Lines (.jsonl)"
        )
        return
    try:
        # Detects UTF-8, UTF-16 and UTF-32, with or without BOM (RFC 4627, section 3).
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        yield BadRequestLine(where, "not JSON in UTF-8")
        return
    if text.strip():
        yield from parse_json(text, where, options.notes, options.columns)


def _parse_page(
    stream: Readable, where: str, options: ReadOptions
) -> Iterator[DownloadRequest | BadRequestLine]:
    if options.links is None:
        yield BadRequestLine(
            where, "is an HTML page; choose links with --links, such as '*.zip'"
        )
        return
    # Imported late, because no other format needs the HTML parser.
    from tui.sources.readers.links import parse_page

    page = Page(options.base_url or "", _read_up_to(stream, PAGE_LIMIT + 1))
    yield from parse_page(page, options.links, where, options.notes)


def _read_up_to(stream: Readable, limit: int) -> bytes:
    """Read up to ``limit`` bytes; a single ``read`` may return fewer."""
    data = bytearray()
    while len(data) < limit and (part := stream.read(min(limit - len(data), 1 << 20))):
        data += part
    return bytes(data)

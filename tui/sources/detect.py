"""Sources as a person names them: a URL, a list file, or ``-`` for standard input.

Everything is read and judged before anything is fetched, so that a typing error on
line 900 does not show up after an hour. Files are read here in blocking calls: call
it before the loop starts, or in a thread.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from tui.core.plain_text import plain, plain_url
from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.sources.csv_list import parse_csv
from tui.sources.json_list import parse_json, parse_json_lines
from tui.sources.metalink import parse_metalink
from tui.sources.text_list import parse_text, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from tui.sources.page import FetchPage

COMPLAINT_LIMIT = 20
"""Complaints that are kept; the rest is only counted. More help nobody."""
ITEM_LIMIT = 1_000_000
"""Requests and complaints of one run: an endless pipe must end somewhere. A million
requests take about 300 MB."""

JSON_LIMIT = 256 << 20
"""Bytes of a ``.json`` file, which is taken into memory as a whole."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BARE_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/.*)?", re.ASCII)
_METALINK = (".meta4", ".metalink")
_UNREAD = (".torrent",)


def load_sources(
    sources: Sequence[str],
    stdin: BinaryIO | None,
    notes: list[str] | None = None,
    *,
    links: str | None = None,
    base_url: str | None = None,
    fetch_page: FetchPage | None = None,
) -> tuple[list[DownloadRequest], list[BadRequestLine]]:
    """Read every source to its end.

    Args:
        sources: URLs, paths of list files, or ``-``.
        stdin: where ``-`` reads from; ``None`` if there is no standard input.
        notes: gets a line for everything that is ignored but not wrong.
        links: a shell pattern for links. With it, a source that is a URL or an HTML
            file is a page, and what is asked for are its links that match.
        base_url: where the names in a digest list (``SHA256SUMS``), the relative links
            of a page on disk and relative lines of a plain list belong.
        fetch_page: brings the page of a URL; ``None`` if nothing here can.

    Returns:
        The requests in the order of the sources, and what is wrong: at most
        ``COMPLAINT_LIMIT`` complaints, and one more that counts the others.
    """
    del links, base_url, fetch_page
    requests: list[DownloadRequest] = []
    complaints: list[BadRequestLine] = []
    bad = 0
    for count, item in enumerate(_read_all(sources, stdin, notes)):
        if count == ITEM_LIMIT:
            where = item.source if isinstance(item, DownloadRequest) else item.where
            reason = f"more than {ITEM_LIMIT:,} downloads; split the list"
            complaints.append(BadRequestLine(where, reason))
            break
        if isinstance(item, DownloadRequest):
            requests.append(item)
            continue
        bad += 1
        if bad <= COMPLAINT_LIMIT:
            complaints.append(item)
    if bad > COMPLAINT_LIMIT:
        more = bad - COMPLAINT_LIMIT
        complaints.append(BadRequestLine("", f"and {more:,} more that cannot be read"))
    return requests, complaints


def load_file(
    path: str, notes: list[str] | None = None
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
            yield from load_stream(stream, where, notes, suffix)
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
    stream: BinaryIO, where: str, notes: list[str] | None = None, suffix: str = ""
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read a list from an open stream; an empty one is a complaint.

    Args:
        stream: read to its end, but not further than is sane.
        where: what the list is called in messages.
        notes: gets a line for everything that is ignored but not wrong.
        suffix: ``.csv``, ``.json``, ``.jsonl``, ``.meta4`` or ``.metalink`` for those;
            all else is plain text.

    Raises:
        OSError: the stream cannot be read.
    """
    is_empty = True
    for item in _parse(stream, where, notes, suffix):
        is_empty = False
        yield item
    if is_empty:
        yield BadRequestLine(where, "no URLs in it")


def _parse(
    stream: BinaryIO, where: str, notes: list[str] | None, suffix: str
) -> Iterator[DownloadRequest | BadRequestLine]:
    if suffix == ".json":
        return _parse_whole(stream, where, notes)
    if suffix in _METALINK:
        return parse_metalink(stream, where, notes)
    lines = read_lines(stream)
    if suffix == ".csv":
        return parse_csv(lines, where, notes)
    if suffix == ".jsonl":
        return parse_json_lines(lines, where, notes)
    return parse_text(lines, where, notes)


def _parse_whole(
    stream: BinaryIO, where: str, notes: list[str] | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    data = stream.read(JSON_LIMIT + 1)
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


def _read_all(
    sources: Iterable[str], stdin: BinaryIO | None, notes: list[str] | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    is_stdin_read = False
    for source in sources:
        if source == "-":
            if is_stdin_read:
                yield BadRequestLine("-", "standard input can be read only once")
            else:
                yield from _read_stdin(stdin, notes)
            is_stdin_read = True
        elif _URL.match(source):
            yield _read_url(source)
        else:
            yield from load_file(source, notes)


def _read_stdin(
    stdin: BinaryIO | None, notes: list[str] | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    if stdin is None:
        yield BadRequestLine("-", "there is no standard input")
        return
    try:
        yield from load_stream(stdin, "stdin", notes)
    except (OSError, ValueError) as error:
        # ValueError: closed by whoever started us.
        yield BadRequestLine("stdin", f"cannot be read: {plain(str(error), 200)}")


def _read_url(source: str) -> DownloadRequest | BadRequestLine:
    try:
        return DownloadRequest((check_url(source),), source="command line")
    except ValueError as error:
        return BadRequestLine(plain_url(source, 200), str(error))

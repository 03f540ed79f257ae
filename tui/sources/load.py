"""Sources as a person names them: a URL, a list file, or ``-`` for standard input.

Everything is read and judged before anything is fetched, so that a typing error on
line 900 does not show up after an hour. Files are read here in blocking calls: call
it before the loop starts, or in a thread.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tui.core.errors import FetchError
from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.core.text.plain_text import plain, plain_url
from tui.sources.duplicates import COMMAND_LINE, Duplicates
from tui.sources.list_file import Reading, load_file, load_stream
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.patterns import check_pattern, expand_requests
from tui.sources.readers.digest_list import is_sums_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from tui.sources.page import FetchPage

COMPLAINT_LIMIT = 20
"""Complaints that are kept; the rest is only counted. More help nobody."""
ITEM_LIMIT = 1_000_000
"""Requests and complaints of one run: an endless pipe must end somewhere. A million
requests take about 300 MB."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


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
    reading = Reading(notes, links, base_url)
    duplicates = Duplicates(notes)
    requests: list[DownloadRequest] = []
    complaints: list[BadRequestLine] = []
    bad = 0
    for count, item in enumerate(_read_all(sources, stdin, reading, fetch_page)):
        if count == ITEM_LIMIT:
            where = item.source if isinstance(item, DownloadRequest) else item.where
            reason = f"more than {ITEM_LIMIT:,} downloads; split the list"
            complaints.append(BadRequestLine(where, reason))
            break
        judged = duplicates.judge(item) if isinstance(item, DownloadRequest) else item
        if isinstance(judged, DownloadRequest):
            requests.append(judged)
        elif judged is not None:
            bad += 1
            if bad <= COMPLAINT_LIMIT:
                complaints.append(judged)
    duplicates.finish()
    if bad > COMPLAINT_LIMIT:
        more = bad - COMPLAINT_LIMIT
        complaints.append(BadRequestLine("", f"and {more:,} more that cannot be read"))
    return requests, complaints


def _read_all(
    sources: Iterable[str],
    stdin: BinaryIO | None,
    reading: Reading,
    fetch_page: FetchPage | None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    is_stdin_read = False
    for source in sources:
        if source == "-":
            if is_stdin_read:
                yield BadRequestLine("-", "standard input can be read only once")
            else:
                yield from _read_stdin(stdin, reading)
            is_stdin_read = True
        elif not _URL.match(source):
            yield from load_file(source, reading)
        elif reading.links is not None or (
            reading.base_url is not None and is_sums_name(_name_in(source))
        ):
            yield from _read_page(source, reading, fetch_page)
        else:
            yield from expand_requests(_read_url(source))


def _read_stdin(
    stdin: BinaryIO | None, reading: Reading
) -> Iterator[DownloadRequest | BadRequestLine]:
    if stdin is None:
        yield BadRequestLine("-", "there is no standard input")
        return
    try:
        yield from load_stream(stdin, "stdin", reading)
    except (OSError, ValueError) as error:
        # ValueError: closed by whoever started us.
        yield BadRequestLine("stdin", f"cannot be read: {plain(str(error), 200)}")


def _read_url(source: str) -> Iterator[DownloadRequest | BadRequestLine]:
    try:
        yield DownloadRequest((check_pattern(source),), source=COMMAND_LINE)
    except ValueError as error:
        yield BadRequestLine(plain_url(source, 200), str(error))


def _read_page(
    source: str, reading: Reading, fetch_page: FetchPage | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Fetch what a URL leads to, and read it as a list: a page or a digest list."""
    where = plain_url(source, 200)
    if fetch_page is None:
        yield BadRequestLine(where, "pages cannot be fetched here; save it to a file")
        return
    try:
        page = fetch_page(check_url(source))
    except (FetchError, OSError, ValueError) as error:
        yield BadRequestLine(where, f"cannot be fetched: {plain(str(error), 200)}")
        return
    if reading.links is not None:
        from tui.sources.readers.links import parse_page

        yield from parse_page(page, reading.links, where, reading.notes)
        return
    yield from _read_fetched(page, where, reading)


def _read_fetched(
    page: Page, where: str, reading: Reading
) -> Iterator[DownloadRequest | BadRequestLine]:
    if len(page.body) > PAGE_LIMIT:
        yield BadRequestLine(where, f"larger than {PAGE_LIMIT >> 20} MiB")
        return
    # "." is the folder that the list itself lies in.
    base_url = urljoin(page.url, reading.base_url)
    here = Reading(reading.notes, None, base_url)
    yield from load_stream(io.BytesIO(page.body), where, here)


def _name_in(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]

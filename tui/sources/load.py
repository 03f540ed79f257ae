"""Load the sources given by the user: URLs, list files, or ``-`` for standard input.

Everything is read and checked before any download starts, so that a typo on line 900
does not surface after an hour. Reading files blocks: call ``load_sources`` before the
event loop starts, or in a thread.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin, urlsplit

from tui.core.errors import FetchError
from tui.core.quick.pattern import late_pattern
from tui.core.request import (
    BadRequestLine,
    DownloadRequest,
    check_url,
    with_login_of,
    without_login,
)
from tui.core.text.sanitize import display_url, sanitize
from tui.sources.options import ReadOptions
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.patterns import check_pattern, expand_requests
from tui.sources.values import assumed_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from tui.sources.page import FetchPage
    from tui.sources.readers.fields import Columns
    from tui.sources.readers.lines import Readable

Key: TypeAlias = str | tuple[str, str | None, str | None]

COMMAND_LINE = "command line"
"""The source of a typed URL, which has no line number."""
_NOTED_DUPLICATES = 5
"""Duplicates that get a note each; the rest is only counted."""


def key_of(request: DownloadRequest) -> Key:
    """Return the key under which two requests are duplicates: URL and output path."""
    if request.name is None and request.directory is None:
        # The usual case; avoids a tuple for each of a million requests.
        return request.url
    return (request.url, request.directory, request.name)


class Duplicates:
    """Finds duplicate requests within one run."""

    def __init__(self, notes: list[str] | None) -> None:
        self._notes = notes
        self._seen: dict[Key, DownloadRequest] = {}
        self.count = 0

    def check(
        self, request: DownloadRequest
    ) -> DownloadRequest | BadRequestLine | None:
        """Return the request if it is new, else ``None``.

        Two different checksums for the same request are an error, because there is no
        way to know which one is right.
        """
        first = self._seen.setdefault(key_of(request), request)
        if first is request:
            return request
        if request.checksum is not None and first.checksum is not None:
            same_kind = request.checksum.algorithm == first.checksum.algorithm
            if same_kind and request.checksum != first.checksum:
                return BadRequestLine(
                    request.source,
                    f"same download as {first.source}, but with another checksum",
                )
        self.count += 1
        if self._notes is not None and self.count <= _NOTED_DUPLICATES:
            self._notes.append(f"{request.source}: {self._describe(first)}; skipped")
        return None

    @staticmethod
    def _describe(first: DownloadRequest) -> str:
        if first.source == COMMAND_LINE:
            return f"{display_url(first.url, 200)} is listed twice"
        return f"duplicate of {first.source}"

    def finish(self) -> None:
        """Add a note with the number of duplicates that got no note."""
        if self._notes is not None and self.count > _NOTED_DUPLICATES:
            more = self.count - _NOTED_DUPLICATES
            self._notes.append(f"{more:,} more duplicates skipped")


ERROR_LIMIT = 20
"""Errors that are returned; the rest is only counted."""
ITEM_LIMIT = 1_000_000
"""Maximum requests and errors of one run, so that reading an endless pipe stops. A
million requests take about 300 MB."""

_URL = late_pattern(r"[A-Za-z][A-Za-z0-9+.-]*://")


def load_sources(
    sources: Sequence[str],
    stdin: BinaryIO | None,
    notes: list[str] | None = None,
    *,
    links: str | None = None,
    base_url: str | None = None,
    columns: Columns | None = None,
    fetch_page: FetchPage | None = None,
) -> tuple[list[DownloadRequest], list[BadRequestLine]]:
    """Read all sources completely.

    Args:
        sources: URLs, paths of list files, or ``-``.
        stdin: where ``-`` reads from; ``None`` if there is no standard input.
        notes: receives a line for everything that is ignored but not an error.
        links: a shell pattern for links. If given, URLs and HTML files are pages, and
            their matching links are the requests.
        base_url: base for names in a digest list (``SHA256SUMS``), for relative links
            of a page on disk and for relative lines of a plain list.
        columns: columns of tables and fields of JSON to use instead of the usual ones.
        fetch_page: fetches the page at a URL; ``None`` if pages cannot be fetched.

    Returns:
        The requests in the order of the sources, and the errors: at most
        ``ERROR_LIMIT``, and one more that counts the others.
    """
    options = ReadOptions(notes, links, base_url, columns=columns)
    duplicates = Duplicates(notes)
    requests: list[DownloadRequest] = []
    errors: list[BadRequestLine] = []
    bad = 0
    for count, item in enumerate(read_sources(sources, stdin, options, fetch_page)):
        if count == ITEM_LIMIT:
            where = item.source if isinstance(item, DownloadRequest) else item.where
            reason = f"more than {ITEM_LIMIT:,} downloads; split the list"
            errors.append(BadRequestLine(where, reason))
            break
        checked = duplicates.check(item) if isinstance(item, DownloadRequest) else item
        if isinstance(checked, DownloadRequest):
            requests.append(checked)
        elif checked is not None:
            bad += 1
            if bad <= ERROR_LIMIT:
                errors.append(checked)
    duplicates.finish()
    if bad > ERROR_LIMIT:
        more = bad - ERROR_LIMIT
        errors.append(BadRequestLine("", f"and {more:,} more errors"))
    return requests, errors


def read_sources(
    sources: Iterable[str],
    stdin: BinaryIO | None,
    options: ReadOptions,
    fetch_page: FetchPage | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read sources as a stream, with duplicates; see ``load_sources``."""
    is_stdin_read = False
    for given in sources:
        source = _complete(given, options.notes)
        if source == "-":
            if is_stdin_read:
                yield BadRequestLine("-", "standard input can be read only once")
            else:
                yield from _read_stdin(stdin, options)
            is_stdin_read = True
        elif not source:
            yield BadRequestLine("", "a source is empty; give a URL, a list file, or -")
        elif not _URL.match(source):
            # Imported late: URLs on the command line need no reader of lists.
            from tui.sources.list_file import load_file

            yield from load_file(source, options)
        elif options.links is not None or _is_list_with_names(source, options):
            yield from _read_page(source, options, fetch_page)
        else:
            yield from expand_requests(_read_url(source))


def _complete(source: str, notes: list[str] | None) -> str:
    """Return a source, with https:// in front of a host if there is no such file."""
    url = None if "://" in source else assumed_url(source)
    if url is None or os.path.lexists(source.partition("/")[0]):
        return source
    if notes is not None:
        notes.append(f"no file {display_url(source, 200)}; added https:// to it")
    return url


def _is_list_with_names(url: str, options: ReadOptions) -> bool:
    """Return True for the URL of a list whose names need the base URL."""
    if options.base_url is None:
        return False
    from tui.sources.readers.digest_list import is_sums_name

    name = urlsplit(url).path.rpartition("/")[2]
    return is_sums_name(name) or name.lower().endswith((".meta4", ".metalink"))


def _read_stdin(
    stdin: BinaryIO | None, options: ReadOptions
) -> Iterator[DownloadRequest | BadRequestLine]:
    from tui.sources.list_file import load_stream
    from tui.sources.patient_stream import StandardInput

    if stdin is None:
        yield BadRequestLine("-", "there is no standard input")
        return
    stream: Readable = stdin
    try:
        with suppress(io.UnsupportedOperation):
            stream = StandardInput(stdin)
        yield from load_stream(stream, "stdin", options)
    except (OSError, ValueError) as error:
        # ValueError: the parent process closed it.
        yield BadRequestLine("stdin", f"cannot read: {sanitize(str(error), 200)}")


def _read_url(source: str) -> Iterator[DownloadRequest | BadRequestLine]:
    try:
        yield DownloadRequest((check_pattern(source),), source=COMMAND_LINE)
    except ValueError as error:
        yield BadRequestLine(display_url(source, 200), str(error))


def _read_page(
    source: str, options: ReadOptions, fetch_page: FetchPage | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Fetch a page, a digest list or a Metalink file from a URL, and read it."""
    where = display_url(source, 200)
    if fetch_page is None:
        yield BadRequestLine(where, "cannot fetch pages here; save it to a file")
        return
    try:
        page = fetch_page(check_url(source))
    except (FetchError, OSError, ValueError) as error:
        yield BadRequestLine(where, f"cannot fetch: {sanitize(str(error), 200)}")
        return
    if options.links is not None:
        from tui.sources.readers.links import parse_page

        items = parse_page(page, options.links, where, options.notes)
    else:
        items = _read_fetched(page, where, options)
    yield from items if without_login(source) == source else _with_login(items, source)


def _with_login(
    items: Iterable[DownloadRequest | BadRequestLine], source: str
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Give the login in a page's URL to its links to the same origin, as wget does."""
    for item in items:
        if isinstance(item, DownloadRequest):
            urls = tuple(with_login_of(url, (source,)) for url in item.mirrors)
            item = item._replace(mirrors=urls)
        yield item


def _read_fetched(
    page: Page, where: str, options: ReadOptions
) -> Iterator[DownloadRequest | BadRequestLine]:
    from tui.sources.list_file import load_stream

    if len(page.body) > PAGE_LIMIT:
        yield BadRequestLine(where, f"larger than {PAGE_LIMIT >> 20} MiB")
        return
    # "." is the folder that contains the list itself.
    base_url = urljoin(page.url, options.base_url)
    here = ReadOptions(options.notes, None, base_url)
    try:
        yield from load_stream(io.BytesIO(page.body), where, here)
    except ValueError as error:
        yield BadRequestLine(where, f"cannot read: {sanitize(str(error), 200)}")

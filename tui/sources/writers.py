"""Lists written: each format is one that is read here, and reading it gives the same.

What is passed around must hold no secrets: logins are taken out of URLs, and of headers
only those are written that tell nothing about who asks. What was left out is said in a
comment. The query of a URL stays, since a signed URL is nothing without it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tui.core.request import Checksum, check_url
from tui.core.rules.secret_headers import HARMLESS
from tui.core.text.plain_text import plain
from tui.sources.options import parse_folder, parse_header, parse_place
from tui.sources.patterns import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tui.core.request import DownloadRequest
    from tui.core.snapshot import DetailSnapshot


class ListFormat(Enum):
    """How a list is written; the value is what a person calls it."""

    ARIA2 = "aria2"
    """URLs with mirrors and indented options: fetchtui's plain list, aria2's input."""
    TEXT = "text"
    """URLs alone, one a line, as ``wget -i`` and ``xargs curl`` take them; these know
    no comments, so there are none."""
    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"

    @property
    def suffix(self) -> str:
        """The end of the file's name, dot included; reading goes by it."""
        return (
            ".txt" if self in (ListFormat.ARIA2, ListFormat.TEXT) else f".{self.value}"
        )


_LOGIN = re.compile(r"(?<=://)[^/?#]*@")
_ARIA2_NAMES = re.compile(r"\Asha(\d+)")
_COLUMNS = ("url", "out", "dir", "checksum", "header", "size", "mirrors", "comment")
_FORMULA = ("=", "+", "-", "@", "~", " ")
"""A cell that begins so is run by spreadsheets; reading takes a space away, and ``~``
for a home."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One download, as it is written down; nothing in it is secret."""

    mirrors: tuple[str, ...]
    """Empty if no URL can be written."""
    name: str = ""
    directory: str = ""
    checksum: str = ""
    """``sha-256=HEX``, or ""."""
    headers: tuple[str, ...] = ()
    """Lines such as ``Accept-Language: en``."""
    size: int | None = None
    comment: str = ""
    """One line, or ""."""


def entry_of_request(request: DownloadRequest, comment: str = "") -> Entry:
    """Return what is written of a request."""
    return _entry(
        request.mirrors,
        request.name or "",
        request.directory or "",
        request.checksum,
        request.headers,
        request.size,
        comment,
    )


def entry_of_detail(detail: DetailSnapshot) -> Entry:
    """Return what is written of a download in the dashboard, its state in words.

    The size is left out: a list's size is a promise, and this one the server may break.
    """
    row = detail.row
    checksum = None
    if detail.checksum:
        try:
            checksum = Checksum.parse(detail.checksum)
        except ValueError:
            checksum = None
    urls = dict.fromkeys((row.url, *detail.mirrors))
    comment = plain(row.error) or row.error_kind or row.state.word
    return _entry(
        tuple(urls), row.name, row.directory, checksum, detail.asked, None, comment
    )


def write_list(
    entries: Iterable[Entry], format: ListFormat, title: str = ""
) -> Iterator[str]:
    """Write entries as a list, a piece of text for each.

    Args:
        entries: what to write; one without URLs is a comment where there are some.
        format: how.
        title: a comment for the beginning, where the format has comments.
    """
    if format is ListFormat.ARIA2:
        if title:
            yield f"# {plain(title)}\n"
        for entry in entries:
            yield "\n".join(_aria2_lines(entry)) + "\n"
    elif format is ListFormat.TEXT:
        yield from (_text_line(entry.mirrors[0]) for entry in entries if entry.mirrors)
    elif format is ListFormat.CSV:
        yield _csv_row(_COLUMNS)
        yield from (_csv_row(_cells(entry)) for entry in entries if entry.mirrors)
    else:
        yield from _json(entries, is_list=format is ListFormat.JSON)


def _entry(
    urls: tuple[str, ...],
    name: str,
    directory: str,
    checksum: Checksum | None,
    headers: Iterable[tuple[str, str]],
    size: int | None,
    comment: str,
) -> Entry:
    notes = [plain(comment)] if comment else []
    shown = tuple(dict.fromkeys(_LOGIN.sub("", url, count=1) for url in urls))
    good = tuple(url for url in shown if _is_read(check_url, url))
    if not good:
        notes.append("its URL cannot be written down")
    elif any(_LOGIN.search(url) for url in urls):
        notes.append("its URL had a login, which is not written here")
    kept: list[str] = []
    left: list[str] = []
    for header, value in headers:
        line = f"{header}: {value}"
        is_kept = header.lower() in HARMLESS and _is_read(parse_header, line)
        (kept if is_kept else left).append(line if is_kept else plain(header, 40))
    if left:
        notes.append(f"without its headers {', '.join(left)}")
    text = "" if checksum is None else str(checksum)
    if name and not _is_read(_name, name):
        notes.append("its name cannot be written down")
        name = ""
    if directory and not _is_read(_folder, directory):
        notes.append("its folder cannot be written down")
        directory = ""
    return Entry(
        good,
        name,
        directory,
        _ARIA2_NAMES.sub(r"sha-\1", text),
        tuple(kept),
        size,
        "; ".join(notes),
    )


def _is_read(read: Callable[[str], object], text: str) -> bool:
    """Whether reading it back works; ``read`` raises ValueError if not."""
    if "\N{REPLACEMENT CHARACTER}" in text:
        # In a list it means that a byte was no text.
        return False
    try:
        read(text)
    except ValueError:
        return False
    return True


def _name(text: str) -> None:
    if text != text.rstrip() or parse_place(_guarded(text)) != (None, text):
        raise ValueError


def _folder(text: str) -> None:
    if text != text.rstrip() or parse_folder(_guarded(text)) != text:
        raise ValueError


def _guarded(place: str) -> str:
    """Return a place so that reading takes it as it is: ``~a`` is nobody's home."""
    return f"./{place}" if place.startswith(("~", " ")) else place


def _aria2_lines(entry: Entry) -> Iterator[str]:
    if entry.comment:
        yield f"# {entry.comment}"
    if not entry.mirrors:
        return
    yield "\t".join(map(escape, entry.mirrors))
    options = {
        "out": _guarded(entry.name),
        "dir": _guarded(entry.directory),
        "checksum": entry.checksum,
    }
    yield from (f"  {option}={value}" for option, value in options.items() if value)
    yield from (f"  header={line}" for line in entry.headers)


def _text_line(url: str) -> str:
    # Other programs know no backslash in front; to servers both are the same.
    if escape(url) != url:
        url = url.replace("{", "%7B").replace("}", "%7D")
    return f"{url}\n"


def _csv_row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    # RFC 4180, section 2: lines end with CRLF.
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _cells(entry: Entry) -> tuple[str, ...]:
    url, *mirrors = map(escape, entry.mirrors)
    return (
        url,
        _no_formula(entry.name, "./"),
        _no_formula(entry.directory, "./"),
        entry.checksum,
        "\t".join(entry.headers),
        "" if entry.size is None else str(entry.size),
        " ".join(mirrors),
        _no_formula(entry.comment, "'"),
    )


def _no_formula(cell: str, guard: str) -> str:
    return guard + cell if cell.startswith(_FORMULA) else cell


def _json(entries: Iterable[Entry], *, is_list: bool) -> Iterator[str]:
    before = "[\n" if is_list else ""
    for entry in entries:
        if entry.mirrors:
            yield before + json.dumps(_fields(entry), ensure_ascii=False)
            before = ",\n" if is_list else "\n"
    if is_list:
        yield "[]\n" if before == "[\n" else "\n]\n"
    elif before:
        yield "\n"


def _fields(entry: Entry) -> dict[str, object]:
    url, *mirrors = map(escape, entry.mirrors)
    fields: dict[str, object] = {
        "url": url,
        "mirrors": mirrors,
        "out": _guarded(entry.name),
        "dir": _guarded(entry.directory),
        "checksum": entry.checksum,
        "header": list(entry.headers),
        "size": entry.size,
        "comment": entry.comment,
    }
    return {
        name: value for name, value in fields.items() if value not in ("", [], None)
    }

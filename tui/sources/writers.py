"""Write lists in formats that ``readers`` read back unchanged.

Lists are passed around, so they must not contain secrets: logins are removed from URLs,
and only headers that reveal nothing about the user are written. A comment says what was
left out. The query of a URL is kept, because a signed URL does not work without it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tui.core.request import Checksum, check_url, without_logins
from tui.core.rules.secret_headers import HARMLESS
from tui.core.text.sanitize import sanitize
from tui.sources.patterns import escape
from tui.sources.values import parse_folder, parse_header, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tui.core.request import DownloadRequest
    from tui.core.snapshot import DetailSnapshot


class ListFormat(Enum):
    """The format of a list; users choose it by its value."""

    ARIA2 = "aria2"
    """URLs with mirrors and indented options: fetchtui's plain list, aria2's input."""
    TEXT = "text"
    """Only URLs, one per line, for ``wget -i`` and ``xargs curl``; without comments,
    which these programs do not support."""
    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"

    @property
    def suffix(self) -> str:
        """Return the file name's suffix with its dot, from which readers detect it."""
        return (
            ".txt" if self in (ListFormat.ARIA2, ListFormat.TEXT) else f".{self.value}"
        )


_ARIA2_NAMES = re.compile(r"\Asha(\d+)")
_COLUMNS = ("url", "out", "dir", "checksum", "header", "size", "mirrors", "comment")
_FORMULA = ("=", "+", "-", "@", "~", " ")
"""First characters that need escaping in a cell: spreadsheets run formulas, readers
strip spaces and take ``~`` for a home directory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One download in a list, without secrets."""

    mirrors: tuple[str, ...]
    """Empty if none of its URLs can be written."""
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
    """Convert a request to a list entry."""
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
    """Convert a download of the dashboard to a list entry, with its state as comment.

    The size is left out: readers verify a size in a list, and the server may change it.
    """
    row = detail.row
    checksum = None
    if detail.checksum:
        try:
            checksum = Checksum.parse(detail.checksum)
        except ValueError:
            checksum = None
    urls = dict.fromkeys((row.url, *detail.mirrors))
    comment = sanitize(row.error) or row.error_kind or row.state.word
    return _entry(
        tuple(urls), row.name, row.directory, checksum, detail.asked, None, comment
    )


def write_list(
    entries: Iterable[Entry], format: ListFormat, title: str = ""
) -> Iterator[str]:
    """Write entries as a list; yield text piece by piece.

    Args:
        entries: what to write; an entry without URLs becomes a comment, or is left out
            if the format has no comments.
        format: the format of the list.
        title: a comment for the first line, if the format has comments.
    """
    if format is ListFormat.ARIA2:
        if title:
            yield f"# {sanitize(title)}\n"
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
    notes = [sanitize(comment)] if comment else []
    bare = tuple(dict.fromkeys(map(without_logins, urls)))
    good = tuple(url for url in bare if _is_readable(check_url, url))
    if not good:
        notes.append("URL not representable")
    elif any(without_logins(url) != url for url in urls):
        notes.append("login removed from the URL")
    kept: list[str] = []
    left: list[str] = []
    for header, value in headers:
        line = f"{header}: {value}"
        is_kept = header.lower() in HARMLESS and _is_readable(parse_header, line)
        (kept if is_kept else left).append(line if is_kept else sanitize(header, 40))
    if left:
        notes.append(f"headers left out: {', '.join(left)}")
    text = "" if checksum is None else str(checksum)
    if name and not _is_readable(_name, name):
        notes.append("file name not representable")
        name = ""
    if directory and not _is_readable(_folder, directory):
        notes.append("folder not representable")
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


def _is_readable(read: Callable[[str], object], text: str) -> bool:
    """Return True if ``read`` accepts the text, so that it can be read back."""
    if "\N{REPLACEMENT CHARACTER}" in text:
        # Readers take it for an undecodable byte.
        return False
    try:
        read(text)
    except ValueError:
        return False
    return True


def _name(text: str) -> None:
    if text != text.rstrip() or parse_output_path(_escape_path(text)) != (None, text):
        raise ValueError


def _folder(text: str) -> None:
    if text != text.rstrip() or parse_folder(_escape_path(text)) != text:
        raise ValueError


def _escape_path(path: str) -> str:
    """Escape a path so that readers do not take ``~a`` for a home directory."""
    return f"./{path}" if path.startswith(("~", " ")) else path


def _aria2_lines(entry: Entry) -> Iterator[str]:
    if entry.comment:
        yield f"# {entry.comment}"
    if not entry.mirrors:
        return
    yield "\t".join(map(escape, entry.mirrors))
    options = {
        "out": _escape_path(entry.name),
        "dir": _escape_path(entry.directory),
        "checksum": entry.checksum,
    }
    yield from (f"  {option}={value}" for option, value in options.items() if value)
    yield from (f"  header={line}" for line in entry.headers)


def _text_line(url: str) -> str:
    # Other programs do not support escaping; servers treat both forms the same.
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
        _escape_formula(entry.name, "./"),
        _escape_formula(entry.directory, "./"),
        entry.checksum,
        "\t".join(entry.headers),
        "" if entry.size is None else str(entry.size),
        " ".join(mirrors),
        _escape_formula(entry.comment, "'"),
    )


def _escape_formula(cell: str, guard: str) -> str:
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
        "out": _escape_path(entry.name),
        "dir": _escape_path(entry.directory),
        "checksum": entry.checksum,
        "header": list(entry.headers),
        "size": entry.size,
        "comment": entry.comment,
    }
    return {
        name: value for name, value in fields.items() if value not in ("", [], None)
    }

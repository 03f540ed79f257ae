"""One download as a row of the journal: its columns, and how it is written and read.

No secrets are stored: URLs lose their credentials, and headers their values unless they
are known to be harmless. The query of a URL stays, since without it the file could not
be fetched; only the user can read the journal.

A damaged file may have anything in a row, so rows are checked when they are read, and
invalid ones are skipped.
"""

from __future__ import annotations

import json
import math
from functools import cache, partial
from itertools import chain
from json.encoder import encode_basestring_ascii as _quoted
from operator import contains
from types import NoneType
from typing import TYPE_CHECKING, Any

from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import without_login
from tui.core.rules.secret_headers import HARMLESS
from tui.core.text.request_fields import fields_of, request_from

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Container, Sequence

    from tui.core.request import DownloadRequest

LOGIN = "login"
"""In ``withheld``: the user name and password of a URL."""
_STATES = {int(state): state for state in DownloadState}
# The request is written once, the progress after every change.
REQUEST_COLUMNS = "asked", "withheld"
PROGRESS_COLUMNS = (
    "state",
    "place",
    "url",
    "has_login",
    "name",
    "directory",
    "size",
    "received",
    "status",
    "error",
    "error_kind",
    "note",
    "segments",
    "rate_limit",
    "started_at",
    "finished_at",
)
COLUMNS = ("key", *REQUEST_COLUMNS, *PROGRESS_COLUMNS)
_FINISHED_TYPES = (int, str, str, str, int, float, float)
_TEXT_OR_NULL: set[type] = {str, NoneType}
_INTEGER_OR_NULL: set[type] = {int, NoneType}
_TYPES: tuple[Container[type], ...] = (
    *({int}, {str}, _TEXT_OR_NULL),  # key and REQUEST_COLUMNS
    *({int}, {float}, _TEXT_OR_NULL, {int}, {str}, {str}),
    *(_INTEGER_OR_NULL, {int}, {int}, {str}, {str}, {str}, {int}),
    *(_INTEGER_OR_NULL, {float}, {float}),
)
LAST_TIME = 253_402_300_799
"""The end of the year 9999; the clock of a system can show no later one."""
ROWS = 50
"""Rows written by one statement. SQLite gives back the interpreter's lock once in each
statement; with one row in each, a loop that is busy with downloads handed it over and
back for every row, which cost 20 us a file (5,000 files of 10 KiB)."""
_USUAL = {
    "url": "NULL",
    "has_login": "0",
    "error": "''",
    "error_kind": "''",
    "note": "''",
    "segments": "0",
    "rate_limit": "NULL",
}
"""Values, in SQL, that nearly every entry has. A statement that contains them takes two
thirds of the time of one that is passed all values."""
_UNTOUCHED = _USUAL | {
    "withheld": "NULL",
    "directory": "''",
    "received": "0",
    "status": "0",
    "started_at": "0",
    "finished_at": "0",
}
"""What such an entry has besides until its download starts."""


class JournalEntry(NamedTuple):
    """One download, as the next run restores it."""

    key: int
    """Unique in the journal, chosen by the caller, in the order of adding."""
    request: DownloadRequest
    state: DownloadState
    queue_key: float
    """Position in the queue; lower comes first. Column ``place``."""
    url: str
    """The current URL."""
    name: str
    directory: str
    size: int | None
    received: int
    status: int
    error: str
    error_kind: str
    note: str
    segments: int
    """Connections that the user set; 0 for the default."""
    rate_limit: int | None
    """Rate limit of this download in bytes per second, or ``None``."""
    started_at: float
    finished_at: float
    withheld: tuple[str, ...] = ()
    """When read: what was not stored and must be supplied again, such as
    ``Authorization`` or ``login``."""
    is_removed: bool = False
    """When written: removed from the list, so that it is not read again."""


class Finished(NamedTuple):
    """What the history shows of a finished download."""

    key: int
    name: str
    directory: str
    url: str
    size: int
    started_at: float
    finished_at: float


def split_headers(
    headers: Sequence[tuple[str, str]],
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the headers that may be stored, and the names of those that may not."""
    kept = [pair for pair in headers if pair[0].lower() in HARMLESS]
    return kept, [name for name, _ in headers if name.lower() not in HARMLESS]


_NO_FIELDS = (None,) * 6


def request_values(request: DownloadRequest) -> tuple[str, str | None]:
    """Return the values of ``REQUEST_COLUMNS``: the request and what was withheld."""
    mirrors, name, directory, checksum, headers, size, source, *others = request
    fields = (name, directory, checksum, size, *others)
    if len(mirrors) == 1 and not headers and fields == _NO_FIELDS:
        (url,) = mirrors
        if "@" not in url and source:
            # As most requests of long lists are, in a fifth of the time.
            return f'{{"mirrors": [{_quoted(url)}], "source": {_quoted(source)}}}', None
    kept, withheld = split_headers(request.headers)
    first, *fallbacks = mirrors
    bare = without_login(first)
    if bare != first:
        withheld.append(LOGIN)
    # The others are fallbacks: skip one that would be useless without credentials.
    stored = [
        bare,
        *(url for url in fallbacks if without_login(url) == url),
    ]
    bare_request = request._replace(mirrors=tuple(stored), headers=tuple(kept))
    values = fields_of(bare_request)
    return json.dumps(values), json.dumps(withheld) if withheld else None


def progress_values(entry: JournalEntry) -> tuple[Any, ...]:
    """Return the values of ``PROGRESS_COLUMNS``."""
    url: str | None = None
    has_login = False
    if entry.url != entry.request.mirrors[0]:
        url = without_login(entry.url)
        has_login = url != entry.url
    return _stored_state(entry), entry.queue_key, url, has_login, *entry[5:17]


def _stored_state(entry: JournalEntry) -> int:
    """Return the value of the column ``state``.

    A removed download keeps its row, so that restoring it is a change like any other. A
    negative state means that it is not read.
    """
    state = int(entry.state)
    return -1 - state if entry.is_removed else state


def entry_from(row: tuple[Any, ...]) -> JournalEntry | None:
    """Return the entry of a row, or ``None`` if the row is not valid.

    Args:
        row: the key, ``REQUEST_COLUMNS`` and ``PROGRESS_COLUMNS``.
    """
    if not _are_types_of_columns(tuple(map(type, row))):
        return None
    key, asked, withheld, state, queue_key, url, has_login, *rest = row
    try:
        request = request_from(json.loads(asked))
        missing: tuple[str, ...] = ()
        if withheld is not None:
            missing = tuple(map(str, json.loads(withheld)))
        if url is not None:
            # The credentials of the original URL are of no use to its replacement.
            missing = tuple(name for name in missing if name != LOGIN)
            missing += (LOGIN,) if has_login else ()
        url = url or request.mirrors[0]
        entry = JournalEntry._make(
            (key, request, _STATES[state], queue_key, url, *rest, missing, False)
        )
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
    ):
        return None
    return entry if _has_valid_numbers(entry) else None


@cache
def _are_types_of_columns(types: tuple[type, ...]) -> bool:
    """Return True if values of these types can be in a row of the intact file.

    STRICT tables refuse others, but SQLite reads whatever a damaged file has.
    """
    return all(map(contains, _TYPES, types))


def finished_from(row: tuple[Any, ...]) -> Finished | None:
    """Return the finished download of a row, or ``None`` if the row is not valid.

    Args:
        row: the fields of ``Finished``, with the column ``asked`` as URL if ``url`` is
            NULL.
    """
    if tuple(map(type, row)) != _FINISHED_TYPES:
        return None
    finished = Finished._make(row)
    return finished._replace(url=_url_of(finished.url))


def _url_of(text: str) -> str:
    """Return the URL in a column ``url`` or ``asked``; "" if it is not valid."""
    if not text.startswith("{"):
        return text
    try:
        return str(json.loads(text)["mirrors"][0])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return ""


def _has_valid_numbers(entry: JournalEntry) -> bool:
    sizes = (entry.size or 0, entry.received, entry.segments, entry.rate_limit or 0)
    return (
        min(sizes) >= 0
        and math.isfinite(entry.queue_key)
        and 0 <= entry.started_at <= LAST_TIME
        and 0 <= entry.finished_at <= LAST_TIME
    )


@cache
def _insert(rows: int, *, is_untouched: bool) -> str:
    """Return a statement that adds or replaces entries.

    The values of an entry are those of the key, ``REQUEST_COLUMNS`` and
    ``PROGRESS_COLUMNS``; if it is untouched, without those in ``_UNTOUCHED``.
    """
    constants = _UNTOUCHED if is_untouched else {}
    row = f"({', '.join(constants.get(column, '?') for column in COLUMNS)})"
    return (
        f"INSERT OR REPLACE INTO downloads ({', '.join(COLUMNS)})"
        f" VALUES {', '.join([row] * rows)}"
    )


@cache
def _update(rows: int, *, is_usual: bool) -> str:
    """Return a statement that changes the progress of entries.

    The values of an entry are those of ``PROGRESS_COLUMNS``, if it is usual without
    those in ``_USUAL``, and then the key.
    """
    constants = _USUAL if is_usual else {}
    passed = [column for column in PROGRESS_COLUMNS if column not in constants]
    row = f"({', '.join('?' * (len(passed) + 1))})"
    # SQLite names the columns of VALUES by their numbers.
    changes = {
        column: f"new.column{number}" for number, column in enumerate(passed, 1)
    } | constants
    return (
        f"UPDATE downloads"
        f" SET {', '.join(f'{column} = {value}' for column, value in changes.items())}"
        f" FROM (VALUES {', '.join([row] * rows)}) AS new"
        f" WHERE key = new.column{len(passed) + 1}"
    )


def _is_usual(entry: JournalEntry) -> bool:
    """Return True if an entry has the values of ``_USUAL``."""
    is_same = entry[10:15] == ("", "", "", 0, None)
    return is_same and entry.url == entry.request.mirrors[0]


def _is_untouched(entry: JournalEntry) -> bool:
    """Return True if the progress of an entry is that of ``_UNTOUCHED``."""
    is_same = entry[8:17] == (0, 0, "", "", "", 0, None, 0, 0)
    return is_same and not entry.directory and entry.url == entry.request.mirrors[0]


def write_new(database: sqlite3.Connection, entries: Sequence[JournalEntry]) -> None:
    """Write entries whose keys are not in the file, or whose requests changed."""
    untouched: list[tuple[Any, ...]] = []
    others: list[tuple[Any, ...]] = []
    for entry in entries:
        asked, withheld = request_values(entry.request)
        if withheld is None and _is_untouched(entry):
            untouched.append(
                (
                    entry.key,
                    asked,
                    _stored_state(entry),
                    entry.queue_key,
                    entry.name,
                    entry.size,
                )
            )
        else:
            others.append((entry.key, asked, withheld, *progress_values(entry)))
    _write_rows(database, partial(_insert, is_untouched=True), untouched)
    _write_rows(database, partial(_insert, is_untouched=False), others)


def write_changed(
    database: sqlite3.Connection, entries: Sequence[JournalEntry]
) -> None:
    """Write the progress of entries that are in the file."""
    usual: list[tuple[Any, ...]] = []
    others: list[tuple[Any, ...]] = []
    for entry in entries:
        if _is_usual(entry):
            usual.append(
                (
                    _stored_state(entry),
                    entry.queue_key,
                    *entry[5:10],
                    *entry[15:17],
                    entry.key,
                )
            )
        else:
            others.append((*progress_values(entry), entry.key))
    _write_rows(database, partial(_update, is_usual=True), usual)
    _write_rows(database, partial(_update, is_usual=False), others)


def _write_rows(
    database: sqlite3.Connection,
    statement: Callable[[int], str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Write rows with as few statements as possible, of two sizes only.

    Python's module keeps prepared statements by their text.
    """
    whole = len(rows) - len(rows) % ROWS
    for start in range(0, whole, ROWS):
        values = chain.from_iterable(rows[start : start + ROWS])
        database.execute(statement(ROWS), tuple(values))
    if whole < len(rows):
        database.executemany(statement(1), rows[whole:])

"""The journal: the download queue across runs, in SQLite.

Part files and their resume records store the data; this stores the list and how far
each download got. Every call blocks, so make it in a thread or before the loop runs. A
kill loses what was not yet passed to ``write``, a power failure perhaps a little more,
but neither leaves a corrupt file (write-ahead log, ``synchronous=NORMAL``,
https://sqlite.org/wal.html).

No secrets are stored: URLs lose their credentials, and headers their values unless they
are known to be harmless. The query of a URL stays, since without it the file could not
be fetched; only the user can read the journal.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import chain, takewhile
from json.encoder import encode_basestring_ascii as _quoted
from operator import contains, lt
from types import NoneType
from typing import TYPE_CHECKING, Any

from tui.core.download import ENDED, DownloadState
from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import without_login
from tui.core.rules.secret_headers import HARMLESS
from tui.core.text.request_fields import fields_of, request_from
from tui.core.text.sanitize import sanitize
from tui.disk.errors import from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from pathlib import Path

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


class Totals(NamedTuple):
    """Sums over the entries of a journal, without removed ones."""

    entries: int
    done: int
    failed: int
    left: int
    """Unfinished ones."""
    nbytes: int
    """Bytes received."""


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


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


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
        and 0 <= entry.started_at <= _LAST_TIME
        and 0 <= entry.finished_at <= _LAST_TIME
    )


_LAST_TIME = 253_402_300_799
"""The end of the year 9999; the clock of a system can show no later one."""
VERSION = 1
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS downloads (
    key INTEGER PRIMARY KEY, asked TEXT NOT NULL, withheld TEXT,
    state INTEGER NOT NULL, place REAL NOT NULL,
    url TEXT, has_login INTEGER NOT NULL, name TEXT NOT NULL, directory TEXT NOT NULL,
    size INTEGER, received INTEGER NOT NULL, status INTEGER NOT NULL,
    error TEXT NOT NULL, error_kind TEXT NOT NULL, note TEXT NOT NULL,
    segments INTEGER NOT NULL, rate_limit INTEGER,
    started_at REAL NOT NULL, finished_at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session (
    fact TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT;
"""
_TABLES = {
    " ".join(statement.replace("IF NOT EXISTS ", "").split()).encode()
    for statement in _SCHEMA.split(";")
    if statement.strip()
}
_COLUMNS = ("key", *REQUEST_COLUMNS, *PROGRESS_COLUMNS)
_FINISHED_TYPES = (int, str, str, str, int, float, float)
_TEXT_OR_NULL: set[type] = {str, NoneType}
_INTEGER_OR_NULL: set[type] = {int, NoneType}
_TYPES: tuple[Container[type], ...] = (
    *({int}, {str}, _TEXT_OR_NULL),  # key and REQUEST_COLUMNS
    *({int}, {float}, _TEXT_OR_NULL, {int}, {str}, {str}),
    *(_INTEGER_OR_NULL, {int}, {int}, {str}, {str}, {str}, {int}),
    *(_INTEGER_OR_NULL, {float}, {float}),
)
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


@cache
def _insert(rows: int, *, is_untouched: bool) -> str:
    """Return a statement that adds or replaces entries.

    The values of an entry are those of the key, ``REQUEST_COLUMNS`` and
    ``PROGRESS_COLUMNS``; if it is untouched, without those in ``_UNTOUCHED``.
    """
    constants = _UNTOUCHED if is_untouched else {}
    row = f"({', '.join(constants.get(column, '?') for column in _COLUMNS)})"
    return (
        f"INSERT OR REPLACE INTO downloads ({', '.join(_COLUMNS)})"
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


_SELECT = (
    f"SELECT {', '.join(_COLUMNS)} FROM downloads"
    " WHERE key > ? AND state >= 0 ORDER BY key LIMIT ?"
)


class JournalUnreadable(LocalError):
    """The file is not a journal, or is damaged."""


class JournalTooNew(LocalError):
    """A newer version of fetchtui wrote the file."""


class Journal:
    """A file with one entry per download and facts about the session."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file and lock it against other processes.

        Raises:
            JournalUnreadable: the file is damaged.
            JournalTooNew: a newer version wrote it.
            LocalError: ``in_use`` by another run, ``not_writable``, ``disk_full`` or
                ``disk``.
        """
        with self._converted_errors():
            # Created here, readable only by the user; SQLite's own files follow suit.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            database = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
            self._database = database

    @property
    def is_open(self) -> bool:
        """True between ``open`` and ``close``."""
        return self._database is not None

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        database, self._database = self._database, None
        if database is not None:
            with self._converted_errors():
                database.close()

    def remove(self) -> None:
        """Delete the file, with its log.

        It must be open, so that no other process uses it.
        """
        assert self._database is not None
        self.delete()  # while it is locked
        self.close()

    def delete(self) -> None:
        """Delete the file, with its log; in particular one that cannot be opened."""
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self.path}{suffix}")

    def set_aside(self) -> Path:
        """Close the file and rename it with its log; return the new path.

        Raises:
            LocalError: the file cannot be renamed.
        """
        with suppress(LocalError):
            self.close()
        number = 1
        aside = self.path.with_name(f"{self.path.name}.unreadable")
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.unreadable-{number}")
        with self._converted_errors():
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
        return aside

    # -- facts about the session -----------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Return the facts passed to ``write``; unreadable ones are left out.

        Raises:
            LocalError: the file cannot be read.
        """
        facts = {}
        with self._converted_errors(), self._damaged_text_as_bytes():
            for fact, value in self._rows("SELECT fact, value FROM session"):
                if type(fact) is not str or type(value) is not str:
                    continue
                with suppress(ValueError, RecursionError):
                    facts[fact] = json.loads(value)
        return facts

    # -- entries ---------------------------------------------------------------------

    def is_empty(self) -> bool:
        """Return True if there are no entries, or only removed ones.

        Raises:
            LocalError: the file cannot be read.
        """
        with self._converted_errors():
            kept = self._rows("SELECT 1 FROM downloads WHERE state >= 0 LIMIT 1")
            return kept.fetchone() is None

    def count(self) -> int:
        """Return the number of entries, removed ones included.

        Raises:
            LocalError: the file cannot be read.
        """
        with self._converted_errors():
            (count,) = self._rows("SELECT count(*) FROM downloads").fetchone()
            return int(count)

    def count_kept(self) -> int:
        """Return the number of entries that are not removed.

        Damaged ones count, also those that SQLite does not find by their values.

        Raises:
            LocalError: the file cannot be read.
        """
        query = (
            "SELECT (SELECT count(*) FROM downloads)"
            " - (SELECT count(*) FROM downloads WHERE state < 0)"
        )
        with self._converted_errors():
            (count,) = self._rows(query).fetchone()
            return int(count)

    def unfinished(self) -> int:
        """Return the number of entries that a run would continue.

        Raises:
            LocalError: the file cannot be read.
        """
        ended = ", ".join(str(int(state)) for state in ENDED)
        where = f"state >= 0 AND state NOT IN ({ended})"
        with self._converted_errors():
            (count,) = self._rows(
                f"SELECT count(*) FROM downloads WHERE {where}"
            ).fetchone()
            return int(count)

    def totals(self) -> Totals:
        """Return sums over all entries.

        Raises:
            LocalError: the file cannot be read.
        """
        ended = ", ".join(str(int(state)) for state in ENDED)
        done, failed = int(DownloadState.DONE), int(DownloadState.FAILED)
        query = (
            f"SELECT count(*), total(state = {done}), total(state = {failed}),"
            f" total(state NOT IN ({ended})), total(received)"
            " FROM downloads WHERE state >= 0"
        )
        with self._converted_errors():
            return Totals._make(map(int, self._rows(query).fetchone()))

    def finished(self, limit: int) -> list[Finished]:
        """Return the last finished downloads, the newest first.

        Raises:
            LocalError: the file cannot be read.
        """
        query = (
            "SELECT key, name, directory, coalesce(url, asked), received, started_at,"
            " finished_at FROM downloads WHERE state = ?"
            f" AND started_at BETWEEN 0 AND {_LAST_TIME}"
            f" AND finished_at BETWEEN 0 AND {_LAST_TIME}"
            " ORDER BY finished_at DESC LIMIT ?"
        )
        with self._converted_errors():
            rows = self._rows(query, (int(DownloadState.DONE), limit))
            return [
                Finished._make(row)._replace(url=_url_of(row[3]))
                for row in rows
                if tuple(map(type, row)) == _FINISHED_TYPES
            ]

    def forget(self, keys: Sequence[int]) -> int:
        """Delete entries; return how many.

        Raises:
            LocalError: nothing was deleted.
        """
        with self._transaction() as database:
            cursor = database.executemany(
                "DELETE FROM downloads WHERE key = ?", [(key,) for key in keys]
            )
            return max(0, cursor.rowcount)

    def read(self, after: int, limit: int) -> tuple[list[JournalEntry], int, int]:
        """Read entries in the order of their keys.

        Args:
            after: the last key that was read; -1 to begin.
            limit: the most entries to read.

        Returns:
            The entries, the last key that was read (``after`` at the end of the file),
            and how many invalid rows were skipped. In a damaged file these may be only
            the rows before the damage; the next call raises then.

        Raises:
            JournalUnreadable: the file is damaged here.
            LocalError: the file cannot be read.
        """
        rows = self._rows_after(after, limit)
        keys = [after, *(row[0] for row in rows)]
        in_order = 1 + sum(takewhile(bool, map(lt, keys, keys[1:])))
        if in_order < len(keys):  # pages are mixed up: reading on might have no end
            if in_order == 1:
                raise self._unreadable("entries are not in their order")
            del rows[in_order - 1 :]
        entries = [entry for entry in map(entry_from, rows) if entry is not None]
        return entries, keys[in_order - 1], len(rows) - len(entries)

    def _rows_after(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Return the next rows, in a damaged file those that come before the damage."""
        rows: list[tuple[Any, ...]] = []
        with self._converted_errors():
            try:
                rows.extend(self._rows(_SELECT, (after, limit)))
            except sqlite3.Error:
                if not rows:
                    rows = self._row_after(after)
        return rows

    def _row_after(self, after: int) -> list[tuple[Any, ...]]:
        """Return the next row even if a text in it is not UTF-8."""
        with self._damaged_text_as_bytes():
            return list(self._rows(_SELECT, (after, 1)))

    @contextmanager
    def _damaged_text_as_bytes(self) -> Iterator[None]:
        """Let rows contain bytes where a text is not UTF-8, instead of failing."""
        database = self._opened()
        database.text_factory = _text_or_bytes
        try:
            yield
        finally:
            database.text_factory = str

    def write(
        self,
        new: Sequence[JournalEntry],
        changed: Sequence[JournalEntry],
        facts: Mapping[str, Any],
    ) -> None:
        """Write entries and facts in one transaction.

        Args:
            new: entries whose keys are not in the file yet, or whose requests changed.
            changed: entries that are in the file; their requests are not rewritten.
            facts: by name, any JSON value.

        Raises:
            LocalError: nothing was written.
        """
        with self._transaction() as database:
            _write_new(database, new)
            _write_changed(database, changed)
            database.executemany(
                "INSERT OR REPLACE INTO session VALUES (?, ?)",
                [(fact, json.dumps(value)) for fact, value in facts.items()],
            )

    # -- internals -------------------------------------------------------------------

    def _prepare(self, database: sqlite3.Connection) -> None:
        # Keep the lock until the process ends, in whatever way: two runs would
        # overwrite each other's entries.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            path = sanitize(str(self.path))
            raise JournalTooNew(
                ErrorKind.DISK, f"{path!r} was written by a newer version of fetchtui"
            )
        database.execute("BEGIN IMMEDIATE")  # takes the lock even without a change
        if version < VERSION:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
        self._check_tables(database)

    def _check_tables(self, database: sqlite3.Connection) -> None:
        """Check that the tables are as this version makes them.

        They are STRICT, so that SQLite refuses other types in every column.

        Raises:
            JournalUnreadable: they are not.
        """
        # As bytes, because damaged text may not be UTF-8.
        rows = database.execute(
            "SELECT CAST(sql AS BLOB) FROM sqlite_master"
            " WHERE type = 'table' AND sql IS NOT NULL"
        )
        found = {b" ".join(sql.split()) for (sql,) in rows}
        if not found >= _TABLES:
            raise self._unreadable("it has other tables")

    def _unreadable(self, reason: str) -> JournalUnreadable:
        path = sanitize(str(self.path))
        return JournalUnreadable(ErrorKind.DISK, f"journal {path!r}: {reason}")

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise LocalError(
                ErrorKind.DISK, f"{sanitize(str(self.path))!r} is not open"
            )
        return self._database

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._opened().execute(query, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Change everything or nothing; convert errors.

        Raises:
            LocalError: nothing was changed.
        """
        with self._converted_errors():
            database = self._opened()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _converted_errors(self) -> Iterator[None]:
        """Convert errors of SQLite and the system."""
        try:
            yield
        except sqlite3.Error as error:
            raise _from_sqlite_error(error, self.path) from error
        except UnicodeDecodeError as error:  # in a message that quotes damaged text
            raise self._unreadable("database disk image is malformed") from error
        except OSError as error:
            raise from_os_error(error, "open", str(self.path)) from error


def _write_new(database: sqlite3.Connection, entries: Sequence[JournalEntry]) -> None:
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


def _write_changed(
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


def _from_sqlite_error(error: sqlite3.Error, path: Path) -> LocalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = sanitize(str(path))
    if code in _BUSY:
        return LocalError(
            ErrorKind.IN_USE, f"another process is using the journal {name!r}"
        )
    if code in _BROKEN:
        return JournalUnreadable(
            ErrorKind.DISK, f"journal {name!r}: {sanitize(str(error))}"
        )
    kind = {
        sqlite3.SQLITE_FULL: ErrorKind.DISK_FULL,
        sqlite3.SQLITE_READONLY: ErrorKind.NOT_WRITABLE,
        sqlite3.SQLITE_CANTOPEN: ErrorKind.NOT_WRITABLE,
    }.get(code, ErrorKind.DISK)
    return LocalError(kind, f"journal {name!r}: {sanitize(str(error))}")

"""The journal: the download queue across runs, in SQLite.

Part files and their resume records store the data; this stores the list and how far
each download got. Every call blocks, so make it in a thread or before the loop runs. A
kill loses what was not yet passed to ``write``, a power failure perhaps a little more,
but neither leaves a corrupt file (write-ahead log, ``synchronous=NORMAL``,
https://sqlite.org/wal.html).

What is in the row of a download, and what is left out as a secret, is in
``journal_rows``.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager, suppress
from itertools import takewhile
from operator import lt
from typing import TYPE_CHECKING, Any

from tui.core.download import ENDED, DownloadState
from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import sanitize
from tui.disk.errors import from_os_error
from tui.disk.state.journal_rows import (
    COLUMNS,
    LAST_TIME,
    entry_from,
    finished_from,
    write_changed,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tui.disk.state.journal_rows import Finished, JournalEntry

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
_SELECT = (
    f"SELECT {', '.join(COLUMNS)} FROM downloads"
    " WHERE key > ? AND state >= 0 ORDER BY key LIMIT ?"
)


class Totals(NamedTuple):
    """Sums over the entries of a journal, without removed ones."""

    entries: int
    done: int
    failed: int
    left: int
    """Unfinished ones."""
    nbytes: int
    """Bytes received."""


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
            f" AND started_at BETWEEN 0 AND {LAST_TIME}"
            f" AND finished_at BETWEEN 0 AND {LAST_TIME}"
            " ORDER BY finished_at DESC LIMIT ?"
        )
        with self._converted_errors():
            rows = self._rows(query, (int(DownloadState.DONE), limit))
            return [one for one in map(finished_from, rows) if one is not None]

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

    def read(self, after: int, limit: int) -> tuple[list[JournalEntry], int]:
        """Read entries in the order of their keys; skip invalid rows.

        Args:
            after: the last key that was read; -1 to begin.
            limit: the most entries to read.

        Returns:
            The entries, and the last key that was read (``after`` at the end of the
            file). In a damaged file these may be only the rows before the damage; the
            next call raises then.

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
        return entries, keys[in_order - 1]

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
            write_new(database, new)
            write_changed(database, changed)
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


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


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

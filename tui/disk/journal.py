"""The queue across runs: what was asked for and how far it got, in SQLite.

The part files and their resume records hold the bytes; this holds the list. Every call
blocks and belongs in a thread (or before the loop runs). A kill loses what was not
handed to ``write``, a power cut maybe a little more, but neither leaves a broken file
(write-ahead log, ``synchronous=NORMAL``, https://sqlite.org/wal.html).

No secret is stored: URLs lose their logins, headers their values unless they are known
to be harmless. The query of a URL stays, since without it there is nothing to fetch;
only the user may read the file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tui.core.errors import LocalError
from tui.core.plain_text import plain
from tui.disk.faults import translate
from tui.disk.journal_entry import ASKED, PROGRESS, asked, entry_from, progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tui.disk.journal_entry import JournalEntry

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
_INSERT = (
    f"INSERT OR REPLACE INTO downloads (key, {', '.join(ASKED + PROGRESS)})"
    f" VALUES ({', '.join('?' * (1 + len(ASKED) + len(PROGRESS)))})"
)
_UPDATE = f"UPDATE downloads SET {', '.join(f'{c} = ?' for c in PROGRESS)} WHERE key=?"
_SELECT = (
    f"SELECT key, {', '.join(ASKED + PROGRESS)} FROM downloads"
    " WHERE key > ? AND state >= 0 ORDER BY key LIMIT ?"
)


class JournalUnreadable(LocalError):
    """The file is no journal, or a damaged one."""


class JournalTooNew(LocalError):
    """A later version of fetchtui wrote it."""


class Journal:
    """A file with one entry a download, and facts about the session."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, or make it; no other run can from now on.

        Raises:
            JournalUnreadable: it is damaged.
            JournalTooNew: it is of a later version.
            LocalError: ``in_use`` by another run, ``not_writable``, ``disk_full`` or
                ``disk``.
        """
        with self._told():
            # Made here so that nobody else may read it; SQLite's own files follow suit.
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
        """Whether it can be read and written."""
        return self._database is not None

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        database, self._database = self._database, None
        if database is not None:
            with self._told():
                database.close()

    def remove(self) -> None:
        """Delete the file, which must be open: so nobody else has it."""
        assert self._database is not None
        with suppress(OSError):
            self.path.unlink()
        self.close()

    def set_aside(self) -> Path:
        """Close and rename the file with its log; return its new path.

        Raises:
            LocalError: it cannot be renamed.
        """
        with suppress(LocalError):
            self.close()
        number = 1
        aside = self.path.with_name(f"{self.path.name}.unreadable")
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.unreadable-{number}")
        with self._told():
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
        return aside

    # -- facts about the session -----------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Return what was written with ``write``; what cannot be read is left out.

        Raises:
            LocalError: the file cannot be read.
        """
        found = {}
        with self._told():
            for fact, value in self._rows("SELECT fact, value FROM session"):
                with suppress(ValueError):
                    found[fact] = json.loads(value)
        return found

    # -- entries ---------------------------------------------------------------------

    def is_empty(self) -> bool:
        """Return whether there is no entry but dropped ones.

        Raises:
            LocalError: the file cannot be read.
        """
        with self._told():
            kept = self._rows("SELECT 1 FROM downloads WHERE state >= 0 LIMIT 1")
            return kept.fetchone() is None

    def read(self, after: int, limit: int) -> tuple[list[JournalEntry], int, int]:
        """Read entries in the order of their keys.

        Args:
            after: the key that was reached; -1 for the beginning.
            limit: how many at most.

        Returns:
            The entries, the key that is reached now (``after`` at the end), and how
            many were left out because they make no sense.

        Raises:
            LocalError: the file cannot be read.
        """
        with self._told():
            rows = list(self._rows(_SELECT, (after, limit)))
        found = [entry for entry in map(entry_from, rows) if entry is not None]
        return found, (rows[-1][0] if rows else after), len(rows) - len(found)

    def write(
        self,
        new: Sequence[JournalEntry],
        changed: Sequence[JournalEntry],
        facts: Mapping[str, Any],
    ) -> None:
        """Write entries and facts in one transaction.

        Args:
            new: entries whose keys are not in the file.
            changed: entries that are there already; the request is not written again.
            facts: by name, anything that JSON can hold.

        Raises:
            LocalError: nothing of it was written.
        """
        with self._told():
            database = self._opened()
            database.execute("BEGIN IMMEDIATE")
            try:
                database.executemany(
                    _INSERT, [(e.key, *asked(e.request), *progress(e)) for e in new]
                )
                database.executemany(_UPDATE, [(*progress(e), e.key) for e in changed])
                database.executemany(
                    "INSERT OR REPLACE INTO session VALUES (?, ?)",
                    [(fact, json.dumps(value)) for fact, value in facts.items()],
                )
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    # -- inside ----------------------------------------------------------------------

    def _prepare(self, database: sqlite3.Connection) -> None:
        # Held until the end, and let go of however that comes: two runs would
        # overwrite each other's entries.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            told = plain(str(self.path))
            raise JournalTooNew("disk", f"{told!r} was written by a newer fetchtui")
        database.execute("BEGIN IMMEDIATE")  # takes the lock, also without a change
        if version < VERSION:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise LocalError("disk", f"{plain(str(self.path))!r} is not open")
        return self._database

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._opened().execute(query, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into our errors."""
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error
        except OSError as error:
            raise translate(error, "open", str(self.path)) from error


def _translate(error: sqlite3.Error, path: Path) -> LocalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    told = plain(str(path))
    if code in _BUSY:
        return LocalError("in_use", f"another run holds the journal {told!r}")
    if code in _BROKEN:
        return JournalUnreadable("disk", f"journal {told!r}: {plain(str(error))}")
    kind = {
        sqlite3.SQLITE_FULL: "disk_full",
        sqlite3.SQLITE_READONLY: "not_writable",
        sqlite3.SQLITE_CANTOPEN: "not_writable",
    }.get(code, "disk")
    return LocalError(kind, f"journal {told!r}: {plain(str(error))}")

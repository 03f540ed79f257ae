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
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.download import DownloadState
from tui.core.errors import LocalError
from tui.core.request import Checksum, DownloadRequest, Pieces
from tui.core.rules.secret_headers import HARMLESS
from tui.core.text.plain_text import plain
from tui.disk.errors import translate
from tui.disk.resume_record import strip_userinfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LOGIN = "login"
"""Among what is withheld: user name and password of a URL."""
_STATES = {int(state): state for state in DownloadState}
# What was asked for is written once; what follows, after every change.
ASKED = "asked", "withheld"
PROGRESS = (
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
    """One download as the next run should find it."""

    key: int
    """Unique in the journal and in the order of adding; the caller's to choose."""
    request: DownloadRequest
    state: DownloadState
    place: float
    """Order in the queue; lower goes first."""
    url: str
    """The URL in use."""
    name: str
    directory: str
    size: int | None
    received: int
    status: int
    error: str
    error_kind: str
    note: str
    segments: int
    """Connections that a user asked for; 0 for none in particular."""
    rate_limit: int | None
    """Bytes per second for this download alone, or ``None``."""
    started_at: float
    finished_at: float
    withheld: tuple[str, ...] = ()
    """When read: what was not stored and has to be given again, such as
    ``Authorization`` or ``login``."""
    is_dropped: bool = False
    """When written: it was taken out of the list, and is not read again."""


def split_headers(
    headers: Sequence[tuple[str, str]],
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the headers that may be stored, and the names of those that may not."""
    kept = [pair for pair in headers if pair[0].lower() in HARMLESS]
    return kept, [name for name, _ in headers if name.lower() not in HARMLESS]


def asked(request: DownloadRequest) -> tuple[str, str | None]:
    """Return the values of ``ASKED``: the request, and what was left out of it."""
    kept, withheld = split_headers(request.headers)
    first, *others = request.mirrors
    bare = strip_userinfo(first) if "@" in first else first
    if bare != first:
        withheld.append(LOGIN)
    # The others are only for bad times: better without one than without its login.
    mirrors = [
        bare,
        *(url for url in others if "@" not in url or strip_userinfo(url) == url),
    ]
    wanted: dict[str, Any] = {"mirrors": mirrors, "source": request.source}
    if request.name is not None:
        wanted["name"] = request.name
    if request.directory is not None:
        wanted["directory"] = request.directory
    if request.checksum is not None:
        wanted["checksum"] = str(request.checksum)
    if kept:
        wanted["headers"] = kept
    if request.size is not None:
        wanted["size"] = request.size
    if request.pieces is not None:
        pieces = request.pieces
        wanted["pieces"] = [pieces.algorithm, pieces.length, pieces.digests]
    return json.dumps(wanted), json.dumps(withheld) if withheld else None


def progress(entry: JournalEntry) -> tuple[Any, ...]:
    """Return the values of ``PROGRESS``."""
    url: str | None = None
    has_login = False
    if entry.url != entry.request.mirrors[0]:
        url = strip_userinfo(entry.url)
        has_login = url != entry.url
    state = int(entry.state)
    # A dropped one keeps its row, so that taking the drop back is a change like any
    # other; below zero ``journal`` passes it over.
    stored = -1 - state if entry.is_dropped else state
    return stored, entry.place, url, has_login, *entry[5:17]


def entry_from(row: tuple[Any, ...]) -> JournalEntry | None:
    """Return the entry of a row (key, ``ASKED``, ``PROGRESS``), if it makes sense."""
    key, wanted, withheld, state, place, url, has_login, *rest = row
    try:
        values = json.loads(wanted)
        values["mirrors"] = tuple(map(str, values["mirrors"]))
        if "headers" in values:
            values["headers"] = tuple((str(n), str(v)) for n, v in values["headers"])
        if "checksum" in values:
            values["checksum"] = Checksum.parse(values["checksum"])
        if "pieces" in values:
            algorithm, length, digests = values["pieces"]
            values["pieces"] = Pieces(str(algorithm), int(length), tuple(digests))
        request = DownloadRequest(**values)
        lacks: tuple[str, ...] = ()
        if withheld is not None:
            lacks = tuple(map(str, json.loads(withheld)))
        if url is not None:
            # What the list's URL lacks is of no use to the one that replaced it.
            lacks = tuple(name for name in lacks if name != LOGIN)
            lacks += (LOGIN,) if has_login else ()
        url = url or request.mirrors[0]
        return JournalEntry._make(
            (key, request, _STATES[state], place, url, *rest, lacks, False)
        )
    except (ValueError, TypeError, KeyError, IndexError):
        return None


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

"""The queue across runs: what was asked for and how far it got, in SQLite.

The part files and their resume records hold the bytes; this holds the list. Entries
are handed over without waiting, gathered for half a second (the last one of a download
wins) and written in one transaction by a thread of the journal's own, so that a slow
disk delays neither the loop nor the writers. A kill loses at most that half second; a
power cut may lose a little more, but never leaves a broken journal (write-ahead log,
``synchronous=NORMAL``, https://sqlite.org/wal.html).

No secret is stored: URLs lose their logins, headers their values unless they are known
to be harmless. The query of a URL stays, since without it there is nothing to fetch;
only the user may read the file.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tui.core.download import DownloadState
from tui.core.errors import FetchError, LocalError
from tui.core.plain_text import plain
from tui.core.request import Checksum, DownloadRequest
from tui.disk.faults import translate
from tui.disk.resume import without_login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

T = TypeVar("T")

VERSION = 1
INTERVAL_S = 0.5
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_COLUMNS = (
    "key, place, state, request, withheld, url, name, directory, size, received,"
    " error, error_kind"
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS downloads (
    key INTEGER PRIMARY KEY, place REAL NOT NULL, state INTEGER NOT NULL,
    request TEXT NOT NULL, withheld TEXT NOT NULL, url TEXT NOT NULL,
    name TEXT NOT NULL, directory TEXT NOT NULL, size INTEGER,
    received INTEGER NOT NULL, error TEXT NOT NULL, error_kind TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One download as the next run should find it."""

    key: int
    """Unique in the journal; the caller's to choose."""
    request: DownloadRequest
    state: DownloadState = DownloadState.QUEUED
    place: float = 0.0
    """Order in the queue; lower goes first."""
    url: str = ""
    """The URL in use; "" for the request's own."""
    name: str = ""
    directory: str = ""
    size: int | None = None
    received: int = 0
    error: str = ""
    error_kind: str = ""
    withheld: tuple[str, ...] = ()
    """When loaded: what was not stored and has to be given again, such as
    ``Authorization`` or ``login``."""


class Journal:
    """A file with one entry a download; every method is for the loop's thread."""

    def __init__(self, path: Path, *, interval_s: float = INTERVAL_S) -> None:
        self.path = path
        self.error: FetchError | None = None
        """Why the last writing failed; ``None`` once one worked again."""
        self.was_broken = False
        """The file could not be read, was set aside, and a new one begun."""
        self._interval_s = interval_s
        self._executor = ThreadPoolExecutor(1, "fetchtui-journal")
        self._database: sqlite3.Connection | None = None
        self._pending: dict[int, JournalEntry | None] = {}
        self._is_cleared = False
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file, or make it together with its folder.

        Raises:
            LocalError: ``in_use`` by another run, ``not_writable``, ``disk_full`` or
                ``disk``; the caller can go on without a journal.
        """
        await self._in_thread(self._open)

    async def load(self) -> list[JournalEntry]:
        """Return the entries in the order of the queue; odd ones are left out.

        Raises:
            LocalError: the file cannot be read.
        """
        return await self._in_thread(self._load)

    def put(self, entry: JournalEntry) -> None:
        """Add an entry, or replace the one with its key, in the near future."""
        self._pending[entry.key] = entry
        self._wake()

    def forget(self, keys: Iterable[int]) -> None:
        """Remove entries, in the near future."""
        self._pending.update(dict.fromkeys(keys))
        self._wake()

    def clear(self) -> None:
        """Remove all entries, in the near future: a new session begins."""
        self._pending.clear()
        self._is_cleared = True
        self._wake()

    async def flush(self) -> None:
        """Return when all that was handed over is in the file, or ``error`` is set."""
        while self._writing is not None:
            await asyncio.shield(self._writing)
        if self._pending or self._is_cleared:
            await asyncio.shield(self._begin())

    async def close(self) -> None:
        """Write what is left and close the file. Safe to call twice."""
        await self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._database is not None:
            await self._in_thread(self._close)
        self._executor.shutdown(wait=False)

    # -- on the loop -----------------------------------------------------------------

    def _wake(self) -> None:
        if self._timer is None and self._writing is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._interval_s, self._begin)

    def _begin(self) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())
        return self._writing

    async def _write(self) -> None:
        pending, self._pending = self._pending, {}
        is_cleared, self._is_cleared = self._is_cleared, False
        try:
            await self._in_thread(self._apply, pending, is_cleared)
        except FetchError as error:
            # Kept for the next time, unless something newer has come since.
            self.error = error
            if not self._is_cleared:
                self._pending = pending | self._pending
                self._is_cleared = is_cleared
            self._writing = None
        else:
            self.error = None
            self._writing = None
            if self._pending or self._is_cleared:
                self._wake()

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, function, *args)
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error
        except OSError as error:
            raise translate(error, "open", str(self.path)) from error

    # -- in the thread ---------------------------------------------------------------

    def _open(self) -> None:
        os.makedirs(self.path.parent, exist_ok=True)
        try:
            self._database = self._connect()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _BROKEN:
                raise
            # With its log: SQLite would play that into the new file.
            for suffix in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{suffix}", f"{self.path}.broken{suffix}")
            self.was_broken = True
            self._database = self._connect()

    def _connect(self) -> sqlite3.Connection:
        # Made here so that nobody else may read it; SQLite's own files follow suit.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            # Held until the end, and let go of however that comes: two runs would
            # overwrite each other's entries.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                told = plain(str(self.path))
                raise LocalError("disk", f"{told!r} was written by a newer fetchtui")
            database.execute("BEGIN IMMEDIATE")
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute("COMMIT")
        except BaseException:
            database.close()
            raise
        return database

    def _load(self) -> list[JournalEntry]:
        assert self._database is not None
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM downloads ORDER BY place, key"
        )
        return [entry for entry in map(_entry, rows) if entry is not None]

    def _apply(self, pending: dict[int, JournalEntry | None], is_cleared: bool) -> None:
        if self._database is None:
            raise LocalError("disk", f"{plain(str(self.path))!r} is not open")
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            if is_cleared:
                database.execute("DELETE FROM downloads")
            database.executemany(
                "DELETE FROM downloads WHERE key = ?",
                ((key,) for key, entry in pending.items() if entry is None),
            )
            marks = ", ".join("?" * 12)
            database.executemany(
                f"INSERT OR REPLACE INTO downloads ({_COLUMNS}) VALUES ({marks})",
                (_row(entry) for entry in pending.values() if entry is not None),
            )
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def _close(self) -> None:
        assert self._database is not None
        self._database.close()
        self._database = None


def _row(entry: JournalEntry) -> tuple[Any, ...]:
    request = entry.request
    kept = [pair for pair in request.headers if pair[0].lower() in _HARMLESS]
    withheld = [name for name, _ in request.headers if name.lower() not in _HARMLESS]
    mirrors = [without_login(url) for url in request.mirrors]
    if tuple(mirrors) != request.mirrors:
        withheld.append("login")
    asked = {
        "mirrors": mirrors,
        "name": request.name,
        "directory": request.directory,
        "checksum": None if request.checksum is None else str(request.checksum),
        "headers": kept,
        "size": request.size,
        "source": request.source,
    }
    return (
        entry.key,
        entry.place,
        int(entry.state),
        json.dumps(asked),
        json.dumps(withheld),
        without_login(entry.url),
        entry.name,
        entry.directory,
        entry.size,
        entry.received,
        entry.error,
        entry.error_kind,
    )


def _entry(row: tuple[Any, ...]) -> JournalEntry | None:
    key, place, state, asked, withheld, *rest = row
    try:
        values = json.loads(asked)
        values["mirrors"] = tuple(map(str, values["mirrors"]))
        values["headers"] = tuple((str(n), str(v)) for n, v in values["headers"])
        if values["checksum"] is not None:
            values["checksum"] = Checksum.parse(values["checksum"])
        request = DownloadRequest(**values)
        if not request.mirrors:
            return None
        entry = JournalEntry(key, request, DownloadState(state), place, *rest)
        return replace(entry, withheld=tuple(map(str, json.loads(withheld))))
    except (ValueError, TypeError, KeyError):
        return None


def _translate(error: sqlite3.Error, path: Path) -> LocalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    told = plain(str(path))
    if code in _BUSY:
        return LocalError("in_use", f"another run holds the journal {told!r}")
    kind = {
        sqlite3.SQLITE_FULL: "disk_full",
        sqlite3.SQLITE_READONLY: "not_writable",
        sqlite3.SQLITE_CANTOPEN: "not_writable",
    }.get(code, "disk")
    return LocalError(kind, f"journal {told!r}: {plain(str(error))}")

"""Log every event as a line in a file, with secrets masked; a thread writes it.

::

    2026-11-22T14:33:15.123Z INFO  12 done /data/a.iso (1,048,576 bytes)

The file is opened for appending, so that several runs can share it, and readable only
by its owner. At ``ROTATE_BYTES`` it is renamed to ``NAME.1`` and a new one is started.
If the disk is full, lines are lost but no download fails: a notice reports it once, and
the log records the gap as soon as there is space again.

``logging.handlers`` does not fit: its handlers cannot rotate by size and also reopen a
file that was moved away, block on a pipe without a reader, and do not count lost lines.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from tui import __version__
from tui.core import events as e
from tui.core.notices import Notice, NoticeCode
from tui.core.text.sanitize import display_url, mask_parameters, sanitize
from tui.messages import limit_text, notice_text, pause_text
from tui.postprocess.job_queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot

    Entry = tuple[e.Event, DownloadSnapshot | None]

ROTATE_BYTES = 64 << 20
"""A run of 100,000 files writes about 40 MB."""
MOST_WAITING = 400_000
"""Maximum events queued for a slow disk, at about 200 bytes each; more are dropped."""
_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    # A pipe without a reader must not block the thread.
    | getattr(os, "O_NONBLOCK", 0)
)


class LogFile:
    """Collects events on the loop and writes them in a thread."""

    def __init__(
        self, path: Path, service: DownloadService, on_error: Callable[[Notice], None]
    ) -> None:
        """Create the object without opening the file.

        Args:
            path: the file, new or existing.
            service: provides names and URLs.
            on_error: called once, with a notice, if lines are lost.
        """
        self._path = os.path.abspath(path)
        self._service = service
        self._on_error = on_error
        self._writing: JobQueue[list[Entry]] = JobQueue(1, self._write)
        self._waiting = 0
        self._lost = 0
        self._has_reported = False
        self._is_torn = False
        self._fd: int | None = None

    def take(self, events: Sequence[e.Event]) -> None:
        """Queue events for writing; does not block."""
        if self._waiting + len(events) > MOST_WAITING:
            self._lost += len(events)
            return
        named = (e.Queued, e.Done, e.Failed)
        ids = [event.id for event in events if isinstance(event, named)]
        rows = iter(self._service.rows(ids))
        batch: list[Entry] = [
            (event, next(rows) if isinstance(event, named) else None)
            for event in events
        ]
        self._waiting += len(batch)
        self._writing.push(batch)

    async def flush(self) -> None:
        """Wait until everything is written or counted as lost."""
        await self._writing.idle()

    async def close(self) -> None:
        """Write the remaining events and close the file."""
        await self.flush()
        await asyncio.to_thread(self._close)

    async def _write(self, batch: list[Entry]) -> None:
        error = await asyncio.to_thread(self._append, batch)
        self._waiting -= len(batch)
        if error and not self._has_reported:
            self._has_reported = True
            notice = Notice(NoticeCode.LOG_INCOMPLETE, (self._path, error))
            self._on_error(notice)

    # -- in the thread ---------------------------------------------------------------

    def _append(self, batch: list[Entry]) -> str:
        """Write a batch; return the reason if that failed, else ""."""
        lines = [line_of(event, row) for event, row in batch]
        if self._lost:
            lines.insert(0, _line(time.time(), "WARN", "-", f"{self._lost} lines lost"))
        if self._is_torn:
            lines.insert(0, "\n")
        data = memoryview("".join(lines).encode(errors="replace"))
        try:
            fd = self._open()
            while data:
                data = data[os.write(fd, data) :]
                self._is_torn = True
        except OSError as error:
            self._lost += len(batch)
            return sanitize(error.strerror or str(error))
        self._lost, self._is_torn = 0, False
        return ""

    def _open(self) -> int:
        if self._fd is not None:
            here = os.fstat(self._fd)
            try:
                is_ours = os.path.samestat(here, os.stat(self._path))
            except FileNotFoundError:
                is_ours = False  # the file was moved away: start a new one
            if is_ours and here.st_size < ROTATE_BYTES:
                return self._fd
            self._close()
            if is_ours:
                os.replace(self._path, f"{self._path}.1")
        elif _file_size(self._path) >= ROTATE_BYTES:
            os.replace(self._path, f"{self._path}.1")
        self._fd = os.open(self._path, _FLAGS, 0o600)
        return self._fd

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def first_notice(output_dir: str) -> Notice:
    """Return the notice for the first line of a run."""
    return Notice(NoticeCode.LOG_STARTED, (__version__, output_dir))


def line_of(event: e.Event, row: DownloadSnapshot | None) -> str:
    """Return the line for an event, including the newline."""
    id = str(event.id) if isinstance(event, e.DownloadEvent) else "-"
    level, text = _level_and_text(event, row)
    return _line(event.at, level, id, mask_parameters(text))


def _line(at: float, level: str, id: str, text: str) -> str:
    seconds, millis = divmod(int(at * 1000), 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{millis:03}Z {level:5} {id} {text}\n"


def _level_and_text(event: e.Event, row: DownloadSnapshot | None) -> tuple[str, str]:
    """Return the level and the text."""
    match event:
        case e.Queued():
            return "INFO", f"queued {_url(row)}"
        case e.Started():
            return "INFO", f"started, attempt {event.attempt}"
        case e.Retrying():
            reason = f"{event.error_kind}: {sanitize(event.error)}"
            return "WARN", f"retry in {event.wait_s:.1f} s, {reason}"
        case e.DownloadNotice():
            return "INFO", f"note {notice_text(event.notice)}"
        case e.Verified():
            return "INFO", f"verified {event.checksum}"
        case e.Done():
            return "INFO", f"done {_path_and_size(row)}"
        case e.Failed():
            reason = f"{event.error_kind}: {sanitize(event.error)}"
            return "ERROR", f"failed {reason} <{_url(row)}>"
        case e.Paused() | e.Cancelled():
            return "INFO", type(event).__name__.lower()
        case e.LimitChanged():
            return "INFO", limit_text(event)
        case e.RunNotice():
            return "INFO", notice_text(event.notice)
        case e.QueuePaused():
            if event.reason is None:
                return "INFO", "queue paused"
            return "WARN", f"queue paused: {pause_text(event.reason)}"
        case e.QueueResumed():
            return "INFO", "queue resumed"
        case _:
            return "INFO", type(event).__name__.lower()


def _url(row: DownloadSnapshot | None) -> str:
    return "" if row is None else display_url(row.url)


def _path_and_size(row: DownloadSnapshot | None) -> str:
    if row is None:
        return ""
    path = sanitize(os.path.join(row.directory, row.name), keep_joiners=True)
    return f"{path} ({row.received:,} bytes)"


def _file_size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0

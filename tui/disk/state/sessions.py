"""The saved sessions: one journal each, of which the newest is the last session.

They are stored in ``sessions/`` below the state directory (``FETCHTUI_STATE_DIR``, or
the platform's place for state), readable only by the user. Each running dashboard has
its own file and leaves the files of the others alone.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.notices import Notice, NoticeCode
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import sanitize
from tui.disk.state.journal import Journal, JournalTooNew, JournalUnreadable
from tui.disk.state.location import state_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = 30
"""Sessions kept, with the new one; older ones are deleted when a new one begins."""
SPARE = 10
"""Files beyond these at which the oldest are deleted: to find out which have downloads
all are opened, which takes 15 ms, so that not each run does."""
_SUFFIX = ".session"
_ORPHAN_AGE_S = 86_400.0
"""Age at which a log without its session is deleted. A younger one may belong to a
session that another process is moving here, the log first."""


class LastSession(NamedTuple):
    """The session of an earlier run, if there is one to restore."""

    journal: Journal | None
    """Open; ``None`` if there is no session to restore."""
    used_at: float = 0.0
    """Wall time of its last change."""
    notice: Notice | None = None
    """Why it could not be opened."""


class Sessions:
    """The directory of journals. Every call blocks briefly."""

    def __init__(self, state: Path | None = None) -> None:
        """Use the given state directory, or ``state_dir()``."""
        self.folder = (state or state_dir()) / "sessions"

    def begin(self) -> Journal:
        """Create and open the journal of a new session, and delete the oldest ones.

        Raises:
            LocalError: it cannot be created.
        """
        self._make_folder()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        journal = Journal(self.folder / f"{stamp}-{os.getpid()}{_SUFFIX}")
        number = 1
        while journal.path.exists():
            number += 1
            name = f"{stamp}-{os.getpid()}-{number}{_SUFFIX}"
            journal = Journal(self.folder / name)
        try:
            journal.open()
        except LocalError:
            journal.delete()  # a full disk would get an empty file at every attempt
            raise
        self._delete_old(journal.path)
        return journal

    def take_over(self, path: Path) -> Path:
        """Move the closed journal of another directory here; return its new path.

        Raises:
            LocalError: it cannot be moved.
        """
        self._make_folder()
        target = self.folder / path.name
        try:
            for suffix in ("-wal", "-shm", ""):  # only the last one always exists
                with suppress(FileNotFoundError):
                    os.replace(f"{path}{suffix}", f"{target}{suffix}")
            os.utime(target)  # it is the last session
        except OSError as error:
            raise LocalError(
                ErrorKind.NOT_WRITABLE,
                f"cannot move the session {sanitize(str(path))!r}: {error.strerror}",
            ) from None
        return target

    def why_not_writable(self) -> str:
        """Return why no session can be saved here; "" if one can.

        This creates nothing, so that a mere look leaves no files behind.
        """
        folder = self.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return ""
        return f"{sanitize(str(folder))!r} is not writable"

    def last(self, output_dir: str = "") -> LastSession:
        """Open the journal of the last session.

        Args:
            output_dir: absolute; only consider sessions that saved there. "" for any.
        """
        for used_at, path in self._newest_first():
            journal = Journal(path)
            try:
                journal.open()
                if journal.is_empty():
                    journal.remove()  # its run was killed before it started
                    continue
                if output_dir and journal.facts().get("output_dir") != output_dir:
                    journal.close()
                    os.utime(path, (used_at, used_at))  # keep the time of its last use
                    continue
            except LocalError as error:
                if error.kind is ErrorKind.IN_USE and output_dir:
                    continue
                return LastSession(None, notice=_why_not_opened(journal, error))
            return LastSession(journal, used_at)
        return LastSession(None)

    def named(self, name: str) -> LastSession:
        """Open the session with this file name, as ``last`` opens the last one."""
        for used_at, path in self._newest_first():
            if path.name != name:
                continue
            journal = Journal(path)
            try:
                journal.open()
            except LocalError as error:
                return LastSession(None, notice=_why_not_opened(journal, error))
            return LastSession(journal, used_at)
        gone = Notice(NoticeCode.LAST_SESSION_UNREADABLE, ("it no longer exists",))
        return LastSession(None, notice=gone)

    def all(self, current: Path | None) -> list[tuple[float, Journal]]:
        """Return all sessions, closed, with the time of their last use, newest first.

        Args:
            current: the journal of this run. Never open it a second time: to close it
                again would release its lock.
        """
        found = [(used_at, Journal(path)) for used_at, path in self._newest_first()]
        if current is not None and not any(j.path == current for _, j in found):
            found.insert(0, (time.time(), Journal(current)))
        return found

    @contextmanager
    def borrowed(self, journal: Journal, used_at: float) -> Iterator[None]:
        """Open a journal for a moment, and keep the time of its last use.

        Raises:
            LocalError: it cannot be opened, for example because a process uses it.
        """
        journal.open()
        try:
            yield
        finally:
            journal.close()
            with suppress(OSError):
                os.utime(journal.path, (used_at, used_at))

    def _make_folder(self) -> None:
        try:
            for folder in (self.folder.parent, self.folder):
                folder.mkdir(0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            path = sanitize(str(self.folder))
            raise LocalError(
                ErrorKind.NOT_WRITABLE, f"cannot create {path!r}: {reason}"
            ) from None

    def _newest_first(self) -> list[tuple[float, Path]]:
        """Return sessions by their last change; after a kill, the log is newer."""
        found = []
        with suppress(OSError):
            for path in self.folder.glob(f"*{_SUFFIX}"):
                times = []
                for name in (path, f"{path}-wal"):
                    with suppress(OSError):
                        times.append(os.stat(name).st_mtime)
                if times:
                    found.append((max(times), path))
        return sorted(found, reverse=True)

    def _delete_old(self, new: Path) -> None:
        """Delete all but the newest if there are too many.

        Those that another process has open stay.

        Only sessions with downloads count: whatever left empty ones behind, they must
        not cost one that can be restored.
        """
        kept = 0
        found = self._newest_first()
        if len(found) <= KEPT + SPARE:
            return
        self._delete_orphans()
        for used_at, path in found:
            if path == new:
                continue  # to open and close it again would release its lock
            journal = Journal(path)
            try:
                journal.open()
                if journal.is_empty():
                    journal.remove()
                    continue
                kept += 1
                if kept > KEPT - 1:
                    journal.remove()
                    continue
                journal.close()
                os.utime(path, (used_at, used_at))  # keep the time of its last use
            except LocalError:
                with suppress(LocalError):
                    journal.close()
            except OSError:
                continue

    def _delete_orphans(self) -> None:
        """Delete logs that earlier versions left of sessions that they deleted."""
        latest = time.time() - _ORPHAN_AGE_S
        for suffix in ("-wal", "-shm"):
            with suppress(OSError):
                for path in self.folder.glob(f"*{_SUFFIX}{suffix}"):
                    status = path.stat()
                    # A change of its name counts, too.
                    is_old = max(status.st_mtime, status.st_ctime) < latest
                    session = path.with_name(path.name.removesuffix(suffix))
                    if is_old and not session.exists():
                        path.unlink()


def _why_not_opened(journal: Journal, error: LocalError) -> Notice:
    """Return what to tell the user; a damaged journal is moved out of the way."""
    if isinstance(error, JournalUnreadable):
        return _set_aside(journal)
    if isinstance(error, JournalTooNew):
        return Notice(NoticeCode.LAST_SESSION_NEWER)
    if error.kind is ErrorKind.IN_USE:
        return Notice(NoticeCode.LAST_SESSION_OPEN)
    return Notice(NoticeCode.LAST_SESSION_UNREADABLE, (str(error),))


def _set_aside(journal: Journal) -> Notice:
    """Move a damaged journal out of the way; return what to tell the user."""
    try:
        path = journal.set_aside()
    except LocalError as error:
        return Notice(NoticeCode.LAST_SESSION_UNREADABLE, (str(error),))
    return Notice(NoticeCode.LAST_SESSION_SET_ASIDE, (str(path),))

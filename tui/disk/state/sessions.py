"""Where sessions are kept: one journal each, the newest is the last one.

They lie in ``sessions/`` below the state directory (``FETCHTUI_STATE_DIR``, or else
where the platform keeps state), readable by the user alone. Two dashboards have a file
each; what a running one holds is left alone by the other.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_state_path

from tui.core.errors import LocalError
from tui.core.text.plain_text import plain
from tui.disk.state.journal import Journal, JournalTooNew, JournalUnreadable

KEPT = 10
"""Sessions kept; older ones are deleted when another begins."""
_SUFFIX = ".session"


class LastSession(NamedTuple):
    """What was found of earlier runs."""

    journal: Journal | None
    """Open; ``None`` where there is none to go on with."""
    used_at: float = 0.0
    """Wall time of its last change."""
    notice: str = ""
    """What a person should know about it; "" for nothing."""


def state_dir() -> Path:
    """Return the folder for what outlives a run."""
    chosen = os.environ.get("FETCHTUI_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    return user_state_path("fetchtui", appauthor=False)


class Sessions:
    """The folder of journals; every call blocks for a moment."""

    def __init__(self, state: Path | None = None) -> None:
        """Take the state directory; ``state_dir()`` by default."""
        self.folder = (state or state_dir()) / "sessions"

    def begin(self) -> Journal:
        """Make the journal of a new session, open, and delete the oldest ones.

        Raises:
            LocalError: it cannot be made.
        """
        try:
            for folder in (self.folder.parent, self.folder):
                folder.mkdir(0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            told = plain(str(self.folder))
            raise LocalError(
                "not_writable", f"cannot make {told!r}: {reason}"
            ) from None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        journal = Journal(self.folder / f"{stamp}-{os.getpid()}{_SUFFIX}")
        number = 1
        while journal.path.exists():
            number += 1
            name = f"{stamp}-{os.getpid()}-{number}{_SUFFIX}"
            journal = Journal(self.folder / name)
        journal.open()
        self._delete_old()
        return journal

    def why_not_writable(self) -> str:
        """Say why no session can be kept here, in words; "" where one can be.

        Nothing is made for that: somebody who only has a look leaves nothing behind.
        """
        folder = self.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return ""
        return f"{plain(str(folder))!r} is not writable"

    def last(self, output_dir: str = "") -> LastSession:
        """Open the journal of the last session.

        Args:
            output_dir: absolute; of those that saved there only. "" for any.
        """
        for used_at, path in self._newest_first():
            journal = Journal(path)
            try:
                journal.open()
                if journal.is_empty():
                    journal.remove()  # its run was killed before it had begun
                    continue
                if output_dir and journal.facts().get("output_dir") != output_dir:
                    journal.close()
                    os.utime(path, (used_at, used_at))  # looked at, not used
                    continue
            except JournalUnreadable:
                return LastSession(None, notice=_set_aside(journal))
            except JournalTooNew:
                return LastSession(
                    None,
                    notice="the last session was written by a newer fetchtui, which"
                    " can go on with it; this is a new one",
                )
            except LocalError as error:
                if error.kind == "in_use":
                    if output_dir:
                        continue
                    notice = "the last session is open elsewhere; this is a new one"
                else:
                    notice = f"{error}; this is a new session"
                return LastSession(None, notice=notice)
            return LastSession(journal, used_at)
        return LastSession(None)

    def _newest_first(self) -> list[tuple[float, Path]]:
        """Sessions by their last change; after a kill their log is newer."""
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

    def _delete_old(self) -> None:
        """Delete all but the newest; never what another run holds."""
        for _, path in self._newest_first()[KEPT:]:
            journal = Journal(path)
            with suppress(LocalError):
                journal.open()
                journal.remove()


def _set_aside(journal: Journal) -> str:
    """Move a damaged journal out of the way; return what to say about it."""
    try:
        path = journal.set_aside()
    except LocalError as error:
        return f"the last session is damaged: {error}; this is a new one"
    kept = plain(str(path))
    return f"the last session was damaged; it is kept as {kept}; this is a new one"

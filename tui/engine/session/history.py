"""The saved sessions of this user, for the screen that lists them."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.listing.history import FinishedDownload, History, SessionSummary
from tui.disk.state.journal import JournalUnreadable
from tui.disk.state.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tui.disk.state.journal import Journal
    from tui.disk.state.journal_rows import Finished
    from tui.engine.session.session import SavedSession

FINISHED_SHOWN = 20_000
"""Finished downloads that are listed, the newest of all sessions."""


class SavedHistory:
    """Reads and deletes journals; each call works in a thread."""

    def __init__(self, current: SavedSession) -> None:
        """List all sessions; ``current`` is the one of this dashboard."""
        self._current = current
        self._sessions = Sessions()

    async def load(self) -> History:
        """Read all sessions; those that are open elsewhere give only their names."""
        return await asyncio.to_thread(self._load, self._current.journal_path)

    async def forget(self, ids: Sequence[str]) -> int:
        """Delete sessions that nobody has open; return how many are gone."""
        return await asyncio.to_thread(self._forget, ids, self._current.journal_path)

    async def forget_finished(self, downloads: Sequence[FinishedDownload]) -> int:
        """Delete finished downloads from sessions that nobody has open."""
        current = self._current.journal_path
        return await asyncio.to_thread(self._forget_finished, downloads, current)

    def open_next(self, id: str) -> None:
        """Open a session as soon as this dashboard has closed."""
        self._current.next_session = id

    # -- in a thread -----------------------------------------------------------------

    def _load(self, current: Path | None) -> History:
        sessions: list[SessionSummary] = []
        finished: list[FinishedDownload] = []
        for used_at, journal in self._sessions.all(current):
            name = journal.path.name
            if journal.path == current:
                title = self._current.title
                output_dir = str(self._current.settings.output_dir.absolute())
                one = SessionSummary(name, title, used_at, output_dir, is_current=True)
                sessions.append(one)
                continue
            try:
                with self._sessions.borrowed(journal, used_at):
                    summary, done = _read(journal, name, used_at)
            except LocalError as error:
                is_open = error.kind is ErrorKind.IN_USE
                problem = "open in another process" if is_open else str(error)
                sessions.append(SessionSummary(name, "", used_at, "", problem=problem))
                continue
            if summary is not None:
                sessions.append(summary)
                finished += done
        finished.sort(key=lambda download: -download.finished_at)
        return History(tuple(sessions), tuple(finished[:FINISHED_SHOWN]))

    def _forget(self, ids: Sequence[str], current: Path | None) -> int:
        gone = 0
        for used_at, journal in self._sessions.all(current):
            if journal.path == current or journal.path.name not in ids:
                continue
            try:
                with self._sessions.borrowed(journal, used_at):
                    journal.remove()
                    gone += 1
            except JournalUnreadable:
                journal.delete()
                gone += 1
            except LocalError:
                continue
        return gone

    def _forget_finished(
        self, downloads: Sequence[FinishedDownload], current: Path | None
    ) -> int:
        keys: dict[str, list[int]] = {}
        for download in downloads:
            keys.setdefault(download.session, []).append(download.key)
        gone = 0
        for used_at, journal in self._sessions.all(current):
            chosen = keys.get(journal.path.name)
            if not chosen or journal.path == current:
                continue
            try:
                with self._sessions.borrowed(journal, used_at):
                    gone += journal.forget(chosen)
            except LocalError:
                continue
        return gone


def _read(
    journal: Journal, name: str, used_at: float
) -> tuple[SessionSummary | None, list[FinishedDownload]]:
    """Return a session and its finished downloads; ``None`` if it is empty."""
    totals = journal.totals()
    if not totals.entries:
        return None, []
    facts = journal.facts()
    title, root = facts.get("title"), facts.get("output_dir")
    root = root if isinstance(root, str) else ""
    summary = SessionSummary(
        name,
        title if isinstance(title, str) else "",
        used_at,
        root,
        done=totals.done,
        failed=totals.failed,
        left=totals.left,
        nbytes=totals.nbytes,
    )
    return summary, [
        _finished(name, root, one) for one in journal.finished(FINISHED_SHOWN)
    ]


def _finished(session: str, root: str, one: Finished) -> FinishedDownload:
    seconds = one.finished_at - one.started_at
    return FinishedDownload(
        session,
        one.key,
        one.name,
        os.path.join(root, one.directory, one.name),
        one.url,
        one.size,
        one.finished_at,
        one.size / seconds if one.started_at and seconds > 0 else 0.0,
    )

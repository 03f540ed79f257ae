"""Sessions of the dashboard: starts a new one or restores the last one."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.download import ACTIVE, ENDED, Download, DownloadState
from tui.core.errors import ErrorKind, LocalError
from tui.core.notices import Notice, NoticeCode, RestoredSession, decode_notice
from tui.core.request import origin_of, without_login
from tui.core.settings import (
    MAX_CONCURRENCY,
    MAX_RATE,
    MAX_SEGMENTS,
    MAX_WRITERS,
    OnExists,
    Settings,
    Verify,
)
from tui.core.text.sanitize import sanitize
from tui.disk.state.journal_rows import LOGIN, split_headers
from tui.disk.state.sessions import LastSession, Sessions
from tui.engine.session.journal_writer import SETTINGS, JournalWriter
from tui.net.filename import name_from_url, safe_name
from tui.net.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tui.core.request import DownloadRequest
    from tui.disk.state.journal import Journal
    from tui.disk.state.journal_rows import JournalEntry
    from tui.engine.context import EngineContext
    from tui.engine.engine import Engine

_S = DownloadState

SLICE = 250
"""Entries restored per loop iteration: 2 ms of the loop, and as long in a thread."""
PUSH_SLICE = 2_000
"""Restored downloads queued per loop iteration."""
_LIMITS = {
    "concurrency": (1, MAX_CONCURRENCY),
    "per_host": (0, MAX_CONCURRENCY),
    "segments": (0, MAX_SEGMENTS),
    "writers": (1, MAX_WRITERS),
    "timeout_s": (0.1, 86_400.0),
    "rate_limit": (1, MAX_RATE),
}
_KINDS = {"auto": bool, "fsync": bool, "timeout_s": float}


class SavedSession:
    """The settings and downloads that a run starts with, and the journal it leaves."""

    def __init__(
        self,
        settings: Settings,
        journal_writer: JournalWriter,
        *,
        notice: Notice | None = None,
        used_at: float = 0.0,
        facts: dict[str, Any] | None = None,
        repeated: Iterable[DownloadRequest] = (),
    ) -> None:
        """Use ``begin_session``, ``last_session`` or ``continued_session``."""
        self.next_session = ""
        """The session to open when this one has been closed; "" to end the program."""
        self.settings = settings
        """For the engine."""
        self._journal_writer = journal_writer
        self._notice = notice
        self._used_at = used_at
        self._facts = facts or {}
        self._engine: Engine | None = None
        self._context: EngineContext | None = None
        self._running: list[Download] = []
        self._waiting: list[Download] = []
        self._paused: list[int] = []
        """Downloads that pausing the queue had paused."""
        self.is_handed_over = False
        """Whether a background process is going to continue it."""
        self.carried: tuple[DownloadRequest, ...] = ()
        """Requests that this process needs with their secrets, which no journal
        stores."""
        self._repeated = {_key_of(request): request for request in repeated}
        """Requests that may have the secrets of entries, which no journal stores."""

    @property
    def journal_path(self) -> Path | None:
        """The file of this session; ``None`` until there is something to save."""
        journal = self._journal_writer.journal
        return None if journal is None else journal.path

    @property
    def title(self) -> str:
        """What is downloaded, for display; "" if it has no title."""
        return self._journal_writer.title

    def follow(self, engine: Engine, context: EngineContext) -> None:
        """Attach to an engine that was opened with ``settings``."""
        self._engine, self._context = engine, context
        self._journal_writer.follow(engine, context)

    async def close(self) -> None:
        """Write the last changes; close the engine first."""
        await self._journal_writer.close()

    async def restore(self) -> RestoredSession | Notice | None:
        """Restore the downloads of the last session and start saving this one.

        Call it once, when the dashboard is on the screen.

        Returns:
            What was restored, or why a new session was started.
        """
        result: RestoredSession | Notice | None = self._notice
        try:
            if self._journal_writer.journal is not None:
                result = await self._restore_downloads()
        finally:
            self._journal_writer.begin()
        await self._journal_writer.check_writable()
        if result is None and self._journal_writer.trouble:
            return Notice(NoticeCode.SESSION_NOT_SAVED, (self._journal_writer.trouble,))
        return result

    def unsaved(self) -> str:
        """Return why this session cannot be restored later; "" if it can."""
        return self._journal_writer.trouble

    async def flush(self) -> str:
        """Save everything now; return the reason if that fails, else ""."""
        await self._journal_writer.flush()
        return self._journal_writer.trouble

    async def new_requests(
        self, requests: Sequence[DownloadRequest]
    ) -> list[DownloadRequest]:
        """Return the requests that were not restored; the caller adds them.

        Call it after ``restore``. Those that were restored with a secret missing got
        theirs from ``requests``.
        """
        assert self._context is not None
        downloads = self._context.registry.downloads
        known = {_key_of(download.request) for download in downloads}
        new = [request for request in requests if _key_of(request) not in known]
        writer = self._journal_writer
        if writer.journal is not None:
            with suppress(LocalError):
                saved = await writer.in_thread(writer.journal.count)
                writer.expected = max(saved, writer.expected) + len(new)
        return new

    def expect(self, number: int) -> None:
        """Note that ``number`` further downloads are going to be added."""
        assert self._context is not None
        writer = self._journal_writer
        present = len(self._context.registry.downloads)
        writer.expected = max(writer.expected, present) + number

    def set_aside(self, ids: Iterable[int]) -> None:
        """Save these downloads as queued while they are paused.

        Call it in the same loop iteration in which they are paused or resumed.
        """
        self._journal_writer.set_aside = frozenset(ids)

    def hand_over(self) -> str:
        """Let a background process continue this session after its end.

        Returns:
            Why that is impossible; "" if it is not.
        """
        assert self._context is not None
        if self.unsaved():
            return self.unsaved()
        self.carried = tuple(
            download.request
            for download in self._context.registry.downloads
            if download.state not in ENDED and _has_secrets(download.request)
        )
        self.is_handed_over = True
        return ""

    # -- restoring -------------------------------------------------------------------

    async def _restore_downloads(self) -> RestoredSession:
        journal_writer, context = self._journal_writer, self._context
        assert journal_writer.journal is not None
        assert context is not None
        problem: Notice | None = None
        try:
            gc.disable()  # these records stay: there is nothing to collect
            try:
                lost = await self._read()
            finally:
                gc.freeze()
                gc.enable()
            if lost:
                problem = Notice(NoticeCode.ENTRIES_LOST, (lost,))
            else:
                problem = await self._unsaved_entries()
        except LocalError as error:
            problem = Notice(NoticeCode.REST_UNREADABLE, (str(error),))
            try:
                aside = await journal_writer.in_thread(journal_writer.journal.set_aside)
                problem = Notice(NoticeCode.REST_SET_ASIDE, (str(aside),))
            except LocalError:
                pass  # it stays where it is; a new journal is started
            journal_writer.start_over()
        counts = tuple(context.registry.counts)
        await self._queue()
        return RestoredSession(self._used_at, counts, problem)

    async def _read(self) -> int:
        """Restore all entries; return the number of those that are damaged."""
        journal_writer, context = self._journal_writer, self._context
        engine = self._engine
        assert journal_writer.journal is not None
        assert engine is not None
        assert context is not None
        paused = _paused_keys(self._facts)
        reached, found = -1, 0
        while True:
            after = reached
            entries, reached = await journal_writer.in_thread(
                journal_writer.journal.read, after, SLICE
            )
            if reached == after:
                break
            found += len(entries)
            first = len(context.registry.downloads)
            downloads = []
            missing = {}
            if self._repeated:
                entries = [self._with_secrets(entry) for entry in entries]
            for id, entry in enumerate(entries, first):
                reason = _missing(entry, self._missing_headers, self._given_headers)
                if reason:
                    missing[id] = reason
                download = _download_of(id, entry, reason)
                if download.state is _S.QUEUED:
                    was_running = entry.state in ACTIVE
                    (self._running if was_running else self._waiting).append(download)
                if entry.key in paused:
                    self._paused.append(id)
                downloads.append(download)
            engine.add_restored(downloads, missing)
            self._restore_limits(downloads, entries)
            journal_writer.attach(first, [e.key for e in entries], reached)
        kept = await journal_writer.in_thread(journal_writer.journal.count_kept)
        return max(0, kept - found)

    def _with_secrets(self, entry: JournalEntry) -> JournalEntry:
        request = self._repeated.get(_key_of(entry.request))
        if request is None or not entry.withheld:
            return entry
        url = entry.url
        if url == entry.request.url:
            url = request.url
        return entry._replace(request=request, url=url, withheld=())

    async def _unsaved_entries(self) -> Notice | None:
        """Say how many downloads of its list the session lacks, if it does."""
        writer = self._journal_writer
        assert writer.journal is not None
        count = await writer.in_thread(writer.journal.count)
        missing = writer.expected - count
        if missing <= 0:
            return None
        source = writer.title or "its list"
        values = (missing, writer.expected, source)
        return Notice(NoticeCode.ENTRIES_UNSAVED, values)

    @property
    def _given_headers(self) -> set[str]:
        return {name.lower() for name, _ in self.settings.headers}

    @property
    def _missing_headers(self) -> Sequence[str]:
        withheld = self._facts.get("withheld")
        return [str(name) for name in withheld] if isinstance(withheld, list) else []

    def _restore_limits(
        self, downloads: Sequence[Download], entries: Sequence[JournalEntry]
    ) -> None:
        """Restore what the user had set on single unfinished downloads."""
        context = self._context
        assert context is not None
        for download, entry in zip(downloads, entries, strict=True):
            has_limit = entry.segments or entry.rate_limit is not None
            if has_limit and download.state is not _S.DONE:
                job = context.registry.job(download)
                job.segments = min(MAX_SEGMENTS, entry.segments)
                if entry.rate_limit is not None:
                    job.limiter = Limiter(max(1, entry.rate_limit), context.clock)

    async def _queue(self) -> None:
        """Queue unfinished downloads, those that were running first, and start."""
        context, engine = self._context, self._engine
        assert context is not None
        assert engine is not None
        waiting, self._waiting = self._waiting, []
        running, self._running = self._running, []
        for downloads in (waiting, running):
            downloads.sort(key=lambda download: download.queue_key)
        before = waiting[0].queue_key if waiting else 0.0
        for index, download in enumerate(running):
            download.queue_key = before - len(running) + index
            context.registry.touch(download)
        waiting[:0] = running
        for start in range(0, max(1, len(waiting)), PUSH_SLICE):
            for download in waiting[start : start + PUSH_SLICE]:
                if download.state is _S.QUEUED:
                    context.queue.push(download)
            if start == 0:
                engine.start_restored(self._paused if _is_paused(self._facts) else None)
            await asyncio.sleep(0)


def begin_session(settings: Settings, title: str, expected: int = 0) -> SavedSession:
    """Start a new session.

    Args:
        settings: those of the command line.
        title: what is downloaded, for display.
        expected: downloads that are going to be added.
    """
    return SavedSession(settings, JournalWriter(Sessions(), None, title, expected))


def last_session(settings: Settings, given: Collection[str]) -> SavedSession:
    """Open the last session, or start one if there is none. Blocks for a moment.

    Args:
        settings: those of the command line.
        given: names of the settings given there, which take precedence over those of
            the session; if ``output_dir`` is among them, only a session that saves
            there is opened.
    """
    sessions = Sessions()
    wanted = str(settings.output_dir.absolute()) if "output_dir" in given else ""
    last = sessions.last(wanted)
    if last.journal is None:
        return SavedSession(settings, JournalWriter(sessions, None), notice=last.notice)
    return _restored(settings, given, sessions, last)


def named_session(
    settings: Settings, given: Collection[str], name: str
) -> SavedSession:
    """Open a session of the history, or start one with a notice. Blocks for a moment.

    Args:
        settings: those of the command line.
        given: names of the settings given there. The output directory is that of the
            session all the same.
        name: ``core.listing.history.SessionSummary.id``.
    """
    sessions = Sessions()
    found = sessions.named(name)
    if found.journal is None:
        writer = JournalWriter(sessions, None)
        return SavedSession(settings, writer, notice=found.notice)
    given = frozenset(given) - {"output_dir"}
    return _restored(settings, given, sessions, found)


class OtherDirectory(Exception):
    """The session to continue saves to another directory than the one given."""

    def __init__(self, unfinished: int, output_dir: str) -> None:
        super().__init__(output_dir)
        self.unfinished = unfinished
        """Downloads that are not finished."""
        self.output_dir = output_dir
        """The directory of the session; sanitize it."""


def continued_session(
    settings: Settings,
    given: Collection[str],
    state: Path,
    title: str,
    requests: Sequence[DownloadRequest],
    carried: Iterable[DownloadRequest] = (),
) -> SavedSession:
    """Open the session of a background process, or start one. Blocks for a moment.

    A session with unfinished downloads is continued, and ``requests`` add to it
    (``SavedSession.new_requests``). If all its downloads have ended, new requests start
    a new session.

    Args:
        settings: those of the command line.
        given: names of the settings given there, which take precedence.
        state: the folder with the sessions of this process.
        title: what is downloaded, for display.
        requests: what is going to be added.
        carried: requests of the session with their secrets.

    Raises:
        OtherDirectory: the unfinished session saves to another directory.
    """
    sessions = Sessions(state)
    last = sessions.last()
    journal = last.journal
    if journal is not None and requests:
        try:
            unfinished = journal.unfinished()
        except LocalError:
            unfinished = 1  # the damage is reported when the entries are read
        if not unfinished:
            journal.close()
            last = LastSession(None)
        elif "output_dir" in given:
            output_dir = _facts_of(journal).get("output_dir")
            if output_dir != str(settings.output_dir.absolute()):
                journal.close()
                raise OtherDirectory(unfinished, str(output_dir))
    if last.journal is None:
        writer = JournalWriter(sessions, None, title, len(requests))
        return SavedSession(settings, writer, notice=last.notice)
    return _restored(
        settings, given, sessions, last, [*carried, *filter(_has_secrets, requests)]
    )


def _restored(
    settings: Settings,
    given: Collection[str],
    sessions: Sessions,
    last: LastSession,
    repeated: Iterable[DownloadRequest] = (),
) -> SavedSession:
    assert last.journal is not None
    facts = _facts_of(last.journal)
    title, expected = facts.get("title"), facts.get("expected")
    return SavedSession(
        _session_settings(settings, facts, given),
        JournalWriter(
            sessions,
            last.journal,
            title if isinstance(title, str) else "",
            expected if type(expected) is int else 0,
        ),
        used_at=last.used_at,
        facts=facts,
        repeated=repeated,
    )


def _facts_of(journal: Journal) -> dict[str, Any]:
    try:
        return journal.facts()
    except LocalError:
        return {}  # further damage is found when the entries are read


def _key_of(request: DownloadRequest) -> tuple[str, str | None, str | None]:
    """Return what identifies a request in a journal, which has no logins of URLs."""
    return without_login(request.url), request.directory, request.name


def _has_secrets(request: DownloadRequest) -> bool:
    return (
        bool(split_headers(request.headers)[1])
        or without_login(request.url) != request.url
    )


def _session_settings(
    settings: Settings, facts: dict[str, Any], given: Collection[str]
) -> Settings:
    """Return the session's settings, except those given on the command line.

    Invalid values are ignored: somebody else may have written the file.
    """
    left = facts.get("settings")
    left = dict(left) if isinstance(left, dict) else {}
    changes: dict[str, Any] = {}
    for name in SETTINGS:
        value = left.get(name)
        low, high = _LIMITS.get(name, (0, 1 << 53))
        if type(value) is _KINDS.get(name, int) and low <= value <= high:
            changes[name] = value
    for name, kind in (("on_exists", OnExists), ("verify", Verify)):
        with suppress(ValueError):
            changes[name] = kind(left.get(name))
    if isinstance(left.get("ca_file"), str) and left["ca_file"]:
        changes["ca_file"] = Path(left["ca_file"])
    user_agent = left.get("user_agent")
    if isinstance(user_agent, str) and user_agent.isprintable():
        changes["user_agent"] = user_agent
    if isinstance(left.get("headers"), list):
        with suppress(ValueError, TypeError):
            changes["headers"] = tuple((str(n), str(v)) for n, v in left["headers"])
    if isinstance(facts.get("output_dir"), str):
        changes["output_dir"] = Path(facts["output_dir"])
    if "concurrency" in given:
        changes.pop("auto", None)  # a number given now pins it
    elif changes.get("auto"):
        changes.pop("concurrency", None)  # chosen for how the servers were then
    known = set(settings._fields) - set(given)
    return settings._replace(**{n: v for n, v in changes.items() if n in known})


def _download_of(id: int, entry: JournalEntry, missing: str) -> Download:
    """Create the download of an entry.

    Args:
        id: its id in this run.
        entry: from the journal.
        missing: why it cannot be requested; "" if it can.
    """
    download = Download(id, entry.request, origin_of(entry.url), entry.name)
    download.url = entry.url
    download.directory = entry.directory
    download.size = entry.size
    download.received = entry.received
    download.status = entry.status
    download.note = decode_notice(entry.note)
    download.queue_key = entry.queue_key
    download.started_at = entry.started_at
    download.finished_at = entry.finished_at
    state = entry.state
    if state is _S.FAILED and entry.error_kind == ErrorKind.SECRET and not missing:
        state = _S.QUEUED
    if state in (_S.FAILED, _S.CANCELLED):
        download.error, download.error_kind = entry.error, entry.error_kind
    elif state not in (_S.PAUSED, _S.DONE):
        state = _S.QUEUED
    if missing and state in (_S.QUEUED, _S.PAUSED):
        # Without it a login page might come and pass for the file.
        state = _S.FAILED
        download.error, download.error_kind = missing, ErrorKind.SECRET
    if state is not _S.DONE:
        download.name = safe_name(entry.name) or name_from_url(entry.url)
    download.state = state
    return download


def _missing(
    entry: JournalEntry, withheld: Sequence[str], given: Collection[str]
) -> str:
    """Return why a download cannot be requested; "" if it can."""
    if entry.state is _S.DONE or not (entry.withheld or withheld):
        return ""
    names = dict.fromkeys(
        name for name in (*withheld, *entry.withheld) if name.lower() not in given
    )
    if LOGIN in names:
        del names[LOGIN]
        if not names:
            return "" if "authorization" in given else "needs its login again"
    if not names:
        return ""
    plural = "s" if len(names) > 1 else ""
    return f"needs its header{plural} again: {sanitize(', '.join(names))}"


def _paused_keys(facts: dict[str, Any]) -> set[int]:
    held = facts.get("held")
    return {k for k in held if isinstance(k, int)} if isinstance(held, list) else set()


def _is_paused(facts: dict[str, Any]) -> bool:
    return isinstance(facts.get("held"), list)

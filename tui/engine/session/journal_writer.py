"""Saves the session to its journal while downloads run.

The registry notes which downloads changed; once a second their state is copied on the
event loop and written by a thread, in slices: while Python code runs in the thread, the
loop may wait for it (one interpreter lock), so each slice is kept to 2 ms or so.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from tui.core.download import DownloadState
from tui.core.errors import LocalError
from tui.core.events import RunNotice
from tui.core.notices import Notice, NoticeCode, encode_notice
from tui.disk.state.journal_rows import JournalEntry, split_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tui.core.download import Download
    from tui.disk.state.journal import Journal
    from tui.disk.state.sessions import Sessions
    from tui.engine.context import EngineContext
    from tui.engine.engine import Engine
    from tui.engine.registry import RegistryWatch

T = TypeVar("T")

INTERVAL_S = 1.0
"""Seconds between two writes: what a SIGKILL can cost."""
SLICE = 250
"""Entries written in one transaction: 2 ms of a thread."""
RUNNING_EVERY = 5
"""Intervals after which the byte counts of running downloads are written, too; only
for display, because their part files are exact."""
CLOSE_S = 5.0
"""How long the last write may delay the exit."""
SETTINGS = (
    "concurrency",
    "auto",
    "per_host",
    "segments",
    "retries",
    "timeout_s",
    "rate_limit",
    "fsync",
    "writers",
)
"""Numbers and switches that the next run restores."""


class JournalWriter:
    """Writes changes of one engine's downloads to a journal."""

    def __init__(
        self,
        sessions: Sessions,
        journal: Journal | None,
        title: str = "",
        expected: int = 0,
    ) -> None:
        """Create a writer that writes nothing yet.

        Args:
            sessions: creates a journal when there is something to write.
            journal: that of the restored session; ``None`` for a new one.
            title: what is downloaded, for display.
            expected: downloads that the session is going to have. They are added one
                after the other, so a run that is killed early may have saved fewer.
        """
        self._sessions = sessions
        self.journal = journal
        self.title = title
        self.expected = expected
        self._executor = ThreadPoolExecutor(1, "fetchtui-journal")
        self._engine: Engine | None = None
        self._context: EngineContext | None = None
        self._keys = array("q")
        """Key in the journal by id, for downloads of an earlier run and for those that
        were added while they were restored; -1 for ``_unsaved``."""
        self._first_key = 0
        """The key of id 0, from which keys of new downloads are counted."""
        self._known = 0
        """Ids below it are in the journal, except ``_unsaved``."""
        self._unsaved: deque[int] = deque()
        """Ids that were added while downloads were restored, in order."""
        self._facts: dict[str, Any] = {}
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._watch: RegistryWatch | None = None
        self.set_aside: frozenset[int] = frozenset()
        """Paused downloads that are stored as queued (``SavedSession.set_aside``)."""
        self.trouble = ""
        """Why the last changes are not written; "" while they are."""

    def follow(self, engine: Engine, context: EngineContext) -> None:
        """Note every change from now on; nothing is written yet."""
        self._engine, self._context = engine, context
        self._watch = context.registry.watch()

    def begin(self) -> None:
        """Start writing."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL_S, self._tick)

    def attach(self, first: int, keys: Collection[int], reached: int) -> None:
        """Attach restored downloads to their entries, before ``begin``.

        Args:
            first: id of the first of them; the others follow.
            keys: those of their entries, in the same order.
            reached: the highest key that was read.
        """
        added = range(self._known, first)  # meanwhile, by the user
        self._unsaved.extend(added)
        self._keys.extend(-1 for _ in added)
        self._keys.extend(keys)
        self._known = first + len(keys)
        self._first_key = reached + 1

    def start_over(self) -> None:
        """Write a new journal from the beginning."""
        self.journal = None
        self._keys = array("q")
        self._first_key = self._known = 0
        self._unsaved.clear()
        self._facts = {}

    async def close(self) -> None:
        """Write the last changes; close the engine first."""
        if self._timer is not None:
            self._timer.cancel()
            try:
                async with asyncio.timeout(CLOSE_S):
                    while self._writing is not None and not self._writing.done():
                        await asyncio.wait([self._writing])
                    await self.write()
                    if self.journal is not None:
                        await self.in_thread(self.journal.close)
            except (TimeoutError, LocalError):
                pass  # reported already; the part files are what counts
        elif self.journal is not None:
            await self.in_thread(self.journal.close)
        self._executor.shutdown(wait=False)

    async def flush(self) -> None:
        """Write all changes so far, after ``begin``; ``trouble`` is the result."""
        # One that began before these changes does not count, and the next one may begin
        # in the same turn of the loop in which this one is woken.
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        self._writing = asyncio.create_task(self._write_and_report())
        await asyncio.wait([self._writing])

    async def check_writable(self) -> None:
        """Find out before the first write whether it is possible."""
        if self.journal is None:
            reason = await self.in_thread(self._sessions.why_not_writable)
            self.trouble = reason

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a blocking function in the journal's own thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, function, *arguments)

    # -- writing ---------------------------------------------------------------------

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL_S, self._tick)
        self._ticks += 1
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write_and_report())

    async def _write_and_report(self) -> None:
        assert self._context is not None
        try:
            await self.write()
        except LocalError as error:
            trouble = str(error)
        except Exception as error:  # a bug here must not go unnoticed: nothing is saved
            trouble = f"internal error: {type(error).__name__}: {error}"
        else:
            trouble = ""
        if trouble != self.trouble:
            self.trouble = trouble
            notice = (
                Notice(NoticeCode.SESSION_NOT_SAVED, (trouble,))
                if trouble
                else Notice(NoticeCode.SESSION_SAVED_AGAIN)
            )
            self._context.bus.publish(RunNotice(self._context.clock.wall(), notice))

    async def write(self) -> None:
        """Write all changes so far, a slice at a time.

        Raises:
            LocalError: the journal cannot be written; the changes are kept for the
                next write.
        """
        assert self._context is not None
        registry = self._context.registry
        watch = self._watch
        assert watch is not None
        if not registry.downloads:
            return  # a session without downloads leaves no file
        changed = watch.take()
        if self._ticks % RUNNING_EVERY == 0:
            changed.update(transfer.download.id for transfer in registry.running)
        facts = self._new_facts()
        new = self._new_ids()
        try:
            if self.journal is None:
                self.journal = await self.in_thread(self._sessions.begin)
            while True:
                slice_new = [id for _, id in zip(range(SLICE), new, strict=False)]
                slice_old = self._take_known(changed, SLICE - len(slice_new))
                if not (slice_new or slice_old or facts):
                    return
                whole = registry.rewritten.intersection(slice_old)
                registry.rewritten -= whole
                try:
                    await self.in_thread(
                        self.journal.write,
                        list(map(self._entry, [*slice_new, *whole])),
                        [self._entry(id) for id in slice_old if id not in whole],
                        facts,
                    )
                except BaseException:
                    changed.update(slice_old)
                    registry.rewritten |= whole
                    raise
                changed.difference_update(slice_new)  # written with their changes
                self._note_written(slice_new, facts)
                facts = {}
        except BaseException:
            watch.put_back(changed)
            raise

    def _new_ids(self) -> Iterator[int]:
        """Yield the ids that are not in the journal, in order."""
        assert self._context is not None
        yield from list(self._unsaved)
        yield from range(self._known, len(self._context.registry.downloads))

    def _take_known(self, changed: set[int], limit: int) -> list[int]:
        """Take changed downloads that are in the journal; skip those to be added."""
        taken: list[int] = []
        while changed and len(taken) < limit:
            id = changed.pop()
            is_unsaved = id < len(self._keys) and self._keys[id] < 0
            if id < self._known and not is_unsaved:
                taken.append(id)
        return taken

    def _note_written(self, new: list[int], facts: dict[str, Any]) -> None:
        """Remember what is in the journal now."""
        self._facts |= facts
        for id in new:
            if id >= self._known:
                self._known = id + 1
            else:
                self._unsaved.popleft()
                self._keys[id] = self._key(id)

    def _key(self, id: int) -> int:
        key = self._keys[id] if id < len(self._keys) else -1
        return key if key >= 0 else self._first_key + id

    def _entry(self, id: int) -> JournalEntry:
        assert self._context is not None
        context = self._context
        download: Download = context.registry.downloads[id]
        job = context.registry.jobs.get(id)
        limiter = job.limiter if job is not None else None
        state = download.state
        if state is DownloadState.PAUSED and id in self.set_aside:
            state = DownloadState.QUEUED
        return JournalEntry(
            self._key(id),
            download.request,
            state,
            download.queue_key,
            download.url,
            download.name,
            download.directory,
            download.size,
            download.received,
            download.status,
            download.error,
            download.error_kind,
            encode_notice(download.note),
            0 if job is None else job.segments,
            None if limiter is None else limiter.rate,
            download.started_at,
            download.finished_at,
            is_removed=id in context.registry.removed,
        )

    def _new_facts(self) -> dict[str, Any]:
        """Return facts about the session that are not in the journal yet."""
        assert self._context is not None
        assert self._engine is not None
        context, settings = self._context, self._context.settings
        headers, withheld = split_headers(settings.headers)
        paused = self._engine.paused_by_user
        facts: dict[str, Any] = {
            "title": self.title,
            "expected": self.expected,
            "output_dir": os.path.abspath(settings.output_dir),
            "settings": {
                **{name: getattr(settings, name) for name in SETTINGS},
                "on_exists": settings.on_exists.value,
                "verify": settings.verify.value,
                "ca_file": str(settings.ca_file.absolute()) if settings.ca_file else "",
                "headers": [list(pair) for pair in headers],
                "user_agent": settings.user_agent,
                "concurrency": context.limits.concurrency,
                "auto": self._engine.is_auto,
                "per_host": context.queue.per_host,
                "segments": context.limits.segments,
                "rate_limit": context.limiter.rate,
                "writers": context.writer.snapshot().writers,
            },
            "withheld": withheld,
            "held": None if paused is None else list(map(self._key, paused)),
        }
        return {
            k: v
            for k, v in facts.items()
            if k not in self._facts or self._facts[k] != v
        }

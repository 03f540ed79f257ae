"""Keeps the journal of a session true while it runs.

The ledger notes which downloads changed; once a second their state is taken down on
the loop and written by a thread, in slices: while Python code runs there the loop may
wait for it (one interpreter lock), so each piece of it is kept to 2 ms or so.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from tui.core.errors import LocalError
from tui.core.events import RunNotice
from tui.core.notices import Notice, NoticeCode, encode_notice
from tui.disk.state.journal import JournalEntry, split_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tui.core.download import Download
    from tui.disk.state.journal import Journal
    from tui.disk.state.sessions import Sessions
    from tui.engine.context import EngineContext
    from tui.engine.engine import Engine

T = TypeVar("T")

INTERVAL_S = 1.0
"""Between two writings: what a SIGKILL can cost."""
SLICE = 250
"""Entries written in one transaction: 2 ms of a thread."""
RUNNING_EVERY = 5
"""Intervals after which the byte counts of running downloads are written, too; only
for the eye, since their part files know better."""
CLOSE_S = 5.0
"""How long the last writing may keep a person waiting."""
SETTINGS = (
    "concurrency",
    "per_host",
    "segments",
    "retries",
    "timeout_s",
    "rate_limit",
    "fsync",
    "writers",
)
"""Numbers and switches that the next run takes over."""


class JournalWriter:
    """Writes what happens to the downloads of one engine into a journal."""

    def __init__(
        self, sessions: Sessions, journal: Journal | None, title: str = ""
    ) -> None:
        """Take where sessions are kept and what is already open.

        Args:
            sessions: makes a journal when there is something to write.
            journal: of the session that goes on; ``None`` for a new one.
            title: what is downloaded, in words.
        """
        self._sessions = sessions
        self.journal = journal
        self.title = title
        self._executor = ThreadPoolExecutor(1, "fetchtui-journal")
        self._engine: Engine | None = None
        self._context: EngineContext | None = None
        self._keys = array("q")
        """Key in the journal by id, for downloads of an earlier run; -1 for others."""
        self._first_key = 0
        """What the key of a new download is counted from."""
        self._known = 0
        """Ids below it are in the journal, but for ``_unsaved``."""
        self._unsaved: dict[int, None] = {}
        self._facts: dict[str, Any] = {}
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the last changes are not written; "" while they are."""

    def follow(self, engine: Engine, context: EngineContext) -> None:
        """Take note of every change from now on; nothing is written yet."""
        self._engine, self._context = engine, context
        context.registry.changed = set()

    def begin(self) -> None:
        """Write from now on."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL_S, self._tick)

    def adopt(self, first: int, keys: Collection[int], reached: int) -> None:
        """Learn which entries downloads of an earlier run have, before ``begin``.

        Args:
            first: id of the first of them; the others follow on.
            keys: of their entries, in order.
            reached: the highest key that was read.
        """
        added = range(self._known, first)  # meanwhile, by a person
        self._unsaved.update(dict.fromkeys(added))
        self._keys.extend(-1 for _ in added)
        self._keys.extend(keys)
        self._known = first + len(keys)
        self._first_key = reached + 1

    def forsake(self) -> None:
        """Go on with another journal, written from the beginning."""
        self.journal = None
        self._keys = array("q")
        self._first_key = self._known = 0
        self._unsaved.clear()
        self._facts = {}

    async def close(self) -> None:
        """Write the last changes, which an engine that is closed has behind it."""
        if self._timer is not None:
            self._timer.cancel()
            try:
                async with asyncio.timeout(CLOSE_S):
                    if self._writing is not None:
                        await asyncio.wait([self._writing])
                    await self.write()
                    if self.journal is not None:
                        await self.in_thread(self.journal.close)
            except (TimeoutError, LocalError):
                pass  # told already; the part files are what counts
        elif self.journal is not None:
            await self.in_thread(self.journal.close)
        self._executor.shutdown(wait=False)

    async def look_ahead(self) -> None:
        """Find out before the first writing whether there is going to be one."""
        if self.journal is None:
            reason = await self.in_thread(self._sessions.why_not_writable)
            self.trouble = reason

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call something that blocks in the journal's own thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, function, *arguments)

    # -- writing ---------------------------------------------------------------------

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL_S, self._tick)
        self._ticks += 1
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write_and_tell())

    async def _write_and_tell(self) -> None:
        assert self._context is not None
        try:
            await self.write()
        except LocalError as error:
            trouble = str(error)
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
            LocalError: the journal cannot be written; what is left is kept for the
                next time.
        """
        assert self._context is not None
        registry = self._context.registry
        assert registry.changed is not None
        if not registry.downloads:
            return  # a session that nothing was added to leaves no file
        changed, registry.changed = registry.changed, set()
        if self._ticks % RUNNING_EVERY == 0:
            changed.update(registry.running)
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
                try:
                    await self.in_thread(
                        self.journal.write,
                        list(map(self._entry, slice_new)),
                        list(map(self._entry, slice_old)),
                        facts,
                    )
                except BaseException:
                    changed.update(slice_old)
                    raise
                self._settle(slice_new, facts)
                facts = {}
        except BaseException:
            registry.changed |= changed
            raise

    def _new_ids(self) -> Iterator[int]:
        """Ids that are not in the journal now, in order."""
        assert self._context is not None
        yield from list(self._unsaved)
        yield from range(self._known, len(self._context.registry.downloads))

    def _take_known(self, changed: set[int], limit: int) -> list[int]:
        """Take changed downloads that the journal knows; drop those to be added."""
        taken: list[int] = []
        while changed and len(taken) < limit:
            id = changed.pop()
            if id < self._known and id not in self._unsaved:
                taken.append(id)
        return taken

    def _settle(self, new: list[int], facts: dict[str, Any]) -> None:
        """Remember what is in the journal now."""
        self._facts |= facts
        for id in new:
            if id >= self._known:
                self._known = id + 1
            else:
                self._unsaved.pop(id, None)

    def _key(self, id: int) -> int:
        key = self._keys[id] if id < len(self._keys) else -1
        return key if key >= 0 else self._first_key + id

    def _entry(self, id: int) -> JournalEntry:
        assert self._context is not None
        context = self._context
        download: Download = context.registry.downloads[id]
        limiter = context.own_limiters.get(id)
        return JournalEntry(
            self._key(id),
            download.request,
            download.state,
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
            context.own_segments.get(id, 0),
            None if limiter is None else limiter.rate,
            download.started_at,
            download.finished_at,
            is_dropped=id in context.registry.dropped,
        )

    def _new_facts(self) -> dict[str, Any]:
        """Facts about the session that are not in the journal yet."""
        assert self._context is not None
        assert self._engine is not None
        context, settings = self._context, self._context.settings
        headers, withheld = split_headers(settings.headers)
        held = self._engine.held
        facts: dict[str, Any] = {
            "title": self.title,
            "output_dir": os.path.abspath(settings.output_dir),
            "settings": {
                **{name: getattr(settings, name) for name in SETTINGS},
                "on_exists": settings.on_exists.value,
                "verify": settings.verify.value,
                "ca_file": str(settings.ca_file.absolute()) if settings.ca_file else "",
                "headers": [list(pair) for pair in headers],
                "concurrency": context.concurrency,
                "per_host": context.queue.per_host,
                "segments": context.segments,
                "rate_limit": context.limiter.rate,
                "writers": context.writer.snapshot().writers,
            },
            "withheld": withheld,
            "held": None if held is None else list(map(self._key, held)),
        }
        return {
            k: v
            for k, v in facts.items()
            if k not in self._facts or self._facts[k] != v
        }

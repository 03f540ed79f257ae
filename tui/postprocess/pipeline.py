"""Follows the downloads and does what the user wants to follow them.

A finished file goes through it in this order: server's time, unpacking, the command for
what is done. Each stage does little at once and keeps the rest in a queue, so a list of
100,000 costs a queue and not a storm of processes. Nothing here changes a file that was
downloaded, and what fails here fails for itself alone: the download stays done, its row
says what went wrong, and the exit status is 1.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, DownloadState
from tui.core.events import (
    Cancelled,
    Done,
    DownloadNotice,
    Failed,
    Queued,
    RunNotice,
)
from tui.core.notices import Notice, NoticeCode
from tui.core.text.plain_text import plain
from tui.messages import notice_text
from tui.postprocess.hooks import Ended, HookRunner, placeholder_notice
from tui.postprocess.job_queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.settings import Settings
    from tui.postprocess.log_file import LogFile
    from tui.postprocess.unpack.pool import UnpackPool

log = logging.getLogger(__name__)

_HEAR_S = 0.05
"""Events are taken in batches this far apart."""
_REST_S = 0.5
"""Everything must have ended for this long: somebody may be adding more."""
_LOG_S = 5.0
"""For the log's disk, at the very end."""
_TOLD_AT_MOST = 5
_PENDING = ACTIVE | {DownloadState.QUEUED, DownloadState.WAITING}
_PRESENT = {NoticeCode.ALREADY_PRESENT, NoticeCode.EXISTING_KEPT}
_PLURAL = {"command": "commands", "archive": "archives", "time": "times"}
_WENT_WRONG = {
    "command": "failed",
    "archive": "not unpacked",
    "time": "not set",
}


def follow(service: DownloadService, settings: Settings) -> Pipeline | None:
    """Begin to follow; ``None`` if nothing is to follow a download.

    Call it before anything is added. Then nobody listens for it, and events cost as
    much as ever.
    """
    wishes = (
        settings.hooks.has_any,
        settings.notify,
        settings.unpack,
        settings.server_time,
        settings.log_file is not None,
    )
    return Pipeline(service, settings) if any(wishes) else None


class Pipeline:
    """What follows the downloads of a run (``core.postprocess.Aftermath``)."""

    def __init__(self, service: DownloadService, settings: Settings) -> None:
        """Listen from now on; needs the running loop."""
        self._service = service
        self._settings = settings
        self._subscription = service.subscribe()
        self._hooks = HookRunner(settings.hooks, service, self._blame)
        self._timing: JobQueue[list[DownloadId]] = JobQueue(1, self._set_times)
        self._unpacking: JobQueue[DownloadId] = JobQueue(1, self._unpack)
        self._telling: JobQueue[str] = JobQueue(1, self._notify)
        self._unpacker: UnpackPool | None = None
        self._log: LogFile | None = None
        if settings.unpack:
            from tui.postprocess.unpack.pool import AT_ONCE, UnpackPool

            self._unpacker = UnpackPool(is_synced=settings.fsync)
            self._unpacking = JobQueue(AT_ONCE, self._unpack)
        if settings.log_file is not None:
            self._open_log()
        self._write: Callable[[str], None] | None = None
        self._failed: Counter[str] = Counter()
        self._reasons: list[str] = []
        self._advice: list[str] = []
        self._here: set[DownloadId] = set()
        """Those that were there before, until their end comes by."""
        self._has_news = False
        self._is_closed = False
        """Something ended since the end of everything was told."""
        if (notice := placeholder_notice(settings.hooks)) is not None:
            service.notify(notice)
            self._advice = [f"afterwards: {notice_text(notice)}"]
        self._task = asyncio.ensure_future(self._follow())

    # -- for the faces ---------------------------------------------------------------

    @property
    def failures(self) -> int:
        """Commands, archives and times that went wrong so far."""
        return self._failed.total()

    def waiting_for(self) -> str:
        """Say what is left to do; "" for nothing."""
        left = {"command": len(self._hooks), "archive": len(self._unpacking)}
        parts = [_count(number, kind) for kind, number in left.items() if number]
        return " and ".join(parts)

    def summary(self) -> list[str]:
        """Say in a few lines what went wrong or was left undone."""
        parts = [
            f"{_count(number, kind)} {_WENT_WRONG[kind]}"
            for kind, number in self._failed.items()
        ]
        if left := self.waiting_for():
            parts.append(f"{left} left undone")
        if self._hooks.left_out:
            parts.append(f"{_count(self._hooks.left_out, 'command')} not run")
        if not parts:
            return self._advice
        lines = [*self._advice, f"afterwards: {', '.join(parts)}"]
        lines += [f"  {reason}" for reason in self._reasons]
        more = self.failures - len(self._reasons)
        return [*lines, f"  and {more:,} more"] if more > 0 else lines

    def use_terminal(self, write: Callable[[str], None] | None) -> None:
        """Send what goes to the terminal through ``write``; ``None`` sends nothing."""
        self._write = write

    async def settle(self) -> None:
        """Return when nothing is left to do, and the end of the run is told."""
        while True:
            self._take()
            await self._timing.idle()
            await self._unpacking.idle()
            await self._hooks.idle()
            self._tell_end()
            await self._hooks.idle()
            await self._telling.idle()
            self._take()
            if not (self._timing or self._unpacking or self._hooks or self._is_over()):
                break
        if self._log is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOG_S):
                    await self._log.flush()

    def end_at_once(self) -> None:
        """Kill every command; the unpacking processes see it and clear up."""
        self._hooks.end_at_once()

    async def close(self) -> None:
        """Stop listening, end every command and process, write the log's last lines.

        Safe to call twice.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._timing.idle()
        if self._unpacker is not None:
            await asyncio.gather(self._unpacking.close(), self._unpacker.close())
        await asyncio.gather(self._hooks.close(), self._telling.close())
        if self._log is not None:
            self._log.take(self._subscription.drain())
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOG_S):
                    await self._log.close()
        self._subscription.close()

    # -- hearing ---------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            if self._has_news:
                # Nothing may come any more, and yet the end is to be told.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_REST_S):
                        await self._subscription.wait()
            else:
                await self._subscription.wait()
            await asyncio.sleep(_HEAR_S)
            try:
                is_busy = self._timing or self._unpacking or self._hooks
                if not self._take() and not is_busy:
                    self._tell_end()
            except Exception:
                log.exception("fault in what follows a download")

    def _take(self) -> bool:
        """Take in what happened; tell whether there was anything."""
        events = self._subscription.drain()
        if not events:
            return False
        if self._log is not None:
            self._log.take(events)
        done: list[DownloadId] = []
        for event in events:
            if isinstance(event, Done):
                self._has_news = True
                done.append(event.id)
            elif isinstance(event, Failed):
                self._has_news = True
                told = Ended(event.id, False, event.error, event.error_kind)
                self._hooks.push(told)
            elif isinstance(event, Cancelled):
                self._has_news = True
            elif isinstance(event, Queued):
                self._here.discard(event.id)
            elif isinstance(event, DownloadNotice) and event.notice.code in _PRESENT:
                self._here.add(event.id)
        self._begin(done)
        return True

    # -- the stages of a finished file -----------------------------------------------

    def _begin(self, done: list[DownloadId]) -> None:
        if done and self._settings.server_time:
            self._timing.push(done)
            return
        for id in done:
            self._after_time(id)

    async def _set_times(self, ids: list[DownloadId]) -> None:
        from tui.postprocess.mtime import set_times

        details = [self._service.detail(id) for id in ids if id not in self._here]
        wishes = [
            (detail.row.id, detail.path, detail.modified_at)
            for detail in details
            if detail.modified_at is not None
        ]
        for id, reason in await asyncio.to_thread(set_times, wishes):
            self._blame("time", id, Notice(NoticeCode.TIME_NOT_SET, (reason,)))
        for id in ids:
            self._after_time(id)

    def _after_time(self, id: DownloadId) -> None:
        if self._unpacker is not None:
            from tui.postprocess.unpack.names import stem_of

            if stem_of(self._service.rows([id])[0].name) is not None:
                self._unpacking.push(id)
                return
        self._after_unpacking(id, "")

    async def _unpack(self, id: DownloadId) -> None:
        from tui.postprocess.unpack.names import UnpackError, stem_of

        assert self._unpacker is not None
        path = self._service.detail(id).path
        folder, name = os.path.split(path)
        stem = stem_of(name) or name
        if id in self._here and await asyncio.to_thread(
            os.path.lexists, os.path.join(folder, stem)
        ):
            self._after_unpacking(id, "")  # an earlier run has done it
            return
        self._service.add_note(id, Notice(NoticeCode.UNPACKING), is_news=False)

        def show(share: float) -> None:
            notice = Notice(NoticeCode.UNPACKING_PROGRESS, (share,))
            self._service.add_note(id, notice, is_news=False)

        directory = ""
        try:
            directory, entries, _ = await self._unpacker.unpack(path, stem, show)
        except UnpackError as error:
            self._blame("archive", id, Notice(NoticeCode.NOT_UNPACKED, (str(error),)))
        except asyncio.CancelledError:
            stopped = Notice(NoticeCode.UNPACKING_STOPPED)
            self._service.add_note(id, stopped, is_news=False)
            raise
        else:
            values = (entries, os.path.basename(directory))
            self._service.add_note(id, Notice(NoticeCode.UNPACKED, values))
        self._after_unpacking(id, directory)

    def _after_unpacking(self, id: DownloadId, directory: str) -> None:
        if id in self._here:
            self._here.discard(id)
            return  # its command ran when it was fetched
        self._hooks.push(Ended(id, True, unpacked=directory))

    # -- the end of everything -------------------------------------------------------

    def _is_over(self) -> bool:
        """Whether everything has ended and that was not told yet."""
        if not self._has_news:
            return False
        counts = self._service.snapshot().counts
        return not any(counts[state] for state in _PENDING)

    def _tell_end(self) -> None:
        if not self._is_over():
            return
        self._has_news = False
        self._hooks.push_all_done()
        if self._settings.notify:
            from tui.postprocess.notification import words

            self._telling.push(words(self._service.snapshot()))

    async def _notify(self, text: str) -> None:
        from tui.postprocess.notification import notify

        await notify(text, self._write)

    # -- what went wrong -------------------------------------------------------------

    def _blame(self, kind: str, id: DownloadId | None, notice: Notice) -> None:
        self._failed[kind] += 1
        if id is None:
            self._service.notify(notice)
        else:
            self._service.add_note(id, notice)
        if len(self._reasons) < _TOLD_AT_MOST:
            name = "" if id is None else plain(self._service.rows([id])[0].name, 60)
            reason = notice_text(notice)
            self._reasons.append(f"{name}: {reason}" if name else reason)

    def _open_log(self) -> None:
        from tui.postprocess.log_file import LogFile, first_notice

        assert self._settings.log_file is not None
        snapshot = self._service.snapshot()
        self._log = LogFile(
            self._settings.log_file, self._service, self._service.notify
        )
        now = RunNotice(time.time(), first_notice(snapshot.output_dir))
        self._log.take([now])


def _count(number: int, kind: str) -> str:
    return f"{number:,} {kind if number == 1 else _PLURAL[kind]}"

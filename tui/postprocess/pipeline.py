"""Run the post-processing that the user enabled, as downloads finish.

A finished file passes these stages: modification time, unpacking, upload, hook. Each
stage does little concurrently and queues the rest, so a list of 100,000 costs a queue
and not 100,000 processes. Nothing here changes a downloaded file, but an upload to an
object store removes it from this machine. A failure has no other
effect: the download stays done, its row shows the reason, and the exit status is 1.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, DownloadState
from tui.core.errors import FetchError
from tui.core.events import (
    Cancelled,
    Done,
    DownloadNotice,
    Failed,
    Queued,
    RunNotice,
)
from tui.core.notices import Notice, NoticeCode
from tui.core.postprocess import is_wanted
from tui.core.rules.exit_status import INTERRUPTED
from tui.core.text.sanitize import sanitize
from tui.messages import notice_text
from tui.postprocess.hooks import Ended, HookRunner, placeholder_notice
from tui.postprocess.job_queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tui.cloud.upload import Uploader
    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.settings import Settings
    from tui.postprocess.log_file import LogFile
    from tui.postprocess.unpack.pool import UnpackPool


log = logging.getLogger(__name__)

_EVENT_INTERVAL_S = 0.05
"""Interval between batches of events."""
_QUIET_S = 0.5
"""Time without events after which the run counts as over; more may be added before."""
_LOG_S = 5.0
"""Time for the log's disk, at the very end."""
_SHOWN_FAILURES = 5
_PENDING = ACTIVE | {DownloadState.QUEUED, DownloadState.WAITING}
_PRESENT = {NoticeCode.ALREADY_PRESENT, NoticeCode.EXISTING_KEPT}
_PLURAL = {
    "hook": "hooks",
    "archive": "archives",
    "timestamp": "timestamps",
    "upload": "uploads",
}
_UPLOADS_AT_ONCE = 8
_FAILURE_TEXT = {
    "hook": "failed",
    "archive": "not unpacked",
    "timestamp": "not set",
    "upload": "failed",
}


def start_pipeline(
    service: DownloadService, settings: Settings, uploader: Uploader | None = None
) -> Pipeline | None:
    """Start the pipeline; return ``None`` if no post-processing is enabled.

    Call it before anything is added. Without a pipeline there is no subscription, and
    so no cost per event.
    """
    if uploader is None and not is_wanted(settings):
        return None
    return Pipeline(service, settings, uploader)


class Pipeline:
    """The post-processing of a run (implements ``core.postprocess.PostProcessor``)."""

    def __init__(
        self,
        service: DownloadService,
        settings: Settings,
        uploader: Uploader | None = None,
    ) -> None:
        """Subscribe to events; needs the running loop."""
        self._service = service
        self._settings = settings
        self._subscription = service.subscribe()
        self._hooks = HookRunner(settings.hooks, service, self._report_failure)
        self._timing: JobQueue[list[DownloadId]] = JobQueue(1, self._set_times)
        self._unpacking: JobQueue[DownloadId] = JobQueue(1, self._unpack)
        self._notifying: JobQueue[str] = JobQueue(1, self._notify)
        self._uploader = uploader
        self._uploading: JobQueue[DownloadId] = JobQueue(_UPLOADS_AT_ONCE, self._upload)
        self._unpacker: UnpackPool | None = None
        self._log: LogFile | None = None
        if settings.unpack:
            from tui.postprocess.unpack.pool import AT_ONCE, UnpackPool

            self._unpacker = UnpackPool(is_synced=settings.fsync)
            self._unpacking = JobQueue(AT_ONCE, self._unpack)
        if settings.log_file is not None:
            self._open_log()
        self._write: Callable[[str], None] | None = None
        self._undelivered = ""
        """A notification that came before there was a terminal to show it."""
        self._failed: Counter[str] = Counter()
        self._reasons: list[str] = []
        self._advice: list[str] = []
        self._already_present: set[DownloadId] = set()
        """Downloads whose file already existed, until their Done event."""
        self._has_unannounced_end = False
        """True if a download ended since the last announcement that all is done."""
        self._is_closed = False
        if (notice := placeholder_notice(settings.hooks)) is not None:
            service.notify(notice)
            self._advice = [f"post-processing: {notice_text(notice)}"]
        self._task = asyncio.ensure_future(self._process_events())

    # -- for the front ends ------------------------------------------------------------

    @property
    def failures(self) -> int:
        """Return the number of failed hooks, archives and timestamps."""
        return self._failed.total()

    def waiting_for(self) -> str:
        """Describe the remaining work; "" if there is none."""
        left = {
            "hook": len(self._hooks),
            "archive": len(self._unpacking),
            "upload": len(self._uploading),
        }
        parts = [_count(number, kind) for kind, number in left.items() if number]
        return " and ".join(parts)

    def summary(self) -> list[str]:
        """Return a few lines about failed or unfinished work."""
        parts = [
            f"{_count(number, kind)} {_FAILURE_TEXT[kind]}"
            for kind, number in self._failed.items()
        ]
        if left := self.waiting_for():
            parts.append(f"{left} unfinished")
        if self._hooks.skipped:
            parts.append(f"{_count(self._hooks.skipped, 'hook')} not run")
        if not parts:
            return self._advice
        lines = [*self._advice, f"post-processing: {', '.join(parts)}"]
        lines += [f"  {reason}" for reason in self._reasons]
        more = self.failures - len(self._reasons)
        return [*lines, f"  and {more:,} more"] if more > 0 else lines

    def use_terminal(self, write: Callable[[str], None] | None) -> None:
        """Write terminal notifications with ``write``; ``None`` disables them."""
        self._write = write
        if write is not None and self._undelivered:
            self._notifying.push(self._undelivered)
            self._undelivered = ""

    async def drain(self) -> None:
        """Wait until all work is done, including that for the end of the run."""
        while True:
            self._handle_events()
            await self._timing.idle()
            await self._unpacking.idle()
            await self._uploading.idle()
            await self._hooks.idle()
            self._announce_end()
            await self._hooks.idle()
            await self._notifying.idle()
            self._handle_events()
            queues = self._timing, self._unpacking, self._uploading, self._hooks
            if not (any(queues) or self._is_over()):
                break
        if self._log is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOG_S):
                    await self._log.flush()

    def kill_all(self) -> None:
        """Kill every hook; the unpacking processes notice the exit and clean up."""
        self._hooks.kill_all()

    async def close(self) -> None:
        """Unsubscribe, stop hooks and unpacking processes, and finish the log.

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
        # An upload that is stopped leaves no object; its file stays for the next run.
        await self._uploading.close()
        await asyncio.gather(self._hooks.close(), self._notifying.close())
        if self._log is not None:
            self._log.take(self._subscription.drain())
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOG_S):
                    await self._log.close()
        self._subscription.close()

    # -- events ------------------------------------------------------------------------

    async def _process_events(self) -> None:
        while True:
            if self._has_unannounced_end:
                # There may be no further event, but the end must be announced.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_QUIET_S):
                        await self._subscription.wait()
            else:
                await self._subscription.wait()
            await asyncio.sleep(_EVENT_INTERVAL_S)
            try:
                is_busy = (
                    self._timing or self._unpacking or self._uploading or self._hooks
                )
                if not self._handle_events() and not is_busy:
                    self._announce_end()
            except Exception:
                log.exception("error in post-processing")

    def _handle_events(self) -> bool:
        """Handle new events; return True if there were any."""
        events = self._subscription.drain()
        if not events:
            return False
        if self._log is not None:
            self._log.take(events)
        done: list[DownloadId] = []
        for event in events:
            if isinstance(event, Done):
                self._has_unannounced_end = True
                done.append(event.id)
            elif isinstance(event, Failed):
                self._has_unannounced_end = True
                reason = Ended(event.id, False, event.error, event.error_kind)
                self._hooks.push(reason)
            elif isinstance(event, Cancelled):
                self._has_unannounced_end = True
            elif isinstance(event, Queued):
                self._already_present.discard(event.id)
            elif isinstance(event, DownloadNotice) and event.notice.code in _PRESENT:
                self._already_present.add(event.id)
        self._start_stages(done)
        return True

    # -- the stages of a finished file -----------------------------------------------

    def _start_stages(self, done: list[DownloadId]) -> None:
        if done and self._settings.server_time:
            self._timing.push(done)
            return
        for id in done:
            self._after_time(id)

    async def _set_times(self, ids: list[DownloadId]) -> None:
        times: dict[str, list[tuple[DownloadId, str, float]]] = {}
        for id in ids:
            if id not in self._already_present:
                detail = self._service.detail(id)
                if detail.modified_at is not None:
                    row = detail.row
                    entry = (id, row.name, detail.modified_at)
                    times.setdefault(row.directory, []).append(entry)
        for entries in times.values():
            for id, reason in await self._set_times_in_folder(entries):
                notice = Notice(NoticeCode.TIME_NOT_SET, (reason,))
                self._report_failure("timestamp", id, notice)
        for id in ids:
            self._after_time(id)

    async def _set_times_in_folder(
        self, entries: list[tuple[DownloadId, str, float]]
    ) -> list[tuple[DownloadId, str]]:
        from tui.postprocess.mtime import set_times

        try:
            folder = await self._service.open_folder(entries[0][0])
        except FetchError as error:
            return [(id, str(error)) for id, _, _ in entries]
        try:
            return await asyncio.to_thread(set_times, folder, entries)
        finally:
            os.close(folder)

    def _after_time(self, id: DownloadId) -> None:
        if self._unpacker is not None:
            from tui.postprocess.unpack.extract_dir import stem_of

            if stem_of(self._service.rows([id])[0].name) is not None:
                self._unpacking.push(id)
                return
        self._after_unpacking(id, "")

    async def _unpack(self, id: DownloadId) -> None:
        directory = ""
        try:
            folder = await self._service.open_folder(id)
        except FetchError as error:
            self._report_not_unpacked(id, str(error))
        else:
            try:
                directory = await self._unpack_in(folder, id)
            finally:
                os.close(folder)
        self._after_unpacking(id, directory)

    async def _unpack_in(self, folder: int, id: DownloadId) -> str:
        """Unpack an archive; return the path of its folder, or "" if there is none."""
        from tui.postprocess.unpack.extract_dir import UnpackError, stem_of

        assert self._unpacker is not None
        path = self._service.detail(id).path
        name = os.path.basename(path)
        stem = stem_of(name) or name
        if id in self._already_present and await asyncio.to_thread(
            _has_entry, folder, stem
        ):
            return ""  # an earlier run unpacked it
        self._service.add_note(id, Notice(NoticeCode.UNPACKING), is_news=False)

        def show(progress: float) -> None:
            notice = Notice(NoticeCode.UNPACKING_PROGRESS, (progress,))
            self._service.add_note(id, notice, is_news=False)

        try:
            unpacked = await self._unpacker.unpack(path, folder, stem, show)
        except UnpackError as error:
            self._report_not_unpacked(id, str(error))
            return ""
        except asyncio.CancelledError:
            stopped = Notice(NoticeCode.UNPACKING_STOPPED)
            self._service.add_note(id, stopped, is_news=False)
            raise
        directory = unpacked.directory
        values = (unpacked.entries, os.path.basename(directory))
        self._service.add_note(id, Notice(NoticeCode.UNPACKED, values))
        return directory

    def _report_not_unpacked(self, id: DownloadId, reason: str) -> None:
        notice = Notice(NoticeCode.NOT_UNPACKED, (reason,))
        self._report_failure("archive", id, notice)

    async def _upload(self, id: DownloadId) -> None:
        """Upload a finished file, note it, and remove it from this machine."""
        from tui.cloud.errors import CloudError
        from tui.cloud.upload import Uploaded, request_digest

        assert self._uploader is not None
        detail = self._service.detail(id)
        row = detail.row
        name = f"{row.directory}/{row.name}" if row.directory else row.name
        self._service.add_note(id, Notice(NoticeCode.UPLOADING), is_news=False)
        try:
            size = (await asyncio.to_thread(os.stat, detail.path)).st_size
            key = await self._uploader.upload(Path(detail.path), name)
            digest = request_digest(self._service.request(id))
            uploaded = Uploaded(digest, name, key, size)
            await asyncio.to_thread(self._uploader.note, uploaded)
            await asyncio.to_thread(os.unlink, detail.path)
        except (CloudError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            notice = Notice(NoticeCode.NOT_UPLOADED, (reason,))
            self._report_failure("upload", id, notice)
            return
        address = self._uploader.address
        where = f"{address.scheme}://{address.bucket}/{key}"
        self._service.add_note(id, Notice(NoticeCode.UPLOADED, (where,)))
        self._already_present.discard(id)
        self._hooks.push(Ended(id, True, unpacked=""))

    def _after_unpacking(self, id: DownloadId, directory: str) -> None:
        if self._uploader is not None:
            # Also a file of an earlier run, which may have ended before its upload.
            self._uploading.push(id)
            return
        if id in self._already_present:
            self._already_present.discard(id)
            return  # its hook ran when it was downloaded
        self._hooks.push(Ended(id, True, unpacked=directory))

    # -- the end of the run ------------------------------------------------------------

    def _is_over(self) -> bool:
        """Return True if all downloads have ended and that is not announced yet."""
        if not self._has_unannounced_end:
            return False
        counts = self._service.snapshot().counts
        return not any(counts[state] for state in _PENDING)

    def _announce_end(self) -> None:
        if not self._is_over():
            return
        self._has_unannounced_end = False
        self._hooks.push_all_done()
        if self._settings.notify:
            from tui.postprocess.notification import words

            self._notifying.push(words(self._service.snapshot()))

    async def _notify(self, text: str) -> None:
        from tui.postprocess.notification import notify

        if not await notify(text, self._write):
            self._undelivered = text

    # -- failures ----------------------------------------------------------------------

    def _report_failure(self, kind: str, id: DownloadId | None, notice: Notice) -> None:
        self._failed[kind] += 1
        if id is None:
            self._service.notify(notice)
        else:
            self._service.add_note(id, notice)
        if len(self._reasons) < _SHOWN_FAILURES:
            name = "" if id is None else sanitize(self._service.rows([id])[0].name, 60)
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


def _has_entry(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _count(number: int, kind: str) -> str:
    return f"{number:,} {kind if number == 1 else _PLURAL[kind]}"


# -- for front ends --------------------------------------------------------------------


@asynccontextmanager
async def post_processing(
    service: DownloadService, settings: Settings, uploader: Uploader | None = None
) -> AsyncIterator[Pipeline | None]:
    """Post-process downloads within the block; yields ``None`` if nothing is enabled.

    Enter it before anything is added, and leave it before the engine is closed.
    """
    pipeline = start_pipeline(service, settings, uploader)
    try:
        yield pipeline
    finally:
        if pipeline is not None:
            await pipeline.close()


async def finish_post_processing(
    pipeline: Pipeline | None, status: int, show: Callable[[str], None]
) -> int:
    """Wait for the remaining work, unless the run was interrupted.

    Args:
        pipeline: ``None`` if nothing is enabled.
        status: the front end's exit status.
        show: prints a line.

    Returns:
        The exit status: 1 instead of 0 if post-processing failed.
    """
    if pipeline is None:
        return status
    if status != INTERRUPTED:
        if sys.stderr is not None and sys.stderr.isatty():
            pipeline.use_terminal(_write_to_stderr)
        if left := pipeline.waiting_for():
            show(f"waiting for {left} to finish; press Ctrl+C to stop")
        await pipeline.drain()
    for line in pipeline.summary():
        show(line)
    return 1 if status == 0 and pipeline.failures else status


def _write_to_stderr(sequence: str) -> None:
    sys.stderr.write(sequence)
    sys.stderr.flush()

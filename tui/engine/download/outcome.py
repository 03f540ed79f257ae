"""Applies how an attempt ended: done, failed, or another attempt after a wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, Download, DownloadState
from tui.core.errors import ErrorKind, FetchError, LocalError
from tui.core.events import Done, Failed, Retrying, Verified
from tui.core.notices import Notice, NoticeCode, PauseReason
from tui.core.request import origin_of
from tui.engine.download.retry import RetryPolicy, refuse_long_wait
from tui.engine.notices import add_note
from tui.engine.scheduling.queue import may_show_overload
from tui.net.backoff import pause_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.request import Checksum
    from tui.disk.small_files import SmallFile
    from tui.engine.context import EngineContext
    from tui.engine.job import Job

SERVING_S = 1.0
"""A host that sent another download something so recently is up."""
BREAKS = frozenset(
    {
        ErrorKind.RESET,
        ErrorKind.REFUSED,
        ErrorKind.STALLED,
        ErrorKind.TRUNCATED,
        ErrorKind.CONNECT_TIMEOUT,
    }
)
"""Errors by which an overloaded server or line shows itself."""


class AttemptOutcome:
    """Ends attempts: changes states, publishes events and starts timers for retries."""

    def __init__(
        self,
        context: EngineContext,
        requeue: Callable[[Download], None],
        pause_queue: Callable[[PauseReason], None],
        on_ended: Callable[[], None],
    ) -> None:
        """Connect it to the engine.

        Args:
            context: the run's tools.
            requeue: puts a QUEUED download into the queue.
            pause_queue: pauses the queue for a reason that concerns all downloads.
            on_ended: called after every download that ended.
        """
        self._context = context
        self._policy = RetryPolicy(context)
        self._requeue = requeue
        self._pause_queue = pause_queue
        self._on_ended = on_ended

    # -- ends ------------------------------------------------------------------------

    def done(self, job: Job) -> None:
        """End a download whose file is complete under its final name."""
        context, download = self._context, job.download
        download.error = download.error_kind = ""
        download.finished_at = context.clock.wall()
        context.registry.move(download, DownloadState.DONE)
        origin = context.queue.origins[download.origin]
        origin.done += 1
        if origin.refused:
            context.queue.end_refusal(download, is_done=True)
        if origin.learned_cap:
            context.queue.speed_up(download.origin)
        if context.bus.is_heard(Done):
            context.bus.publish(Done(download.id, download.finished_at))
        self._on_ended()

    def verified(self, download: Download, checksum: Checksum) -> None:
        """Publish that a digest is the expected one."""
        now = self._context.clock.wall()
        self._context.bus.publish(Verified(download.id, now, str(checksum)))

    def attempt_failed(self, job: Job, started_at: float, error: FetchError) -> None:
        """Plan another attempt, or end the download.

        Args:
            job: whose attempt failed; nothing works on it any more.
            started_at: wall time at which the attempt started.
            error: why it failed.
        """
        context, download = self._context, job.download
        if download.state not in ACTIVE:
            return  # the user stopped it at the same moment
        error = refuse_long_wait(error, context.settings.max_retry_after_s)
        download.error = str(error)
        download.error_kind = error.kind
        download.status = error.status or download.status
        context.registry.note_attempt(download, started_at, str(error))
        origin = context.queue.origin_state(download.origin)
        origin.errors += 1
        origin.last_error = str(error)
        if error.kind in BREAKS and (origin.done or download.received):
            # Only hosts that deliver something count: a dead one shows no overload.
            context.registry.breaks += 1
        if may_show_overload(error):
            self._throttle_origin(download, started_at, error)
        elif error.kind is ErrorKind.PROXY and error.retry_after_s is not None:
            # Of the proxy, which the next download of the origin has to use as well.
            until = context.clock.monotonic() + error.retry_after_s
            context.queue.block(download.origin, until)
        if error.kind is ErrorKind.IN_USE and job.target is not None:
            job.target.may_exist = True
        following = self._policy.after_failure(job, error)
        if following is None:
            self._fail(job, error)
            return
        if following.url != download.url:
            self._use_mirror(job, following.url)
        self._wait(job, error, wait_s=following.wait_s)

    def stored(self, job: Job, file: SmallFile, error: BaseException | None) -> None:
        """End the attempt at a small file that the writer has stored, or could not.

        The writer calls it on the loop.
        """
        context, download = self._context, job.download
        if error is None:
            context.queue.origins[download.origin].stored += file.nbytes
            if file.checksum is not None:
                self.verified(download, file.checksum)
            self.done(job)
        elif isinstance(error, FileExistsError):
            # A file of that name appeared: try again, looking at the disk first.
            assert job.target is not None
            job.target.may_exist = True
            context.registry.set_received(download, 0)
            context.registry.move(download, DownloadState.QUEUED)
            download.attempt -= 1
            self._requeue(download)
        else:
            if not isinstance(error, FetchError):
                message = f"{type(error).__name__}: {error}"
                error = LocalError(ErrorKind.DISK, message)
            context.registry.set_received(download, 0)
            self.attempt_failed(job, context.clock.wall(), error)

    def _fail(self, job: Job, error: FetchError) -> None:
        context, download = self._context, job.download
        job.end_attempts()
        download.finished_at = context.clock.wall()
        context.registry.move(download, DownloadState.FAILED)
        context.queue.origins[download.origin].failed += 1
        context.queue.end_refusal(download)
        context.bus.publish(
            Failed(download.id, download.finished_at, error.kind, str(error))
        )
        if error.kind is ErrorKind.DISK_FULL:
            self._pause_queue(PauseReason(error.kind, str(error)))
        self._on_ended()

    # -- further attempts ------------------------------------------------------------

    def close(self) -> None:
        """Cancel every planned attempt."""
        for job in self._context.registry.jobs.values():
            job.cancel_retry()

    def _use_mirror(self, job: Job, url: str) -> None:
        """Continue with another URL of the same file, and note it."""
        download = job.download
        self._context.queue.end_refusal(download)
        old, download.origin = download.origin, origin_of(url)
        download.url = url
        notice = Notice(NoticeCode.MIRROR_CHANGED, (old, url))
        add_note(self._context, download, notice)

    def _wait(self, job: Job, error: FetchError, *, wait_s: float) -> None:
        context, download = self._context, job.download
        download.retry_at_s = context.clock.monotonic() + wait_s
        context.registry.move(download, DownloadState.WAITING)
        if context.bus.is_heard(Retrying):
            context.bus.publish(
                Retrying(
                    download.id,
                    context.clock.wall(),
                    download.attempt,
                    wait_s,
                    error.kind,
                    str(error),
                )
            )
        job.retry_timer = asyncio.get_running_loop().call_later(
            wait_s, self._try_again, job
        )

    def _try_again(self, job: Job) -> None:
        job.retry_timer = None
        self._context.registry.move(job.download, DownloadState.QUEUED)
        self._requeue(job.download)

    def _throttle_origin(
        self, download: Download, asked_at: float, error: FetchError
    ) -> None:
        """Start fewer downloads from an origin that shows that it is overloaded."""
        context = self._context
        is_refused = error.kind is ErrorKind.REFUSED
        is_serving = self._is_serving(download)
        is_closed = error.kind is ErrorKind.RESET
        has_served = context.queue.origin_state(download.origin).accepted > 0
        if (is_refused or (is_closed and not has_served)) and not is_serving:
            return  # it is down, not overloaded
        is_certain = is_refused or error.retry_after_s is not None
        is_rejected = context.queue.refused(
            download,
            asked_at,
            context.clock.wall(),
            is_certain=is_certain,
            is_serving=is_serving,
        )
        wait_s = error.retry_after_s
        if wait_s is None and is_rejected:
            bursts = context.queue.origin_state(download.origin).rejected_bursts
            wait_s = pause_s(bursts, context.random)
        if wait_s is not None:
            until = context.clock.monotonic() + wait_s
            context.queue.block(download.origin, until)

    def _is_serving(self, download: Download) -> bool:
        """Return True if other downloads from the same origin receive bytes."""
        since = self._context.clock.monotonic() - SERVING_S
        return any(
            transfer.last_byte_at > since
            for transfer in self._context.registry.running
            if transfer.download is not download
            and transfer.download.origin == download.origin
        )

"""What follows an attempt: done, failed, or another try after a wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, Download, DownloadState
from tui.core.errors import (
    ErrorKind,
    FetchError,
    IntegrityError,
    LocalError,
    TransientError,
)
from tui.core.events import Done, Failed, Retrying, Verified
from tui.core.notices import HoldReason
from tui.net.backoff import next_wait_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.request import Checksum
    from tui.disk.small_files import SmallFile
    from tui.engine.context import EngineContext
    from tui.engine.download.target import TargetPath, TargetResolver

PROGRESS_BYTES = 64 << 10
"""An attempt that got this much further is no failure in a row: a long file over a
line that breaks every minute comes through in the end."""
SLOWING_STATUSES = frozenset({429, 503})
BREAKS = frozenset({"reset", "refused", "stalled", "truncated", "connect_timeout"})
"""Kinds of errors by which an overloaded server or line shows itself."""


class RetryPolicy:
    """Ends attempts: moves states, counts, tells, plans the next try."""

    def __init__(
        self,
        context: EngineContext,
        targets: TargetResolver,
        requeue: Callable[[Download], None],
        hold: Callable[[HoldReason], None],
        settled: Callable[[], None],
    ) -> None:
        """Wire it to the engine.

        Args:
            context: the run's tools.
            targets: told when a download needs its place no longer.
            requeue: puts a download (WAITING, or to be looked at again) in the queue.
            hold: stops the queue for a reason that concerns all downloads.
            settled: called after every download that ended.
        """
        self._context = context
        self._targets = targets
        self._requeue = requeue
        self._hold = hold
        self._settled = settled
        self._failures: dict[int, int] = {}
        """Failed attempts in a row without progress, by id."""
        self._best: dict[int, int] = {}
        """The most bytes that a failed attempt left behind, by id."""
        self._dead: dict[int, set[str]] = {}
        """Mirrors that failed for good, by id."""
        self._timers: dict[int, asyncio.TimerHandle] = {}

    # -- ends ------------------------------------------------------------------------

    def done(self, download: Download) -> None:
        """The final name exists and the file is whole."""
        self._end(download, DownloadState.DONE)
        lane = self._context.queue.origins[download.origin]
        lane.done += 1
        if lane.learned_cap:
            self._context.queue.speed_up(download.origin)
        self._targets.forget(download)
        if self._context.bus.is_heard(Done):
            self._context.bus.publish(Done(download.id, download.finished_at))
        self._settled()

    def verified(self, download: Download, checksum: Checksum) -> None:
        """The digest is the expected one."""
        now = self._context.clock.wall()
        self._context.bus.publish(Verified(download.id, now, str(checksum)))

    def attempt_failed(
        self, download: Download, started_at: float, error: FetchError
    ) -> None:
        """Decide between another try and the end; the worker has let go of it."""
        context = self._context
        if download.state not in ACTIVE:
            return  # a user stopped it in the same moment
        download.error = str(error)
        download.error_kind = error.kind
        download.status = error.status or download.status
        context.registry.note_attempt(download, started_at, str(error))
        lane = context.queue.origin_state(download.origin)
        lane.errors += 1
        lane.last_error = str(error)
        if error.kind in BREAKS and (lane.done or download.received):
            # Of a host that gives something: one that is dead tells nothing.
            context.breaks += 1
        if error.status in SLOWING_STATUSES:
            self._spare_origin(download, started_at, error)
        other = self._other_mirror(download, error)
        may_retry = isinstance(error, TransientError) and self._may_retry(
            download, error
        )
        if may_retry or (other and not isinstance(error, TransientError)):
            if other:
                context.use_mirror(download, other)
            self._wait(download, error, at_once=bool(other))
            return
        self._end(download, DownloadState.FAILED)
        context.queue.origins[download.origin].failed += 1
        context.bus.publish(
            Failed(download.id, download.finished_at, error.kind, str(error))
        )
        if isinstance(error, LocalError) and error.kind is ErrorKind.DISK_FULL:
            self._hold(HoldReason(error.kind, str(error)))
        self._settled()

    def stored(self, job: SmallFile, error: BaseException | None) -> None:
        """The writer has stored a small file, or could not (called on the loop)."""
        download, place = self._unpack(job)
        if error is None:
            self._context.queue.origin_state(download.origin).stored += job.nbytes
            if job.checksum is not None:
                self.verified(download, job.checksum)
            self.done(download)
        elif isinstance(error, FileExistsError):
            # Something of that name is there: take the long way, which looks first.
            place.may_exist = True
            self._context.registry.set_received(download, 0)
            self._context.registry.move(download, DownloadState.QUEUED)
            download.attempt -= 1
            self._requeue(download)
        else:
            if not isinstance(error, FetchError):
                error = LocalError("disk", f"{type(error).__name__}: {error}")
            self._context.registry.set_received(download, 0)
            self.attempt_failed(download, self._context.clock.wall(), error)

    @staticmethod
    def _unpack(job: SmallFile) -> tuple[Download, TargetPath]:
        token: tuple[Download, TargetPath] = job.token  # type: ignore[assignment]
        return token

    def _end(self, download: Download, state: DownloadState) -> None:
        if state is DownloadState.DONE:
            download.error = download.error_kind = ""
        download.finished_at = self._context.clock.wall()
        self._context.registry.move(download, state)
        self._failures.pop(download.id, None)
        self._best.pop(download.id, None)
        self._context.whole_only.discard(download.id)
        self._context.one_connection.discard(download.id)

    # -- tries -----------------------------------------------------------------------

    def forgive(self, download: Download) -> None:
        """Count tries from the beginning: a user asked for another."""
        self.stop_waiting(download)
        self._failures.pop(download.id, None)
        self._best.pop(download.id, None)
        self._dead.pop(download.id, None)
        download.attempt = 0

    def stop_waiting(self, download: Download) -> None:
        """Forget the planned try."""
        timer = self._timers.pop(download.id, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Forget every planned try."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _may_retry(self, download: Download, error: FetchError) -> bool:
        best = self._best.get(download.id, 0)
        if download.received >= best + PROGRESS_BYTES:
            self._best[download.id] = download.received
            failures = 1
        else:
            failures = self._failures.get(download.id, 0) + 1
        self._failures[download.id] = failures
        if failures == self._context.settings.retries and error.status >= 500:
            # Some servers stumble over ranges only: the last try is for the whole.
            self._context.whole_only.add(download.id)
        return failures <= self._context.settings.retries

    def _other_mirror(self, download: Download, error: FetchError) -> str | None:
        """Return a mirror that is better to go on with, if there is one.

        A mirror that failed for good (404, wrong bytes) is not asked again for this
        download; one that failed for now is, when the others have failed as often.
        """
        mirrors = download.request.mirrors
        if len(mirrors) == 1 or isinstance(error, LocalError):
            return None
        if isinstance(error, IntegrityError):
            self._context.single_source.add(download.id)
        dead = self._dead.setdefault(download.id, set())
        if not isinstance(error, TransientError):
            dead.add(download.url)
        self._context.mirrors.note_failure(download.url)
        best = self._context.mirrors.choose(mirrors, dead)
        return None if best == download.url else best

    def _wait(
        self, download: Download, error: FetchError, *, at_once: bool = False
    ) -> None:
        context = self._context
        failures = self._failures.get(download.id, 1)
        wait_s = 0.0
        if not at_once:
            wait_s = next_wait_s(failures, error.retry_after_s, context.random)
        context.registry.retries += 1
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
        self._timers[download.id] = asyncio.get_running_loop().call_later(
            wait_s, self._try_again, download
        )

    def _try_again(self, download: Download) -> None:
        self._timers.pop(download.id, None)
        self._context.registry.move(download, DownloadState.QUEUED)
        self._requeue(download)

    def _spare_origin(
        self, download: Download, asked_at: float, error: FetchError
    ) -> None:
        """Go easy on an origin that says it has too much; on no other."""
        context = self._context
        context.queue.slow_down(download.origin, asked_at, context.clock.wall())
        if error.retry_after_s is not None:
            until = context.clock.monotonic() + error.retry_after_s
            context.queue.block(download.origin, until)

"""Decides whether, where and when a failed attempt is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import ACTIVE
from tui.core.errors import (
    ErrorKind,
    FetchError,
    IntegrityError,
    LocalError,
    PermanentError,
    TransientError,
)
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.units import format_duration
from tui.engine.scheduling.queue import may_show_overload
from tui.net.backoff import next_wait_s

if TYPE_CHECKING:
    from tui.engine.context import EngineContext
    from tui.engine.job import Job

PROGRESS_BYTES = 64 << 10
"""An attempt that got this much further does not count as a failure in a row: a long
file over a line that breaks every minute arrives in the end."""
DESCRIPTOR_WAIT_S = 0.5
"""Least wait for other downloads to close their files, where no more can be opened. It
does not count as a retry, because the download has not failed."""
DESCRIPTOR_WAITS = 20, 240
"""The most such waits while no other download runs, and while one does."""
KEEP_TRIES = 3
"""Failures in a row, without progress, of the only mirror that can continue a part
file, before another one starts over."""
KEEP_WAIT_S = 30.0
"""Longest wait that this mirror may ask for meanwhile."""
_OFFLINE = frozenset({ErrorKind.DNS, ErrorKind.UNREACHABLE})
"""Errors of this machine's network, which say nothing about a mirror."""
PASSING = frozenset({ErrorKind.IN_USE})
"""Local errors that may pass: another fetchtui that writes the same file ends."""


class NextAttempt(NamedTuple):
    """Where and when to try again."""

    url: str
    """One of the request's mirrors."""
    wait_s: float


class RetryPolicy:
    """Counts the failures of each download, and plans its next attempt.

    It changes no state and publishes nothing: ``outcome`` carries out the plan.
    """

    def __init__(self, context: EngineContext) -> None:
        """Use the run's settings, mirrors, counts and random numbers."""
        self._context = context

    def after_failure(self, job: Job, error: FetchError) -> NextAttempt | None:
        """Count a failed attempt and plan the next one.

        Args:
            job: whose attempt failed.
            error: why.

        Returns:
            ``None`` if the download has failed for good.
        """
        url, random = job.download.url, self._context.random
        if error.kind is ErrorKind.DESCRIPTORS and self._frees_descriptors(job):
            job.descriptor_waits += 1
            return NextAttempt(url, DESCRIPTOR_WAIT_S * (1 + random()))
        may_repeat = False
        if isinstance(error, TransientError) or error.kind in PASSING:
            self._count_failure(job)
            may_repeat = job.failures <= self._context.settings.retries
            if job.failures == self._context.settings.retries:
                self._prepare_last(job, error)
        if len(job.download.request.mirrors) > 1 and not isinstance(error, LocalError):
            return self._try_mirrors(job, error, may_repeat=may_repeat)
        if not may_repeat:
            return None
        return NextAttempt(url, next_wait_s(job.failures, error.retry_after_s, random))

    def _frees_descriptors(self, job: Job) -> bool:
        """Return True if files may be closed soon, so that waiting for that helps.

        Other downloads close theirs, and idle connections are closed after a while.
        """
        counts = self._context.registry.counts
        others = sum(counts[state] for state in ACTIVE) - (job.download.state in ACTIVE)
        return job.descriptor_waits < DESCRIPTOR_WAITS[others > 0]

    @staticmethod
    def _count_failure(job: Job) -> None:
        """Count a failure in a row; one after enough progress is the first."""
        received = job.download.received
        if received >= job.best_received + PROGRESS_BYTES:
            job.best_received = received
            job.failures = 1
        else:
            job.failures += 1

    def _prepare_last(self, job: Job, error: FetchError) -> None:
        """Give the last attempt at this URL better chances."""
        if error.status >= 500:
            # Some servers stumble over ranges only: it asks for the whole file.
            job.whole_only = True
        if error.kind is not ErrorKind.REFUSED and may_show_overload(error):
            self._context.queue.free_slot(job.download.origin)

    def _try_mirrors(
        self, job: Job, error: FetchError, *, may_repeat: bool
    ) -> NextAttempt | None:
        """Plan an attempt at one of several mirrors.

        A mirror that failed permanently (404, wrong bytes) or as often as retries are
        allowed is not used again for this download. Every other one is tried, those
        that have failed least first; but not for a broken connection, if only the
        current one can continue what it has sent.
        """
        url, mirrors = job.download.url, self._context.mirrors
        if isinstance(error, IntegrityError):
            job.single_source = True
        if not may_repeat:
            job.note_dead(url)
        mirrors.note_failure(url)
        if may_repeat and self._keeps_mirror(job, error):
            wait_s = next_wait_s(
                job.failures, error.retry_after_s, self._context.random
            )
            return NextAttempt(url, wait_s)
        dead = job.dead_mirrors or ()
        following = mirrors.choose(job.download.request.mirrors, dead)
        if following is None:
            return None
        if following != url:
            if job.mirror_failures is None:
                job.mirror_failures = {}
            job.mirror_failures[url] = job.failures
            job.failures = job.mirror_failures.get(following, 0)
            job.whole_only = False
            if not job.failures:
                return NextAttempt(following, 0.0)  # it was not tried yet
        failures = max(1, job.failures)
        wait_s = next_wait_s(failures, error.retry_after_s, self._context.random)
        return NextAttempt(following, wait_s)

    @staticmethod
    def _keeps_mirror(job: Job, error: FetchError) -> bool:
        """Return True if another mirror would cost more than another attempt."""
        return (
            job.part_url == job.download.url
            and job.download.received >= PROGRESS_BYTES
            and (job.failures <= KEEP_TRIES or error.kind in _OFFLINE)
            and (error.retry_after_s or 0.0) <= KEEP_WAIT_S
        )


def refuse_long_wait(error: FetchError, limit_s: float) -> FetchError:
    """Return the error to report if a server asks for a wait above ``limit_s``."""
    wait_s = error.retry_after_s
    if wait_s is None or wait_s <= limit_s:
        return error
    message = f"{error}; the server asks to wait {format_duration(wait_s)}"
    return PermanentError(ErrorKind.RETRY_AFTER, message, status=error.status)

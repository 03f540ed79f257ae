"""Undoes a user's retry: a download becomes failed again, as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core import events
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.notices import Notice, NoticeCode
from tui.engine.job import Failure

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.engine.context import EngineContext
    from tui.engine.job import Job

_S = DownloadState


def note_failure(job: Job) -> None:
    """Remember why a failed download had failed, before it is retried."""
    download = job.download
    if download.state is _S.FAILED:
        job.retried_failure = Failure(
            download.error,
            download.error_kind,
            download.status,
            download.finished_at,
            download.attempt,
        )


def restore_failure(context: EngineContext, job: Job) -> bool:
    """Make a cancelled download failed again, as it was before the retry.

    Returns:
        True if it did; False if the download is done by now, or about to be.
    """
    download, failure = job.download, job.retried_failure
    if download.state is not _S.CANCELLED or failure is None:
        return False
    job.retried_failure = None
    download.error, download.error_kind = failure.error, failure.error_kind
    download.status, download.finished_at = failure.status, failure.finished_at
    download.attempt = failure.attempt
    context.registry.move(download, _S.FAILED)
    # Not Failed: nothing new failed, so no hook runs and no notification appears.
    notice = Notice(NoticeCode.RETRY_UNDONE)
    now = context.clock.wall()
    context.bus.publish(events.DownloadNotice(download.id, now, notice))
    return True


def fail_queued(context: EngineContext, download: Download, reason: str) -> None:
    """Fail a queued download that would fetch a wrong file without its secrets."""
    now = context.clock.wall()
    download.error_kind, download.error = ErrorKind.SECRET, reason
    download.finished_at = now
    context.registry.move(download, _S.FAILED)
    context.bus.publish(events.Failed(download.id, now, ErrorKind.SECRET, reason))

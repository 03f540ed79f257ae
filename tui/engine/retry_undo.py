"""What retried downloads had failed of, so that a retry can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tui.core import events
from tui.core.download import DownloadState
from tui.core.notices import Notice, NoticeCode

if TYPE_CHECKING:
    from tui.core.download import Download, DownloadId
    from tui.engine.context import EngineContext

_S = DownloadState


class _Failure(NamedTuple):
    error: str
    error_kind: str
    status: int
    finished_at: float


class RetryUndo:
    """Remembers failures that a retry wiped away."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._failures: dict[DownloadId, _Failure] = {}

    def __contains__(self, id: DownloadId) -> bool:
        return id in self._failures

    def note(self, download: Download) -> None:
        """Remember what a failed download that is tried again had failed of."""
        if download.state is _S.FAILED:
            self._failures[download.id] = _Failure(
                download.error,
                download.error_kind,
                download.status,
                download.finished_at,
            )

    def take_back(self, download: Download) -> bool:
        """Put a download that was stopped back among the failed, as it was."""
        if download.state is not _S.CANCELLED:
            return False  # it is done by now, or about to be
        failure = self._failures.pop(download.id)
        download.error, download.error_kind = failure.error, failure.error_kind
        download.status, download.finished_at = failure.status, failure.finished_at
        self._context.registry.move(download, _S.FAILED)
        now = self._context.clock.wall()
        # Not Failed: nothing new failed, so no hook runs and no toast comes up.
        notice = Notice(NoticeCode.RETRY_UNDONE)
        self._context.bus.publish(events.DownloadNotice(download.id, now, notice))
        return True

    def refuse(self, download: Download, reason: str) -> None:
        """Fail a queued download that would fetch the wrong thing or nothing."""
        now = self._context.clock.wall()
        download.error_kind, download.error = "secret", reason
        download.finished_at = now
        self._context.registry.move(download, _S.FAILED)
        self._context.bus.publish(events.Failed(download.id, now, "secret", reason))

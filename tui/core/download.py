"""A download: its states, their transitions, and its record."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tui.core.notices import Notice
    from tui.core.request import DownloadRequest

DownloadId: TypeAlias = int
"""Counts from 0 in the order of adding; unique in a run."""


class DownloadState(IntEnum):
    """State of a download."""

    QUEUED = 0
    PROBING = 1
    DOWNLOADING = 2
    WAITING = 3
    """Between two attempts (backoff or Retry-After); occupies no slot."""
    PAUSED = 4
    VERIFYING = 5
    """All bytes have arrived; checksum, sync and rename are in progress."""
    DONE = 6
    FAILED = 7
    CANCELLED = 8

    @property
    def word(self) -> str:
        """The name to show: ``downloading``."""
        return self.name.lower()


_S = DownloadState

ACTIVE = frozenset({_S.PROBING, _S.DOWNLOADING, _S.VERIFYING})
"""States that occupy a slot."""
ENDED = frozenset({_S.DONE, _S.FAILED, _S.CANCELLED})
"""States that only an action of the user changes."""
UNFINISHED = frozenset(_S) - ENDED
"""States of downloads that are still to be done, paused ones included."""

TRANSITIONS: dict[DownloadState, frozenset[DownloadState]] = {
    _S.QUEUED: frozenset({_S.PROBING, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.PROBING: frozenset(
        {
            _S.DOWNLOADING,
            _S.VERIFYING,
            _S.WAITING,
            _S.PAUSED,
            _S.DONE,
            _S.FAILED,
            _S.CANCELLED,
            _S.QUEUED,
        }
    ),
    _S.DOWNLOADING: frozenset(
        {
            _S.PROBING,
            _S.VERIFYING,
            _S.WAITING,
            _S.PAUSED,
            _S.FAILED,
            _S.CANCELLED,
            _S.QUEUED,
        }
    ),
    _S.WAITING: frozenset({_S.QUEUED, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.VERIFYING: frozenset(
        {
            _S.DOWNLOADING,
            _S.DONE,
            _S.FAILED,
            _S.WAITING,
            _S.QUEUED,
            _S.CANCELLED,
            _S.PAUSED,
        }
    ),
    _S.DONE: frozenset({_S.QUEUED}),
    _S.FAILED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.CANCELLED: frozenset({_S.QUEUED, _S.PAUSED, _S.FAILED}),
}
"""Allowed transitions. QUEUED after an ended state is a retry or an undo; PAUSED and
FAILED after CANCELLED are an undo that restores the earlier state. DOWNLOADING after
VERIFYING downloads corrupt pieces again."""


class Download:
    """The engine's record of one download; plain fields, changed only by the engine.

    It is small, since a list of 100,000 lines has as many records. Data that only an
    unfinished download needs belongs to the engine's jobs.
    """

    __slots__ = (
        "attempt",
        "directory",
        "error",
        "error_kind",
        "finished_at",
        "id",
        "kind",
        "name",
        "note",
        "origin",
        "queue_key",
        "received",
        "request",
        "retry_at_s",
        "size",
        "started_at",
        "state",
        "status",
        "url",
        "version",
    )

    def __init__(
        self, id: DownloadId, request: DownloadRequest, origin: str, name: str
    ) -> None:
        self.id = id
        self.request = request
        self.url = request.mirrors[0]
        """The URL in use; differs from the request's after a mirror switch or edit."""
        self.origin = origin
        """Origin whose limit it counts against."""
        self.name = name
        """One safe path component; a guess from the URL until the server responds."""
        self.directory = ""
        """Folder below the output directory, ``/``-separated; "" for the directory."""
        self.kind = 0
        """Number of its kind of file, by folder and extension (``engine.metrics``)."""
        self.state = DownloadState.QUEUED
        self.version = 0
        """Grows with every visible change except of byte counts."""
        self.size: int | None = request.size
        """Bytes of the whole file; ``None`` while unknown."""
        self.received = 0
        """Bytes received so far, including those of an earlier run."""
        self.attempt = 0
        """Number of the attempt; 1 for the first one of this run."""
        self.status = 0
        """HTTP status of the last response; 0 before any."""
        self.error = ""
        """Why the last attempt failed; "" if it did not."""
        self.error_kind = ""
        """The ``ErrorKind`` of that reason; "" when there is none."""
        self.note: Notice | None = None
        """The last notice about it; most downloads have none."""
        self.retry_at_s = 0.0
        """Monotonic time of the next attempt while WAITING."""
        self.queue_key = 0.0
        """Position in the queue; lower values first."""
        self.started_at = 0.0
        """Wall time of the first attempt; 0 before."""
        self.finished_at = 0.0
        """Wall time at which it ended; 0 before."""

    def __repr__(self) -> str:
        size = "?" if self.size is None else self.size
        return f"<Download {self.id} {self.state.name} {self.received}/{size}>"

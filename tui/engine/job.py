"""Everything known about one download while it is unfinished.

A list of 100,000 lines has as many ``Download`` records and only a few jobs. The
registry makes a job at a download's first attempt, or when a user sets something on it,
and drops the job when the download is done. A failed or cancelled download keeps its
job, because a retry must find its file name, its limits and its part file again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    import asyncio

    from tui.core.download import Download
    from tui.core.request import DownloadRequest
    from tui.core.settings import OnExists
    from tui.core.snapshot import SegmentSnapshot
    from tui.disk.folders import Folder
    from tui.engine.metrics.wait_times import Shares
    from tui.net.limiter import Limiter


@dataclass(slots=True)
class TargetPath:
    """The folder and the name reserved for a download in this run."""

    folder: Folder
    name: str
    may_exist: bool
    """A file of this name was on disk before, or this download has begun to write
    one."""
    is_begun: bool = False
    """The part file on disk, if any, belongs to this download."""
    is_shared: bool = False
    """The name stays reserved for an earlier download, which is done."""

    def release(self) -> None:
        """Give up the name."""
        if not self.is_shared:
            self.folder.release(self.name)


class TransferSummary(NamedTuple):
    """What the details still show of a transfer after it has ended."""

    headers: tuple[tuple[str, str], ...] = ()
    """Response headers, without those that carry secrets."""
    validator: str = ""
    http_version: str = ""
    speeds: tuple[float, ...] = ()
    """Bytes per second of each second, oldest first."""
    finished: tuple[tuple[int, int], ...] = ()
    """Half-open ranges that are in the part file."""


class Failure(NamedTuple):
    """Why a download failed, kept so that a retry can be undone."""

    error: str
    error_kind: str
    status: int
    finished_at: float
    attempt: int


class FileConnections(Protocol):
    """What the rest of the engine asks of the connections of a large file."""

    refuses_ranges: bool
    """The server gives only the whole file, so there is one connection."""

    def count(self) -> int:
        """Return the number of ranges in flight or about to be requested."""
        ...

    def wanted(self) -> int:
        """Return the number of connections that the file should have."""
        ...

    def are_lacking(self) -> bool:
        """Return True if it would use more connections than it has."""
        ...

    def could_use_another(self) -> bool:
        """Return True if one more connection would be of use to it."""
        ...

    def left_for_each(self) -> float:
        """Return the bytes still to come for each connection; 0.0 if unknown."""
        ...

    def adjust(self) -> None:
        """Open or close connections to match the current limits."""
        ...

    def use_idle(self) -> None:
        """Fetch a part of the rest on an idle connection, if that is faster."""
        ...


class RunningTransfer(Protocol):
    """What the rest of the engine asks of a transfer that is under way."""

    @property
    def download(self) -> Download:
        """The download that is being transferred."""
        ...

    @property
    def connections(self) -> FileConnections:
        """Its connections, opened and closed while it runs."""
        ...

    @property
    def last_byte_at(self) -> float:
        """Monotonic time of the last chunk."""
        ...

    def speed(self) -> float:
        """Return bytes per second, smoothed over about 3 s."""
        ...

    def steady_speed(self) -> float:
        """Return bytes per second with a long memory, for the ETA."""
        ...

    def is_measured(self) -> bool:
        """Return True once the speed can be trusted for an ETA."""
        ...

    def received_twice(self) -> int:
        """Return the received bytes that do not count, because of races."""
        ...

    def segment_snapshots(self) -> tuple[SegmentSnapshot, ...]:
        """Return the ranges in flight, by offset."""
        ...

    def finished_ranges(self) -> tuple[tuple[int, int], ...]:
        """Return the half-open ranges that are in the part file."""
        ...

    def wait_shares(self) -> Shares:
        """Return what its connections waited for in the last seconds."""
        ...

    def summary(self) -> TransferSummary:
        """Return what the details show of it."""
        ...

    def tick(self, now: float) -> None:
        """Update meters, save progress and rebalance connections."""
        ...


class Job:
    """What the engine knows about one unfinished download."""

    # Class attributes: most jobs end without changing more than a few of them.
    # -- set by the user
    segments = 0
    """Connections a user set for this download; 0 uses the limit of the run."""
    limiter: Limiter | None = None
    """Rate limit a user set for this download."""
    missing = ""
    """Why a restored download cannot be requested, such as a missing header; ""
    if it can."""
    next_request: DownloadRequest | None = None
    """Replaces the download's request when its worker has stopped."""
    next_url = ""
    """Replaces the download's URL then."""
    restarts = False
    """Queue it again then: it was stopped for a change, not by a user."""
    # -- on disk
    target: TargetPath | None = None
    is_renaming = False
    """The rename to the final name is under way: too late to stop it."""
    part_url = ""
    """The only URL that can continue the part file: its validator proves that the bytes
    are of the same file. "" if there is none, or a checksum proves it for all mirrors.
    """
    # -- learned from servers
    single_source = False
    """Its mirrors gave different bytes: use one mirror at a time."""
    whole_only = False
    """Its server fails at ranges: request the whole file."""
    one_connection = False
    """Its server refused or garbled a further range, or the file changes each time."""
    # -- retries
    failures = 0
    """Failed attempts in a row without progress, at the current mirror."""
    best_received = 0
    """The most bytes that a failed attempt has left behind."""
    dead_mirrors: set[str] | None = None
    """Mirrors that failed permanently or too often."""
    mirror_failures: dict[str, int] | None = None
    """``failures`` of the mirrors that were left for another one."""
    descriptor_waits = 0
    """Attempts that ended because no more files could be opened."""
    retry_timer: asyncio.TimerHandle | None = None
    """Queues the download again when its wait is over."""
    retried_failure: Failure | None = None
    """The failure that a user's retry cleared, for undoing that retry."""
    # -- running
    task: asyncio.Task[None] | None = None
    """The worker on it; it may still be closing the part file after a stop."""
    slot_origin = ""
    """The origin whose slot the worker occupies; the download may switch to
    another mirror meanwhile."""
    is_stopping = False
    """Its worker has been cancelled and is saving what it has."""
    transfer: RunningTransfer | None = None
    in_memory_since = 0.0
    """Monotonic time since when the body of a small file is read in this attempt; 0
    before its headers have come, and for a large file."""

    def __init__(self, download: Download) -> None:
        self.download = download

    def __repr__(self) -> str:
        return f"<Job of {self.download!r}>"

    def on_exists(self, default: OnExists) -> OnExists:
        """Return what to do if the download's name is taken."""
        return self.download.request.on_exists or default

    def note_dead(self, url: str) -> None:
        """Use a mirror no more until a user asks for a retry."""
        if self.dead_mirrors is None:
            self.dead_mirrors = set()
        self.dead_mirrors.add(url)

    def reset_attempts(self) -> None:
        """Count attempts from the beginning, because a user asked for a retry."""
        self.cancel_retry()
        self.failures = self.best_received = 0
        self.dead_mirrors = self.mirror_failures = None
        self.download.attempt = 0

    def end_attempts(self) -> None:
        """Clear what was learned for the next attempt, because none is planned."""
        self.failures = self.best_received = 0
        self.descriptor_waits = 0
        self.mirror_failures = None
        self.whole_only = self.one_connection = False

    def cancel_retry(self) -> None:
        """Cancel the planned attempt, if there is one."""
        if self.retry_timer is not None:
            self.retry_timer.cancel()
            self.retry_timer = None

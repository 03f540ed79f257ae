"""Immutable views of the engine, for front ends.

An ``EngineSnapshot`` costs the same for ten downloads and for 100,000, since counts are
maintained and not computed. Rows are requested by id, so a front end pays only for the
rows that it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.diagnosis import NO_DIAGNOSIS
from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from tui.core.diagnosis import Diagnosis, QueueStatus
    from tui.core.notices import AutoReason, Notice, PauseReason


class DownloadSnapshot(NamedTuple):
    """One row. Its text comes from outside: show it through ``sanitize``."""

    id: int
    version: int
    """A row with the same version and ``received`` is unchanged."""
    state: DownloadState
    name: str
    directory: str
    """Below the output directory; "" for the directory itself."""
    url: str
    origin: str
    size: int | None
    """Bytes; ``None`` while unknown."""
    received: int
    """Bytes received, including those of an earlier run."""
    speed: float
    """Bytes per second, smoothed over about 3 s; 0 when not running."""
    eta_s: float | None
    """Remaining seconds; ``None`` while there is no estimate."""
    stalled_s: float
    """Seconds since the last byte, while running."""
    connections: int
    """Open connections."""
    attempt: int
    attempts_allowed: int
    """The number of the last attempt, as far as it is known now."""
    retry_in_s: float | None
    """Seconds to the next attempt while waiting."""
    status: int
    """HTTP status of the last response; 0 before any."""
    error: str
    error_kind: str
    note: Notice | None
    has_checksum: bool
    average: float = 0.0
    """Bytes per second of a finished download, from its first request to its end; 0 if
    it did not run without a break."""
    finished_at: float = 0.0
    """Wall time at which it ended; 0 before."""
    host_limit: int = 0
    """Limit learned for the host, for which a queued download waits; 0 if it does not
    wait for one."""
    is_host_blocked: bool = False
    """A queued download waits because its host is left alone for a while: it sent
    Retry-After, or refused a whole burst."""

    @property
    def has_speed(self) -> bool:
        """Return True if it runs and its speed is measured.

        The body of a small file is usually complete before that. A transfer that has
        just begun has bytes but no sample yet; only after a second without bytes is
        its speed really 0.
        """
        is_silent = self.connections > 0 and self.stalled_s >= 1.0
        is_measured = self.speed > 0 or is_silent
        return self.state is DownloadState.DOWNLOADING and is_measured


class SegmentSnapshot(NamedTuple):
    """One range of a running download."""

    start: int
    end: int | None
    """Exclusive; ``None`` for a body of unknown length."""
    at: int
    """Next byte to receive."""
    speed: float
    """Bytes per second."""
    url: str


class AttemptSnapshot(NamedTuple):
    """One attempt and its result."""

    number: int
    at: float
    """Wall time of its start."""
    outcome: str
    """The error; "" while it runs."""


class DetailSnapshot(NamedTuple):
    """Everything about one download, for the details pane."""

    row: DownloadSnapshot
    path: str
    """Path of the finished file."""
    part_path: str
    mirrors: tuple[str, ...]
    finished: tuple[tuple[int, int], ...]
    """Half-open ranges that are on disk, as far as known: after a restore they are
    not."""
    segments: tuple[SegmentSnapshot, ...]
    """Ranges that are being received."""
    attempts: tuple[AttemptSnapshot, ...]
    """The last few, oldest first."""
    answer: tuple[tuple[str, str], ...]
    """Response headers worth showing, without secrets."""
    validator: str
    """The validator of a resume: an ETag or a date, or "" without one."""
    http_version: str
    """Of the last response, or "" if it is not known, and its validator neither."""
    checksum: str
    """Expected, as ``sha256=HEX``, or ""."""
    checksum_state: str
    """``none``, ``pending``, ``ok`` or ``mismatch``."""
    source: str
    """Where the request comes from: ``list.txt:12``."""
    started_at: float
    finished_at: float
    connections_wanted: int
    rate_limit: int | None
    """Bytes per second for this download alone, or ``None``."""
    modified_at: float | None = None
    """Wall time from Last-Modified; ``None`` while unknown, and unless
    ``Settings.server_time`` is set."""
    etag: str = ""
    """Of the last response; "" without one, and unless ``Settings.keeps_etags`` is
    set."""
    diagnosis: Diagnosis = NO_DIAGNOSIS
    """What limits it now, or what it waits for."""
    asked: tuple[tuple[str, str], ...] = ()
    """Request headers from the list or the settings, with secrets masked."""
    speeds: tuple[float, ...] = ()
    """Bytes per second of each past second, oldest first, while it runs."""


class WorkerSnapshot(NamedTuple):
    """What one writer thread is doing."""

    operation: str
    """``idle``, ``write``, ``sync``, ``finish``, ``hash``, ..."""
    name: str
    """The file, or the first one of a batch."""
    operations: int
    """Operations in this batch."""
    nbytes: int
    """Bytes in this batch."""
    elapsed_s: float
    """Since the batch started."""
    busy_s: float = 0.0
    """Seconds spent on batches in this run, including the current one."""


class DiskSnapshot(NamedTuple):
    """Measurements of the disk writer."""

    workers: tuple[WorkerSnapshot, ...]
    writers: int
    """Number of threads."""
    is_inline: bool
    """Writes run on the event loop, as a demonstration."""
    queued: int
    """Operations waiting for a thread."""
    in_flight: int
    """Bytes received from the network but not yet on disk."""
    in_flight_limit: int
    """Bytes in flight at which reading pauses."""
    speed: float
    """Bytes per second written, smoothed over about 3 s."""
    batches: int
    """Batches in this run: executor calls."""
    operations: int
    """Operations in this run; divided by ``batches``, the average batch size."""
    p50_s: float
    """Median duration of a write, over the last few hundred."""
    p99_s: float
    sync_p99_s: float
    """The same for fsync; 0 if there was none."""
    delay_s: float = 0.0
    """Seconds added to each write to simulate a slow disk."""


class LoopSnapshot(NamedTuple):
    """How late the event loop runs its timers."""

    p50_s: float
    """Over the last few seconds."""
    p99_s: float
    history_s: tuple[float, ...]
    """Worst lag of each past half second, oldest first, for a graph."""


class OriginSnapshot(NamedTuple):
    """One origin."""

    origin: str
    active: int
    queued: int
    cap: int
    """Concurrent downloads from it; 0: no limit of its own."""
    done: int
    failed: int
    speed: float
    blocked_s: float
    """Seconds until the next request, after a refusal or Retry-After; 0 for now."""
    errors: int = 0
    """Attempts that failed, including those that were retried."""
    trouble: str = ""
    """The last error."""
    protocol: str = ""
    """``HTTP/1.1`` or ``HTTP/2``, of the last response; "" before any."""
    ranges: str = "unknown"
    """``supported`` (it sent the requested range), ``refused`` or ``unknown``."""
    cap_from: str = ""
    """Origin of the limit: ``set``, ``per host``, ``learned``, ``auto`` or ""."""


class AutoSnapshot(NamedTuple):
    """State of automatic concurrency."""

    is_on: bool = False
    is_pinned: bool = False
    """The user set a number, which turned it off."""
    reason: AutoReason | None = None
    """Why the concurrency is what it is; ``None`` while automatic is off."""


class EngineSnapshot(NamedTuple):
    """Totals, limits and meters of the run."""

    counts: tuple[int, ...]
    """Downloads by state, indexed by ``DownloadState``."""
    total: int
    """All downloads of this run."""
    revision: int
    """Grows when any download changes its state, name, size or position."""
    received: int
    """Bytes of all downloads, including those of earlier runs."""
    fetched: int
    """Bytes received over the network in this run."""
    known_size: int
    """Sum of the known sizes, without failed and cancelled downloads."""
    known_received: int
    """Bytes received of those downloads."""
    unknown: int
    """Unfinished downloads of unknown size."""
    speed: float
    """Bytes per second, smoothed over about 3 s."""
    average: float
    """Bytes per second over the time in which any download ran."""
    peak: float
    history: tuple[float, ...]
    """Bytes per second of each past second, oldest first, at most 120."""
    eta_s: float | None
    """Remaining seconds; ``None`` without an estimate that can be trusted."""
    elapsed_s: float
    """Time in which any download ran."""
    concurrency: int
    """Number of download slots."""
    active: int
    """Busy slots."""
    per_host: int
    """Concurrent downloads per origin; 0 for no limit."""
    segments: int
    """Connections per download; 0 depends on the size."""
    rate_limit: int | None
    """Bytes per second over all downloads, or ``None``."""
    is_queue_paused: bool
    """The queue is paused."""
    pause_reason: PauseReason | None
    """The error that paused the queue; ``None`` when the user did."""
    waiting_for: QueueStatus | None
    """Why no queued download starts; ``None`` when nothing prevents it."""
    disk: DiskSnapshot
    loop: LoopSnapshot
    output_dir: str
    diagnosis: Diagnosis = NO_DIAGNOSIS
    """What limits the run now."""
    auto: AutoSnapshot = AutoSnapshot()
    progress: float | None = None
    """Fraction of the run that is over, 0 to 1, without failed downloads; never falls
    unless downloads are added or retried. ``None`` without downloads."""
    counts_files: bool = True
    """``progress`` is a fraction of files, since not all sizes are known; else it is a
    fraction of bytes."""

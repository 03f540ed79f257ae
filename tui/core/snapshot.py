"""Immutable views of the engine: all that a face may see.

``EngineSnapshot`` costs the same for ten downloads and for 100,000: counts are kept,
not counted. Rows are asked for by id, so a face pays only for what it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tui.core.diagnosis import NO_DIAGNOSIS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.core.diagnosis import Diagnosis, QueueStatus
    from tui.core.download import DownloadState
    from tui.core.notices import AutoReason, HoldReason, Notice


class DownloadSnapshot(NamedTuple):
    """One row. Text comes from outside: faces show it through ``plain``."""

    id: int
    version: int
    """Unchanged version and ``received`` mean an unchanged row."""
    state: DownloadState
    name: str
    directory: str
    """Below the output directory; "" for the directory itself."""
    url: str
    origin: str
    size: int | None
    """Bytes; ``None`` while unknown."""
    received: int
    """Bytes taken in, those of an earlier run included."""
    speed: float
    """Bytes per second, smoothed over about 3 s; 0 when not running."""
    eta_s: float | None
    """Seconds to go; ``None`` while it cannot be told."""
    stalled_s: float
    """Seconds since the last byte, while running."""
    connections: int
    """Ranges in flight."""
    attempt: int
    attempts_allowed: int
    retry_in_s: float | None
    """Seconds to the next attempt while waiting."""
    status: int
    """HTTP status of the last answer; 0 before any."""
    error: str
    error_kind: str
    note: Notice | None
    has_checksum: bool


class SegmentSnapshot(NamedTuple):
    """One range of a running download."""

    start: int
    end: int | None
    """Exclusive; ``None`` for a body of unknown length."""
    at: int
    """Next byte to come."""
    speed: float
    """Bytes per second."""
    url: str


class AttemptSnapshot(NamedTuple):
    """One attempt and how it ended."""

    number: int
    at: float
    """Wall time of its start."""
    outcome: str
    """In words; "" while it runs."""


class DetailSnapshot(NamedTuple):
    """Everything about one download, for the details pane."""

    row: DownloadSnapshot
    path: str
    """Where the finished file will be or is."""
    part_path: str
    mirrors: tuple[str, ...]
    finished: tuple[tuple[int, int], ...]
    """Half-open ranges that are in the part file."""
    segments: tuple[SegmentSnapshot, ...]
    """Ranges in flight."""
    attempts: tuple[AttemptSnapshot, ...]
    """Oldest first; only the last few are kept."""
    answer: tuple[tuple[str, str], ...]
    """Response headers worth showing; secrets are never among them."""
    validator: str
    """What a resume is proven with: an ETag or a date, or "" for none."""
    http_version: str
    checksum: str
    """Expected, as ``sha256=HEX``, or ""."""
    checksum_state: str
    """``none``, ``pending``, ``ok`` or ``mismatch``."""
    source: str
    """Where it was asked for, ``list.txt:12``."""
    started_at: float
    finished_at: float
    connections_wanted: int
    rate_limit: int | None
    """Bytes per second for this download alone, or ``None``."""
    modified_at: float | None = None
    """Wall time at which the server says the file was last changed; ``None`` while
    unknown, and where nobody asked for it (``Settings.server_time``)."""
    diagnosis: Diagnosis = NO_DIAGNOSIS
    """What limits it now, or what it waits for."""
    asked: tuple[tuple[str, str], ...] = ()
    """Request headers that the list or the settings add; secrets are masked."""
    speeds: tuple[float, ...] = ()
    """Bytes per second of each past second, oldest first, while it runs."""


class WorkerSnapshot(NamedTuple):
    """What one writer thread is doing."""

    operation: str
    """``idle``, ``write``, ``sync``, ``finish``, ``hash``, ..."""
    name: str
    """File it works on; the first one of a batch."""
    operations: int
    """Operations in this batch."""
    nbytes: int
    """Bytes in this batch."""
    elapsed_s: float
    """Since the batch started."""


class DiskSnapshot(NamedTuple):
    """Measurements of the disk writer."""

    workers: tuple[WorkerSnapshot, ...]
    writers: int
    """Threads allowed."""
    is_inline: bool
    """Writes block the loop, for demonstration."""
    queued: int
    """Operations waiting for a thread."""
    in_flight: int
    """Bytes received from the network but not yet on disk."""
    in_flight_limit: int
    """Bytes in flight at which reading pauses."""
    speed: float
    """Bytes per second written, smoothed over about 3 s."""
    written: int
    """Bytes written in this run."""
    batches: int
    """run_in_executor calls in this run."""
    operations: int
    """Operations in this run; divided by ``batches``, the average batch size."""
    p50_s: float
    """Median duration of a write, over the last few hundred."""
    p99_s: float
    sync_p99_s: float
    """The same for fsync; 0 if there was none."""


class LoopSnapshot(NamedTuple):
    """How late the event loop is: the time between due and run of a timer."""

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
    """Downloads at once from it; 0 for no cap of its own."""
    done: int
    failed: int
    speed: float
    blocked_s: float
    """Seconds until it may be asked again (Retry-After); 0 when free."""
    errors: int = 0
    """Attempts that failed, those that were tried again included."""
    trouble: str = ""
    """The last of them, in words."""
    protocol: str = ""
    """``HTTP/1.1`` or ``HTTP/2``, of the last answer; "" before any."""
    ranges: str = "unknown"
    """``honest`` (a range came as asked), ``refused`` or ``unknown``."""
    cap_from: str = ""
    """Where the cap comes from: ``set``, ``per host``, ``learned`` or ""."""


class AutoStep(NamedTuple):
    """One decision of the controller of downloads at once."""

    at: float
    """Wall time."""
    before: int
    after: int
    """Downloads at once; the same where it decided to stay."""
    reason: AutoReason


class AutoSnapshot(NamedTuple):
    """The controller that chooses downloads at once."""

    is_on: bool = False
    is_pinned: bool = False
    """A person has chosen the number since: it yields until it is switched on."""
    reason: AutoReason | None = None
    """Why the concurrency is what it is; ``None`` while automatic is off."""
    steps: tuple[AutoStep, ...] = ()
    """The last of them, oldest first."""


class EngineSnapshot(NamedTuple):
    """Totals, limits and meters."""

    counts: tuple[int, ...]
    """Downloads by state, indexed by ``DownloadState``."""
    total: int
    """All downloads of this run."""
    revision: int
    """Grows when any download changes state, name, size or place."""
    received: int
    """Bytes of all downloads, those of earlier runs included."""
    fetched: int
    """Bytes that came over the wire in this run."""
    known_size: int
    """Sum of the sizes that are known, of downloads neither failed nor cancelled."""
    known_received: int
    """Bytes of those downloads that are there."""
    unknown: int
    """Downloads of unknown size that are not ended."""
    speed: float
    """Bytes per second, smoothed over about 3 s."""
    average: float
    """Bytes per second over the time in which something was running."""
    peak: float
    history: tuple[float, ...]
    """Bytes per second of each past second, oldest first, at most 120."""
    eta_s: float | None
    elapsed_s: float
    """Since the first download started; stops when all have ended."""
    concurrency: int
    """Downloads at once that are allowed."""
    active: int
    """Downloads that hold a slot now."""
    per_host: int
    """Cap per origin; 0 for none."""
    segments: int
    """Connections per download; 0 lets the size decide."""
    rate_limit: int | None
    """Bytes per second over all downloads, or ``None``."""
    is_held: bool
    """No new download starts."""
    hold_reason: HoldReason | None
    """The error that paused the queue; ``None`` when the user did."""
    waiting_for: QueueStatus | None
    """Why no queued download starts; ``None`` when nothing prevents it."""
    by_status: Mapping[int, int]
    """Ended downloads by HTTP status; 0 where none was received."""
    by_cause: Mapping[str, int]
    """Failed downloads by ``error_kind``."""
    retries: int
    disk: DiskSnapshot
    loop: LoopSnapshot
    output_dir: str
    diagnosis: Diagnosis = NO_DIAGNOSIS
    """What limits the run now."""
    auto: AutoSnapshot = AutoSnapshot()

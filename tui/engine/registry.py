"""The registry: all downloads, their jobs, and the counters that add them up.

Every change of a download's state, size or byte count goes through the registry, which
updates the totals change by change. A snapshot of the run therefore costs the same for
ten downloads and for 100,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import (
    ACTIVE,
    ENDED,
    TRANSITIONS,
    UNFINISHED,
    Download,
    DownloadState,
)
from tui.core.listing.query import Figures
from tui.core.snapshot import AttemptSnapshot, DownloadSnapshot
from tui.engine.job import Job, TransferSummary
from tui.engine.metrics.kinds import Kinds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.clock import Clock
    from tui.core.download import DownloadId
    from tui.engine.job import RunningTransfer

ATTEMPTS_KEPT = 8
"""Failed attempts remembered per download, for its details."""
SUMMARIES_KEPT = 200
"""Ended transfers remembered over all downloads, for their details."""

_SPEED_S = 0.5
"""Seconds for which the body of a small file has been read before it has a speed."""

_DONE = DownloadState.DONE
_UNCOUNTED = frozenset({DownloadState.FAILED, DownloadState.CANCELLED})
"""States whose bytes do not count as bytes to be downloaded."""
_EXPECTED = UNFINISHED - {DownloadState.PAUSED}
"""States from which more comes without the user. They count alike except for the state
itself."""


class IllegalTransition(RuntimeError):
    """The engine tried to move a download to a state it must not enter: a bug."""


class RegistryWatch:
    """Collects which downloads have changed (``core.service.ChangeWatch``)."""

    def __init__(self, registry: DownloadRegistry) -> None:
        self._registry = registry
        self._ids: set[DownloadId] = set()
        registry._changed += (self._ids,)

    def __bool__(self) -> bool:
        return bool(self._ids)

    @property
    def count(self) -> int:
        """Number of downloads, with those that were removed."""
        return len(self._registry.downloads)

    def take(self) -> set[DownloadId]:
        """Return the downloads that changed since the last call, without new ones."""
        ids = self._ids.copy()
        self._ids.clear()
        return ids

    def put_back(self, ids: Iterable[DownloadId]) -> None:
        """Return these downloads with the next call."""
        self._ids.update(ids)

    def close(self) -> None:
        """Stop collecting."""
        registry = self._registry
        registry._changed = tuple(s for s in registry._changed if s is not self._ids)


class DownloadRegistry:
    """All downloads of the run, and the only place that maps their ids to anything.

    Jobs are dropped when their download is done. What outlives a job, because the
    details still show it, is kept here too and is bounded: the last failed attempts of
    each download, the last transfer summaries of the run, and one time or ETag for each
    file if the settings ask for it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._opened_at = clock.wall()
        self.downloads: list[Download] = []
        """Indexed by id."""
        self.jobs: dict[DownloadId, Job] = {}
        """Unfinished downloads that were attempted or that a user set something on."""
        self.running: dict[RunningTransfer, None] = {}
        """Transfers under way, in the order in which they started."""
        self.removed: set[DownloadId] = set()
        """Ended downloads that the user removed from the list; they do not count."""
        self._changed: tuple[set[DownloadId], ...] = ()
        """Downloads that changed, one set for each ``RegistryWatch``."""
        self.rewritten: set[DownloadId] = set()
        """Downloads whose request changed since a journal stored it."""
        self.attempts: dict[DownloadId, list[AttemptSnapshot]] = {}
        """Failed attempts, at most ``ATTEMPTS_KEPT`` per download."""
        self.modified_at: dict[DownloadId, float] = {}
        """Last-Modified of each file as wall time, if files get the server's time."""
        self.etags: dict[DownloadId, str] = {}
        """The ETag of each last response, with ``Settings.keeps_etags``."""
        self._summaries: dict[DownloadId, TransferSummary] = {}
        self.counts = [0] * len(DownloadState)
        """Downloads by state."""
        self.revision = 0
        """Grows with every change that a front end may have to show."""
        self.received = 0
        """Bytes that all downloads have, those of earlier runs included."""
        self.fetched = 0
        """Bytes read from the network in this run."""
        self.known_size = 0
        """Bytes of all files of known size, without removed, failed and cancelled
        downloads."""
        self.known_received = 0
        """Bytes received of these files."""
        self.unknown = 0
        """Unfinished downloads of unknown size."""
        self.kinds = Kinds()
        self.shares = 0.0
        """Sum of the fractions received of unfinished downloads, as of the last tick.
        """
        self._shares: dict[DownloadId, float] = {}
        self.breaks = 0
        """Attempts whose connection broke or fell silent, in this run."""
        self.open_connections = 0
        """Response bodies being read right now, over all transfers."""

    # -- jobs ------------------------------------------------------------------------

    def job(self, download: Download) -> Job:
        """Return the job of an unfinished download, creating it if needed."""
        job = self.jobs.get(download.id)
        if job is None:
            job = self.jobs[download.id] = Job(download)
        return job

    def keep_summary(self, download: Download, summary: TransferSummary) -> None:
        """Keep what a transfer that ends has learned, for the details."""
        summaries = self._summaries
        summaries.pop(download.id, None)
        summaries[download.id] = summary
        if len(summaries) > SUMMARIES_KEPT:
            del summaries[next(iter(summaries))]

    def summary(self, download: Download) -> TransferSummary:
        """Return what is known of the download's last transfer."""
        job = self.jobs.get(download.id)
        if job is not None and job.transfer is not None:
            return job.transfer.summary()
        return self._summaries.get(download.id, TransferSummary())

    # -- changes ---------------------------------------------------------------------

    def enter(self, download: Download) -> None:
        """Add a download, new or from an earlier run; its id must be the next one."""
        self.downloads.append(download)
        download.kind = self.kinds.number_of(download.url)
        if download.size is not None:
            self.kinds.all[download.kind].add_size(download.size)
        self.received += download.received
        self._count(download, 1)
        if download.state not in ENDED and download.received:
            self.update_share(download)
        self.revision += 1

    def move(self, download: Download, state: DownloadState) -> None:
        """Change the state.

        Raises:
            IllegalTransition: ``core.download.TRANSITIONS`` does not allow it.
        """
        if self.removed:
            self.restore(download)
        old = download.state
        if state not in TRANSITIONS[old]:
            raise IllegalTransition(f"{download!r} cannot become {state.name}")
        if old in _EXPECTED and state in _EXPECTED:
            self.counts[old] -= 1
            self.counts[state] += 1
            download.state = state
            if state is DownloadState.VERIFYING and self._is_small(download):
                # Now it waits for the disk, without a slot.
                self._note_duration(download, self._clock.wall())
        else:
            self._count(download, -1)
            download.state = state
            self._count(download, 1)
            if state in ENDED:
                self._note_end(download)
            if state is _DONE:
                self.jobs.pop(download.id, None)
        download.version += 1
        self.revision += 1
        for changed in self._changed:
            changed.add(download.id)

    def remove(self, download: Download) -> bool:
        """Stop counting an ended download; return True if that changed anything."""
        if download.state not in ENDED or download.id in self.removed:
            return False
        self._count(download, -1)
        self.removed.add(download.id)
        self.touch(download)
        return True

    def restore(self, download: Download) -> bool:
        """Count a removed download again; return True if it had been removed."""
        if download.id not in self.removed:
            return False
        self.removed.remove(download.id)
        self._count(download, 1)
        self.touch(download)
        return True

    def set_name(self, download: Download, name: str) -> None:
        """Show a download under the name that its file will have."""
        download.name = name
        self.touch(download)

    def set_size(self, download: Download, size: int | None) -> None:
        """Set the size of the whole file in bytes, as stated by the server."""
        if size == download.size:
            return
        if download.size is None and size is not None:
            self._learn_size(download, size)
        else:
            self._count(download, -1)
            download.size = size
            self._count(download, 1)
        self.touch(download)

    def _learn_size(self, download: Download, size: int) -> None:
        """Set a size that was unknown: the usual case, so without counting twice."""
        kind, state = self.kinds.all[download.kind], download.state
        kind.add_size(size)
        download.size = size
        if state not in ENDED:
            self.unknown -= 1
        if state in _EXPECTED:
            kind.waiting -= 1
            kind.known_left += size
        if state not in _UNCOUNTED:
            self.known_size += size
            self.known_received += download.received

    def set_received(self, download: Download, received: int) -> None:
        """Set the byte count outright: after a resume, a restart or a deletion."""
        is_counted = download.id not in self.removed
        if is_counted:
            self._count(download, -1)
        self.received += received - download.received
        download.received = received
        if is_counted:
            self._count(download, 1)
        download.version += 1

    def count(self, download: Download, nbytes: int) -> None:
        """Count bytes read from the network; called once per chunk, so kept minimal."""
        download.received += nbytes
        self.received += nbytes
        self.fetched += nbytes
        # The download may have been cancelled while this chunk was on its way.
        if download.size is not None and download.state not in _UNCOUNTED:
            self.known_received += nbytes

    def received_twice(self) -> int:
        """Return the received bytes that do not count, because of races."""
        return sum(running.received_twice() for running in self.running)

    def touch(self, download: Download) -> None:
        """Note that something else which front ends show has changed."""
        download.version += 1
        self.revision += 1
        for changed in self._changed:
            changed.add(download.id)

    def watch(self) -> RegistryWatch:
        """Collect from now on which downloads change."""
        return RegistryWatch(self)

    def note_attempt(self, download: Download, at: float, error: str) -> None:
        """Remember why an attempt failed."""
        kept = self.attempts.setdefault(download.id, [])
        kept.append(AttemptSnapshot(download.attempt, at, error))
        del kept[:-ATTEMPTS_KEPT]

    def _count(self, download: Download, by: int) -> None:
        """Count a download as it is (1), or stop counting it (-1)."""
        state, size = download.state, download.size
        self.counts[state] += by
        if size is None:
            if state not in ENDED:
                self.unknown += by
            if state in _EXPECTED:
                self.kinds.all[download.kind].waiting += by
            return
        if state in _EXPECTED:
            self.kinds.all[download.kind].known_left += by * size
        if state not in _UNCOUNTED:
            self.known_size += by * size
            self.known_received += by * download.received

    def _note_end(self, download: Download) -> None:
        """Note size and time of a download that has ended, for the estimates."""
        if self._shares:
            self.shares -= self._shares.pop(download.id, 0.0)
            if not self._shares:
                self.shares = 0.0  # rounding errors would add up
        kind = self.kinds.all[download.kind]
        if download.state is _DONE:
            if not self._is_small(download):
                self._note_duration(download, download.finished_at)
        elif download.state is DownloadState.FAILED and download.size is None:
            kind.add_size(0)

    def _is_small(self, download: Download) -> bool:
        """Return whether all of its body was read into memory."""
        job = self.jobs.get(download.id)
        return job is not None and job.in_memory_since > 0

    def _note_duration(self, download: Download, ended_at: float) -> None:
        """Note until when (wall time) a download has occupied a slot."""
        if download.size and download.attempt == 1:
            seconds = max(0.0, ended_at - download.started_at)
            self.kinds.all[download.kind].add_duration(download.size, seconds)

    def update_share(self, download: Download) -> None:
        """Note which fraction of an unfinished download has been received."""
        if download.state in ENDED or not download.size:
            return
        share = min(1.0, download.received / download.size)
        self.shares += share - self._shares.get(download.id, 0.0)
        self._shares[download.id] = share

    # -- views -----------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Downloads that are not removed."""
        return len(self.downloads) - len(self.removed)

    @property
    def pending(self) -> int:
        """Unfinished downloads that are not paused."""
        counts = self.counts
        return (
            self.total
            - counts[DownloadState.DONE]
            - counts[DownloadState.FAILED]
            - counts[DownloadState.CANCELLED]
            - counts[DownloadState.PAUSED]
        )

    def figures(self) -> dict[DownloadId, Figures]:
        """Return speed and ETA of every running transfer."""
        return {
            running.download.id: Figures(running.speed(), _shown_eta_s(running))
            for running in self.running
        }

    def row(
        self, download: Download, now: float, tries_per_url: int
    ) -> DownloadSnapshot:
        """Build the immutable view of one download at ``now`` (monotonic)."""
        job = self.jobs.get(download.id)
        running = job.transfer if job is not None else None
        state = shown_state(download, job)
        received = download.received
        speed = stalled_s = 0.0
        eta: float | None = None
        connections = 0
        if running is not None:
            speed = running.speed()
            stalled_s = max(0.0, now - running.last_byte_at)
            connections = running.connections.count()
            eta = _shown_eta_s(running)
            received -= running.received_twice()
        elif (
            state is DownloadState.DOWNLOADING
            and job is not None
            and job.in_memory_since
        ):
            seconds = now - job.in_memory_since
            speed = download.received / seconds if seconds >= _SPEED_S else 0.0
            if download.size and speed >= 1.0:
                eta = max(0, download.size - download.received) / speed
        retry_in_s = None
        if download.state is DownloadState.WAITING:
            retry_in_s = max(0.0, download.retry_at_s - now)
        return DownloadSnapshot(
            id=download.id,
            version=download.version,
            state=state,
            name=download.name,
            directory=download.directory,
            url=download.url,
            origin=download.origin,
            size=download.size,
            received=received,
            speed=speed,
            eta_s=eta,
            stalled_s=stalled_s,
            connections=connections,
            attempt=download.attempt,
            attempts_allowed=_attempts_allowed(download, job, tries_per_url),
            retry_in_s=retry_in_s,
            status=download.status,
            error=download.error,
            error_kind=download.error_kind,
            note=download.note,
            has_checksum=download.request.checksum is not None,
            average=self._average(download),
            finished_at=download.finished_at,
        )

    def _average(self, download: Download) -> float:
        """Return the bytes per second of a download that was done in one attempt."""
        seconds = download.finished_at - download.started_at
        if download.state is not DownloadState.DONE or seconds <= 0:
            return 0.0
        # One that an earlier run began, or that was retried, has times without bytes.
        was_broken = download.attempt > 1 or (
            download.attempt == 1 and download.started_at < self._opened_at
        )
        return 0.0 if was_broken else download.received / seconds


def _attempts_allowed(download: Download, job: Job | None, tries_per_url: int) -> int:
    """Return how many attempts there are if every further one fails at once.

    Attempts that made progress, or that waited for another download's files, leave as
    many as before; each further mirror has its own.
    """
    if job is None or download.state in ENDED:
        return max(download.attempt, tries_per_url)
    left = tries_per_url - job.failures - (download.state in ACTIVE)
    dead, failures = job.dead_mirrors or (), job.mirror_failures or {}
    for url in download.request.mirrors:
        if url != download.url and url not in dead:
            left += tries_per_url - failures.get(url, 0)
    return download.attempt + max(0, left)


def transfer_eta_s(running: RunningTransfer) -> float | None:
    """Return the remaining seconds of a transfer; ``None`` without an estimate."""
    download, speed = running.download, running.steady_speed()
    if download.size is None or speed < 1.0:
        return None
    return max(0, download.size - download.received) / speed


def _shown_eta_s(running: RunningTransfer) -> float | None:
    """Return the remaining seconds to show, once the speed can be trusted."""
    return transfer_eta_s(running) if running.is_measured() else None


def shown_state(download: Download, job: Job | None) -> DownloadState:
    """Return the state to show of a download.

    While the body of a small file is read, that is DOWNLOADING, although it usually
    stays in PROBING until it is complete: each transition would cost thousands of small
    files per second more than a look at those on the screen.
    """
    state = download.state
    if state is DownloadState.PROBING and job is not None and job.in_memory_since:
        return DownloadState.DOWNLOADING
    return state

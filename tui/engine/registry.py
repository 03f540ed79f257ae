"""Counts: the one place where a download changes state, size or byte count.

Everything a snapshot of the whole shows is kept up to date here, change by change, so
that looking costs the same for ten downloads and for 100,000.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from tui.core.download import ENDED, TRANSITIONS, Download, DownloadState
from tui.core.snapshot import AttemptSnapshot, DownloadSnapshot

if TYPE_CHECKING:
    from tui.core.clock import Clock
    from tui.core.snapshot import SegmentSnapshot

ATTEMPTS_KEPT = 8
"""Failed attempts remembered per download, for its details."""

_UNCOUNTED = frozenset({DownloadState.FAILED, DownloadState.CANCELLED})
"""States whose bytes are no part of what is still to be had."""
_SILENT_S = 3.0
"""Without a byte for so long, a download's time to go says nothing."""


class Running(Protocol):
    """What the ledger asks of a running download's flight."""

    @property
    def last_byte_at(self) -> float:
        """Monotonic time of the last chunk."""
        ...

    def speed(self) -> float:
        """Bytes per second, smoothed."""
        ...

    def steady_speed(self) -> float:
        """Bytes per second with a long memory, for the ETA."""
        ...

    def connections(self) -> int:
        """Ranges in flight."""
        ...

    def segment_snapshots(self) -> tuple[SegmentSnapshot, ...]:
        """The ranges in flight."""
        ...

    def sample(self, now: float) -> None:
        """Bring the meters up to date."""
        ...


class IllegalTransition(RuntimeError):
    """The engine tried to move a download where it must not go: a fault of ours."""


class DownloadRegistry:
    """All downloads of the run and what they add up to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.downloads: list[Download] = []
        """Indexed by id."""
        self.dropped: set[int] = set()
        """Ended downloads that a person took out of the list; nothing counts them."""
        self.counts = [0] * len(DownloadState)
        self.revision = 0
        self.changed: set[int] | None = None
        """Downloads that changed since somebody emptied it; ``None`` for nobody."""
        self.received = 0
        self.fetched = 0
        self.known_size = 0
        self.known_received = 0
        self.unknown = 0
        self.retries = 0
        self.by_status: Counter[int] = Counter()
        self.by_cause: Counter[str] = Counter()
        self.running: dict[int, Running] = {}
        """Flights by download id."""
        self.attempts: dict[int, list[AttemptSnapshot]] = {}
        """Failed attempts, for downloads that had any."""

    # -- changes ---------------------------------------------------------------------

    def enter(self, download: Download) -> None:
        """Take up a download, new or from an earlier run; its id is the next one."""
        self.downloads.append(download)
        self.received += download.received
        self._count_in(download)
        if download.state in ENDED:
            self._count_end(download)
        self.revision += 1

    def move(self, download: Download, state: DownloadState) -> None:
        """Change the state.

        Raises:
            IllegalTransition: ``core.download.TRANSITIONS`` does not allow it.
        """
        if self.dropped:
            self.undrop(download)
        old = download.state
        if state not in TRANSITIONS[old]:
            raise IllegalTransition(f"{download!r} cannot become {state.name}")
        if old in ENDED or state in ENDED:
            self._count_out(download)
            if old in ENDED:
                self._count_end(download, -1)
            download.state = state
            self._count_in(download)
            if state in ENDED:
                self._count_end(download)
        else:
            # Both count alike but for the state itself.
            self.counts[old] -= 1
            self.counts[state] += 1
            download.state = state
        download.version += 1
        self.revision += 1
        if self.changed is not None:
            self.changed.add(download.id)

    def drop(self, download: Download) -> bool:
        """Stop counting an ended download; tell if that changed anything."""
        if download.state not in ENDED or download.id in self.dropped:
            return False
        self._count_out(download)
        self._count_end(download, -1)
        self.dropped.add(download.id)
        self.touch(download)
        return True

    def undrop(self, download: Download) -> bool:
        """Count a dropped download again; tell if it was one."""
        if download.id not in self.dropped:
            return False
        self.dropped.remove(download.id)
        self._count_in(download)
        self._count_end(download)
        self.touch(download)
        return True

    def set_size(self, download: Download, size: int | None) -> None:
        """Set what the server says the whole file measures, in bytes."""
        if size == download.size:
            return
        self._count_out(download)
        download.size = size
        self._count_in(download)
        self.touch(download)

    def set_received(self, download: Download, received: int) -> None:
        """Set the byte count outright: a resume took over bytes, or a restart."""
        self._count_out(download)
        self.received += received - download.received
        download.received = received
        self._count_in(download)
        download.version += 1

    def count(self, download: Download, nbytes: int) -> None:
        """Count bytes that came off the wire; called once per chunk, so kept bare."""
        download.received += nbytes
        self.received += nbytes
        self.fetched += nbytes
        # A chunk may come with the news that it was cancelled.
        if download.size is not None and download.state not in _UNCOUNTED:
            self.known_received += nbytes

    def touch(self, download: Download) -> None:
        """Something else that a face shows has changed."""
        download.version += 1
        self.revision += 1
        if self.changed is not None:
            self.changed.add(download.id)

    def note_attempt(self, download: Download, at: float, error: str) -> None:
        """Remember how an attempt ended badly."""
        kept = self.attempts.setdefault(download.id, [])
        kept.append(AttemptSnapshot(download.attempt, at, error))
        del kept[:-ATTEMPTS_KEPT]

    def _count_out(self, download: Download) -> None:
        self.counts[download.state] -= 1
        if download.size is None:
            if download.state not in ENDED:
                self.unknown -= 1
        elif download.state not in _UNCOUNTED:
            self.known_size -= download.size
            self.known_received -= download.received

    def _count_in(self, download: Download) -> None:
        self.counts[download.state] += 1
        if download.size is None:
            if download.state not in ENDED:
                self.unknown += 1
        elif download.state not in _UNCOUNTED:
            self.known_size += download.size
            self.known_received += download.received

    def _count_end(self, download: Download, by: int = 1) -> None:
        self.by_status[download.status] += by
        if download.state is DownloadState.FAILED:
            self.by_cause[download.error_kind] += by

    # -- views -----------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Downloads that are not dropped."""
        return len(self.downloads) - len(self.dropped)

    @property
    def unfinished(self) -> int:
        """Downloads that go on without a person's help."""
        counts = self.counts
        return (
            self.total
            - counts[DownloadState.DONE]
            - counts[DownloadState.FAILED]
            - counts[DownloadState.CANCELLED]
            - counts[DownloadState.PAUSED]
        )

    def longest_eta_s(self, now: float) -> float:
        """Return the longest time to go of what runs, in seconds; 0.0 if none has one.

        What gets no bytes at ``now`` (monotonic) does not count: its time to go grows
        from one second to the next, and says nothing of when it will go on.
        """
        longest = 0.0
        for id, running in self.running.items():
            if now - running.last_byte_at < _SILENT_S:
                longest = max(longest, _eta_s(self.downloads[id], running) or 0.0)
        return longest

    def row(
        self, download: Download, now: float, attempts_allowed: int
    ) -> DownloadSnapshot:
        """Build the immutable view of one download at ``now`` (monotonic)."""
        running = self.running.get(download.id)
        speed = stalled_s = 0.0
        eta: float | None = None
        connections = 0
        if running is not None:
            speed = running.speed()
            stalled_s = max(0.0, now - running.last_byte_at)
            connections = running.connections()
            eta = _eta_s(download, running)
        retry_in_s = None
        if download.state is DownloadState.WAITING:
            retry_in_s = max(0.0, download.retry_at_s - now)
        return DownloadSnapshot(
            id=download.id,
            version=download.version,
            state=download.state,
            name=download.name,
            directory=download.directory,
            url=download.url,
            origin=download.origin,
            size=download.size,
            received=download.received,
            speed=speed,
            eta_s=eta,
            stalled_s=stalled_s,
            connections=connections,
            attempt=download.attempt,
            attempts_allowed=attempts_allowed,
            retry_in_s=retry_in_s,
            status=download.status,
            error=download.error,
            error_kind=download.error_kind,
            note=download.note,
            has_checksum=download.request.checksum is not None,
        )


def _eta_s(download: Download, running: Running) -> float | None:
    speed = running.steady_speed()
    if download.size is None or speed < 1.0:
        return None
    return max(0, download.size - download.received) / speed

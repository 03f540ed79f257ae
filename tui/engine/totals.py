"""Progress and remaining time of the whole run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple
from tui.engine.metrics.progress import RunProgress, Work
from tui.engine.metrics.speed import eta_s, eta_speed
from tui.engine.registry import transfer_eta_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.engine.metrics.speed import TotalMeter
    from tui.engine.registry import DownloadRegistry

_WARM_UP_S = 3.0
"""Seconds of measured speed before there is an estimate."""
_SILENT_S = 3.0
"""Without a byte for so long, a download's estimated time means nothing."""
_MAX_ERROR = 0.5
"""Largest error of the bytes to come, relative to them, at two standard errors."""
_STEADY_S = 2.0
"""Seconds for which an estimate must have been possible before it is shown."""
_MAX_GAP = 1.6
"""Largest ratio between two speeds or two estimates that should agree."""
_MAX_SPAN = 3.0
"""Largest ratio of the bounds; their geometric mean is then off by 1.7 at most."""
_FAIR = 0.5
"""Fraction of the mean speed below which a transfer is limited for itself."""


class _Rest(NamedTuple):
    """What is left to download."""

    nbytes: float
    slot_s: float
    """Seconds that one slot would need for all of it; infinite if not known."""
    longest_s: float
    """Seconds of the longest queued file; 0 if none is queued."""
    is_sorted: bool
    """Sizes of waiting files rise or fall with the order of the list."""


class RunTotals:
    """Follows how much of the run is over and estimates how long the rest takes.

    There is an estimate only while it can be trusted: if the kinds of all waiting files
    have been seen, if the speed is steady, and if the time by bytes agrees with the
    time by slots, which a change from small to large files would separate.
    """

    def __init__(
        self,
        registry: DownloadRegistry,
        meter: TotalMeter,
        active: Callable[[], int],
    ) -> None:
        """Read a registry.

        Args:
            registry: all downloads.
            meter: speed of all of them together.
            active: returns the number of busy slots.
        """
        self._registry = registry
        self._meter = meter
        self._active = active
        self._progress = RunProgress()
        self._began_at: float | None = None
        self._queued = 0
        self._vague_at = 0.0
        """Monotonic time of the last tick without an estimate."""
        self.eta_s: float | None = None
        """Remaining seconds, as of the last tick; ``None`` without an estimate."""

    def progress(self) -> RunProgress:
        """Return the progress as of now."""
        registry = self._registry
        counts = registry.counts
        self._progress.update(
            Work(
                files=registry.total - counts[DownloadState.CANCELLED],
                over=counts[DownloadState.DONE] + counts[DownloadState.FAILED],
                failed=counts[DownloadState.FAILED],
                shares=registry.shares,
                unknown=registry.unknown,
                size=registry.known_size,
                received=registry.known_received - registry.received_twice(),
            )
        )
        return self._progress

    def tick(self, now: float) -> None:
        """Update shares and estimate at ``now`` (monotonic)."""
        registry = self._registry
        for running in registry.running:
            registry.update_share(running.download)
        if not self._active():
            self._began_at = self.eta_s = None
            return
        if self._began_at is None:
            self._began_at = self._vague_at = now
        seconds = self._estimate(now) if registry.pending else None
        queued = min(self._active(), registry.counts[DownloadState.QUEUED])
        if seconds is None or queued != self._queued:
            # One of the last files has just started: its speed is not known yet.
            self._vague_at = now
        self._queued = queued
        is_warm = now - self._began_at >= _WARM_UP_S
        is_steady = now - self._vague_at >= _STEADY_S
        self.eta_s = seconds if is_warm and is_steady else None
        if registry.pending == 1 and self.eta_s is None:
            # Only one is left: the time that its row shows is that of the run.
            ends = self._running_s(now)
            self.eta_s = ends[0][0] if ends else None

    def _estimate(self, now: float) -> float | None:
        """Return the seconds left between two bounds, if these are close enough.

        If connections share a bottleneck, the rest speeds up when one of them ends, and
        bytes decide. If each is limited for itself, the last one decides.
        """
        fast, slow = self._meter.fast.speed, self._meter.slow.speed
        rest = self._rest()
        if rest is None:
            return None
        active = max(1, self._active())
        queued = self._registry.counts[DownloadState.QUEUED]
        ends = self._running_s(now)
        # If sizes rise, so does the speed, as small files are limited by round trips.
        speed = fast if rest.is_sorted else eta_speed(fast, slow)
        if not queued and sum(end * rate for end, rate in ends) > 0.9 * rest.nbytes:
            # Nothing else will start, and the total still remembers what has ended.
            speed = sum(rate for _, rate in ends)
        least = eta_s(rest.nbytes, speed)
        if least is None:
            return None
        by_slots = rest.slot_s / active
        if queued and rest.is_sorted:
            # The total follows late, and slots know nothing of a link that they share.
            if not (_agree(fast, slow, 2) and _agree(least, by_slots, _MAX_SPAN)):
                return None
            least = math.sqrt(least * by_slots)
        most = max(least, ends[-1][0] if ends else 0.0)
        if ends and ends[-1][1] * active < _FAIR * fast:
            least = most  # it lags behind the others, so it is limited for itself
        if queued:
            is_steady = _agree(fast, slow) and _agree(least, by_slots)
            if not (is_steady or rest.is_sorted):
                return None
            # The last files start when running ones end.
            starts_in = ends[min(queued, len(ends)) - 1][0] if ends else 0.0
            most = max(most, starts_in + rest.longest_s)
        if most > least * _MAX_SPAN:
            return None
        return math.sqrt(least * most)

    def _running_s(self, now: float) -> list[tuple[float, float]]:
        """Return seconds left and speed of active transfers, the first to end first.

        Those without a measured speed are left out: it would be far too low.
        """
        return sorted(
            (end, running.steady_speed())
            for running in self._registry.running
            if running.is_measured()
            and now - running.last_byte_at < _SILENT_S
            and (end := transfer_eta_s(running)) is not None
        )

    def _rest(self) -> _Rest | None:
        """Add up what is left; ``None`` if kinds of waiting files are not known."""
        kinds = self._registry.kinds
        running = self._running_by_kind()
        nbytes = slot_s = longest_s = error = 0.0
        is_sorted = False
        for number, kind in enumerate(kinds.all):
            if not (kind.waiting or kind.known_left):
                continue
            is_known = kinds.is_trusted(number) and kind.mean > 0
            if kind.waiting and not is_known:
                return None  # so far, all files of this kind may have failed
            received, size, speed = running.get(number, (0, 0, 0.0))
            mean, kind_error = kind.to_come()
            left = max(0.0, kind.known_left - received) + kind.waiting * mean
            nbytes += left
            error += kind_error**2
            is_sorted = is_sorted or (kind.waiting > 0 and kind.is_sorted)
            pace = kind.pace or speed
            slot_s += left / pace if pace else math.inf if left else 0.0
            if pace and (kind.waiting or kind.known_left > size):
                longest_s = max(longest_s, mean / pace, kind.slowest_s)
        if 2 * math.sqrt(error) > _MAX_ERROR * nbytes:
            return None
        return _Rest(nbytes, slot_s, longest_s, is_sorted)

    def _running_by_kind(self) -> dict[int, tuple[int, int, float]]:
        """Return received bytes, sizes and mean speed of running transfers by kind."""
        sums: dict[int, tuple[int, int, float, int]] = {}
        for running in self._registry.running:
            download = running.download
            received, size, speed, number = sums.get(download.kind, (0, 0, 0.0, 0))
            if download.size is not None:
                received += min(download.received, download.size)
                size += download.size
            speed += running.steady_speed()
            sums[download.kind] = received, size, speed, number + 1
        return {
            kind: (received, size, speed / number)
            for kind, (received, size, speed, number) in sums.items()
        }


def _agree(one: float, other: float, gap: float = _MAX_GAP) -> bool:
    return one <= other * gap and other <= one * gap

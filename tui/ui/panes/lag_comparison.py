"""Compares the lag of the event loop with writes in threads and on the loop."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from tui.core.snapshot import DiskSnapshot

_SAMPLE_S = 0.5
_SETTLE_S = 1.5
"""After a switch, the lag still includes writes of the other mode."""
_NEEDED = 4
"""Samples of half a second that a mode needs."""
_KEPT = 20
_COMPARE_FOR_S = 60.0


class Comparison(NamedTuple):
    """What has been measured in both modes so far."""

    is_inline: bool
    """Writes run on the loop now."""
    executor_s: float | None
    """Typical worst lag per half second with writes in threads; ``None`` while it is
    being measured."""
    inline_s: float | None
    """The same with writes on the loop."""

    @property
    def is_similar(self) -> bool:
        """Whether both modes were measured and differ by less than a factor of two."""
        if self.executor_s is None or self.inline_s is None:
            return False
        low, high = sorted((self.executor_s, self.inline_s))
        return high < 2 * low or high < 0.01


class LagComparison:
    """Measures the mode that is on, while something is written."""

    def __init__(self) -> None:
        self._mode = (False, 0.0)
        self._lags: dict[bool, deque[float]] = {
            is_inline: deque(maxlen=_KEPT) for is_inline in (False, True)
        }
        self._settled_at_s = 0.0
        self._sampled_at_s = 0.0
        self._batches = 0
        self._inline_at_s: float | None = None
        """When writes last ran on the loop; ``None`` if never."""

    def update(
        self, disk: DiskSnapshot, worst_s: float, now_s: float
    ) -> Comparison | None:
        """Add a sample.

        Args:
            disk: the writer.
            worst_s: worst lag of the last half second.
            now_s: monotonic.

        Returns:
            Both modes; ``None`` if writes did not run on the loop in the last minute.
        """
        self._follow(disk, now_s)
        is_due = now_s - self._sampled_at_s >= _SAMPLE_S
        if is_due and now_s >= self._settled_at_s:
            self._sampled_at_s = now_s
            if disk.batches > self._batches:
                self._lags[disk.is_inline].append(worst_s)
            self._batches = disk.batches
        if disk.is_inline:
            self._inline_at_s = now_s
        if self._inline_at_s is None or now_s - self._inline_at_s > _COMPARE_FOR_S:
            return None
        return Comparison(disk.is_inline, self._lag(False), self._lag(True))

    def _follow(self, disk: DiskSnapshot, now_s: float) -> None:
        mode = (disk.is_inline, disk.delay_s)
        if mode == self._mode:
            return
        if disk.delay_s != self._mode[1]:
            self._lags[not disk.is_inline].clear()  # measured on another disk
        self._mode = mode
        self._lags[disk.is_inline].clear()
        self._settled_at_s = now_s + _SETTLE_S
        self._batches = disk.batches

    def _lag(self, is_inline: bool) -> float | None:
        lags = self._lags[is_inline]
        if len(lags) < _NEEDED:
            return None
        from statistics import median  # late: only the comparison needs it

        return median(lags)

"""Sizes and speeds by kind of file: same folder on the server, same extension.

The size of a file that has not been requested yet is estimated from files of its own
kind only. The mean over all files is wrong by orders of magnitude in a list of 1,900
photos and 10 disk images, for as long as only photos have arrived. If sizes rise or
fall steadily with the order of the list, the line through them is continued, but not
far.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_KINDS = 256
"""Kinds that are distinguished; all further ones share one that is never trusted."""
_MIN_SAMPLES = 3
_FORGET = 0.98
"""Weight that earlier files keep when one more has ended."""
_RECENT = 0.1
"""Weight of the newest size in the recent mean."""
_MAX_TREND = 1.5
"""Ratio of recent and overall mean from which a kind counts as sorted by size."""
_BLOCKS = 32
"""Most blocks of sizes of which a trend is computed, and twice the fewest."""
_MAX_REACH = 1.0
"""How many times more files than have been seen a trend is continued for."""
_MAX_BEND = 1.3
"""Ratio of the slopes of all sizes and of their last half from which they are on no
line. Sizes that grow by a constant factor are not far from one for a while; up to here
and with this reach, they are underestimated by a factor of two at most."""
_MAX_CHANGE = 3.0
"""Ratio of the mean size to come and the present one beyond which none is given."""


class Kind:
    """What is known about the files of one kind, and how many are still to come."""

    __slots__ = (
        "_block",
        "_blocks",
        "_paced_bytes",
        "_paced_s",
        "_per_block",
        "_recent",
        "_squares",
        "_total",
        "known_left",
        "samples",
        "slowest_s",
        "waiting",
    )

    def __init__(self) -> None:
        self.waiting = 0
        """Files of unknown size that are not finished and not paused."""
        self.known_left = 0
        """Sum of the known sizes of such files, in bytes."""
        self.samples = 0
        """Number of sizes that became known."""
        self.slowest_s = 0.0
        """Longest time that one of the last files occupied a slot."""
        self._total = self._squares = 0
        """Sums of the sizes that became known and of their squares: exact integers."""
        self._recent = 0.0
        self._blocks: list[int] = []
        """Sums of equally many sizes each, in the order in which they became known."""
        self._per_block = 1
        self._block = 0
        """Sum of the sizes that are in no block yet."""
        self._paced_bytes = 0.0
        self._paced_s = 0.0

    def add_size(self, size: int) -> None:
        """Add a size that has become known."""
        self.samples += 1
        self._total += size
        self._squares += size * size
        weight = max(_RECENT, 1 / self.samples)
        self._recent += weight * (size - self._recent)
        self._block += size
        if not self.samples % self._per_block:
            self._blocks.append(self._block)
            self._block = 0
            if len(self._blocks) == _BLOCKS:
                self._per_block *= 2
                pairs = zip(self._blocks[::2], self._blocks[1::2], strict=True)
                self._blocks = [one + other for one, other in pairs]

    def add_duration(self, size: int, seconds: float) -> None:
        """Add a finished file and the seconds that it occupied a slot."""
        self._paced_bytes = self._paced_bytes * _FORGET + size
        self._paced_s = self._paced_s * _FORGET + seconds
        self.slowest_s = max(self.slowest_s * _FORGET, seconds)

    @property
    def mean(self) -> float:
        """Mean of the sizes that became known, in bytes; 0 if none has."""
        return self._total / self.samples if self.samples else 0.0

    @property
    def pace(self) -> float:
        """Bytes per second of one slot, as of the last files; 0 if none has ended."""
        return self._paced_bytes / self._paced_s if self._paced_s > 0 else 0.0

    @property
    def is_sorted(self) -> bool:
        """Whether sizes rise or fall with the order of the list."""
        mean = self.mean
        return not mean / _MAX_TREND <= self._recent <= mean * _MAX_TREND

    def to_come(self) -> tuple[float, float]:
        """Return the mean size of waiting files, and the standard error of their sum.

        The error is infinite while there are too few samples, or if sizes rise or fall
        with the order of the list, but not steadily.
        """
        if not self.waiting:
            return self.mean, 0.0
        if self.samples < _MIN_SAMPLES:
            return self.mean, math.inf
        if self.is_sorted:
            return self._continued()
        number, samples = self.waiting, self.samples
        squares = self._squares * samples - self._total * self._total
        variance = squares / (samples * (samples - 1))
        return self.mean, math.sqrt(variance * (number + number * number / samples))

    def _continued(self) -> tuple[float, float]:
        """Return mean and error of the sizes to come if they stay on a line."""
        blocks, ahead = self._blocks, self.waiting / self._per_block
        half = len(blocks) // 2
        if half < _BLOCKS // 4 or self.waiting > _MAX_REACH * self.samples:
            return self.mean, math.inf
        last = blocks[half:]
        slope, late = _slope(blocks), _slope(last)
        ratio = late / slope if slope else 0.0
        if not 1 / _MAX_BEND <= ratio <= _MAX_BEND:
            return self.mean, math.inf
        now = sum(last) / len(last) + late * len(last) / 2
        rest = (now + max(0.0, now + late * ahead)) / 2
        if not now / _MAX_CHANGE <= rest <= now * _MAX_CHANGE:
            return self.mean, math.inf
        # Small files take as long as before, large ones take longer: between the two.
        mean = math.sqrt(now * rest)
        return mean / self._per_block, abs(rest - now) / 4 * ahead


def _slope(values: Sequence[float]) -> float:
    """Return the slope of the line through values at 0, 1, 2 ... (least squares)."""
    middle = (len(values) - 1) / 2
    spread = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * value for at, value in enumerate(values)) / spread


class Kinds:
    """The kinds of files in a run, numbered in the order in which they were met."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self.all: list[Kind] = []

    def number_of(self, url: str) -> int:
        """Return the number of a URL's kind, for ``all``."""
        folder, _, name = url.partition("?")[0].rpartition("/")
        key = (folder, name.rpartition(".")[2] if "." in name else "")
        number = self._numbers.get(key)
        if number is None:
            if len(self.all) > MAX_KINDS:
                return MAX_KINDS
            number = self._numbers[key] = len(self.all)
            self.all.append(Kind())
        return number

    def is_trusted(self, number: int) -> bool:
        """Return False for the kind that all kinds beyond the limit share."""
        return number < MAX_KINDS

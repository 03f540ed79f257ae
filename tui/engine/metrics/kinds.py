"""Sizes and speeds by kind of file: same folder on the server, same extension.

The size of a file that has not been requested yet is estimated from files of its own
kind only. The mean over all files is wrong by orders of magnitude in a list of 1,900
photos and 10 disk images, for as long as only photos have arrived.
"""

from __future__ import annotations

import math

MAX_KINDS = 256
"""Kinds that are distinguished; all further ones share one that is never trusted."""
_MIN_SAMPLES = 3
_FORGET = 0.98
"""Weight that earlier files keep when one more has ended."""
_RECENT = 0.1
"""Weight of the newest size in the recent mean."""
_MAX_TREND = 1.5
"""Ratio of recent and overall mean from which a kind counts as sorted by size."""


class Kind:
    """What is known about the files of one kind, and how many are still to come."""

    __slots__ = (
        "_paced_bytes",
        "_paced_s",
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
        self._paced_bytes = 0.0
        self._paced_s = 0.0

    def add_size(self, size: int) -> None:
        """Add a size that has become known."""
        self.samples += 1
        self._total += size
        self._squares += size * size
        weight = max(_RECENT, 1 / self.samples)
        self._recent += weight * (size - self._recent)

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
    def error(self) -> float:
        """Standard error of the bytes to come in files of unknown size.

        Infinite while there are too few samples, or if sizes rise or fall with the
        order of the list.
        """
        if not self.waiting:
            return 0.0
        if self.samples < _MIN_SAMPLES:
            return math.inf
        number, samples, mean = self.waiting, self.samples, self.mean
        if not mean / _MAX_TREND <= self._recent <= mean * _MAX_TREND:
            return math.inf
        squares = self._squares * samples - self._total * self._total
        variance = squares / (samples * (samples - 1))
        return math.sqrt(variance * (number + number * number / samples))


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

"""Half-open ranges of bytes in a file, and arithmetic with them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class RangeSet:
    """A set of bytes, as disjoint, sorted, half-open ranges.

    Adjacent ranges are merged, so a file downloaded front to back is always one range.
    """

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add ``[start, end)``, which may overlap existing ranges.

        Raises:
            ValueError: the range is reversed or starts before zero.
        """
        if start < 0 or end < start:
            raise ValueError(f"bad range [{start}, {end})")
        if start == end:
            return
        low = bisect_right(self._ends, start - 1)
        high = bisect_right(self._starts, end)
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def remove(self, start: int, end: int) -> None:
        """Remove ``[start, end)``, of which any part may be absent.

        Raises:
            ValueError: the range is reversed or starts before zero.
        """
        if start < 0 or end < start:
            raise ValueError(f"bad range [{start}, {end})")
        if start == end:
            return
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        if low >= high:
            return
        rest = [(self._starts[low], start), (end, self._ends[high - 1])]
        rest = [(first, last) for first, last in rest if first < last]
        self._starts[low:high] = [first for first, _ in rest]
        self._ends[low:high] = [last for _, last in rest]

    def missing(self, size: int) -> list[tuple[int, int]]:
        """Return the gaps in ``[0, size)``, in order."""
        gaps = []
        at = 0
        for start, end in self:
            if start >= size:
                break
            if start > at:
                gaps.append((at, start))
            at = end
        if at < size:
            gaps.append((at, size))
        return gaps

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(list(self._starts), list(self._ends), strict=True)

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<RangeSet {' '.join(f'{a}-{b}' for a, b in self) or 'empty'}>"

    @property
    def total(self) -> int:
        """Number of bytes in the set."""
        return sum(self._ends) - sum(self._starts)


_ALIGNMENT = 1 << 16
"""Ranges begin at multiples of it, so that writes match pages of the page cache."""


def plan_segments(
    gaps: list[tuple[int, int]], connections: int, least: int
) -> list[tuple[int, int]]:
    """Split the missing ranges of a file among connections.

    Args:
        gaps: missing half-open ranges in order.
        connections: number of ranges wanted, at least 1.
        least: bytes below which a range is not split: a request costs a round trip,
            so small ranges lose more than they gain.

    Returns:
        Ranges in order that tile ``gaps`` exactly. There may be more of them than
        ``connections`` where there are more gaps.
    """
    if not gaps:
        return []
    counts = [1] * len(gaps)
    for _ in range(connections - len(gaps)):
        # One more to the gap whose ranges are the largest.
        index = max(
            range(len(gaps)), key=lambda i: (gaps[i][1] - gaps[i][0]) / counts[i]
        )
        start, end = gaps[index]
        if (end - start) // (counts[index] + 1) < max(least, 1) + _ALIGNMENT:
            break
        counts[index] += 1
    return [
        part
        for (start, end), count in zip(gaps, counts, strict=True)
        for part in _parts(start, end, count)
    ]


def _parts(start: int, end: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut a range into ``count`` parts of about the same size."""
    at = start
    for number in range(1, count):
        cut = start + (end - start) * number // count
        cut -= cut % _ALIGNMENT
        yield at, cut
        at = cut
    yield at, end


def split_range(start: int, end: int, least: int) -> list[tuple[int, int]] | None:
    """Halve ``[start, end)``; return ``None`` if a half would be under ``least``.

    The middle is aligned to 64 KiB.
    """
    middle = start + (end - start) // 2
    middle -= middle % _ALIGNMENT
    if min(middle - start, end - middle) < max(least, 1):
        return None
    return [(start, middle), (middle, end)]

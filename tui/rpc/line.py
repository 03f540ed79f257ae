"""The waiting downloads in their order, for pages of a queue of any length.

Ids are kept in blocks of some hundred, sorted by the position in the queue. Putting one
in or taking one out touches one block, and a page or an index is found by adding up the
lengths of blocks: tens of microseconds with a million downloads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import repeat
from math import isnan, nan
from typing import TYPE_CHECKING, Final

from tui.core.listing.slices import collect_iter, sort_iter

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tui.core.download import DownloadId

_BLOCK: Final = 1_000
"""Ids of a new block; one that has grown to twice as many is split."""
_SLICE: Final = 20_000


class Line:
    """Ids in the order of their positions; equal positions in the order of ids."""

    def __init__(self) -> None:
        self._positions = array("d")
        """By id; not a number for those that are not in the line."""
        self._blocks: list[array[int]] = []
        self._lasts: list[tuple[float, DownloadId]] = []
        """Position and id of the last one of each block."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def fill_iter(
        self, positions: Sequence[float | None]
    ) -> Generator[None, None, None]:
        """Replace everything, in slices of a few milliseconds.

        Args:
            positions: by id; ``None`` for those that are not in the line.
        """
        known = array("d")
        for start in range(0, len(positions), _SLICE):
            part = positions[start : start + _SLICE]
            known.extend([nan if one is None else one for one in part])
            yield
        ids = yield from collect_iter(
            range(len(known)), lambda part: [id for id in part if not isnan(known[id])]
        )
        ids = yield from sort_iter(ids, known.__getitem__)
        self._positions = known
        starts = range(0, len(ids), _BLOCK)
        self._blocks = [array("I", ids[start : start + _BLOCK]) for start in starts]
        self._lasts = [(known[block[-1]], block[-1]) for block in self._blocks]
        self._length = len(ids)

    def put(self, id: DownloadId, position: float | None) -> None:
        """Move a download to a position; ``None`` takes it out."""
        missing = id + 1 - len(self._positions)
        if missing > 0:
            self._positions.extend(repeat(nan, missing))
        old = self._positions[id]
        if old == position:
            return
        if not isnan(old):
            self._take_out(id)
        if position is not None:
            self._positions[id] = position
            self._put_in(id, position)

    def part(self, wanted: range) -> list[DownloadId]:
        """Return the ids at some indexes, which must exist; the range may go down."""
        if not wanted:
            return []
        if wanted.step < 0:
            return self.part(wanted[::-1])[::-1]
        found: list[DownloadId] = []
        at = 0
        for block in self._blocks:
            if at + len(block) > wanted.start:
                found += block[max(0, wanted.start - at) : wanted.stop - at]
            at += len(block)
            if at >= wanted.stop:
                break
        return found

    def index(self, id: DownloadId) -> int | None:
        """Return where a download is; ``None`` if it is not in the line."""
        if not 0 <= id < len(self._positions) or isnan(self._positions[id]):
            return None
        number, at = self._find(id)
        return sum(map(len, self._blocks[:number])) + at

    def _key(self, id: DownloadId) -> tuple[float, DownloadId]:
        return self._positions[id], id

    def _find(self, id: DownloadId) -> tuple[int, int]:
        """Return the block of a download, and the place there."""
        key = self._key(id)
        number = bisect_left(self._lasts, key)
        return number, bisect_left(self._blocks[number], key, key=self._key)

    def _take_out(self, id: DownloadId) -> None:
        number, at = self._find(id)
        block = self._blocks[number]
        del block[at]
        self._positions[id] = nan
        self._length -= 1
        if not block:
            del self._blocks[number], self._lasts[number]
        elif at == len(block):
            self._lasts[number] = self._key(block[-1])

    def _put_in(self, id: DownloadId, position: float) -> None:
        self._length += 1
        if not self._blocks:
            self._blocks.append(array("I", [id]))
            self._lasts.append((position, id))
            return
        key = position, id
        number = min(bisect_left(self._lasts, key), len(self._blocks) - 1)
        block = self._blocks[number]
        block.insert(bisect_left(block, key, key=self._key), id)
        if len(block) > 2 * _BLOCK:
            self._blocks[number : number + 1] = [block[:_BLOCK], block[_BLOCK:]]
            self._lasts.insert(number, self._key(block[_BLOCK - 1]))
            number += 1
        self._lasts[number] = self._key(block[-1])

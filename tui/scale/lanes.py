"""Cut the buckets of a plan into shards and lanes, and share lanes out.

All URLs of a host are in one bucket. A lane is a sequence of shards that run one after
the other, so a host is never requested by two workers at a time, and the engine's own
limits per host apply to all workers together. A bucket with a large part of the list
is split into ``k`` lanes; each may then use the ``k``-th part of a host's limit.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Piece(NamedTuple):
    """Consecutive rows of a bucket's file."""

    bucket: int
    start: int
    """Bytes."""
    end: int
    rows: int


class Shard(NamedTuple):
    """What one task downloads."""

    id: int
    lane: int
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Return the number of downloads."""
        return sum(piece.rows for piece in self.pieces)


class Lane(NamedTuple):
    """Shards that run one after the other."""

    slot: int = 0
    """Number of this lane among those of the same bucket."""
    of: int = 1
    """Number of lanes of the bucket."""
    bucket: int = -1
    """The bucket that is split, or -1."""


class Layout(NamedTuple):
    """All shards, ordered by id, and all lanes."""

    shards: list[Shard]
    lanes: list[Lane]


def cut(
    buckets: Sequence[Sequence[Piece]], shard_size: int, parts: int, cap: int
) -> Layout:
    """Assign pieces to shards and lanes.

    Args:
        buckets: the pieces of each bucket, each of at most ``shard_size`` rows.
        shard_size: rows of a shard.
        parts: number of workers that are expected.
        cap: the lowest limit per host that applies; 0 if there is no limit.
    """
    total = sum(piece.rows for pieces in buckets for piece in pieces)
    shards: list[Shard] = []
    lanes: list[Lane] = []
    small: list[tuple[int, Sequence[Piece]]] = []
    for number, pieces in enumerate(buckets):
        rows = sum(piece.rows for piece in pieces)
        if not rows:
            continue
        if rows < shard_size:
            small.append((rows, pieces))
            continue
        of = _split(rows, total, parts, cap, len(pieces))
        first = len(lanes)
        lanes += [Lane(slot, of, number if of > 1 else -1) for slot in range(of)]
        for at, piece in enumerate(pieces):
            shards.append(Shard(len(shards), first + at % of, (piece,)))
    # Small buckets share shards: a shard costs some milliseconds whatever its size.
    pending: list[Piece] = []
    filled = 0
    for rows, pieces in small:
        if pending and filled + rows > shard_size:
            shards.append(Shard(len(shards), len(lanes), tuple(pending)))
            lanes.append(Lane())
            pending, filled = [], 0
        pending += pieces
        filled += rows
    if pending:
        shards.append(Shard(len(shards), len(lanes), tuple(pending)))
        lanes.append(Lane())
    return Layout(shards, lanes)


def _split(rows: int, total: int, parts: int, cap: int, shards: int) -> int:
    """Return into how many lanes to split a bucket.

    More than half a worker's share is worth it: it would otherwise run alone at the
    end. Twice as many lanes as shares let workers of different speed balance.
    """
    share = rows * parts / total
    if parts == 1 or share <= 0.5:
        return 1
    wanted = min(parts, ceil(2 * share), shards)
    return max(1, min(wanted, cap) if cap else wanted)


def cap_of_lane(cap: int, lane: Lane) -> int:
    """Return the part of a limit per host that a lane may use; 0 for none at all.

    Args:
        cap: the limit over all workers, at least 1.
        lane: the lane.
    """
    return cap // lane.of + (lane.slot < cap % lane.of)


def share(total: int, part: int, of: int) -> int:
    """Return part number ``part`` of a total that is divided as evenly as possible."""
    return total // of + (part < total % of)


def part_of(layout: Layout, part: int, of: int) -> set[int]:
    """Return the lanes of one of several processes that work without a scheduler.

    The largest lanes are assigned first, each to the process with the fewest rows.
    Every process computes the same result.
    """
    rows = [0] * len(layout.lanes)
    for shard in layout.shards:
        rows[shard.lane] += shard.rows
    loads = [0] * of
    mine = set()
    for lane in sorted(range(len(rows)), key=lambda lane: (-rows[lane], lane)):
        least = min(range(of), key=lambda number: (loads[number], number))
        loads[least] += rows[lane]
        if least == part:
            mine.add(lane)
    return mine


def lowest_cap(per_host: int, rules: Iterable[int]) -> int:
    """Return the lowest positive limit, or 0 if there is none."""
    return min((cap for cap in (per_host, *rules) if cap > 0), default=0)

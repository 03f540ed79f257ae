"""Cut the buckets of a plan into shards and lanes, and share lanes out.

All URLs of a host are in one bucket. A lane is a sequence of shards that run one after
the other, so a host is never requested by two workers at a time, and the engine's own
limits per host apply to all workers together. A bucket with a large part of the list
is split into ``k`` lanes; each may then use the ``k``-th part of a host's limit.
``HostCaps`` computes what that means for the lanes that one worker has.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from tui.core.rules.hosts import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tui.core.settings import HostRule


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


class HostCaps:
    """What one worker may use of the limits of hosts; decides, and sets nothing.

    An engine applies the limits per host by itself. It needs other ones for two kinds
    of hosts: those of split lanes, of whose limit each lane has a part, and those that
    have refused connections of another worker.
    """

    def __init__(self, rules: Sequence[HostRule], per_host: int) -> None:
        """Start without lanes.

        Args:
            rules: limits of some hosts, over all workers.
            per_host: the limit of all others, over all workers; 0: none.
        """
        self._rules = rules
        self.per_host = per_host
        self._split: dict[int, tuple[Lane, AbstractSet[str]]] = {}
        """By shard: its split lane, and its hosts."""
        self._slowed: dict[str, int] = {}
        self._set: dict[str, int] = {}
        """Limits that the engine has by now."""

    def add_lane(self, shard: int, lane: Lane, origins: AbstractSet[str]) -> None:
        """Use the part of a lane while a shard of it runs."""
        if lane.of > 1:
            self._split[shard] = lane, origins

    def remove_lane(self, shard: int) -> None:
        """Use the part of a lane no longer."""
        self._split.pop(shard, None)

    def slow_down(self, origin: str, cap: int) -> None:
        """Use no more connections to a host than another worker found; 0 ends that."""
        if cap:
            self._slowed[origin] = cap
        else:
            self._slowed.pop(origin, None)

    def reset(self) -> None:
        """Start over with a new engine, which has none of the limits."""
        self._set.clear()

    def changes(self, origins: Iterable[str]) -> dict[str, int]:
        """Return the limits of some hosts that the engine has to change.

        They count as set from now on.
        """
        found = {}
        for origin in origins:
            cap = self._part_of(origin)
            if slowed := self._slowed.get(origin, 0):
                cap = min(cap, slowed) if cap else slowed
            elif not self._lanes_of(origin):
                continue
            if self._set.get(origin, 0) != cap:
                self._set[origin] = found[origin] = cap
        return found

    def are_kept(self, origins: Iterable[str], active: Mapping[str, int]) -> bool:
        """Return True if no more downloads run than the lanes here may use.

        Args:
            origins: the hosts to look at.
            active: running downloads by host.
        """
        return all(
            active.get(origin, 0) <= self._part_of(origin)
            for origin in origins
            if self._cap_of(origin)
        )

    def _lanes_of(self, origin: str) -> list[Lane]:
        return [lane for lane, origins in self._split.values() if origin in origins]

    def _part_of(self, origin: str) -> int:
        """Return the part of a host's limit that split lanes here have; 0 for none."""
        total = self._cap_of(origin)
        lanes = self._lanes_of(origin)
        if not (total and lanes):
            return 0
        return max(1, sum(cap_of_lane(total, lane) for lane in lanes))

    def _cap_of(self, origin: str) -> int:
        """Return the limit of a host over all workers; 0 if there is none."""
        for rule in self._rules:
            if matches(rule.pattern, origin):
                return rule.cap or self.per_host
        return self.per_host

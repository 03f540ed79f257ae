"""Simulate the leases of many workers, without a network and without waiting.

The planner's ``cut`` and the coordinator's ``Leases`` run on host sizes that follow a
power law, as they do on the web. The model is simple: a request takes the same time
everywhere, the slots of a worker are shared by its shards, and a shard is no faster
than the limit of its largest host allows. Real networks are not like it.
"""

from __future__ import annotations

import heapq
import itertools
import random
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from tui.scale.lanes import Layout, Piece, Shard, cap_of_lane, cut
from tui.scale.leases import Leases
from tui.scale.plan import BUCKETS_PER_PART, MIN_BUCKETS
from tui.scale.worker import SHARDS_AT_ONCE

REQUEST_S = 0.2


class Result(NamedTuple):
    """Figures of a simulated run."""

    shards: int
    lanes: int
    split: int
    """Buckets that are in several lanes."""
    ended_s: float
    ideal_s: float
    """What no schedule can beat: all slots busy, or the largest host at its limit."""
    idle: float
    """Share of slot time without a request, 0 to 1."""
    spread: float
    """Rows of the busiest worker over those of the least busy one."""
    over_limit: int
    """Times at which a lane was given to two workers."""
    decision_us: float
    """Time of one lease."""


@dataclass
class _Worker:
    number: int
    left: dict[int, tuple[Shard, float]] = field(default_factory=dict)
    """Running shards by id, with rows to do."""
    since: float = 0.0
    rows: float = 0.0
    version: int = 0
    last_lane: int | None = None


class _Model:
    """How fast the shards of a worker are."""

    def __init__(
        self,
        layout: Layout,
        largest: list[float],
        per_host: int,
        slots: float,
    ) -> None:
        self._layout = layout
        self._largest = largest
        """Share of the largest host, by bucket."""
        self._per_host = per_host
        self._capacity = slots / REQUEST_S

    def _fastest(self, shard: Shard) -> float:
        """Return the rows per second that the limits per host allow."""
        if not self._per_host:
            return self._capacity
        lane = self._layout.lanes[shard.lane]
        cap = cap_of_lane(self._per_host, lane)
        portion = max(
            sum(p.rows * self._largest[p.bucket] for p in shard.pieces) / shard.rows,
            1e-6,
        )
        return cap / REQUEST_S / portion

    def rates(self, shards: list[Shard]) -> list[float]:
        """Divide a worker's capacity: nobody gets more than it can use."""
        wishes = sorted((self._fastest(s), at) for at, s in enumerate(shards))
        rates = [0.0] * len(shards)
        capacity, waiting = self._capacity, len(shards)
        for fastest, at in wishes:
            rates[at] = min(fastest, capacity / waiting)
            capacity -= rates[at]
            waiting -= 1
        return rates


def host_sizes(rows: int, hosts: int, largest: float, seed: int) -> list[int]:
    """Return sizes that follow a power law; the first host has ``largest`` of all."""
    chance = random.Random(seed)
    weights = [1 / (rank + 10) ** 1.1 for rank in range(hosts)]
    scale = rows * (1 - largest) / sum(weights)
    sizes = [max(1, int(weight * scale)) for weight in weights]
    chance.shuffle(sizes)
    return [int(rows * largest), *sizes]


def _plan(
    sizes: list[int], workers: int, per_host: int, shard_size: int, seed: int
) -> tuple[Layout, list[float]]:
    chance = random.Random(seed)
    count = max(MIN_BUCKETS, BUCKETS_PER_PART * workers)
    total, top = [0] * count, [0] * count
    for size in sizes:
        bucket = chance.randrange(count)
        total[bucket] += size
        top[bucket] = max(top[bucket], size)
    buckets = [
        [
            Piece(number, 0, 0, min(shard_size, size - at))
            for at in range(0, size, shard_size)
        ]
        for number, size in enumerate(total)
    ]
    shares = [a / b if b else 0.0 for a, b in zip(top, total, strict=True)]
    return cut(buckets, shard_size, workers, per_host), shares


def simulate(
    rows: int,
    workers: int,
    *,
    hosts: int = 200_000,
    largest: float = 0.01,
    per_host: int = 100,
    slots: int = 64,
    shard_size: int = 5000,
    losses: int = 0,
    seed: int = 1,
) -> Result:
    """Run a simulation; ``slots`` is the concurrency of a worker."""
    sizes = host_sizes(rows, hosts, largest, seed)
    layout, shares = _plan(sizes, workers, per_host, shard_size, seed)
    leases = Leases(layout)
    model = _Model(layout, shares, per_host, slots)
    crowd = [_Worker(number) for number in range(workers)]
    events: list[tuple[float, int, int, int]] = []
    order = itertools.count()
    chance = random.Random(seed)
    lost_at = sorted(chance.random() for _ in range(losses))
    in_use: set[int] = set()
    over_limit = decisions = ended = 0
    spent = now = 0.0
    free_slots = [(0, number) for number in range(workers)]

    def advance(worker: _Worker) -> None:
        running = [shard for shard, _ in worker.left.values()]
        for shard, rate in zip(running, model.rates(running), strict=True):
            done = min(worker.left[shard.id][1], rate * (now - worker.since))
            worker.left[shard.id] = (shard, worker.left[shard.id][1] - done)
            worker.rows += done
        worker.since = now

    def take(worker: _Worker) -> bool:
        nonlocal over_limit, decisions, spent
        start = time.perf_counter()
        shard = leases.take(str(worker.number), worker.last_lane)
        spent += time.perf_counter() - start
        decisions += 1
        worker.last_lane = None
        if shard is None:
            return False
        over_limit += shard.lane in in_use
        in_use.add(shard.lane)
        worker.left[shard.id] = (shard, float(shard.rows))
        return True

    def refill() -> None:
        """Give shards to the least busy workers, as the coordinator does."""
        while leases.waiting and free_slots:
            count, number = heapq.heappop(free_slots)
            worker = crowd[number]
            if count != len(worker.left) or count >= SHARDS_AT_ONCE:
                continue
            advance(worker)
            if not take(worker):
                heapq.heappush(free_slots, (count, number))
                return
            heapq.heappush(free_slots, (count + 1, number))
            schedule(worker)

    def schedule(worker: _Worker) -> None:
        worker.version += 1
        running = [shard for shard, _ in worker.left.values()]
        times = [
            worker.left[shard.id][1] / rate
            for shard, rate in zip(running, model.rates(running), strict=True)
        ]
        if times:
            event = (now + min(times), next(order), worker.number, worker.version)
            heapq.heappush(events, event)

    refill()
    while events:
        now, _, number, version = heapq.heappop(events)
        worker = crowd[number]
        if version != worker.version:
            continue
        advance(worker)
        finished = [shard for shard, left in worker.left.values() if left < 1e-6]
        for shard in finished:
            del worker.left[shard.id]
            in_use.discard(shard.lane)
            leases.finish(shard)
            ended += 1
            worker.last_lane = shard.lane
        if lost_at and ended / len(layout.shards) >= lost_at[0]:
            lost_at.pop(0)
            for shard, left in worker.left.values():
                worker.rows -= shard.rows - left
                in_use.discard(shard.lane)
                leases.give_back(shard)
            worker.left.clear()
        heapq.heappush(free_slots, (len(worker.left), number))
        refill()
        schedule(worker)
    assert ended == len(layout.shards)
    busy = [worker.rows for worker in crowd]
    ideal = max(
        rows * REQUEST_S / (slots * workers),
        max(sizes) * REQUEST_S / per_host if per_host else 0.0,
    )
    return Result(
        len(layout.shards),
        len(layout.lanes),
        sum(lane.of > 1 and lane.slot == 0 for lane in layout.lanes),
        now,
        ideal,
        1 - rows * REQUEST_S / (now * slots * workers),
        max(busy) / max(min(busy), 1.0),
        over_limit,
        spent / max(decisions, 1) * 1e6,
    )


def report(rows: int, workers: int, losses: int, per_host: int) -> None:
    """Print the figures for several sizes of the largest host."""
    print("simulated, without a network; times are in the model, not measured")
    for largest in (0.001, 0.01, 0.1, 0.5):
        result = simulate(
            rows, workers, largest=largest, losses=losses, per_host=per_host
        )
        print(
            f"largest host {largest:5.1%}: {result.shards:,} shards in"
            f" {result.lanes:,} lanes, {result.split} buckets split;"
            f" {result.ended_s / 3600:.2f} h, ideal {result.ideal_s / 3600:.2f} h"
            f" (x{result.ended_s / result.ideal_s:.2f}); idle slots {result.idle:.1%};"
            f" busiest over least busy worker {result.spread:.2f}; lanes used twice"
            f" {result.over_limit}; {result.decision_us:.0f} us per lease",
            flush=True,
        )

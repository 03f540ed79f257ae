"""Which shard a worker gets next: pure decisions, without clocks, files or network.

The coordinator uses it, and so does the simulation in ``tests/scale``.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.scale.lanes import Layout, Shard


class Leases:
    """The shards that wait, and the lanes that are in use.

    Args:
        layout: all shards and lanes.
        finished: shards that are done.
        lanes: the lanes to work on; all by default.
    """

    def __init__(
        self,
        layout: Layout,
        finished: Iterable[int] = (),
        lanes: Iterable[int] | None = None,
    ) -> None:
        self._layout = layout
        self._waiting: dict[int, deque[Shard]] = {}
        self._rows: dict[int, int] = {}
        """Rows that wait, by lane."""
        self._free: list[tuple[int, int]] = []
        """Heap of lanes: (-rows that wait, lane); entries may be out of date."""
        self._worker_of: dict[int, str] = {}
        """The worker that uses a lane."""
        skipped = set(finished)
        wanted = None if lanes is None else set(lanes)
        for shard in layout.shards:
            if shard.id in skipped or (wanted is not None and shard.lane not in wanted):
                continue
            self._waiting.setdefault(shard.lane, deque()).append(shard)
            self._rows[shard.lane] = self._rows.get(shard.lane, 0) + shard.rows
        for lane in self._waiting:
            self._offer(lane)

    @property
    def waiting(self) -> int:
        """Return the number of shards that wait."""
        return sum(len(shards) for shards in self._waiting.values())

    def take(
        self,
        worker: str,
        last_lane: int | None = None,
        allows: Callable[[int], bool] = lambda _lane: True,
    ) -> Shard | None:
        """Lease a shard to a worker.

        The lane that the worker just used comes first, since its connections and what
        it learned about these hosts are still there; then the lane with the most rows,
        because the largest one decides when the run ends.

        Args:
            worker: who gets it.
            last_lane: the lane of the shard that the worker just finished.
            allows: whether a lane may run now.

        Returns:
            The shard, or ``None`` if no lane with waiting shards is free.
        """
        if (
            last_lane is not None
            and last_lane not in self._worker_of
            and self._waiting.get(last_lane)
            and allows(last_lane)
        ):
            return self._lease(last_lane, worker)
        refused = []
        found = None
        while self._free:
            rows, lane = heappop(self._free)
            if lane in self._worker_of or -rows != self._rows.get(lane, 0):
                continue
            if not self._waiting.get(lane):
                continue
            if not allows(lane):
                refused.append((rows, lane))
                continue
            found = self._lease(lane, worker)
            break
        for entry in refused:
            heappush(self._free, entry)
        return found

    def finish(self, shard: Shard) -> None:
        """Free the lane of a shard that ended, however it did."""
        self._worker_of.pop(shard.lane, None)
        self._offer(shard.lane)

    def give_back(self, shard: Shard) -> None:
        """Free the lane of a leased shard, which waits again, before the others."""
        self._worker_of.pop(shard.lane, None)
        self.put_back(shard)

    def put_back(self, shard: Shard) -> None:
        """Let a shard that was withdrawn or has ended wait again, before the others.

        Its lane may be in use by another shard, and stays so.
        """
        self._waiting.setdefault(shard.lane, deque()).appendleft(shard)
        self._rows[shard.lane] = self._rows.get(shard.lane, 0) + shard.rows
        self._offer(shard.lane)

    def withdraw(self, id: int) -> Shard | None:
        """Remove a waiting shard; return it, or ``None`` if it does not wait."""
        shard = self._layout.shards[id]
        shards = self._waiting.get(shard.lane)
        if not shards or shard not in shards:
            return None
        shards.remove(shard)
        self._rows[shard.lane] -= shard.rows
        self._offer(shard.lane)
        return shard

    def _lease(self, lane: int, worker: str) -> Shard:
        shard = self._waiting[lane].popleft()
        self._rows[lane] -= shard.rows
        self._worker_of[lane] = worker
        return shard

    def _offer(self, lane: int) -> None:
        if self._waiting.get(lane) and lane not in self._worker_of:
            heappush(self._free, (-self._rows[lane], lane))

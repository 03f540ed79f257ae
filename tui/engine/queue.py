"""Who goes next: order, slots per origin, and origins that asked for a rest.

Each origin has a lane of its own, so that one that is at its cap or has sent
Retry-After is passed over without being searched through: taking the next download
costs the same with 10 queued and with 100,000.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from tui.core.download import Download, DownloadState
from tui.core.service import Move

if TYPE_CHECKING:
    from collections.abc import Iterable


class Lane:
    """One origin: its queued downloads, its slots and what we learned about it."""

    __slots__ = (
        "active",
        "blocked_until",
        "done",
        "entries",
        "failed",
        "learned_cap",
        "origin",
        "successes",
    )

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.entries: list[tuple[float, int, Download]] = []
        """Heap by queue key. An entry whose download has moved on, or has another
        key or origin by now, is dead and skipped when met."""
        self.active = 0
        """Downloads of it that hold a slot."""
        self.blocked_until = 0.0
        """Monotonic time before which it must not be asked (Retry-After)."""
        self.learned_cap = 0
        """Slots it seems to bear, after it said 429 or 503; 0 when never."""
        self.successes = 0
        """Since the cap was last lowered or raised."""
        self.done = 0
        self.failed = 0

    def head(self) -> tuple[float, int, Download] | None:
        """Return the next live entry, dropping dead ones before it."""
        entries = self.entries
        while entries:
            key, _, download = entries[0]
            if (
                download.state is DownloadState.QUEUED
                and download.queue_key == key
                and download.origin == self.origin
            ):
                return entries[0]
            heapq.heappop(entries)
        return None


class DownloadQueue:
    """Queued downloads in order, handed out one by one as slots allow."""

    def __init__(self, per_host: int) -> None:
        self.per_host = per_host
        """Slots per origin; 0 for no cap. Change it with ``set_per_host``."""
        self.lanes: dict[str, Lane] = {}
        self.resting: set[Lane] = set()
        """Lanes that asked for a rest (Retry-After)."""
        self._ready: list[tuple[float, int, str]] = []
        """Heap of lane heads. A stale entry is noticed when it is popped."""

    def lane(self, origin: str) -> Lane:
        """The lane of ``origin``, made when first asked for."""
        lane = self.lanes.get(origin)
        if lane is None:
            lane = self.lanes[origin] = Lane(origin)
        return lane

    def cap(self, lane: Lane) -> int:
        """Slots that ``lane`` may hold; 0 for as many as there are."""
        if not (self.per_host and lane.learned_cap):
            return self.per_host or lane.learned_cap
        return min(self.per_host, lane.learned_cap)

    def push(self, download: Download) -> None:
        """Queue a download (state QUEUED already) at its ``queue_key``."""
        lane = self.lane(download.origin)
        entry = (download.queue_key, download.id, download)
        heapq.heappush(lane.entries, entry)
        if lane.entries[0] is entry:
            heapq.heappush(self._ready, (entry[0], entry[1], lane.origin))

    def take(self, now: float) -> Download | None:
        """Take the next download whose origin has a free slot, and that slot.

        Give the slot back with ``release``. ``None`` means that nothing may start
        now; ``unblock`` or ``release`` may change that.
        """
        while self._ready:
            key, number, origin = self._ready[0]
            lane = self.lanes[origin]
            head = lane.head()
            is_current = head is not None and head[0] == key and head[1] == number
            if head is None or not is_current or not self._is_open(lane, now):
                # A lane that is full or resting comes back through release/unblock.
                heapq.heappop(self._ready)
                if head is not None and not is_current and self._is_open(lane, now):
                    heapq.heappush(self._ready, (head[0], head[1], origin))
                continue
            heapq.heappop(lane.entries)
            lane.active += 1
            following = lane.head()
            if following is not None:
                heapq.heapreplace(self._ready, (following[0], following[1], origin))
            else:
                heapq.heappop(self._ready)
            return head[2]
        return None

    def release(self, origin: str) -> None:
        """Give a slot back."""
        lane = self.lanes[origin]
        was_full = self._is_full(lane)
        lane.active -= 1
        if was_full:
            self._offer(lane)

    def set_per_host(self, count: int) -> None:
        """Change the cap of every origin; what runs above it drains."""
        self.per_host = count
        self._offer_all()

    def block(self, origin: str, until: float) -> None:
        """Start nothing from ``origin`` before ``until`` (monotonic seconds)."""
        lane = self.lane(origin)
        lane.blocked_until = max(lane.blocked_until, until)
        self.resting.add(lane)

    def unblock(self, now: float) -> float | None:
        """Let rested origins go on; return when the next one may, or ``None``."""
        for lane in [lane for lane in self.resting if lane.blocked_until <= now]:
            self.resting.remove(lane)
            lane.blocked_until = 0.0
            self._offer(lane)
        return min((lane.blocked_until for lane in self.resting), default=None)

    def slow_down(self, origin: str) -> None:
        """The origin said 429 or 503: halve what it gets (it was told to us)."""
        lane = self.lane(origin)
        now_at = max(lane.active, 1)
        lane.learned_cap = max(1, min(lane.learned_cap or now_at, now_at) // 2)
        lane.successes = 0

    def speed_up(self, origin: str) -> None:
        """A download from a slowed origin ended well: grow again, gently.

        One slot more after as many successes as it has slots: additive increase
        after multiplicative decrease, as TCP does it.
        """
        lane = self.lanes[origin]
        if not lane.learned_cap:
            return
        lane.successes += 1
        if lane.successes >= lane.learned_cap * 2:
            lane.learned_cap += 1
            lane.successes = 0
            self._offer(lane)

    def in_order(self, queued: Iterable[Download]) -> list[Download]:
        """Sort downloads as the queue would hand them out, caps aside."""
        return sorted(queued, key=lambda d: (d.queue_key, d.id))

    def move(
        self, queued: Iterable[Download], ids: set[int], move: Move
    ) -> list[Download]:
        """Put some of the queued downloads elsewhere; return those that moved.

        They get keys between those of their new neighbours, so nothing else has to
        be touched; among themselves they keep their order.
        """
        order = self.in_order(queued)
        moving = [d for d in order if d.id in ids]
        rest = [d for d in order if d.id not in ids]
        if not moving or not rest:
            return []
        first = order.index(moving[0])
        place = {
            Move.TOP: 0,
            Move.BOTTOM: len(rest),
            Move.UP: max(0, first - 1),
            Move.DOWN: min(len(rest), first + 1),
        }[move]
        below = rest[place - 1].queue_key if place else rest[0].queue_key - 2
        above = rest[place].queue_key if place < len(rest) else below + 2
        step = (above - below) / (len(moving) + 1)
        for index, download in enumerate(moving, start=1):
            download.queue_key = below + step * index
            self.push(download)
        return moving

    def _is_full(self, lane: Lane) -> bool:
        cap = self.cap(lane)
        return bool(cap) and lane.active >= cap

    def _is_open(self, lane: Lane, now: float) -> bool:
        return lane.blocked_until <= now and not self._is_full(lane)

    def _offer(self, lane: Lane) -> None:
        head = lane.head()
        if head is not None:
            heapq.heappush(self._ready, (head[0], head[1], lane.origin))

    def _offer_all(self) -> None:
        for lane in self.lanes.values():
            self._offer(lane)

"""Who goes next: order, slots per origin, and origins that asked for a rest.

Each origin has a lane of its own, so that one that is at its cap or has sent
Retry-After is passed over without being searched through: taking the next download
costs the same with 10 queued and with 100,000.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from tui.core.download import Download, DownloadState
from tui.core.rules.hosts import rule_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tui.core.settings import HostRule


MOST_PATIENCE = 64


class OriginState:
    """One origin: its queued downloads, its slots and what we learned about it."""

    __slots__ = (
        "active",
        "blocked_until",
        "done",
        "entries",
        "errors",
        "failed",
        "is_probing",
        "known_good",
        "last_error",
        "learned_cap",
        "origin",
        "own_cap",
        "probe_interval",
        "protocol",
        "ranges",
        "slowed_at",
        "stored",
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
        self.known_good = 0
        """Slots that it did not refuse when it last refused some: up to there the cap
        grows fast."""
        self.probe_interval = 1
        """How many times longer than usual it stays there before it is asked for one
        more: it doubles whenever that was refused."""
        self.is_probing = False
        """It has one slot more than it ever bore."""
        self.slowed_at = 0.0
        """Wall time at which the cap was last lowered."""
        self.own_cap = 0
        """Slots that a person gave it; 0 leaves it to the cap of all origins."""
        self.done = 0
        self.failed = 0
        self.stored = 0
        """Bytes of its small files, whose speed no flight tells."""
        self.errors = 0
        """Attempts that failed, those that were tried again included."""
        self.last_error = ""
        """The last of them, in words."""
        self.protocol = ""
        self.ranges = "unknown"
        """As in ``core.snapshot.OriginSnapshot``."""

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

    def waiting(self) -> int:
        """Downloads queued; dead entries that nobody met yet are counted as well."""
        return len(self.entries)

    def refuses(self, now: float) -> bool:
        """Whether it has asked for a rest or for less, and something waits for it."""
        return self.blocked_until > now or bool(
            self.learned_cap and self.entries and self.active >= self.learned_cap
        )


class DownloadQueue:
    """Queued downloads in order, handed out one by one as slots allow."""

    def __init__(self, per_host: int, rules: Sequence[HostRule] = ()) -> None:
        """Begin empty; the caps of the rules hold for the origins that they match."""
        self._rules = rules
        self.per_host = per_host
        """Slots per origin; 0 for no cap. Change it with ``set_per_host``."""
        self.origins: dict[str, OriginState] = {}
        self.resting: set[OriginState] = set()
        """Lanes that asked for a rest (Retry-After)."""
        self._ready: list[tuple[float, int, str]] = []
        """Heap of lane heads. A stale entry is noticed when it is popped."""

    def origin_state(self, origin: str) -> OriginState:
        """The lane of ``origin``, made when first asked for."""
        state = self.origins.get(origin)
        if state is None:
            state = self.origins[origin] = OriginState(origin)
            rule = rule_for(self._rules, origin) if self._rules else None
            if rule is not None:
                state.own_cap = rule.cap
        return state

    def cap(self, state: OriginState) -> int:
        """Slots that ``state`` may hold; 0 for as many as there are."""
        given = state.own_cap or self.per_host
        if not (given and state.learned_cap):
            return given or state.learned_cap
        return min(given, state.learned_cap)

    def cap_from(self, state: OriginState) -> str:
        """Where its cap comes from, as ``core.snapshot.OriginSnapshot`` says it."""
        given = state.own_cap or self.per_host
        if state.learned_cap and not 0 < given < state.learned_cap:
            return "learned"
        return "set" if state.own_cap else "per host" if given else ""

    def push(self, download: Download) -> None:
        """Queue a download (state QUEUED already) at its ``queue_key``."""
        state = self.origin_state(download.origin)
        entry = (download.queue_key, download.id, download)
        heapq.heappush(state.entries, entry)
        if state.entries[0] is entry:
            heapq.heappush(self._ready, (entry[0], entry[1], state.origin))

    def take(self, now: float) -> Download | None:
        """Take the next download whose origin has a free slot, and that slot.

        Give the slot back with ``release``. ``None`` means that nothing may start
        now; ``unblock`` or ``release`` may change that.
        """
        while self._ready:
            key, number, origin = self._ready[0]
            state = self.origins[origin]
            head = state.head()
            is_current = head is not None and head[0] == key and head[1] == number
            if head is None or not is_current or not self._is_open(state, now):
                # A lane that is full or resting comes back through release/unblock.
                heapq.heappop(self._ready)
                if head is not None and not is_current and self._is_open(state, now):
                    heapq.heappush(self._ready, (head[0], head[1], origin))
                continue
            heapq.heappop(state.entries)
            state.active += 1
            following = state.head()
            if following is not None:
                heapq.heapreplace(self._ready, (following[0], following[1], origin))
            else:
                heapq.heappop(self._ready)
            return head[2]
        return None

    def has_startable(self, now: float) -> bool:
        """Whether anything would start if there were one more slot."""
        return any(
            self._is_open(state, now) and state.head() is not None
            for state in self.origins.values()
        )

    def release(self, origin: str) -> None:
        """Give a slot back."""
        state = self.origins[origin]
        was_full = self._is_full(state)
        state.active -= 1
        if was_full:
            self._offer(state)

    def set_per_host(self, count: int) -> None:
        """Change the cap of every origin; what runs above it drains."""
        self.per_host = count
        self._offer_all()

    def set_cap(self, origin: str, count: int) -> None:
        """Give one origin a cap of its own, or none; what was learned is forgotten."""
        state = self.origin_state(origin)
        state.own_cap = count
        state.learned_cap = 0
        state.probe_interval = 1
        self._offer(state)

    def block(self, origin: str, until: float) -> None:
        """Start nothing from ``origin`` before ``until`` (monotonic seconds)."""
        state = self.origin_state(origin)
        state.blocked_until = max(state.blocked_until, until)
        self.resting.add(state)

    def unblock(self, now: float) -> float | None:
        """Let rested origins go on; return when the next one may, or ``None``."""
        for state in [state for state in self.resting if state.blocked_until <= now]:
            self.resting.remove(state)
            state.blocked_until = 0.0
            self._offer(state)
        return min((state.blocked_until for state in self.resting), default=None)

    def slow_down(self, origin: str, asked_at: float, now: float) -> None:
        """The origin said 429 or 503: halve what it gets (it was told to us).

        If it was just asked for one more than it ever bore, it gets one less again.

        Of many that are refused together only the first does that: the others were
        asked before anything changed. They tell how many the origin did serve.

        Args:
            origin: who refused.
            asked_at: wall time at which the refused attempt began.
            now: wall time.
        """
        state = self.origin_state(origin)
        if state.learned_cap and asked_at < state.slowed_at:
            state.known_good = max(1, state.known_good - 1)
            state.learned_cap = min(state.learned_cap, state.known_good)
            return
        now_at = max(state.active, 1)
        cap = min(state.learned_cap or now_at, now_at)
        state.slowed_at = now
        state.known_good = max(1, cap - 1)
        state.learned_cap = state.known_good if state.is_probing else max(1, cap // 2)
        state.probe_interval = min(MOST_PATIENCE, state.probe_interval * 2)
        state.is_probing = False
        state.successes = 0

    def speed_up(self, origin: str) -> None:
        """A download from a slowed origin ended well: grow again.

        One slot more for each success up to what it served before; then gently, one
        after twice as many successes as it has slots, and more rarely each time that
        was refused. So it is seldom asked for what it does not give.
        """
        state = self.origins[origin]
        if not state.learned_cap:
            return
        state.successes += 1
        if state.learned_cap >= state.known_good:
            if state.successes < state.learned_cap * state.probe_interval:
                return
            if state.is_probing:
                # What was more than ever has stood the test.
                state.probe_interval = max(1, state.probe_interval // 2)
            state.is_probing = True
            state.known_good = state.learned_cap + 1
        state.learned_cap += 1
        state.successes = 0
        self._offer(state)

    def place(self, keys: Mapping[Download, float]) -> None:
        """Give queued downloads other keys; entries with their old ones are dead."""
        for download, key in keys.items():
            download.queue_key = key
            self.push(download)

    def _is_full(self, state: OriginState) -> bool:
        cap = self.cap(state)
        return bool(cap) and state.active >= cap

    def _is_open(self, state: OriginState, now: float) -> bool:
        return state.blocked_until <= now and not self._is_full(state)

    def _offer(self, state: OriginState) -> None:
        head = state.head()
        if head is not None:
            heapq.heappush(self._ready, (head[0], head[1], state.origin))

    def _offer_all(self) -> None:
        for state in self.origins.values():
            self._offer(state)

"""The download queue: ordering, per-origin limits and pauses after refusals.

Each origin has its own queue, so that an origin that is at its cap or is left alone for
a while is passed over without searching through its downloads: taking the next download
costs the same with 10 queued and with 100,000.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind
from tui.core.rules.hosts import rule_for
from tui.engine.scheduling.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tui.core.download import Download
    from tui.core.errors import FetchError
    from tui.core.settings import HostRule
    from tui.engine.job import FileConnections
    from tui.engine.scheduling.waiting import Entry, Offer

HOST_CONNECTIONS = 16
"""Connections of large files from one origin while the concurrency is automatic; aria2
takes as many at most."""
MEDIUM_CEILING = 32
"""Downloads from one origin if most are of a few MiB: a connection is still speeding
up for most of such a file (TCP slow start), so it takes more of them to fill a link."""
SMALL_CEILING = 64
"""Downloads from one origin if most are small, while the concurrency is automatic."""
SMALL_SIZE = 256 << 10
"""Files up to this size are small: a round trip or two is most of their cost."""
MEDIUM_SIZE = 4 << 20
"""Files up to this size are medium."""
MAX_PROBE_INTERVAL = 64
"""An origin is probed for one more slot at least this often, in units of its cap's
usual interval."""


SLOWING_STATUSES = frozenset({429, 503})


def shows_overload(error: FetchError) -> bool:
    """Return True if a server refuses with this error what it may accept later."""
    return error.status in SLOWING_STATUSES or error.kind is ErrorKind.REFUSED


def may_show_overload(error: FetchError) -> bool:
    """Return True for these errors, and for a connection that ended unanswered.

    That is how servers and firewalls refuse as well what exceeds their limit, but a
    host that is down, or a bad line, does the same.
    """
    is_closed = error.kind is ErrorKind.RESET and error.is_unanswered
    return shows_overload(error) or is_closed


class OriginState:
    """One origin: its queued downloads, its slots and what was learned about it.

    Its capacity is learned as in TCP congestion control (AIMD): halved when the origin
    refuses, grown slowly while it does not.
    """

    __slots__ = (
        "accepted",
        "active",
        "blocked_until",
        "burst",
        "ceiling",
        "connection_limit",
        "connections",
        "done",
        "errors",
        "extra",
        "failed",
        "first_byte_s",
        "growth",
        "is_confirmed",
        "is_probing",
        "known_good",
        "large_files",
        "last_error",
        "learned_cap",
        "medium",
        "name",
        "own_cap",
        "probe_interval",
        "protocol",
        "ranges",
        "refused",
        "rejected_bursts",
        "reserved",
        "slowed_at",
        "small",
        "stored",
        "successes",
        "waiting",
    )

    def __init__(self, origin: str) -> None:
        self.name = origin
        self.waiting = Waiting(origin)
        """Its downloads in the queue."""
        self.active = 0
        """Downloads from it that occupy a slot."""
        self.blocked_until = 0.0
        """Monotonic time before which nothing is requested: Retry-After, or a pause."""
        self.learned_cap = 0
        """Its capacity in slots; 0 if it has not refused several downloads."""
        self.large_files: list[FileConnections] = []
        """Its large files that are running, in the order in which they started."""
        self.connections = 0
        """Open connections of its large files."""
        self.extra = 0
        """Those of them that are not the first one of their file."""
        self.connection_limit = 0
        """Its large files were no faster with more connections; 0 if not measured."""
        self.growth = 1
        """Factor on the connections that a file's size suggests: more were faster."""
        self.reserved = 0
        """Slots kept free of downloads, for more connections of its large files."""
        self.first_byte_s = 0.0
        """Seconds from opening its first connection to the first response."""
        self.small = self.medium = 0
        """Accepted responses whose file is small, or medium."""
        self.ceiling = HOST_CONNECTIONS
        """Its slots while the concurrency is automatic, by the size of its files."""
        self.accepted = 0
        """Responses that had what was requested."""
        self.refused: dict[int, int] = {}
        """Downloads that it refused and that have not ended, by id, each with
        ``accepted`` at its last refusal."""
        self.is_confirmed = False
        """A refused download has succeeded since: it was the load, not the URL."""
        self.successes = 0
        """Downloads done since the cap was last lowered or raised."""
        self.known_good = 0
        """Slots it accepted when it last refused some: the cap grows fast up to it."""
        self.probe_interval = 1
        """Times the usual wait before a probe for a slot; doubled by its refusal."""
        self.is_probing = False
        """It has one slot more than it has ever accepted."""
        self.slowed_at = 0.0
        """Wall time at which the cap was last lowered."""
        self.burst = 0
        """Slots in use at that time, at most its cap."""
        self.rejected_bursts = 0
        """Times in a row that it refused all that was requested at a time."""
        self.own_cap = 0
        """Cap set by the user; 0 uses the cap of all origins."""
        self.done = self.failed = 0
        self.stored = 0
        """Bytes of its small files, which no transfer measures."""
        self.errors = 0
        """Failed attempts, including those that were retried."""
        self.last_error = ""
        """Message of the last failed attempt."""
        self.protocol, self.ranges = "", "unknown"
        """As in ``core.snapshot.OriginSnapshot``."""

    def refuses(self, now: float) -> bool:
        """Return True if it is blocked, or refuses more and downloads wait for it."""
        return self.blocked_until > now or bool(
            self.learned_cap and self.waiting and self.load >= self.learned_cap
        )

    def note_size(self, size: int | None) -> None:
        """Count a file by its size in bytes, if that is known."""
        if size is None:
            return
        if size <= SMALL_SIZE:
            self.small += 1
        elif size <= MEDIUM_SIZE:
            self.medium += 1

    @property
    def is_small(self) -> bool:
        """Whether most of its files so far were small."""
        return self.ceiling == SMALL_CEILING

    @property
    def load(self) -> int:
        """Return the slots in use, with further connections of large files."""
        return self.active + self.extra


class DownloadQueue:
    """Queued downloads in order, taken one by one as slots allow."""

    def __init__(self, per_host: int, rules: Sequence[HostRule] = ()) -> None:
        """Create an empty queue; rules set the caps of the origins they match."""
        self._rules = rules
        self.per_host = per_host
        """Slots per origin; 0 for no cap. Change it with ``set_per_host``."""
        self.is_auto = False
        """Each origin has a ceiling; ``set_auto`` changes it."""
        self.has_free_slot: Callable[[], bool] = lambda: False
        """Whether a download would start if its origin let it; set by the workers."""
        self.origins: dict[str, OriginState] = {}
        self.remembered: Mapping[str, int] = {}
        """Caps learned in earlier runs, by origin; set it before anything is queued."""
        self.blocked: set[OriginState] = set()
        """Origins from which nothing is requested for now."""
        self._ready: list[Offer] = []
        """Heap of the offer of each origin; one that is not its ``waiting.offered`` is
        out of date."""

    def origin_state(self, origin: str) -> OriginState:
        """Return the state of ``origin``, creating it if needed."""
        state = self.origins.get(origin)
        if state is None:
            state = self.origins[origin] = OriginState(origin)
            rule = rule_for(self._rules, origin) if self._rules else None
            if rule is not None:
                state.own_cap = rule.cap
            if cap := self.remembered.get(origin):
                state.learned_cap = state.known_good = cap
        return state

    def cap(self, state: OriginState) -> int:
        """Return the slots that an origin may occupy; 0 for no limit."""
        given = state.own_cap or self.per_host
        if self.is_auto and not given:
            given = state.ceiling
        if not (given and state.learned_cap):
            return given or state.learned_cap
        return min(given, state.learned_cap)

    def cap_from(self, state: OriginState) -> str:
        """Return where its cap comes from, as in ``core.snapshot.OriginSnapshot``."""
        if state.learned_cap and self.cap(state) == state.learned_cap:
            return "learned"
        if state.own_cap:
            return "set"
        return "per host" if self.per_host else "auto" if self.is_auto else ""

    def learned_limits(self) -> dict[str, int]:
        """Return the learned caps that keep downloads waiting, by origin."""
        return {
            state.name: cap
            for state in self.origins.values()
            if state.learned_cap
            and state.load >= (cap := self.cap(state))
            and self.cap_from(state) == "learned"
        }

    def blocked_origins(self, now: float) -> set[str]:
        """Return the origins that are left alone at ``now`` (monotonic)."""
        return {state.name for state in self.blocked if state.blocked_until > now}

    def limits_to_remember(self) -> dict[str, int]:
        """Return the learned caps for the next run, by origin.

        A cap that one URL alone may have caused is left out. 0 replaces a remembered
        cap that is out of date.
        """
        limits = {}
        for state in self.origins.values():
            was_remembered = state.name in self.remembered
            if state.learned_cap and (state.is_confirmed or was_remembered):
                limits[state.name] = state.learned_cap
            elif was_remembered:
                limits[state.name] = 0
        return limits

    def push(self, download: Download) -> None:
        """Queue a download (already in state QUEUED) at its ``queue_key``."""
        state = self.origin_state(download.origin)
        if state.waiting.push(download):
            offer = state.waiting.offer(download.queue_key, download.id)
            heapq.heappush(self._ready, offer)

    def take(self, now: float) -> Download | None:
        """Take the next download whose origin has a free slot, and occupy that slot.

        Give the slot back with ``release``.

        Returns:
            ``None`` if nothing may start now; ``unblock`` or ``release`` may change
            that.
        """
        while self._ready:
            offer = self._ready[0]
            state = self.origins[offer[2]]
            if state.waiting.offered is not offer:
                heapq.heappop(self._ready)
                continue
            head = state.waiting.head()
            if head is None or not self._is_open(state, now):
                # A full or blocked origin comes back through release or unblock.
                heapq.heappop(self._ready)
                state.waiting.offered = None
            elif head[:2] != offer[:2]:
                # What was offered has left the queue.
                heapq.heapreplace(self._ready, state.waiting.offer(*head[:2]))
            else:
                self._occupy(state, head)
                return head[2]
        return None

    def _occupy(self, state: OriginState, head: Entry) -> None:
        """Take the offered download of an origin, and offer its next one."""
        state.waiting.pop(head)
        state.active += 1
        following = state.waiting.head()
        if following is not None:
            heapq.heapreplace(self._ready, state.waiting.offer(*following[:2]))
        else:
            state.waiting.offered = None
            heapq.heappop(self._ready)

    def has_startable(self, now: float) -> bool:
        """Return True if a download would start if there were one more slot."""
        return any(
            self._is_open(state, now) and state.waiting.head() is not None
            for state in self.origins.values()
        )

    def release(self, origin: str) -> None:
        """Give back a slot of an origin."""
        state = self.origins[origin]
        was_full = self._is_full(state)
        state.active -= 1
        if was_full:
            self._offer(state)

    def set_per_host(self, count: int) -> None:
        """Change the cap of every origin; downloads above it are finished first."""
        self.per_host = count
        self._offer_all()

    def set_cap(self, origin: str, count: int) -> None:
        """Set or clear the cap of one origin and reset its learned capacity."""
        state = self.origin_state(origin)
        state.own_cap = count
        self._forget_cap(state)

    def limit_cap(self, origin: str, count: int) -> None:
        """Set the cap of one origin, and keep its learned capacity."""
        state = self.origin_state(origin)
        state.own_cap = count
        self._offer(state)

    def set_auto(self, is_auto: bool) -> None:
        """Give each origin a ceiling, or take it away.

        Connection limits that were measured before end: nothing would raise them again.
        """
        self.is_auto = is_auto
        for state in self.origins.values():
            state.connection_limit = 0
        self._offer_all()

    def update_ceilings(self) -> None:
        """Fit the ceiling of each origin to the size of its files so far."""
        for state in self.origins.values():
            ceiling = HOST_CONNECTIONS
            if state.small * 2 > state.accepted:
                ceiling = SMALL_CEILING
            elif (state.small + state.medium) * 2 > state.accepted:
                ceiling = MEDIUM_CEILING
            if ceiling != state.ceiling:
                state.ceiling = ceiling
                self._offer(state)

    # -- further connections of large files ------------------------------------------

    def spare_connections(self, state: OriginState) -> int:
        """Return how many more connections its large files may open.

        It is negative if they have more than made them faster in a trial, or have to
        give one back to a queued download.
        """
        spare = state.ceiling - state.load
        if state.is_small:
            spare = min(spare, HOST_CONNECTIONS - state.connections)
        if state.learned_cap:
            spare = min(spare, state.learned_cap - state.load)
        if self._is_owed(state):
            # One less also when it is free already: the download starts after all large
            # files have been adjusted.
            spare = -1 if state.load >= self.cap(state) else max(spare - 1, 0)
        else:
            spare = max(spare, 0)
        if state.connection_limit:
            spare = min(spare, state.connection_limit - state.connections)
        return spare

    def _is_owed(self, state: OriginState) -> bool:
        """Return True if its next download may start once a connection is free."""
        return (
            state.extra > 0
            and self.is_auto
            and not state.is_small
            and not state.blocked_until
            and state.active < self.cap(state)
            and state.waiting.head() is not None
            and self.has_free_slot()
        )

    def reserve(self, state: OriginState, count: int) -> None:
        """Start fewer downloads, so that large files get so many more of the slots.

        Where most files are small, their many slots must not limit a large file to one
        connection. A negative number gives reserved slots back.
        """
        state.reserved += count
        if count < 0:
            self._offer(state)

    def open_connection(self, state: OriginState, *, is_extra: bool) -> None:
        """Count a connection of a large file; close it with ``close_connection``."""
        state.connections += 1
        state.extra += is_extra

    def close_connection(self, state: OriginState, *, is_extra: bool) -> None:
        """Count a connection as closed."""
        was_full = self._is_full(state)
        state.connections -= 1
        state.extra -= is_extra
        if was_full:
            self._offer(state)

    def refuse_connection(self, state: OriginState, now: float) -> None:
        """Lower the cap of an origin that refused a further connection for a file.

        It serves the same URL over other connections, so the reason is the load.

        Args:
            state: the origin; the refused connection still counts.
            now: wall time.
        """
        accepted = max(1, state.load - 1)
        state.learned_cap = min(state.learned_cap or accepted, accepted)
        state.known_good = state.learned_cap
        state.slowed_at = now
        state.successes = 0
        state.is_confirmed = True
        state.is_probing = False

    def block(self, origin: str, until: float) -> None:
        """Start nothing from ``origin`` before ``until`` (monotonic seconds)."""
        state = self.origin_state(origin)
        state.blocked_until = max(state.blocked_until, until)
        self.blocked.add(state)

    def lift_block(self, origin: str) -> None:
        """Let downloads from ``origin`` start, although it is to be left alone."""
        state = self.origins.get(origin)
        if state is not None and state in self.blocked:
            self.blocked.remove(state)
            state.blocked_until = 0.0
            self._offer(state)

    def unblock(self, now: float) -> None:
        """Unblock origins whose time has come by ``now`` (monotonic seconds)."""
        for state in [state for state in self.blocked if state.blocked_until <= now]:
            self.blocked.remove(state)
            state.blocked_until = 0.0
            self._offer(state)

    def refused(
        self,
        download: Download,
        asked_at: float,
        now: float,
        *,
        is_certain: bool,
        is_serving: bool,
    ) -> bool:
        """Lower the cap of an origin that refused a download, if that shows overload.

        One URL that answers 503 says little about the others. The cap is lowered when
        a second download is refused as well, or at once if the refusal is certain to
        mean the host. A download that is refused again counts only if the origin serves
        no other and has accepted nothing in between: otherwise the reason is its URL.

        Args:
            download: what was refused.
            asked_at: wall time at which the refused attempt started.
            now: wall time.
            is_certain: the server sent Retry-After, or refused the connection.
            is_serving: other downloads receive bytes from it at the moment.

        Returns:
            True if it has refused all that was requested, so that it should be left
            alone for a while: more requests would only be refused as well.
        """
        state = self.origin_state(download.origin)
        before = state.refused.get(download.id)
        state.refused[download.id] = state.accepted
        is_repeated = before is not None and (is_serving or before != state.accepted)
        is_alone = len(state.refused) == 1 and not is_certain
        if is_repeated or is_alone:
            return False
        return self._slow_down(state, asked_at, now) and not is_serving

    def free_slot(self, origin: str) -> None:
        """Start one download fewer from an origin than now, unless fewer are allowed.

        The last attempt at a download that was refused alone is made in that slot: a
        host that was full accepts it then.
        """
        state = self.origin_state(origin)
        if state.active > 1 and not state.learned_cap:
            state.learned_cap = state.known_good = state.active - 1
            state.successes = 0

    def end_refusal(self, download: Download, *, is_done: bool = False) -> None:
        """Note the end of a download, which its origin may have refused before.

        When all that were refused have ended and none of them succeeded, their URLs
        were the reason, and the learned cap is removed.
        """
        state = self.origin_state(download.origin)
        if state.refused.pop(download.id, None) is None:
            return
        if is_done and state.learned_cap:
            state.is_confirmed = True
        if not state.refused and not state.is_confirmed:
            self._forget_cap(state)

    def _forget_cap(self, state: OriginState) -> None:
        state.learned_cap = state.known_good = state.successes = 0
        state.rejected_bursts = 0
        state.probe_interval = 1
        state.is_probing = state.is_confirmed = False
        self._offer(state)

    def _slow_down(self, state: OriginState, asked_at: float, now: float) -> bool:
        """Halve the cap of an origin; return True if it has refused everything.

        If the origin was just probed for one slot more than it had ever accepted, it
        loses that slot only.

        Of many requests that are refused together only the first lowers the cap: the
        others were sent before anything changed. They show how many the origin did
        accept. If it accepted none, they show nothing, except that it was too busy.
        """
        if state.learned_cap and asked_at < state.slowed_at:
            state.known_good -= 1
            if state.known_good > 0:
                state.learned_cap = min(state.learned_cap, state.known_good)
                return False
            state.probe_interval = max(1, state.probe_interval // 2)
            self._note_rejection(state)
            return True
        now_at = max(state.active, 1)
        state.burst = cap = min(state.learned_cap or now_at, now_at)
        state.slowed_at = now
        state.successes = 0
        if now_at == 1:
            state.burst = state.learned_cap or 1
            self._note_rejection(state)
            return True
        state.known_good = max(1, cap - 1)
        state.learned_cap = state.known_good if state.is_probing else max(1, cap // 2)
        state.probe_interval = min(MAX_PROBE_INTERVAL, state.probe_interval * 2)
        state.is_probing = False
        return False

    @staticmethod
    def _note_rejection(state: OriginState) -> None:
        """Halve the cap, and let it grow again as fast as if nothing were known."""
        state.known_good = state.burst
        state.learned_cap = max(1, state.burst // 2)
        state.rejected_bursts += 1
        state.is_probing = False

    def speed_up(self, origin: str) -> None:
        """Raise the cap of a slowed origin after a download from it is done.

        Up to the number of slots that the origin accepted before, each success adds
        one. Beyond, it is probed for one more after twice as many successes as it has
        slots, and less often each time that a probe was refused. So it is seldom asked
        for what it does not give.
        """
        state = self.origins[origin]
        state.rejected_bursts = 0
        if not state.learned_cap:
            return
        state.successes += 1
        if state.learned_cap >= state.known_good:
            if state.successes < state.learned_cap * state.probe_interval:
                return
            if state.is_probing:
                # The last probe was accepted.
                state.probe_interval = max(1, state.probe_interval // 2)
            state.is_probing = True
            state.known_good = state.learned_cap + 1
        state.learned_cap += 1
        state.successes = 0
        self._offer(state)

    def move(self, keys: Mapping[Download, float]) -> None:
        """Move queued downloads to other keys; entries with their old keys are dead."""
        for download, key in keys.items():
            download.queue_key = key
            self.push(download)

    def _is_full(self, state: OriginState) -> bool:
        cap = self.cap(state)
        if not cap:
            return False
        is_counted = self.is_auto or state.learned_cap
        return (state.load + state.reserved if is_counted else state.active) >= cap

    def _is_open(self, state: OriginState, now: float) -> bool:
        return state.blocked_until <= now and not self._is_full(state)

    def _offer(self, state: OriginState) -> None:
        """Let its first download start, unless that one is offered already.

        A second entry for each slot given back would make the heap grow with the list,
        and all of them would have to be removed whenever one download is taken.
        """
        head = state.waiting.head()
        offered = state.waiting.offered
        if head is not None and (offered is None or head[:2] != offered[:2]):
            heapq.heappush(self._ready, state.waiting.offer(*head[:2]))

    def _offer_all(self) -> None:
        for state in self.origins.values():
            self._offer(state)

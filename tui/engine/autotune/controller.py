"""Controller of the concurrency: it tries levels and compares their speed.

It doubles the concurrency as long as that gains enough speed. When it does not, the
controller goes back, tries once whether fewer downloads do as well, and then pauses.
The pauses grow, so that the concurrency becomes stable. It does not compete with hosts
that refuse connections: the queue learns the capacity of each host, and the concurrency
follows it.

It has no clock and does no I/O: each observation includes its time.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from tui.core.diagnosis import Limit
from tui.core.notices import AutoCode, AutoReason
from tui.core.quick.named_tuple import NamedTuple

BASELINE_S = 1.0
"""Time at a level before its speed becomes the baseline of a trial."""
QUICK_S = 0.75
"""Earliest end of a trial, if the gain is clear. Its first quarter of a second, in
which connections open, is not measured."""
QUICK_WINDOW_S = 0.5
"""Part of such a trial that is measured."""
TRIAL_S = 2.5
"""Longest trial."""
WINDOW_S = 1.25
"""Part of a trial that is measured: its end, since it begins with slow start."""
CLEAR_GAIN = 0.35
"""Share of the largest possible gain that counts as clear."""
MIN_GAIN = 0.15
"""Share of the largest possible gain from which more downloads are worth it."""
ACCEPTED_LOSS = 0.04
"""Speed that fewer downloads may lose and still count as equally good."""
CLEAR_LOSS = 0.15
"""Loss of speed at which a trial of fewer downloads ends early."""
MIN_CONCURRENCY = 4
"""Lowest level of a trial: so few are polite, and fewer show the gaps between files."""
MAX_CONCURRENCY = 256
FACTORS = (2.0, 1.5, 1.25)
"""Growth of the next trial; smaller each time that a trial gained too little."""
PAUSE_S = 12.0
"""Pause before the next trial; doubles each time no better level was found."""
MAX_PAUSE_S = 300.0
CHANGE = 0.6
"""If the speed falls below this share, or rises as much, conditions have changed."""
BREAKS = 3
"""Broken connections within ``BREAKS_S`` that lower the concurrency, if they are also a
tenth of all connections."""
BREAKS_S = 5.0
FEWER_AFTER_S = 3.0
"""Time after the fast start until fewer are tried: a short run ends before."""
_MEMORY_S = 6.0
"""Time for which observations are kept."""
_IDLE_S = 1.0
"""Time without an observation after which older ones are discarded."""
OTHER_LIMITS = {
    Limit.LIMITER: AutoReason(AutoCode.RATE_LIMITED),
    Limit.DISK: AutoReason(AutoCode.DISK_LIMITED),
    Limit.CPU: AutoReason(AutoCode.CPU_LIMITED),
}


class Observation(NamedTuple):
    """State of the engine, observed a few times a second."""

    now_s: float
    """Monotonic seconds."""
    total: float
    """Bytes so far; only differences count."""
    allowed: int
    """The current concurrency."""
    used: int
    """Slots or connections in use."""
    has_more: bool
    """More downloads or connections would start if more were allowed."""
    origin_capacity: int = 0
    """Downloads that the hosts accept; 0 if no host with queued ones refused any."""
    breaks: int = 0
    """Connections that broke so far; only differences count."""
    limit: Limit = Limit.NOTHING
    """What limits the run."""
    has_waiting: bool = False
    """Downloads are queued, whether more of them may start or not: enough to try fewer.
    """
    running: int = 0
    """Downloads in slots; after the concurrency was lowered, they are finished first.
    """


class Decision(NamedTuple):
    """A level of concurrency and the reason for it."""

    concurrency: int
    reason: AutoReason


class _Direction(Enum):
    UP = 1
    DOWN = -1


class _Trial(NamedTuple):
    direction: _Direction
    base: int
    base_speed: float
    level: int
    began_s: float


class Controller:
    """Chooses the concurrency: call ``observe`` a few times a second."""

    def __init__(self, now_s: float, *, fewer_first: bool = False) -> None:
        """Start at ``now_s`` (monotonic seconds); the first trial follows soon.

        Args:
            now_s: the time.
            fewer_first: more has been tried just now: try fewer, after a pause.
        """
        self._samples: deque[tuple[float, float, int]] = deque()
        self._level_since_s = now_s
        self._level = 0
        self._trial: _Trial | None = None
        self._factor = 0
        """Index in ``FACTORS``."""
        self._next = _Direction.DOWN if fewer_first else _Direction.UP
        self._next_at_s = now_s + (FEWER_AFTER_S if fewer_first else 0.0)
        self._pause_s = PAUSE_S
        self._settled_speed = 0.0
        """Speed at which the search for a better level ended."""
        self._before_cap = 0
        """The level from which the hosts' capacity lowered it; 0 if it did not."""
        self._reason: AutoReason | None = None
        self._ignore_breaks_until_s = now_s

    def observe(self, now: Observation) -> Decision | None:
        """Take an observation; return a decision, or ``None`` for no news.

        A decision for the current concurrency only explains why it stays.
        """
        self._record(now)
        decision = self._follow_origins(now) or self._react_to_breaks(now)
        if decision is None:
            decision = (
                self._evaluate(now) if self._trial is not None else self._stay(now)
            )
        if decision is None or (
            decision.concurrency == now.allowed and decision.reason == self._reason
        ):
            return None
        self._reason = decision.reason
        if decision.concurrency != now.allowed:
            self._enter(decision.concurrency, now.now_s)
        return decision

    # -- hosts -----------------------------------------------------------------------

    def _follow_origins(self, now: Observation) -> Decision | None:
        """Follow the capacity of the hosts, down and up again."""
        if now.origin_capacity and now.origin_capacity < now.allowed:
            self._before_cap = max(self._before_cap, now.allowed)
            self._trial = None
            reason = AutoReason(AutoCode.HOSTS_REFUSE, (now.origin_capacity,))
            return Decision(now.origin_capacity, reason)
        if not self._before_cap or not now.has_more:
            return None
        if now.origin_capacity > now.allowed:
            count = min(now.origin_capacity, MAX_CONCURRENCY)
            reason = AutoReason(AutoCode.HOSTS_ACCEPT, (now.origin_capacity,))
            return Decision(count, reason)
        if now.origin_capacity:
            self._wait(now.now_s)
            return None
        # The host that refused has an empty queue: give its slots to the others.
        count, self._before_cap = self._before_cap, 0
        return Decision(count, AutoReason(AutoCode.HOST_FINISHED))

    def _react_to_breaks(self, now: Observation) -> Decision | None:
        """Lower the concurrency when connections break."""
        if now.now_s < self._ignore_breaks_until_s or now.allowed == 1:
            return None
        since = next((b for at, _, b in self._samples if at >= now.now_s - BREAKS_S), 0)
        broke = now.breaks - since
        if broke < BREAKS or broke < now.used / 10:
            return None
        self._ignore_breaks_until_s = now.now_s + BREAKS_S
        count = max(1, int(now.allowed * 0.7))
        self._wait(now.now_s, longer=True)
        self._trial = None
        reason = AutoReason(AutoCode.CONNECTIONS_BROKE, (broke, BREAKS_S))
        return Decision(count, reason)

    # -- trials ----------------------------------------------------------------------

    def _stay(self, now: Observation) -> Decision | None:
        """Stay at the level, or start a trial when it is time."""
        is_measured = now.now_s - self._level_since_s >= BASELINE_S
        can_try = now.has_more or (
            # A host at its ceiling lets no more start, but fewer may do as well.
            self._next is _Direction.DOWN and now.has_waiting
        )
        if not is_measured or now.used < now.allowed or not can_try:
            return None
        speed = self._speed(now, min(BASELINE_S, WINDOW_S))
        self._detect_change(now, speed)
        if now.now_s < self._next_at_s or speed <= 0:
            return None
        if now.limit in OTHER_LIMITS:
            return Decision(now.allowed, OTHER_LIMITS[now.limit])
        return self._begin(now, speed)

    def _begin(self, now: Observation, speed: float) -> Decision | None:
        level = now.allowed
        if self._next is _Direction.UP:
            target = min(
                MAX_CONCURRENCY, max(level + 1, int(level * FACTORS[self._factor]))
            )
            reason = AutoReason(AutoCode.TRY_MORE, (level, speed, target))
        else:
            target = max(MIN_CONCURRENCY, level // 2)
            reason = AutoReason(AutoCode.TRY_FEWER, (target,))
        if target == level or (self._next is _Direction.DOWN and target > level):
            self._stop_searching(now, speed)
            return None
        self._trial = _Trial(self._next, level, speed, target, now.now_s)
        return Decision(target, reason)

    def _evaluate(self, now: Observation) -> Decision | None:
        """End a trial as soon as its result is clear."""
        trial = self._trial
        assert trial is not None
        if now.allowed != trial.level:
            self._trial = None
            return None
        if trial.direction is _Direction.DOWN and now.running > trial.level:
            self._trial = trial._replace(began_s=now.now_s)
            return None
        lasted = now.now_s - trial.began_s
        if lasted < QUICK_S:
            return None
        if not now.has_more and now.used < trial.level:
            # Too few downloads are left to fill the level: the trial proves nothing.
            self._trial = None
            self._wait(now.now_s)
            return None
        is_over = lasted >= TRIAL_S
        speed = self._speed(now, WINDOW_S if is_over else QUICK_WINDOW_S)
        gain = speed / trial.base_speed - 1.0
        if trial.direction is _Direction.UP:
            return self._evaluate_up(now, trial, speed, gain, is_over=is_over)
        return self._evaluate_down(now, trial, speed, gain, is_over=is_over)

    def _evaluate_up(
        self,
        now: Observation,
        trial: _Trial,
        speed: float,
        gain: float,
        *,
        is_over: bool,
    ) -> Decision | None:
        possible = trial.level / trial.base - 1.0
        measured = (trial.level, speed, gain)
        if gain >= CLEAR_GAIN * possible or (is_over and gain >= MIN_GAIN * possible):
            self._trial = None
            self._pause_s = PAUSE_S
            self._next, self._next_at_s = _Direction.UP, now.now_s
            again = self._begin(now, speed) if self._can_grow(now) else None
            if again is not None:
                values = (*measured, again.concurrency)
                reason = AutoReason(AutoCode.GAIN_TRY_MORE, values)
                return Decision(again.concurrency, reason)
            return Decision(trial.level, AutoReason(AutoCode.GAIN_STAY, measured))
        if not is_over:
            return None
        self._trial = None
        self._factor = min(self._factor + 1, len(FACTORS) - 1)
        self._next, self._next_at_s = _Direction.DOWN, now.now_s
        return Decision(trial.base, AutoReason(AutoCode.BACK, (*measured, trial.base)))

    def _evaluate_down(
        self,
        now: Observation,
        trial: _Trial,
        speed: float,
        gain: float,
        *,
        is_over: bool,
    ) -> Decision | None:
        measured = (trial.level, speed, gain)
        if gain <= -CLEAR_LOSS or (is_over and gain < -ACCEPTED_LOSS):
            self._trial = None
            self._stop_searching(now, trial.base_speed)
            return Decision(
                trial.base, AutoReason(AutoCode.BACK, (*measured, trial.base))
            )
        if not is_over:
            return None
        self._trial = None
        self._next, self._next_at_s = _Direction.DOWN, now.now_s
        return Decision(trial.level, AutoReason(AutoCode.FEWER_STAY, measured))

    def _can_grow(self, now: Observation) -> bool:
        return now.used >= now.allowed and now.has_more

    # -- between trials --------------------------------------------------------------

    def _stop_searching(self, now: Observation, speed: float) -> None:
        """Pause, since no better level is near; search again later."""
        self._settled_speed = speed
        self._wait(now.now_s, longer=True)
        self._next = _Direction.UP

    def _wait(self, now_s: float, *, longer: bool = False) -> None:
        self._next_at_s = max(self._next_at_s, now_s + self._pause_s)
        if longer:
            self._pause_s = min(MAX_PAUSE_S, self._pause_s * 2)

    def _detect_change(self, now: Observation, speed: float) -> None:
        """End the pause when the speed has been different for some seconds."""
        settled = self._settled_speed
        if not settled or now.now_s - self._level_since_s < _MEMORY_S - 1:
            return
        lately = self._speed(now, _MEMORY_S - 1)
        if CHANGE * settled <= lately <= settled / CHANGE:
            return
        self._settled_speed = speed
        self._pause_s = PAUSE_S
        self._factor = 0
        self._next_at_s = now.now_s

    # -- samples ---------------------------------------------------------------------

    def _record(self, now: Observation) -> None:
        samples = self._samples
        was_idle = bool(samples) and now.now_s - samples[-1][0] > _IDLE_S
        if was_idle:
            # Paused or idle in between: older samples say nothing about now.
            samples.clear()
            self._trial = None
        if was_idle or now.allowed != self._level:
            self._enter(now.allowed, now.now_s)
        samples.append((now.now_s, now.total, now.breaks))
        while samples[0][0] < now.now_s - _MEMORY_S:
            samples.popleft()

    def _enter(self, level: int, now_s: float) -> None:
        self._level = level
        self._level_since_s = now_s

    def _speed(self, now: Observation, window_s: float) -> float:
        """Return the bytes per second over the last ``window_s``."""
        at, total, _ = next(
            (
                sample
                for sample in self._samples
                if sample[0] >= now.now_s - window_s - 1e-6
            ),
            self._samples[-1],
        )
        span = now.now_s - at
        return max(0.0, now.total - total) / span if span > 0 else 0.0

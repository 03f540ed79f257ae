"""How many at once: a controller that tries, compares and explains itself.

It climbs: twice as many, and if that brings enough, twice again; if not, back, and once
down to see whether fewer do as well. Then it holds, and tries again more and more
rarely, so that it comes to rest. What hosts refuse is not for it to fight: the queue
learns what each host bears, and the number follows that.

No clock and no I/O: each reading brings its own time.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import NamedTuple

from tui.core.diagnosis import Limit
from tui.core.notices import AutoCode, AutoReason

SETTLE_S = 1.0
"""At one level before its speed is taken as what others are compared with."""
QUICK_S = 0.75
"""Into a trial from which a clear gain counts. The first quarter of a second, in which
connections begin, is not looked at."""
QUICK_WINDOW_S = 0.5
FULL_S = 2.5
"""Into a trial when it ends in any case."""
WINDOW_S = 1.25
"""Measured at the end of a trial: its beginning is slow start."""
CLEAR = 0.35
"""Of the gain that more connections would bring at best: so much is clear."""
WORTH = 0.15
"""Gain of twice as many from which they are worth it."""
LOSS = 0.04
"""What fewer may lose and still count as equally good."""
CLEAR_LOSS = 0.15
FEWEST = 4
"""It does not try to do with fewer: so few are polite, and gaps between files show."""
MOST = 256
FACTORS = (2.0, 1.5, 1.25)
"""How far a trial goes up: less far each time that it was too far."""
PATIENCE_S = 12.0
"""Held before the next trial; doubles each time nothing better was found."""
MOST_PATIENCE_S = 300.0
CHANGED = 0.6
"""A speed that falls below this share, or rises as much, is another situation."""
BREAKS = 3
"""Broken connections within ``BREAKS_S`` that are too many, if also a tenth of all."""
BREAKS_S = 5.0
_MEMORY_S = 6.0
_GAP_S = 1.0
"""Without a reading, from which it begins to measure anew."""
_OTHER_LIMITS = {
    Limit.LIMITER: AutoReason(AutoCode.RATE_LIMITED),
    Limit.DISK: AutoReason(AutoCode.DISK_LIMITED),
    Limit.CPU: AutoReason(AutoCode.CPU_LIMITED),
}


class Reading(NamedTuple):
    """What the controller sees, a few times a second."""

    now_s: float
    """Monotonic seconds."""
    total: float
    """Bytes so far; only differences count."""
    allowed: int
    """At once, as it is set now."""
    used: int
    """Slots or connections in use."""
    has_more: bool
    """More would start if more were allowed."""
    bearable: int = 0
    """What the hosts bear that refused some; 0 where none keeps anything back."""
    breaks: int = 0
    """Connections that broke so far."""
    limit: Limit = Limit.NOTHING


class Choice(NamedTuple):
    """A decision."""

    at_once: int
    """From now on."""
    reason: AutoReason


class _Way(Enum):
    UP = 1
    DOWN = -1


class _Trial(NamedTuple):
    way: _Way
    home: int
    home_speed: float
    level: int
    began_s: float


class Controller:
    """Decides; ``read`` is all there is to call."""

    def __init__(self, now_s: float) -> None:
        """Begin to look at ``now_s``; the first trial follows soon."""
        self._seen: deque[tuple[float, float, int]] = deque()
        self._level_since_s = now_s
        self._level = 0
        self._trial: _Trial | None = None
        self._factor = 0
        self._next = _Way.UP
        self._next_at_s = now_s
        self._patience_s = PATIENCE_S
        self._held_speed = 0.0
        self._capped_from = 0
        self._reason: AutoReason | None = None
        self._calm_at_s = now_s

    def read(self, now: Reading) -> Choice | None:
        """Take a reading; return what to change, or ``None`` to leave it.

        A choice of the count that is set already only explains why it stays.
        """
        self._remember(now)
        choice = self._bear(now) or self._break(now)
        if choice is None:
            choice = self._judge(now) if self._trial is not None else self._hold(now)
        if choice is None or (
            choice.at_once == now.allowed and choice.reason == self._reason
        ):
            return None
        self._reason = choice.reason
        if choice.at_once != now.allowed:
            self._enter(choice.at_once, now.now_s)
        return choice

    # -- what hosts say --------------------------------------------------------------

    def _bear(self, now: Reading) -> Choice | None:
        """Follow what the hosts bear, down and up again."""
        if now.bearable and now.bearable < now.allowed:
            self._capped_from = max(self._capped_from, now.allowed)
            self._trial = None
            reason = AutoReason(AutoCode.HOSTS_REFUSE, (now.bearable,))
            return Choice(now.bearable, reason)
        if not self._capped_from or not now.has_more:
            return None
        if now.bearable > now.allowed:
            count = min(now.bearable, MOST)
            reason = AutoReason(AutoCode.HOSTS_ACCEPT, (now.bearable,))
            return Choice(count, reason)
        if now.bearable:
            self._wait(now.now_s)
            return None
        # Whoever refused has nothing queued any more: the others may have it all.
        count, self._capped_from = self._capped_from, 0
        return Choice(count, AutoReason(AutoCode.HOST_FINISHED))

    def _break(self, now: Reading) -> Choice | None:
        """Go down when connections break."""
        if now.now_s < self._calm_at_s or now.allowed == 1:
            return None
        since = next((b for at, _, b in self._seen if at >= now.now_s - BREAKS_S), 0)
        broken = now.breaks - since
        if broken < BREAKS or broken < now.used / 10:
            return None
        self._calm_at_s = now.now_s + BREAKS_S
        count = max(1, int(now.allowed * 0.7))
        self._wait(now.now_s, longer=True)
        self._trial = None
        reason = AutoReason(AutoCode.CONNECTIONS_BROKE, (broken, BREAKS_S))
        return Choice(count, reason)

    # -- trials ----------------------------------------------------------------------

    def _hold(self, now: Reading) -> Choice | None:
        """Stay, or begin a trial when it is time."""
        is_measured = now.now_s - self._level_since_s >= SETTLE_S
        if not is_measured or now.used < now.allowed or not now.has_more:
            return None
        speed = self._speed(now, min(SETTLE_S, WINDOW_S))
        self._notice_change(now, speed)
        if now.now_s < self._next_at_s or speed <= 0:
            return None
        if now.limit in _OTHER_LIMITS:
            return Choice(now.allowed, _OTHER_LIMITS[now.limit])
        return self._begin(now, speed)

    def _begin(self, now: Reading, speed: float) -> Choice | None:
        level = now.allowed
        if self._next is _Way.UP:
            target = min(MOST, max(level + 1, int(level * FACTORS[self._factor])))
            reason = AutoReason(AutoCode.TRY_MORE, (level, speed, target))
        else:
            target = max(FEWEST, level // 2)
            reason = AutoReason(AutoCode.TRY_FEWER, (target,))
        if target == level or (self._next is _Way.DOWN and target > level):
            self._settle(now, speed)
            return None
        self._trial = _Trial(self._next, level, speed, target, now.now_s)
        return Choice(target, reason)

    def _judge(self, now: Reading) -> Choice | None:
        """End a trial as soon as it is clear how it goes."""
        trial = self._trial
        assert trial is not None
        if now.allowed != trial.level:
            self._trial = None
            return None
        lasted = now.now_s - trial.began_s
        if lasted < QUICK_S:
            return None
        if not now.has_more and now.used < trial.level:
            # Nothing left to fill it with: it proves nothing.
            self._trial = None
            self._wait(now.now_s)
            return None
        is_over = lasted >= FULL_S
        speed = self._speed(now, WINDOW_S if is_over else QUICK_WINDOW_S)
        gain = speed / trial.home_speed - 1.0
        if trial.way is _Way.UP:
            return self._judge_up(now, trial, speed, gain, is_over=is_over)
        return self._judge_down(now, trial, speed, gain, is_over=is_over)

    def _judge_up(
        self, now: Reading, trial: _Trial, speed: float, gain: float, *, is_over: bool
    ) -> Choice | None:
        possible = trial.level / trial.home - 1.0
        measured = (trial.level, speed, gain)
        if gain >= CLEAR * possible or (is_over and gain >= WORTH * possible):
            self._trial = None
            self._patience_s = PATIENCE_S
            self._next, self._next_at_s = _Way.UP, now.now_s
            again = self._begin(now, speed) if self._may_go_on(now) else None
            if again is not None:
                values = (*measured, again.at_once)
                reason = AutoReason(AutoCode.GAIN_TRY_MORE, values)
                return Choice(again.at_once, reason)
            return Choice(trial.level, AutoReason(AutoCode.GAIN_STAY, measured))
        if not is_over:
            return None
        self._trial = None
        self._factor = min(self._factor + 1, len(FACTORS) - 1)
        self._next, self._next_at_s = _Way.DOWN, now.now_s
        return Choice(trial.home, AutoReason(AutoCode.BACK, (*measured, trial.home)))

    def _judge_down(
        self, now: Reading, trial: _Trial, speed: float, gain: float, *, is_over: bool
    ) -> Choice | None:
        measured = (trial.level, speed, gain)
        if gain <= -CLEAR_LOSS or (is_over and gain < -LOSS):
            self._trial = None
            self._settle(now, trial.home_speed)
            return Choice(
                trial.home, AutoReason(AutoCode.BACK, (*measured, trial.home))
            )
        if not is_over:
            return None
        self._trial = None
        self._next, self._next_at_s = _Way.DOWN, now.now_s
        return Choice(trial.level, AutoReason(AutoCode.FEWER_STAY, measured))

    def _may_go_on(self, now: Reading) -> bool:
        return now.used >= now.allowed and now.has_more

    # -- holding ---------------------------------------------------------------------

    def _settle(self, now: Reading, speed: float) -> None:
        """Nothing better is near: hold, and look again after a while."""
        self._held_speed = speed
        self._wait(now.now_s, longer=True)
        self._next = _Way.UP

    def _wait(self, now_s: float, *, longer: bool = False) -> None:
        self._next_at_s = max(self._next_at_s, now_s + self._patience_s)
        if longer:
            self._patience_s = min(MOST_PATIENCE_S, self._patience_s * 2)

    def _notice_change(self, now: Reading, speed: float) -> None:
        """Lose patience when the speed is another one for some seconds."""
        held = self._held_speed
        if not held or now.now_s - self._level_since_s < _MEMORY_S - 1:
            return
        lately = self._speed(now, _MEMORY_S - 1)
        if CHANGED * held <= lately <= held / CHANGED:
            return
        self._held_speed = speed
        self._patience_s = PATIENCE_S
        self._factor = 0
        self._next_at_s = now.now_s

    # -- memory ----------------------------------------------------------------------

    def _remember(self, now: Reading) -> None:
        seen = self._seen
        has_rested = bool(seen) and now.now_s - seen[-1][0] > _GAP_S
        if has_rested:
            # Held, or nothing to do: what was measured before is of another time.
            seen.clear()
            self._trial = None
        if has_rested or now.allowed != self._level:
            self._enter(now.allowed, now.now_s)
        seen.append((now.now_s, now.total, now.breaks))
        while seen[0][0] < now.now_s - _MEMORY_S:
            seen.popleft()

    def _enter(self, level: int, now_s: float) -> None:
        self._level = level
        self._level_since_s = now_s

    def _speed(self, now: Reading, window_s: float) -> float:
        """Bytes per second over the last ``window_s``."""
        at, total, _ = next(
            (seen for seen in self._seen if seen[0] >= now.now_s - window_s - 1e-6),
            self._seen[-1],
        )
        span = now.now_s - at
        return max(0.0, now.total - total) / span if span > 0 else 0.0

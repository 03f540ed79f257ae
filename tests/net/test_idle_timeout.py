"""One timer for all waits of a session: each ends at its own deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tui.net.idle_timeout import IdleTimeout, TimeoutTimer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Timer:
    """A timer of ``Loop``."""

    def __init__(self, due: float, call: Callable[[], Any]) -> None:
        self.due, self.call = due, call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """The clock of an event loop, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, call: Callable[[], Any]) -> Timer:
        self.timers.append(Timer(due, call))
        return self.timers[-1]

    def pending(self) -> list[float]:
        return [timer.due for timer in self.timers if not timer.is_cancelled]

    def run_until(self, end: float) -> None:
        """Call what is due, at its time."""
        while due := [at for at in self.pending() if at <= end]:
            self.now = min(due)
            first = next(t for t in self.timers if t.due == self.now)
            self.timers.remove(first)
            if not first.is_cancelled:
                first.call()
        self.now = end


class Waiting:
    """A wait with a deadline, as ``TimeoutTimer`` sees it."""

    def __init__(self, loop: Loop, due: float) -> None:
        self._loop, self.due = loop, due
        self.expired_at: float | None = None

    def expire(self) -> bool:
        self.expired_at = self._loop.now
        return True


def timer_of(loop: Loop) -> TimeoutTimer:
    return TimeoutTimer(cast("asyncio.AbstractEventLoop", loop))


def wait(timer: TimeoutTimer, loop: Loop, due: float) -> Waiting:
    waiting = Waiting(loop, due)
    timer.add(cast("IdleTimeout", waiting))
    return waiting


def test_each_wait_ends_at_its_deadline() -> None:
    loop = Loop()
    timer = timer_of(loop)
    waits = [wait(timer, loop, due) for due in (5.0, 2.0, 9.0)]
    loop.run_until(20.0)
    assert [one.expired_at for one in waits] == [5.0, 2.0, 9.0]
    assert loop.pending() == []


def test_a_wait_that_is_over_does_not_delay_the_next_one() -> None:
    loop = Loop()
    timer = timer_of(loop)
    short, long = wait(timer, loop, 1.0), wait(timer, loop, 3.0)
    timer.discard(cast("IdleTimeout", short))
    # Armed for the short one, the timer finds nothing due and is set to the long one.
    loop.run_until(2.0)
    late = wait(timer, loop, 2.5)
    loop.run_until(10.0)
    assert (short.expired_at, late.expired_at, long.expired_at) == (None, 2.5, 3.0)


def test_waits_that_are_close_together_share_a_check() -> None:
    loop = Loop()
    timer = timer_of(loop)
    waits = [wait(timer, loop, 1.0 + n / 1000) for n in range(10)]
    loop.run_until(1.0)
    # Once they are all due, and not once for each.
    assert loop.pending() == [1.01]
    loop.run_until(2.0)
    assert [one.expired_at for one in waits] == [1.0] + [1.01] * 9


def test_without_a_wait_no_timer_runs() -> None:
    loop = Loop()
    timer = timer_of(loop)
    timer.discard(cast("IdleTimeout", wait(timer, loop, 1.0)))
    loop.run_until(1.0)
    assert loop.pending() == []
    wait(timer, loop, 4.0)
    timer.stop()
    assert loop.pending() == []

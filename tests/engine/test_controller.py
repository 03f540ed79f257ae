"""The concurrency controller, on simulated servers and in simulated time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.diagnosis import Limit
from tui.core.notices import AutoCode, AutoReason
from tui.engine.autotune.controller import (
    BREAKS_S,
    MAX_CONCURRENCY,
    MIN_CONCURRENCY,
    Controller,
    Observation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_S = 0.25
LAG_S = 0.3
"""Until a change of the concurrency shows in the speed."""


@dataclass
class Run:
    """A server, a concurrency, and the decisions of the controller."""

    speed_of: Callable[[float, float], float]
    """Bytes per second by concurrency and time."""
    allowed: int = 8
    noise: float = 0.0
    now_s: float = 0.0
    total: float = 0.0
    actual: float = 0.0
    changes: list[tuple[float, int, AutoReason]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    fewer_first: bool = False

    def __post_init__(self) -> None:
        self.controller = Controller(0.0, fewer_first=self.fewer_first)
        self.actual = self.allowed

    def go(self, seconds: float, **given: object) -> Run:
        for _ in range(int(seconds / BEAT_S)):
            self.now_s += BEAT_S
            self.actual += (self.allowed - self.actual) * min(1.0, BEAT_S / LAG_S)
            speed = self.speed_of(self.actual, self.now_s)
            speed *= 1 + self.chance.uniform(-self.noise, self.noise)
            self.total += speed * BEAT_S
            observation = Observation(
                self.now_s, self.total, self.allowed, self.allowed, True
            )
            decision = self.controller.observe(observation._replace(**given))  # type: ignore[arg-type]
            if decision is not None:
                if decision.concurrency != self.allowed:
                    self.changes.append(
                        (self.now_s, decision.concurrency, decision.reason)
                    )
                self.allowed = decision.concurrency
        return self

    @property
    def numbers(self) -> list[int]:
        return [number for _, number, _ in self.changes]


def per_connection(rate: float = 1e6, most: float = 1e9) -> Callable[..., float]:
    return lambda n, _: min(n * rate, most)


def test_it_climbs_while_each_connection_has_its_own_limit() -> None:
    run = Run(per_connection()).go(6)
    assert run.numbers[:4] == [16, 32, 64, 128]
    assert run.changes[2][0] < 4


def test_it_goes_back_when_more_brought_nothing() -> None:
    run = Run(per_connection(most=8e6)).go(4)
    assert run.numbers[:2] == [16, 8]
    assert run.changes[0][2] == (AutoCode.TRY_MORE, (8, 8e6, 16))
    assert run.changes[1][2].code is AutoCode.BACK
    level, speed, gain, home = run.changes[1][2].values
    assert (level, home) == (16, 8)
    assert speed == pytest.approx(8e6)
    assert gain == pytest.approx(0, abs=0.01)


def test_it_goes_down_to_the_minimum_if_fewer_do_as_well() -> None:
    run = Run(lambda _n, _t: 5e6, allowed=64).go(40)
    assert run.allowed == MIN_CONCURRENCY


def test_it_goes_back_up_as_soon_as_fewer_are_slower() -> None:
    run = Run(per_connection(most=32e6), allowed=32).go(10)
    (_, down, _), (until, back, _) = run.changes[2:4]
    assert (down, back) == (16, 32)
    assert until - run.changes[2][0] <= 1.0


def test_it_tries_fewer_also_where_a_host_lets_no_more_start() -> None:
    at_ceiling = {"has_more": False, "has_waiting": True}
    run = Run(per_connection(most=10e6), allowed=32, fewer_first=True)
    run.go(40, **at_ceiling)
    assert run.numbers[0] == 16
    assert run.allowed == 16
    back = Run(per_connection(), allowed=32, fewer_first=True).go(40, **at_ceiling)
    assert back.numbers == [16, 32]


def test_fewer_are_measured_only_once_the_others_have_finished() -> None:
    run = Run(per_connection(), allowed=32, fewer_first=True)
    run.go(30, has_waiting=True, running=32)
    assert run.numbers == [16], "the speed is still that of 32"
    run.go(3, has_waiting=True, running=16)
    assert run.numbers == [16, 32]


@pytest.mark.parametrize("most", [3e6, 8e6, 20e6, 50e6])
def test_it_becomes_stable(most: float) -> None:
    run = Run(per_connection(most=most), noise=0.03).go(30 * 60)
    last = [at for at, _, _ in run.changes if at > 20 * 60]
    # A trial every five minutes at the most: up, back, down, back.
    assert len(last) <= 8
    assert min(most, 1e9) * 0.85 <= run.speed_of(run.allowed, 0.0)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("best", [8, 12, 24, 100])
def test_it_ends_near_the_best_level_despite_noise(best: int, noise: float) -> None:
    run = Run(per_connection(most=best * 1e6), noise=noise).go(120)
    assert run.speed_of(run.allowed, 0.0) >= 0.8 * best * 1e6
    assert run.allowed <= 2 * best


def test_it_avoids_overloading_a_server() -> None:
    run = Run(lambda n, _t: n * 1e6 if n <= 20 else 4e8 / n).go(200)
    assert 12 <= run.allowed <= 20


def test_it_follows_the_capacity_of_hosts_down_and_up_again() -> None:
    run = Run(per_connection(), allowed=16).go(1, origin_capacity=9)
    assert run.allowed == 9
    assert run.changes[-1][2] == (AutoCode.HOSTS_REFUSE, (9,))
    run.go(5, origin_capacity=9)
    assert run.allowed == 9
    run.go(1, origin_capacity=10)
    assert run.allowed == 10
    run.go(1)
    assert run.allowed == 16


def test_connections_that_break_together_lower_it_once() -> None:
    run = Run(lambda _n, _t: 5e6, allowed=20).go(1)
    run.go(1, breaks=5)
    assert run.allowed == 14
    assert run.changes[-1][2] == (AutoCode.CONNECTIONS_BROKE, (5, BREAKS_S))
    run.go(BREAKS_S - 2, breaks=5)
    assert run.allowed == 14


def test_one_broken_connection_does_not_lower_it() -> None:
    run = Run(lambda _n, _t: 5e6).go(0.75)
    run.go(0.25, breaks=1)
    assert 5 not in run.numbers


@pytest.mark.parametrize("limit", [Limit.LIMITER, Limit.DISK, Limit.CPU])
def test_it_does_not_try_more_while_something_else_is_the_limit(limit: Limit) -> None:
    run = Run(per_connection()).go(20, limit=limit)
    assert run.changes == []


def test_it_changes_nothing_while_no_download_is_queued() -> None:
    assert Run(per_connection()).go(20, has_more=False).changes == []
    assert Run(per_connection()).go(20, used=3).changes == []


def test_a_trial_that_runs_out_of_downloads_proves_nothing() -> None:
    run = Run(per_connection()).go(1.5)
    assert run.numbers == [16]
    run.go(10, has_more=False, used=2)
    assert run.numbers == [16]


def test_a_different_speed_starts_a_trial_at_once() -> None:
    def speed(n: float, at: float) -> float:
        return min(n * 1e6, 8e6 if at < 100 else 64e6) if at < 100 else n * 4e6

    run = Run(speed).go(100)
    before = len(run.changes)
    run.go(20)
    assert run.allowed >= 32
    assert len(run.changes) > before


def test_after_a_pause_it_measures_again_before_a_trial() -> None:
    run = Run(per_connection()).go(1.5)
    assert run.numbers == [16]
    run.now_s += 60
    run.go(0.75)
    assert run.numbers == [16], "the trial from before the pause is discarded"
    run.go(1)
    assert run.numbers[1] == 32


@settings(max_examples=60, deadline=None)
@given(
    speeds=st.lists(st.floats(0, 1e9), min_size=1, max_size=20),
    start=st.integers(1, MAX_CONCURRENCY),
    breaks=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    capacities=st.lists(st.integers(0, 60), min_size=1, max_size=20),
)
def test_it_stays_within_its_range_and_gives_a_reason(
    speeds: list[float], start: int, breaks: list[int], capacities: list[int]
) -> None:
    run = Run(lambda _n, at: speeds[int(at) % len(speeds)], allowed=start)
    for second in range(60):
        run.go(
            1,
            breaks=sum(breaks[: second % len(breaks)]),
            origin_capacity=capacities[second % len(capacities)],
        )
        assert 1 <= run.allowed <= MAX_CONCURRENCY
    assert all(reason for _, _, reason in run.changes)

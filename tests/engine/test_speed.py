"""Speed and ETA: accurate on average, without jumps, never absurd."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine.metrics.speed import SpeedMeter, TotalMeter, eta_s, eta_speed


def test_a_steady_stream_shows_its_speed_from_the_first_sample() -> None:
    meter = SpeedMeter(3.0, now=0.0)
    for tick in range(1, 5):
        meter.sample(tick * 0.25, tick * 250_000)
        assert meter.speed == pytest.approx(1_000_000)


def test_a_speed_is_not_measured_before_the_time_of_a_burst_has_passed() -> None:
    meter = SpeedMeter(3.0, now=0.0, burst_s=1.0)
    seen = []
    for tick in range(1, 7):
        meter.sample(tick * 0.25, tick * 250_000)
        seen.append(meter.is_measured)
    assert seen[:3] == [False] * 3
    assert seen[4:] == [True] * 2
    assert meter.speed == pytest.approx(1_000_000)


def test_a_stopped_stream_fades_within_seconds() -> None:
    meter = SpeedMeter(3.0, now=0.0)
    for tick in range(1, 41):
        meter.sample(tick * 0.25, tick * 250_000)
    for tick in range(41, 81):
        meter.sample(tick * 0.25, 10_000_000)
    assert meter.speed < 50_000


def test_a_counter_that_restarts_gives_no_negative_speed() -> None:
    meter = SpeedMeter(3.0, now=0.0)
    meter.sample(1.0, 5_000_000)
    meter.sample(2.0, 0)
    assert meter.speed >= 0


@given(
    st.lists(
        st.tuples(st.floats(0.001, 100), st.integers(0, 10**12)),
        min_size=1,
        max_size=50,
    )
)
def test_the_speed_is_always_finite(samples: list[tuple[float, int]]) -> None:
    meter = SpeedMeter(3.0, now=0.0)
    at, total, fastest = 0.0, 0, 0.0
    for dt, nbytes in samples:
        at += dt
        total += nbytes
        fastest = max(fastest, nbytes / dt)
        meter.sample(at, total)
    assert math.isfinite(meter.speed)
    assert 0 <= meter.speed <= fastest * 1.001 + 1


@pytest.mark.parametrize(
    ("remaining", "speed", "expected"),
    [(0, 0, 0.0), (100, 0, None), (100, 0.5, None), (100, 10, 10.0), (10**15, 1, None)],
)
def test_an_eta_is_given_only_when_it_is_possible(
    remaining: float, speed: float, expected: float | None
) -> None:
    assert eta_s(remaining, speed) == expected


@pytest.mark.parametrize(
    ("fast", "slow", "expected"),
    [
        (90.0, 100.0, 100.0),
        (40.0, 100.0, 100.0),
        (5.0, 100.0, 5.0),
        (900.0, 100.0, 900.0),
    ],
)
def test_the_eta_follows_a_lasting_change_at_once(
    fast: float, slow: float, expected: float
) -> None:
    assert eta_speed(fast, slow) == expected


def test_the_history_has_one_value_a_second() -> None:
    meter = TotalMeter(now=0.0)
    for tick in range(1, 41):
        meter.sample(tick * 0.25, tick * 500)
    assert list(meter.history) == [2000.0] * 10
    assert meter.peak == 2000.0


def test_a_burst_at_the_start_does_not_count_as_the_speed() -> None:
    meter = SpeedMeter(3.0, 0.0, burst_s=1.0)
    meter.sample(0.1, 300_000)
    assert meter.speed == pytest.approx(300_000, rel=0.2)
    for tick in range(10, 40):
        meter.sample(tick / 10, 300_000 * tick / 10)
    assert meter.speed == pytest.approx(300_000, rel=0.15)

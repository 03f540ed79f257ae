"""The lag of the event loop, with and without a suspension."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tui.engine.metrics.loop_lag import INTERVAL_S, LoopLag


class Loop:
    """A loop whose time is set by hand; it calls back when turned."""

    def __init__(self) -> None:
        self.now = 100.0
        self.call: tuple[float, object] | None = None

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: object) -> SimpleNamespace:
        self.call = (when, call)
        return SimpleNamespace(cancel=lambda: None)

    def turn(self, late_s: float) -> None:
        assert self.call is not None
        when, call = self.call
        self.now = when + late_s
        call()  # type: ignore[operator]


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


@pytest.mark.parametrize("is_seen", [True, False], ids=["looked", "not looked yet"])
def test_the_time_of_a_suspension_is_not_lag(loop: Loop, is_seen: bool) -> None:
    lag = LoopLag()
    for _ in range(40):
        loop.turn(0.002)
    if is_seen:
        loop.turn(30.0)
    else:
        loop.now += 30.0
    lag.exclude_suspension(30.1)
    for _ in range(40):
        loop.turn(0.002)
    measured = lag.snapshot()
    assert measured.p99_s == pytest.approx(0.002)
    assert max(measured.history_s) == pytest.approx(0.002)


def test_lag_before_a_suspension_is_kept(loop: Loop) -> None:
    lag = LoopLag()
    loop.turn(0.4)
    loop.turn(30.0)
    lag.exclude_suspension(30.0)
    assert lag.snapshot().p99_s == pytest.approx(0.4)
    assert loop.call is not None
    assert loop.call[0] == pytest.approx(loop.now + INTERVAL_S)

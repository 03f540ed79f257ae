"""The fast start, on simulated servers and in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tui.core.diagnosis import Limit
from tui.core.notices import AutoCode
from tui.engine.autotune.controller import Decision, Observation
from tui.engine.autotune.fast_start import ANSWERED, IDLE_S, FastStart
from tui.engine.scheduling.queue import (
    HOST_CONNECTIONS,
    MEDIUM_CEILING,
    SMALL_CEILING,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S = 0.04
OPEN_S = 0.12
"""From opening a connection to its first byte."""


@dataclass
class Run:
    """A server at which each new connection delivers after ``OPEN_S``."""

    speed_of: Callable[[float], float]
    """Bytes per second by open connections."""
    allowed: int = 8
    now_s: float = 0.0
    total: float = 0.0
    opened: list[tuple[float, int]] = field(default_factory=list)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = FastStart(0.0)
        self.opened.append((OPEN_S, self.allowed))

    def go(
        self,
        seconds: float,
        *,
        ceiling: int = HOST_CONNECTIONS,
        answered: int = 0,
        **given: object,
    ) -> Run:
        for _ in range(int(seconds / TICK_S)):
            self.now_s += TICK_S
            level = max((n for at, n in self.opened if at <= self.now_s), default=0)
            self.total += self.speed_of(level) * TICK_S
            now = Observation(
                self.now_s, self.total, self.allowed, self.allowed, True
            )._replace(**given)  # type: ignore[arg-type]
            decision = self.start.observe(
                now, OPEN_S, ceiling=ceiling, answered=answered
            )
            if decision is not None:
                self.decisions.append((self.now_s, decision))
                self.allowed = decision.concurrency
                self.opened.append((self.now_s + OPEN_S, self.allowed))
        return self

    @property
    def levels(self) -> list[int]:
        return [decision.concurrency for _, decision in self.decisions]


def test_it_doubles_within_a_few_round_trips_while_speed_grows() -> None:
    run = Run(lambda n: n * 1e6).go(1.2)
    assert run.levels[:3] == [16, 32, 64]
    assert run.decisions[0][0] < 0.5
    assert run.decisions[2][0] < 1.2
    codes = [decision.reason.code for _, decision in run.decisions[:2]]
    assert codes == [AutoCode.TRY_MORE, AutoCode.GAIN_TRY_MORE]


def test_it_ends_when_more_brings_nothing() -> None:
    run = Run(lambda n: min(n, 12) * 1e6).go(3)
    assert run.start.is_over
    assert run.levels == [16, 32, 32]
    assert run.decisions[-1][1].reason.code is AutoCode.GAIN_STAY


def test_medium_files_get_their_number_with_the_first_responses() -> None:
    run = Run(lambda n: n * 1e5).go(0.2, ceiling=MEDIUM_CEILING, answered=3)
    assert run.levels == []
    run.go(2 * TICK_S, ceiling=MEDIUM_CEILING, answered=int(8 * ANSWERED))
    assert run.levels == [MEDIUM_CEILING]
    assert run.decisions[0][1].reason == (AutoCode.MEDIUM_FILES, (MEDIUM_CEILING,))
    run.go(0.4, ceiling=MEDIUM_CEILING, answered=8)
    assert run.levels == [MEDIUM_CEILING, 2 * MEDIUM_CEILING]


def test_small_files_get_their_number_when_all_have_answered() -> None:
    run = Run(lambda n: n * 1e5, allowed=16)
    run.go(0.16, ceiling=SMALL_CEILING, answered=7)
    assert run.levels == []
    run.go(TICK_S, ceiling=SMALL_CEILING, answered=16)
    assert run.levels == [SMALL_CEILING]
    assert run.decisions[0][1].reason == (AutoCode.SMALL_FILES, (SMALL_CEILING,))


def test_a_step_is_no_larger_than_what_slow_start_reaches_in_two() -> None:
    run = Run(lambda n: n * 1e5, allowed=4)
    run.go(0.16, ceiling=SMALL_CEILING, answered=4)
    assert run.levels == [16]
    run.go(0.16, ceiling=SMALL_CEILING, answered=11)
    assert run.levels == [16]
    run.go(TICK_S, ceiling=SMALL_CEILING, answered=20)
    assert run.levels == [16, SMALL_CEILING]


def test_responses_that_are_missing_are_waited_for_since_they_may_be_refusals() -> None:
    run = Run(lambda n: n * 1e5, allowed=16)
    run.go(0.16, ceiling=SMALL_CEILING, answered=2)
    run.go(TICK_S, ceiling=SMALL_CEILING, answered=9)
    assert run.levels == []
    run.go(TICK_S, ceiling=SMALL_CEILING, answered=11)
    assert run.levels == [SMALL_CEILING]


def test_a_refusal_keeps_small_files_from_getting_more_at_once() -> None:
    run = Run(lambda n: n * 1e5).go(0.2, ceiling=0, answered=8)
    assert run.levels == []


def test_a_level_beyond_the_ceiling_is_not_lowered_to_it() -> None:
    run = Run(lambda n: n * 1e5, allowed=40)
    run.go(0.2, ceiling=MEDIUM_CEILING, answered=40)
    assert run.levels == []


def test_nothing_changes_before_the_first_byte() -> None:
    run = Run(lambda _: 0.0).go(5)
    assert run.levels == []
    assert not run.start.is_over


@pytest.mark.parametrize(
    "given",
    [{"origin_capacity": 4}, {"breaks": 1}, {"limit": Limit.DISK}],
    ids=["refused", "broken", "disk"],
)
def test_it_ends_at_once_when_a_host_refuses_or_something_else_limits(given) -> None:
    run = Run(lambda n: n * 1e6).go(0.2)
    run.go(TICK_S, **given)
    assert run.start.is_over


def test_it_ends_when_the_level_cannot_be_filled() -> None:
    run = Run(lambda n: n * 1e6).go(1, has_more=False)
    assert not run.start.is_over
    run.go(IDLE_S, has_more=False)
    assert run.start.is_over
    assert run.levels == []

"""Trials with more or fewer connections, on simulated links and in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.core.notices import AutoCode, AutoReason
from tui.engine.autotune.connections import (
    LEAST_CONNECTIONS,
    ConnectionGrowth,
    ConnectionTrials,
)
from tui.engine.scheduling.queue import HOST_CONNECTIONS, OriginState

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S = 0.25


@dataclass
class Run:
    """One large file on a link whose speed depends on the number of connections."""

    speed_of: Callable[[int], float]
    wanted: int = 12
    left: float = 1e9
    waits: bool = False
    """More downloads are queued."""
    now_s: float = 0.0
    fetched: float = 0.0
    codes: list[AutoCode] = field(default_factory=list)
    history: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trials = ConnectionTrials()
        self.origin = OriginState("https://a.example")

    def go(self, seconds: float) -> Run:
        for _ in range(int(seconds / TICK_S)):
            limit = self.origin.connection_limit or self.wanted
            self.origin.connections = min(self.wanted, limit)
            self.origin.extra = self.origin.connections - 1
            self.history.append(self.origin.connections)
            self.now_s += TICK_S
            got = self.speed_of(self.origin.connections) * TICK_S
            self.fetched += got
            self.left -= got
            reason = self.trials.observe(
                self.now_s,
                int(self.fetched),
                0 if self.waits else int(self.left),
                [self.origin],
            )
            if reason is not None:
                self.codes.append(reason.code)
        return self


def test_connections_that_bring_nothing_are_closed_step_by_step() -> None:
    run = Run(lambda n: min(10e6, n * 2e6)).go(60)
    assert run.origin.connections == 6
    assert run.codes[:2] == [
        AutoCode.TRY_FEWER_CONNECTIONS,
        AutoCode.FEWER_CONNECTIONS_STAY,
    ]


def test_connections_that_bring_something_are_opened_again() -> None:
    run = Run(lambda n: n * 2e6).go(30)
    assert run.codes == [AutoCode.TRY_FEWER_CONNECTIONS, AutoCode.CONNECTIONS_BACK]
    assert run.origin.connection_limit == 0
    assert run.history[-1] == 12
    assert min(run.history) == 9


def test_failed_trials_become_rare() -> None:
    run = Run(lambda n: n * 2e6, left=1e12).go(600)
    assert run.codes.count(AutoCode.TRY_FEWER_CONNECTIONS) == 4


def test_nothing_is_tried_at_the_end_of_a_file_or_while_others_wait() -> None:
    assert Run(lambda n: 10e6, left=90e6).go(8).codes == []
    assert Run(lambda n: 10e6, waits=True).go(30).codes == []
    few = Run(lambda n: 10e6, wanted=LEAST_CONNECTIONS - 1)
    assert few.go(30).codes == []


def test_a_trial_that_the_end_interrupts_is_taken_back() -> None:
    run = Run(lambda n: 10e6, left=10e6 * 20).go(3)
    assert run.origin.connection_limit == 9
    run.waits = True
    run.go(TICK_S)
    assert run.codes[-1] is AutoCode.CONNECTIONS_BACK
    assert run.origin.connection_limit == 0


def test_closed_connections_are_opened_again_when_the_link_has_become_faster() -> None:
    run = Run(lambda n: min(10e6, n * 2e6), left=1e12).go(60)
    assert run.origin.connections == 6
    run.speed_of = lambda n: n * 2e6
    run.codes.clear()
    run.go(300)
    assert run.codes[:2] == [
        AutoCode.TRY_MORE_CONNECTIONS,
        AutoCode.MORE_CONNECTIONS_STAY,
    ]
    assert run.history[-1] == 12


def test_a_link_that_stays_slow_is_seldom_tried_with_more() -> None:
    run = Run(lambda n: min(10e6, n * 2e6), left=1e12).go(600)
    assert run.origin.connections in (5, 6)
    assert 0 < run.codes.count(AutoCode.TRY_MORE_CONNECTIONS) <= 2


def test_more_connections_count_only_those_of_the_host_that_gets_them() -> None:
    trials = ConnectionTrials()
    trials._is_up = True  # fewer were tried before
    limited, other = OriginState("https://a.example"), OriginState("https://b.example")
    limited.connection_limit = limited.connections = 3
    other.connections = 5
    limited.extra = other.extra = 2
    reasons: list[AutoReason | None] = []
    for tick in range(1, 40):
        now_s = tick * TICK_S
        args = now_s, int(now_s * 10e6), 10**12, [limited, other]
        reasons.append(trials.observe(*args))
        limited.connections = limited.connection_limit
    found = [reason for reason in reasons if reason]
    assert found[0] == AutoReason(AutoCode.TRY_MORE_CONNECTIONS, (8, 9))
    assert found[1].values[0] == 9


class File:
    """A large file; how many there are is all that counts here."""

    def connections(self) -> int:
        raise NotImplementedError

    def could_use_another(self) -> bool:
        raise NotImplementedError

    def left_for_each(self) -> float:
        raise NotImplementedError

    def use_idle_connection(self) -> None:
        raise NotImplementedError


FILE = File()


@dataclass
class Growth:
    """A large file that starts with few connections."""

    speed_of: Callable[[int], float]
    started: int = 4
    others: int = 0
    """Connections of other files."""
    left: float = 1e9
    now_s: float = 0.0
    fetched: float = 0.0
    reasons: list[AutoReason] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.growth = ConnectionGrowth()
        self.origin = OriginState("https://a.example")
        self.origin.first_byte_s = 0.2

    def go(self, seconds: float, *, is_limited: bool = False) -> Growth:
        for _ in range(int(seconds / TICK_S)):
            wanted = self.started * self.origin.growth + self.others
            self.origin.connections = min(HOST_CONNECTIONS, wanted)
            self.origin.large_files = [FILE] * (1 + self.others)
            self.now_s += TICK_S
            got = self.speed_of(self.origin.connections) * TICK_S
            self.fetched += got
            self.left = max(0.0, self.left - got)
            left = 0 if is_limited else int(self.left)
            args = self.now_s, int(self.fetched), left, [self.origin]
            reason = self.growth.observe(*args)
            if reason is not None:
                self.reasons.append(reason)
        return self

    @property
    def codes(self) -> list[AutoCode]:
        return [reason.code for reason in self.reasons]


def test_connections_are_doubled_while_that_is_faster() -> None:
    run = Growth(lambda n: n * 2e6).go(10)
    assert run.origin.connections == HOST_CONNECTIONS
    assert (
        run.codes
        == [
            AutoCode.TRY_MORE_CONNECTIONS,
            AutoCode.MORE_CONNECTIONS_STAY,
        ]
        * 2
    )
    assert [reason.values[0] for reason in run.reasons] == [4, 8, 8, 16]
    assert run.reasons[0].values[1] == 8
    assert not run.growth.is_trying


def test_more_connections_that_bring_nothing_are_closed_for_good() -> None:
    run = Growth(lambda n: min(n * 2e6, 9e6)).go(30)
    assert run.codes == [AutoCode.TRY_MORE_CONNECTIONS, AutoCode.CONNECTIONS_BACK]
    assert run.origin.connections == 4


def test_more_connections_are_tried_again_once_other_files_have_ended() -> None:
    run = Growth(lambda n: min(n * 2e6, 24e6), started=6, others=6).go(5)
    assert run.codes == [AutoCode.TRY_MORE_CONNECTIONS, AutoCode.CONNECTIONS_BACK]
    run.others = 0
    run.go(30)
    assert run.codes[2:] == [
        AutoCode.TRY_MORE_CONNECTIONS,
        AutoCode.MORE_CONNECTIONS_STAY,
    ]
    assert run.origin.connections == 12


def test_connections_of_a_file_stay_where_others_have_ended_meanwhile() -> None:
    run = Growth(lambda n: min(n * 2e6, 24e6), started=6, others=6).go(0.75)
    assert run.growth.is_trying
    run.others = 0
    run.go(5)
    stay = [AutoCode.TRY_MORE_CONNECTIONS, AutoCode.MORE_CONNECTIONS_STAY]
    assert run.codes[:2] == stay
    assert run.origin.connections == 12


def test_what_is_slower_because_others_ended_says_nothing_about_more() -> None:
    run = Growth(lambda n: n * 2e6, started=4, others=8).go(0.75)
    assert run.growth.is_trying
    run.speed_of, run.others = lambda n: n * 1e6, 0
    run.go(0.5)
    assert run.codes == [AutoCode.TRY_MORE_CONNECTIONS, AutoCode.CONNECTIONS_BACK]
    run.go(5)
    assert run.codes[2] is AutoCode.TRY_MORE_CONNECTIONS


def test_twelve_connections_need_less_gain_for_sixteen() -> None:
    run = Growth(lambda n: min(n * 2e6, 28e6), started=12).go(10)
    assert run.reasons[0].values == (12, 16)
    assert run.codes[-1] is AutoCode.MORE_CONNECTIONS_STAY


def test_connections_do_not_grow_at_the_end_of_a_file() -> None:
    assert Growth(lambda n: n * 2e6, left=8e6).go(5).codes == []


def test_a_growth_that_the_end_interrupts_is_taken_back() -> None:
    run = Growth(lambda n: 8e6).go(0.75)
    assert run.growth.is_trying
    run.go(TICK_S, is_limited=True)
    assert run.codes[-1] is AutoCode.CONNECTIONS_BACK
    assert run.origin.growth == 1
    run.go(2)  # with the next file
    assert run.codes[2] is AutoCode.TRY_MORE_CONNECTIONS


def test_connections_to_a_host_that_refuses_some_do_not_grow() -> None:
    run = Growth(lambda n: n * 2e6)
    run.origin.learned_cap = 6
    assert run.go(10).codes == []

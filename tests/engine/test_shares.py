"""What is measured for the verdict: shares of the last seconds, in fake time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tui.core.diagnosis import NO_DIAGNOSIS, Limit, LimitCause
from tui.core.download import Download, DownloadState
from tui.core.request import DownloadRequest
from tui.core.snapshot import LoopSnapshot
from tui.engine.autotune.utilization import UtilizationMeter
from tui.engine.metrics.wait_times import UtilizationWindow, Wait, Waits
from tui.engine.scheduling.queue import DownloadQueue

BEAT_S = 0.25


def made(**fields: object) -> Any:
    return SimpleNamespace(**fields)


class Running:
    def __init__(self, speed: float, number: int) -> None:
        self._speed = speed
        self.download = made(origin=f"http://h{number % 2}")

    def speed(self) -> float:
        return self._speed


class House:
    """Just enough of a kit and a crew for the meter."""

    def __init__(self, allowed: int = 4, queued: int = 50) -> None:
        self.now = 100.0
        self.waits = Waits()
        queue = DownloadQueue(0)
        counts = [0] * len(DownloadState)
        counts[DownloadState.QUEUED] = queued
        downloads = []
        for number in range(queued):
            origin = f"http://h{number % 2}"
            request = DownloadRequest((f"{origin}/{number}",))
            download = Download(number, request, origin, "x")
            queue.push(download)
            downloads.append(download)
        slot = SimpleNamespace(operation="write")
        disk = SimpleNamespace(workers=(slot,), is_inline=False, operations=0)
        registry = SimpleNamespace(
            counts=counts, fetched=0, running={}, downloads=downloads
        )
        self.context = made(
            waits=self.waits,
            registry=registry,
            queue=queue,
            limits=made(concurrency=allowed),
            limiter=SimpleNamespace(rate=None),
            writer=SimpleNamespace(snapshot=lambda: disk),
        )
        self.workers = made(active=allowed)
        self.lag_s = 0.0
        self.meter = UtilizationMeter(
            self.context,
            self.workers,
            lambda: LoopSnapshot(self.lag_s, self.lag_s, ()),
        )

    def go(self, seconds: float, speed: float) -> House:
        for _ in range(int(seconds / BEAT_S)):
            self.now += BEAT_S
            self.context.registry.fetched += int(speed * BEAT_S)
            self.meter.sample(self.now, is_auto=False)
        return self

    def allow(self, count: int) -> House:
        self.context.limits.concurrency = self.workers.active = count
        return self

    def bound(self) -> Limit:
        return self.meter.diagnosis.limit


def test_waits_count_those_that_still_wait() -> None:
    run = Waits()
    one = Waits(run)
    one.begin(Wait.DISK, 10.0)
    one.begin(Wait.DISK, 11.0)
    assert one.total(Wait.DISK, 12.0) == 3.0
    one.end(Wait.DISK, 12.0)
    assert run.total(Wait.DISK, 14.0) == 5.0


def test_shares_are_of_the_last_seconds_only() -> None:
    waits = Waits()
    window = UtilizationWindow(waits)
    waits.begin(Wait.OPEN, 0.0)
    waits.begin(Wait.DISK, 0.0)
    waits.end(Wait.DISK, 5.0)
    for at in range(12):
        window.sample(float(at))
    assert window.shares().disk == 0.0
    waits.begin(Wait.LIMITER, 11.0)
    window.sample(12.5)
    assert window.shares().limiter == pytest.approx(1.5 / 2.5)


def test_without_connections_nothing_is_waited_for() -> None:
    assert UtilizationWindow(Waits()).shares() == (0.0, 0.0)


def test_slots_bound_until_as_much_came_with_fewer() -> None:
    house = House(allowed=2).go(5, speed=1e6)
    assert house.bound() is Limit.CONCURRENCY
    house.allow(4).go(5, speed=1.02e6)
    assert house.bound() is Limit.SERVER
    assert house.meter.diagnosis.cause is LimitCause.NO_GAIN


def test_slots_go_on_to_bound_while_more_bring_more() -> None:
    house = House(allowed=2).go(5, speed=1e6).allow(4).go(5, speed=2e6)
    assert house.bound() is Limit.CONCURRENCY


def test_several_hosts_that_give_no_more_together_mean_the_link() -> None:
    house = House(allowed=2)
    house.context.registry.running.update(
        {Running(4e5, 0): None, Running(6e5, 1): None}
    )
    house.go(5, speed=1e6).allow(4).go(5, speed=1e6)
    assert house.bound() is Limit.LINK
    assert house.meter.diagnosis.values == (2, pytest.approx(1e6))


def test_what_was_compared_long_ago_counts_no_more() -> None:
    house = House(allowed=2).go(5, speed=1e6).allow(4).go(130, speed=1e6)
    assert house.bound() is Limit.CONCURRENCY


def test_after_a_rest_it_begins_anew() -> None:
    house = House().go(5, speed=1e6)
    house.now += 60
    house.go(BEAT_S, speed=1e6)
    assert house.meter.diagnosis == NO_DIAGNOSIS
    house.go(2, speed=1e6)
    assert house.meter.measures.speed == pytest.approx(1e6, rel=0.2)


def test_small_files_that_wait_for_the_disk_count_with_their_workers() -> None:
    house = House(allowed=4, queued=0)
    for _ in range(3):
        house.waits.begin(Wait.DISK, house.now)
    house.go(3, speed=1e6)
    assert house.meter.measures.disk == pytest.approx(0.75)
    assert house.bound() is Limit.DISK


def test_a_loop_that_is_late_is_what_bounds() -> None:
    house = House()
    house.lag_s = 0.05
    house.go(3, speed=1e6)
    assert house.bound() is Limit.CPU
    assert house.meter.diagnosis.values == (50,)

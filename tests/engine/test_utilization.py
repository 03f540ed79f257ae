"""What the utilization meter measures, in simulated time."""

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


class EngineStub:
    """The parts of an engine that the meter needs."""

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

    def go(self, seconds: float, speed: float) -> EngineStub:
        for _ in range(int(seconds / BEAT_S)):
            self.now += BEAT_S
            self.context.registry.fetched += int(speed * BEAT_S)
            self.meter.sample(self.now, is_auto=False)
        return self

    def allow(self, count: int) -> EngineStub:
        self.context.limits.concurrency = self.workers.active = count
        return self

    def limit(self) -> Limit:
        return self.meter.diagnosis.limit


def test_waits_that_have_not_ended_count() -> None:
    run = Waits()
    one = Waits(run)
    one.begin(Wait.DISK, 10.0)
    one.begin(Wait.DISK, 11.0)
    assert one.total(Wait.DISK, 12.0) == 3.0
    one.end(Wait.DISK, 12.0)
    assert run.total(Wait.DISK, 14.0) == 5.0


def test_shares_cover_the_last_seconds_only() -> None:
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


def test_without_connections_all_shares_are_zero() -> None:
    assert UtilizationWindow(Waits()).shares() == (0.0, 0.0)


def test_concurrency_is_the_limit_until_fewer_were_as_fast() -> None:
    engine = EngineStub(allowed=2).go(5, speed=1e6)
    assert engine.limit() is Limit.CONCURRENCY
    engine.allow(4).go(5, speed=1.02e6)
    assert engine.limit() is Limit.SERVER
    assert engine.meter.diagnosis.cause is LimitCause.NO_GAIN


def test_concurrency_stays_the_limit_while_more_is_faster() -> None:
    engine = EngineStub(allowed=2).go(5, speed=1e6).allow(4).go(5, speed=2e6)
    assert engine.limit() is Limit.CONCURRENCY


def test_several_hosts_without_a_gain_mean_the_link() -> None:
    engine = EngineStub(allowed=2)
    engine.context.registry.running.update(
        {Running(4e5, 0): None, Running(6e5, 1): None}
    )
    engine.go(5, speed=1e6).allow(4).go(5, speed=1e6)
    assert engine.limit() is Limit.LINK
    assert engine.meter.diagnosis.values == (2, pytest.approx(1e6))


def test_old_comparisons_do_not_count() -> None:
    engine = EngineStub(allowed=2).go(5, speed=1e6).allow(4).go(130, speed=1e6)
    assert engine.limit() is Limit.CONCURRENCY


def test_it_starts_over_after_an_idle_time() -> None:
    engine = EngineStub().go(5, speed=1e6)
    engine.now += 60
    engine.go(BEAT_S, speed=1e6)
    assert engine.meter.diagnosis == NO_DIAGNOSIS
    engine.go(2, speed=1e6)
    assert engine.meter.measures.speed == pytest.approx(1e6, rel=0.2)


def test_small_files_that_wait_for_the_disk_count() -> None:
    engine = EngineStub(allowed=4, queued=0)
    for _ in range(3):
        engine.waits.begin(Wait.DISK, engine.now)
    engine.go(3, speed=1e6)
    assert engine.meter.measures.disk == pytest.approx(0.75)
    assert engine.limit() is Limit.DISK


def test_a_late_event_loop_is_the_limit() -> None:
    engine = EngineStub()
    engine.lag_s = 0.05
    engine.go(3, speed=1e6)
    assert engine.limit() is Limit.CPU
    assert engine.meter.diagnosis.values == (50,)

"""The limiter keeps its rate, serves callers in order and applies changes at once."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

import pytest

from tests.support.until import until
from tui.core.clock import SystemClock
from tui.net.limiter import Limiter


class HandClock:
    """A clock that jumps to the next alarm once all tasks wait."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.now = 100.0
        self.late_s = late_s
        self._alarms: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self.now + seconds + self.late_s
        heapq.heappush(self._alarms, (due, next(self._numbers), future))
        await future

    async def run_until(self, end: float) -> None:
        while True:
            # Enough loop iterations for all tasks that can proceed.
            for iteration in range(300):
                await asyncio.sleep(0)
                while self._alarms and self._alarms[0][2].done():
                    heapq.heappop(self._alarms)
                if iteration >= 10 and self._alarms:
                    break
            if not self._alarms or self._alarms[0][0] > end:
                self.now = end
                return
            self.now, _, future = heapq.heappop(self._alarms)
            future.set_result(None)


class Consumers:
    """Tasks that take bytes as fast as allowed, until the end of the test."""

    def __init__(self, limiter: Limiter, sizes: list[int]) -> None:
        self.taken = [0] * len(sizes)
        self.tasks = [
            asyncio.ensure_future(self._run(limiter, i, size))
            for i, size in enumerate(sizes)
        ]

    async def _run(self, limiter: Limiter, index: int, size: int) -> None:
        while True:
            await limiter.take(size)
            self.taken[index] += size

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.mark.parametrize("late_s", [0.0, 0.03])
@pytest.mark.parametrize(
    ("rate", "sizes"),
    [
        (1_000_000, [65536]),
        (1_000_000, [65536] * 7),
        (50_000_000, [100_000] * 3),
        (10_000, [100_000]),
        (10_000, [1, 5000, 700]),
    ],
)
async def test_the_rate_is_exact_within_5_percent_over_10_s(
    rate: int, sizes: list[int], late_s: float
) -> None:
    clock = HandClock(late_s)
    limiter = Limiter(rate, clock, clock.sleep)
    consumers = Consumers(limiter, sizes)
    await clock.run_until(110.0)
    await consumers.stop()
    total = sum(consumers.taken)
    # The waiting task has collected tokens for a chunk that has not passed.
    assert total <= rate * 10 * 1.0001
    assert total + max(sizes) >= rate * 10 * 0.95


async def test_tasks_take_turns() -> None:
    clock = HandClock()
    limiter = Limiter(1_000_000, clock, clock.sleep)
    consumers = Consumers(limiter, [10_000] * 10)
    await clock.run_until(110.0)
    await consumers.stop()
    assert max(consumers.taken) - min(consumers.taken) <= 10_000


async def test_callers_are_served_in_order() -> None:
    clock = HandClock()
    limiter = Limiter(1000, clock, clock.sleep)
    served: list[int] = []

    async def take(number: int) -> None:
        await limiter.take(1000 - number)
        served.append(number)

    tasks = [asyncio.ensure_future(take(n)) for n in range(5)]
    await clock.run_until(106.0)
    assert served == [0, 1, 2, 3, 4]
    await asyncio.gather(*tasks)


async def test_an_idle_limiter_saves_up_at_most_a_tenth_of_a_second() -> None:
    clock = HandClock()
    limiter = Limiter(1000, clock, clock.sleep)
    first = asyncio.ensure_future(limiter.take(1))
    await clock.run_until(clock.now + 60)
    assert first.done()
    await asyncio.wait_for(limiter.take(100), 20)
    task = asyncio.ensure_future(limiter.take(1))
    await clock.run_until(clock.now)
    assert not task.done()
    await clock.run_until(clock.now + 0.01)
    assert task.done()


async def test_a_new_rate_applies_to_waiting_callers() -> None:
    clock = HandClock()
    limiter = Limiter(10, clock, clock.sleep)
    tasks = [asyncio.ensure_future(limiter.take(1000)) for _ in range(2)]
    await clock.run_until(101.0)
    limiter.set_rate(1_000_000)
    await clock.run_until(101.01)
    assert all(task.done() for task in tasks)


async def test_removing_the_limit_wakes_all_callers() -> None:
    clock = HandClock()
    limiter = Limiter(1, clock, clock.sleep)
    tasks = [asyncio.ensure_future(limiter.take(10**9)) for _ in range(5)]
    await clock.run_until(100.5)
    assert not any(task.done() for task in tasks)
    limiter.set_rate(None)
    assert limiter.is_unlimited
    await asyncio.wait_for(asyncio.gather(*tasks), 20)
    assert clock.now == 100.5


async def test_a_slower_rate_extends_a_running_wait() -> None:
    clock = HandClock()
    limiter = Limiter(1000, clock, clock.sleep)
    task = asyncio.ensure_future(limiter.take(2000))
    await clock.run_until(101.0)
    limiter.set_rate(100)
    await clock.run_until(110.9)
    assert not task.done()
    await clock.run_until(111.1)
    assert task.done()


async def test_a_cancelled_caller_neither_blocks_nor_causes_a_spike() -> None:
    clock = HandClock()
    limiter = Limiter(1000, clock, clock.sleep)
    head, middle, last = (asyncio.ensure_future(limiter.take(5000)) for _ in range(3))
    await clock.run_until(104.0)
    middle.cancel()
    head.cancel()
    await clock.run_until(104.0)
    assert head.cancelled()
    assert middle.cancelled()
    await clock.run_until(108.8)
    assert not last.done()
    await clock.run_until(109.1)
    assert last.done()


async def test_a_turn_is_passed_on_if_its_caller_is_cancelled() -> None:
    clock = HandClock()
    limiter = Limiter(1000, clock, clock.sleep)
    first, second, third = (asyncio.ensure_future(limiter.take(1000)) for _ in range(3))
    await clock.run_until(100.5)
    first.cancel()
    # Two loop iterations: the first caller passes the turn on; the second one is
    # cancelled before it resumes.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.cancel()
    await clock.run_until(103.0)
    assert second.cancelled()
    assert third.done()
    assert not third.cancelled()


async def test_no_limit_means_no_wait() -> None:
    limiter = Limiter(None, SystemClock())
    await asyncio.wait_for(limiter.take(10**15), 20)
    assert limiter.rate is None


@pytest.mark.parametrize("rate", [0, -1])
async def test_a_rate_that_is_not_positive_is_refused(rate: int) -> None:
    limiter = Limiter(5, SystemClock())
    with pytest.raises(ValueError, match="positive"):
        limiter.set_rate(rate)
    assert limiter.rate == 5


async def test_the_system_clock_keeps_the_rate() -> None:
    limiter = Limiter(1_000_000, SystemClock())
    consumers = Consumers(limiter, [20_000] * 4)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: sum(consumers.taken) >= 500_000)
    elapsed = loop.time() - began
    await consumers.stop()
    assert elapsed >= 0.45


@pytest.mark.parametrize("idle_s", [0.0, 5.0])
@pytest.mark.parametrize(
    ("rate", "size", "count"),
    [(1 << 20, 300_000, 40), (256 << 10, 786_432, 1), (1 << 20, 1_000, 5_000)],
)
async def test_files_take_exactly_their_time(
    rate: int, size: int, count: int, idle_s: float
) -> None:
    clock = HandClock()
    limiter = Limiter(rate, clock, clock.sleep)
    clock.now += idle_s  # nothing is saved up before the first byte
    began = clock.now
    ended: list[float] = []

    async def files() -> None:
        for _ in range(count):
            left = size
            while left:
                chunk = min(left, 65_536)
                await limiter.take(chunk)
                left -= chunk
        ended.append(clock.now)

    task = asyncio.ensure_future(files())
    await clock.run_until(began + 1000)
    await task
    assert ended[0] - began == pytest.approx(size * count / rate, rel=0.01)

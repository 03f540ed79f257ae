"""Segments tile the file exactly, and no connection idles at the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.segment import RangeSet
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.engine.download.ranges.segments import (
    LEAST_SPLIT,
    RACE_AFTER_S,
    Segment,
    SegmentScheduler,
)
from tui.net.request import GetRequest
from tui.net.resource import ResourceInfo, read_resource_info
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from tui.demo.server import ScriptedServer
    from tui.net.response import Response

URL = "http://a/x"


def take(
    pool: SegmentScheduler,
    position: int = -1,
    now: float = 0.0,
    *,
    is_warm: bool = False,
) -> Segment | None:
    return pool.take(position, only_there=False, url=URL, now=now, is_warm=is_warm)


def moved(pool: SegmentScheduler, speed: int) -> Segment:
    """Return the only segment, after a second at ``speed``."""
    segment = take(pool)
    assert segment is not None
    segment.at += speed
    segment.meter.sample(1.0, segment.at)
    return segment


def overlap(ranges: RangeSet, low: int, high: int) -> int:
    return sum(max(0, min(end, high) - max(start, low)) for start, end in ranges)


def test_a_free_connection_takes_half_of_the_largest_range() -> None:
    pool = SegmentScheduler([(0, 8 << 20)])
    first = take(pool)
    second = take(pool)
    assert first is not None
    assert second is not None
    assert (first.start, first.end) == (0, 4 << 20)
    assert (second.start, second.end) == (4 << 20, 8 << 20)


def test_a_small_rest_is_not_halved() -> None:
    pool = SegmentScheduler([(0, LEAST_SPLIT)])
    take(pool)
    assert take(pool) is None


def test_a_cut_lets_both_connections_end_at_once() -> None:
    """What is left moves on while the other connection starts."""
    speed, request_s = 2_000_000, 0.12
    ahead = []
    for is_warm in (False, True):
        pool = SegmentScheduler([(0, 10_000_000)], request_s)
        victim = moved(pool, speed)
        thief = take(pool, is_warm=is_warm)
        assert thief is not None
        ahead.append(victim.remaining - thief.remaining)
    cold, warm = ahead
    # A request on an open connection costs a round trip, a new one slow start as well.
    assert abs(warm - speed * request_s / 2) <= 128 << 10
    assert cold - warm > speed * request_s / 2


def test_an_end_is_cut_only_if_another_connection_can_be_in_time() -> None:
    speed, request_s = 2_000_000, 0.12
    pool = SegmentScheduler([(0, speed + 500_000)], request_s)
    moved(pool, speed)
    assert take(pool) is None
    assert not pool.has_work_for(0, 1.0)
    assert take(pool, is_warm=True) is not None


def test_a_throttled_connection_takes_gaps_only() -> None:
    pool = SegmentScheduler([(0, 8 << 20), (8 << 20, 16 << 20)])
    for _ in range(2):
        assert pool.has_work_for(0, 0.0, gaps_only=True)
        assert pool.take(-1, only_there=False, url=URL, now=0.0, gaps_only=True)
    assert not pool.has_work_for(0, 9.0, gaps_only=True)
    assert pool.has_work_for(0, 9.0)
    assert pool.take(-1, only_there=False, url=URL, now=9.0, gaps_only=True) is None
    assert take(pool, now=9.0) is not None


def test_an_open_response_continues_into_the_gap_after_it() -> None:
    pool = SegmentScheduler([(0, 100), (100, 200), (200, 300)])
    first = take(pool)
    assert first is not None
    pool.finish(first)
    following = take(pool, position=200)
    assert following is not None
    assert following.start == 200


def test_a_slow_last_range_is_raced_and_the_first_one_wins() -> None:
    pool = SegmentScheduler([(0, 1000)])
    slow = take(pool, now=0.0)
    assert slow is not None
    slow.at = 10
    assert take(pool, now=RACE_AFTER_S / 2) is None, "not before it had its chance"
    twin = take(pool, now=RACE_AFTER_S + 1)
    assert twin is not None
    assert (twin.start, twin.end) == (10, 1000)
    assert take(pool, now=RACE_AFTER_S + 1) is None, "two are enough"
    slow.at = 25
    twin.at = 1000
    assert pool.received_twice() == 15
    assert pool.finish(twin) == 15, "the slow one fetched these as well"
    assert pool.received_twice() == 0
    assert slow.end == 25
    assert slow.remaining == 0
    assert pool.give_back(slow) == 0
    assert pool.gaps == []


def test_a_twin_that_breaks_leaves_the_rest_to_the_other() -> None:
    pool = SegmentScheduler([(0, 1000)])
    slow = take(pool, now=0.0)
    twin = take(pool, now=RACE_AFTER_S + 1)
    assert slow is not None
    assert twin is not None
    twin.at = 300
    assert pool.give_back(twin) == 300
    assert pool.gaps == []
    assert slow.twin is None
    assert slow.end == 1000


def test_a_segment_far_slower_than_the_others_is_found() -> None:
    pool = SegmentScheduler([(0, 1000), (1000, 2000), (2000, 3000)])
    fast, slow, other = (take(pool) for _ in range(3))
    assert fast is not None
    assert slow is not None
    assert other is not None
    fast.at += 900
    slow.at += 10
    other.at += 900
    assert pool.slow_segments(now=4.0) == []
    assert pool.slow_segments(now=6.0) == [slow]


@settings(max_examples=200)
@given(data=st.data())
def test_every_byte_is_received_or_scheduled_whatever_happens(
    data: st.DataObject,
) -> None:
    """Work at random: received bytes, gaps and running segments always tile the file.

    ``received`` is counted as the engine counts it: every byte from the network, less
    what the scheduler reports as downloaded twice.
    """
    size = data.draw(st.integers(1, 6 * LEAST_SPLIT))
    pool = SegmentScheduler([(0, size)])
    arrived = RangeSet()
    received = 0
    now = 0.0
    for _ in range(data.draw(st.integers(1, 40))):
        now += data.draw(st.sampled_from([0.0, 1.0, 3.0]))
        verb = data.draw(st.sampled_from(["take", "move", "break", "end"]))
        running = pool.segments
        if verb == "take":
            take(pool, now=now)
        elif running:
            segment = data.draw(st.sampled_from(list(running)))
            assert segment.end is not None
            if verb == "break":
                received -= pool.give_back(segment)
            else:
                step = segment.remaining
                if verb == "move":
                    step = data.draw(st.integers(0, segment.remaining))
                arrived.add(segment.at, segment.at + step)
                segment.at += step
                received += step
                if segment.remaining == 0:
                    received -= pool.finish(segment)
        covered = RangeSet(arrived)
        for start, end in pool.gaps:
            assert end is not None
            covered.add(start, end)
        for segment in pool.segments:
            assert segment.end is not None
            covered.add(segment.at, segment.end)
        assert covered == RangeSet([(0, size)])
        if not any(segment.twin for segment in pool.segments):
            # Where the faster of two twins broke, some bytes will come once more.
            to_come = [(s.at, s.end or 0) for s in pool.segments]
            to_come += [(start, end or 0) for start, end in pool.gaps]
            again = sum(overlap(arrived, start, end) for start, end in to_come)
            assert received == arrived.total - again


async def test_a_response_that_comes_at_the_moment_of_a_stop_is_closed(
    server: ScriptedServer,
) -> None:
    """Its connection would stay open, and nobody would read from it."""
    url = server.add("/x", ResponseScript(b"x" * 1000, stall_after=1))
    session, has_come = HttpSession(Settings()), asyncio.Event()

    async def opening() -> tuple[Response, ResourceInfo]:
        request = GetRequest(url)
        response = await session.open(request)
        has_come.set()
        return response, read_resource_info(response, request)

    segment = Segment(0, 1000, url, 0.0)
    task = asyncio.create_task(segment.opened(opening()))
    await has_come.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.until(lambda: not server.open_connections)
    await session.close()

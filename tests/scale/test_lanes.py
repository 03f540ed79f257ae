"""Shards, lanes, shares and leases: decisions without files or network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.core.settings import HostRule
from tui.scale.lanes import (
    HostCaps,
    Lane,
    Piece,
    cap_of_lane,
    cut,
    lowest_cap,
    part_of,
    share,
)
from tui.scale.leases import Leases


def buckets_of(sizes: list[int], shard_size: int) -> list[list[Piece]]:
    """Return the pieces of buckets with so many rows."""
    return [
        [
            Piece(number, at, at + 1, min(shard_size, size - at))
            for at in range(0, size, shard_size)
        ]
        for number, size in enumerate(sizes)
    ]


SIZES = st.lists(st.integers(0, 500), min_size=1, max_size=20)


@given(SIZES, st.integers(1, 100), st.integers(1, 8), st.integers(0, 10))
def test_each_piece_is_in_one_shard(sizes, shard_size, parts, cap):
    buckets = buckets_of(sizes, shard_size)
    layout = cut(buckets, shard_size, parts, cap)
    found = sorted(piece for shard in layout.shards for piece in shard.pieces)
    assert found == sorted(piece for pieces in buckets for piece in pieces)
    assert [shard.id for shard in layout.shards] == list(range(len(layout.shards)))
    assert all(shard.rows <= shard_size for shard in layout.shards)
    lanes_of: dict[int, set[int]] = {}
    for shard in layout.shards:
        for piece in shard.pieces:
            lanes_of.setdefault(piece.bucket, set()).add(shard.lane)
    for lanes in lanes_of.values():
        # A bucket is in one lane, or in lanes that know of each other.
        assert len(lanes) <= max(layout.lanes[lane].of for lane in lanes)


@given(st.integers(1, 100), st.integers(1, 100))
def test_parts_of_a_limit_add_up(cap, of):
    assert sum(cap_of_lane(cap, Lane(slot, of, 0)) for slot in range(of)) == cap
    assert sum(share(cap, part, of) for part in range(of)) == cap


def test_a_large_bucket_is_split_as_far_as_its_limit_allows():
    sizes = [10_000, *([100] * 100)]
    buckets = buckets_of(sizes, 500)
    assert max(lane.of for lane in cut(buckets, 500, 8, 0).lanes) == 8
    assert max(lane.of for lane in cut(buckets, 500, 8, 3).lanes) == 3
    assert max(lane.of for lane in cut(buckets, 500, 1, 0).lanes) == 1


def test_small_buckets_share_shards():
    layout = cut(buckets_of([10] * 100, 500), 500, 4, 0)
    assert len(layout.shards) == 2


@given(SIZES, st.integers(1, 5))
def test_parts_without_a_scheduler_cover_all_lanes_once(sizes, of):
    layout = cut(buckets_of(sizes, 50), 50, of, 0)
    parts = [part_of(layout, part, of) for part in range(of)]
    assert sorted(lane for part in parts for lane in part) == list(
        range(len(layout.lanes))
    )


def test_the_lowest_limit_counts():
    assert lowest_cap(8, [0, 4, 6]) == 4
    assert lowest_cap(0, [0]) == 0


# -- leases --------------------------------------------------------------------------


def test_a_lane_is_leased_to_one_worker_at_a_time():
    layout = cut(buckets_of([300, 100, 100], 100), 100, 1, 0)
    leases = Leases(layout)
    first = leases.take("a")
    assert first is not None
    assert first.lane == layout.shards[0].lane  # the one with the most rows
    others = [leases.take("b") for _ in range(9)]
    lanes = [shard.lane for shard in others if shard is not None]
    assert len(lanes) == len(set(lanes)) == 2
    assert first.lane not in lanes
    leases.finish(first)
    again = leases.take("a", first.lane)
    assert again is not None
    assert again.lane == first.lane
    assert again.id != first.id


def test_a_lost_shard_comes_back_first():
    layout = cut(buckets_of([300], 100), 100, 1, 0)
    leases = Leases(layout)
    shard = leases.take("a")
    assert shard is not None
    leases.give_back(shard)
    assert leases.take("b") == shard


def test_a_shard_that_is_put_back_does_not_free_its_lane():
    leases = Leases(cut(buckets_of([300], 100), 100, 1, 0))
    running = leases.take("a")
    assert running is not None
    withdrawn = leases.withdraw(1)
    assert withdrawn is not None
    leases.put_back(withdrawn)
    assert leases.take("b") is None
    leases.finish(running)
    assert leases.take("b") == withdrawn


def test_finished_and_withdrawn_shards_are_not_leased():
    layout = cut(buckets_of([300], 100), 100, 1, 0)
    leases = Leases(layout, finished=[0])
    assert leases.withdraw(1) is not None
    assert leases.withdraw(1) is None
    shard = leases.take("a")
    assert shard is not None
    assert shard.id == 2
    assert leases.waiting == 0


def test_a_refused_lane_waits():
    layout = cut(buckets_of([100, 100], 100), 100, 1, 0)
    leases = Leases(layout)
    shard = leases.take("a", allows=lambda lane: lane == 1)
    assert shard is not None
    assert shard.lane == 1
    assert leases.take("a", allows=lambda lane: lane == 1) is None
    assert leases.take("a") is not None


@given(SIZES, st.integers(1, 6), st.randoms(use_true_random=False))
def test_all_shards_end_once_even_if_workers_are_lost(sizes, workers, random):
    layout = cut(buckets_of(sizes, 50), 50, workers, 0)
    leases = Leases(layout)
    running: list = []
    ended = []
    for _ in range(10_000):
        if not leases.waiting and not running:
            break
        shard = leases.take(str(random.randrange(workers)))
        if shard is not None:
            running.append(shard)
        used = [one.lane for one in running]
        assert len(used) == len(set(used))
        if running and (shard is None or random.random() < 0.5):
            one = running.pop(random.randrange(len(running)))
            if random.random() < 0.2:
                leases.give_back(one)
            else:
                leases.finish(one)
                ended.append(one.id)
    assert sorted(ended) == [shard.id for shard in layout.shards]


# -- limits of hosts on one worker ---------------------------------------------------

HOST, OTHER = "http://a:80", "http://b:80"


def test_a_split_lane_has_its_part_of_a_limit_while_it_runs():
    caps = HostCaps((), 5)
    caps.add_lane(7, Lane(0, 2, 0), {HOST})
    assert caps.changes({HOST}) == {HOST: 3}
    assert caps.changes({HOST}) == {}
    caps.add_lane(8, Lane(1, 2, 0), {HOST})
    assert caps.changes({HOST}) == {HOST: 5}
    caps.remove_lane(7)
    assert caps.changes({HOST}) == {HOST: 2}


def test_all_else_is_limited_by_the_engine():
    caps = HostCaps((), 5)
    caps.add_lane(7, Lane(), {HOST})
    assert caps.changes({HOST, OTHER}) == {}


def test_the_limit_of_a_host_may_have_a_rule():
    caps = HostCaps((HostRule("a", cap=2),), 8)
    caps.add_lane(7, Lane(0, 2, 0), {HOST, OTHER})
    assert caps.changes({HOST, OTHER}) == {HOST: 1, OTHER: 4}


def test_a_host_that_refused_another_worker_is_slowed_until_that_ends():
    caps = HostCaps((), 8)
    caps.slow_down(OTHER, 3)
    caps.add_lane(7, Lane(0, 2, 0), {HOST})
    caps.slow_down(HOST, 2)
    assert caps.changes([HOST, OTHER]) == {HOST: 2, OTHER: 3}
    caps.slow_down(HOST, 0)
    assert caps.changes([HOST, OTHER]) == {HOST: 4}


def test_a_new_engine_gets_all_limits_again():
    caps = HostCaps((), 8)
    caps.add_lane(7, Lane(0, 2, 0), {HOST})
    caps.changes({HOST})
    caps.reset()
    assert caps.changes({HOST}) == {HOST: 4}


def test_a_lane_that_ended_is_free_once_the_others_are_within_their_limit():
    caps = HostCaps((), 8)
    caps.add_lane(7, Lane(0, 2, 0), {HOST})
    caps.add_lane(8, Lane(1, 2, 0), {HOST})
    assert caps.are_kept({HOST}, {HOST: 8, OTHER: 99})
    caps.remove_lane(7)
    assert not caps.are_kept({HOST}, {HOST: 5})
    assert caps.are_kept({HOST}, {HOST: 4})
    caps.remove_lane(8)
    assert caps.are_kept({HOST}, {})

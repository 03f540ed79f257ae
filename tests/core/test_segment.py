"""Range arithmetic, compared with a set of byte numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.segment import RangeSet, plan_segments, split_range

SIZE = 40
ranges = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(
    lambda pair: (min(pair), max(pair))
)


def numbers(pairs) -> set[int]:
    return {at for start, end in pairs for at in range(start, end)}


@given(st.lists(ranges, max_size=12))
def test_a_range_set_contains_exactly_the_bytes_added(added):
    found = RangeSet()
    model: set[int] = set()
    for start, end in added:
        found.add(start, end)
        model |= set(range(start, end))
        assert numbers(found) == model
        assert found.total == len(model)
        assert len(found) == len(list(found))


@given(st.lists(ranges, max_size=12))
def test_its_ranges_are_sorted_and_never_touch(added):
    pairs = list(RangeSet(added))
    assert all(start < end for start, end in pairs)
    assert all(left[1] < right[0] for left, right in pairwise(pairs))


@given(st.lists(ranges, max_size=8), st.lists(ranges, max_size=8))
def test_remove_removes_exactly_a_range(added, removed):
    found = RangeSet(added)
    model = numbers(added)
    for start, end in removed:
        found.remove(start, end)
        model -= set(range(start, end))
        assert numbers(found) == model
    pairs = list(found)
    assert all(start < end for start, end in pairs)
    assert all(left[1] < right[0] for left, right in pairwise(pairs))


@given(st.lists(ranges, max_size=12), st.integers(0, SIZE + 10))
def test_ranges_and_gaps_add_up_to_the_file(added, size):
    found = RangeSet(added)
    gaps = found.missing(size)
    assert numbers(gaps) == set(range(size)) - numbers(found)
    assert all(start < end for start, end in gaps)


@given(st.lists(ranges, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_adding_does_not_matter(added, random):
    shuffled = list(added)
    random.shuffle(shuffled)
    assert RangeSet(added) == RangeSet(shuffled)


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (2, 1), (-2, -1)])
def test_an_invalid_range_is_refused(start, end):
    with pytest.raises(ValueError, match="bad range"):
        RangeSet().add(start, end)
    with pytest.raises(ValueError, match="bad range"):
        RangeSet().remove(start, end)


def test_a_range_set_has_a_repr():
    assert repr(RangeSet([(0, 5), (7, 9)])) == "<RangeSet 0-5 7-9>"
    assert repr(RangeSet()) == "<RangeSet empty>"
    assert RangeSet() != "<RangeSet empty>"


big_gaps = st.lists(
    st.tuples(st.integers(0, 1 << 30), st.integers(1, 1 << 30)), max_size=6
).map(
    lambda pairs: [
        (start + number * (1 << 32), start + number * (1 << 32) + length)
        for number, (start, length) in enumerate(pairs)
    ]
)


@given(big_gaps, st.integers(1, 64), st.integers(0, 1 << 24))
def test_a_plan_tiles_the_gaps_exactly(gaps, connections, least):
    plan = plan_segments(gaps, connections, least)
    assert len(plan) <= max(connections, len(gaps))
    assert all(start < end for start, end in plan)
    merged: list[tuple[int, int]] = []
    for start, end in plan:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    assert merged == gaps


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 34), st.integers(0, 1 << 24))
def test_halves_are_aligned_and_never_too_small(start, length, least):
    end = start + length
    halves = split_range(start, end, least)
    if halves is None:
        assert length < 2 * (least + 65536)
        return
    (first, middle), (again, last) = halves
    assert (first, last) == (start, end)
    assert middle == again
    assert middle % 65536 == 0
    assert middle - start >= max(least, 1)
    assert end - middle >= max(least, 1)


def test_a_large_file_gets_as_many_segments_as_there_are_connections():
    plan = plan_segments([(0, 1 << 30)], 8, 1 << 20)
    assert plan == [(at << 27, (at + 1) << 27) for at in range(8)]


@given(big_gaps, st.integers(1, 64))
def test_a_plan_is_balanced(gaps, connections):
    plan = plan_segments(gaps, connections, 1 << 20)
    if len(plan) == len(gaps):
        return
    # Each gap has at least one range; what is cut is cut into about equal ranges.
    longest = max(end - start for start, end in plan)
    for gap in gaps:
        parts = [end - start for start, end in plan if gap[0] <= start < gap[1]]
        if len(parts) > 1:
            assert min(parts) + 65536 >= 1 << 20
            assert max(parts) - min(parts) <= 2 * 65536
            # One range fewer would have made these the longest of all.
            assert sum(parts) / (len(parts) - 1) + 65536 >= longest


def test_twelve_connections_get_equal_shares():
    sizes = {end - start for start, end in plan_segments([(0, 157 << 20)], 12, 1 << 20)}
    assert max(sizes) - min(sizes) <= 65536


def test_a_small_file_is_not_split():
    assert plan_segments([(0, 1 << 20)], 8, 1 << 20) == [(0, 1 << 20)]


def test_nothing_missing_needs_no_segment():
    assert plan_segments([], 8, 1 << 20) == []

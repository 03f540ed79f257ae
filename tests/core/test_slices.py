"""Sorting in slices: the same as ``sorted``, whatever the list."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tui.core.listing import slices
from tui.core.listing.slices import (
    collect_iter,
    drain_iter,
    run_at_once,
    run_sliced,
    sort_iter,
)

if TYPE_CHECKING:
    from collections.abc import Generator

KEYS = st.one_of(
    st.lists(st.integers(0, 3), max_size=200),
    st.lists(st.integers(), max_size=200),
    st.lists(st.text(max_size=3), max_size=200),
    st.lists(st.integers(), max_size=200).map(sorted),
    st.lists(st.integers(), max_size=200).map(lambda keys: sorted(keys, reverse=True)),
)


@given(KEYS, st.integers(1, 30), st.booleans())
def test_it_sorts_as_sorted_does_and_keeps_equal_items_in_order(keys, run, is_reversed):
    items = list(zip(keys, range(len(keys)), strict=True))
    wanted = sorted(items, key=itemgetter(0), reverse=is_reversed)
    steps = sort_iter(items, itemgetter(0), is_reversed=is_reversed, run=run)
    assert run_at_once(steps) == wanted
    assert items == list(zip(keys, range(len(keys)), strict=True))


@given(
    st.lists(st.integers(0, 20), min_size=10, max_size=100),
    st.integers(1, 10),
    st.data(),
)
def test_every_item_stays_once_if_keys_change_meanwhile(keys, run, data):
    steps = sort_iter(range(len(keys)), keys.__getitem__, run=run)

    def changing() -> Generator[None, None, list[int]]:
        found = yield from steps
        assert sorted(found) == [*range(len(keys))]
        return found

    for _ in changing():
        changed = data.draw(st.integers(0, len(keys) - 1))
        keys[changed] = data.draw(st.integers(0, 20))


def test_no_slice_of_a_long_list_has_more_items_than_it_may(monkeypatch):
    monkeypatch.setattr(slices, "_SLICE", 10)
    seen: list[int] = []

    def pick(part: range) -> list[int]:
        seen.append(len(part))
        return [number * 2 for number in part if number % 3]

    wanted = [number * 2 for number in range(95) if number % 3]
    assert run_at_once(collect_iter(range(95), pick)) == wanted
    assert seen == [10] * 9 + [5]
    items = [*range(95)]
    left = [len(items) for _ in drain_iter(items)]
    assert left == [85, 75, 65, 55, 45, 35, 25, 15, 5]
    assert items == []


def steps(log: list[str], result: str) -> Generator[None, None, str]:
    log.append("first")
    yield
    log.append("second")
    yield
    return result


async def test_other_tasks_run_between_two_slices():
    log: list[str] = []

    async def sleep(seconds: float) -> None:
        log.append(f"{seconds} s")

    assert await run_sliced(steps(log, "found"), sleep, 0.5) == "found"
    assert log == ["first", "0.5 s", "second", "0.5 s"]


def test_all_slices_run_at_once_where_nothing_else_has_to():
    log: list[str] = []
    assert run_at_once(steps(log, "found")) == "found"
    assert log == ["first", "second"]

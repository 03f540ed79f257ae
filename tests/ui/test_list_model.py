"""The rows of the list and its cursor, without a screen."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_service import FakeService
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, SortKey, View
from tui.core.listing.slices import run_at_once
from tui.core.service import Move
from tui.ui.list.model import (
    CALM_S,
    DONE_HEADING,
    LATE_S,
    LINGER_S,
    ListModel,
)

_S = DownloadState


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def model_of(service: FakeService) -> tuple[ListModel, Hand]:
    clock = Hand()
    model = ListModel(service.select_iter, clock, service.by_cause_iter)
    follow(model, service)
    return model, clock


def active_first(service: FakeService, height: int = 5) -> tuple[ListModel, Hand]:
    """Return a model in the order by activity, on a screen of few lines."""
    clock = Hand()
    model = ListModel(
        service.select_iter, clock, service.by_cause_iter, service.by_activity_iter
    )
    model.query = DownloadQuery(sort=SortKey.ACTIVITY)
    model.height = height
    follow(model, service)
    return model, clock


def later(model: ListModel, clock: Hand, service: FakeService) -> None:
    clock.now += 1.5 * CALM_S
    follow(model, service)


def follow(model: ListModel, service: FakeService) -> bool:
    return model.refresh(service.revision, len(service.downloads))


def test_nothing_is_selected_again_while_nothing_changed():
    service = FakeService()
    service.put("a")
    model, clock = model_of(service)
    for _ in range(100):
        clock.now += 0.1
        follow(model, service)
    assert service.calls["select"] == 1


def slowly_selected(service: FakeService) -> tuple[ListModel, Hand]:
    """Return a model whose searches take 20 ms."""
    clock = Hand()

    def select(query):
        clock.now += 0.02
        return service.select_iter(query)

    model = ListModel(select, clock)
    model.query = DownloadQuery(sort=SortKey.STATE)
    return model, clock


@pytest.mark.parametrize(("is_flood", "selected"), [(False, 8), (True, 2)])
def test_selecting_takes_less_of_the_time_while_files_end_fast(is_flood, selected):
    service = FakeService()
    service.put("a")
    model, clock = slowly_selected(service)
    model.refresh(0, 1, is_flood=is_flood)
    for revision in range(1, 37):
        clock.now += 0.1
        model.refresh(revision, 1, is_flood=is_flood)
    assert service.calls["select"] == selected


def test_the_end_of_a_flood_is_shown_soon():
    service = FakeService()
    service.put("a")
    model, clock = slowly_selected(service)
    model.refresh(0, 1, is_flood=True)
    clock.now += 0.6
    assert not model.refresh(1, 1, is_flood=True)
    assert model.refresh(1, 1, is_flood=False)


def test_in_the_view_of_all_a_change_of_state_selects_nothing_again():
    service = FakeService()
    service.put("a")
    model, clock = model_of(service)
    service.change(0, state=_S.DONE)
    clock.now += 10
    assert not follow(model, service)


def test_other_views_follow_at_most_four_times_a_second():
    service = FakeService()
    for name in "abcdefgh":
        service.put(name)
    model, clock = model_of(service)
    model.set_query(DownloadQuery(View.QUEUED))
    asked = service.calls["select"]
    for id in range(8):
        service.change(id, state=_S.DONE)
        clock.now += 0.1
        follow(model, service)
    assert service.calls["select"] - asked <= 4


def test_a_list_that_is_dear_to_sort_is_sorted_less_often():
    service = FakeService()
    service.put("a")
    clock = Hand()

    def slow(query: DownloadQuery):
        clock.now += 0.1
        return (yield from service.select_iter(query))

    model = ListModel(slow, clock)
    follow(model, service)
    service.put("b")
    clock.now += 2.0
    assert not follow(model, service)
    clock.now += 0.6
    assert follow(model, service)


def test_rows_do_not_move_for_a_second_after_the_cursor_did():
    service = FakeService()
    service.put("b")
    service.put("c")
    model, clock = model_of(service)
    model.set_query(DownloadQuery(sort=SortKey.NAME))
    clock.now += 5
    model.move_to(1)
    service.put("a")
    clock.now += CALM_S / 2
    assert not follow(model, service)
    assert model.cursor_id == 1
    clock.now += CALM_S
    assert follow(model, service)
    assert model.cursor_id == 1
    assert model.cursor == 2


def test_the_cursor_stays_on_its_download_through_any_order():
    chance = random.Random(7)
    service = FakeService()
    for _ in range(60):
        service.put(
            f"file-{chance.randrange(1000)}",
            chance.choice(list(_S)),
            size=chance.choice([None, 5, 50, 500]),
        )
    model, clock = model_of(service)
    model.move_to(33)
    kept = model.cursor_id
    for _ in range(200):
        clock.now += 2
        query = DownloadQuery(
            sort=chance.choice(list(SortKey)), is_reversed=chance.random() < 0.5
        )
        model.set_query(query)
        if chance.random() < 0.3:
            service.put(f"new-{chance.randrange(1000)}")
        follow(model, service)
        assert model.cursor_id == kept


ids = st.integers(0, 29)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("sort"), st.sampled_from(SortKey), st.booleans()),
        st.tuples(st.just("filter"), st.sampled_from(["", "is:done", "size:>40", "1"])),
        st.tuples(st.just("view"), st.sampled_from(View)),
        st.tuples(st.just("end"), ids, st.sampled_from([_S.DONE, _S.FAILED])),
        st.tuples(st.just("grow"), ids, st.integers(0, 1000)),
        st.tuples(st.just("more"), st.integers(0, 1000)),
    ),
    max_size=12,
)


@given(st.sets(ids), ids, steps)
def test_cursor_and_marks_stay_on_their_downloads(marked, cursor, steps):
    service = FakeService()
    for number in range(30):
        service.put(f"file-{number * 7 % 30}", size=number * 13 % 50)
    model, clock = model_of(service)
    model.move_to(cursor)
    model.marks.add(sorted(marked))
    for what, *values in steps:
        kept = model.cursor_id
        clock.now += 10
        query = model.query
        if what == "sort":
            model.set_query(query._replace(sort=values[0], is_reversed=values[1]))
        elif what == "filter":
            model.set_query(query._replace(text=values[0]))
        elif what == "view":
            model.set_query(query._replace(view=values[0]))
        elif what == "end":
            service.change(values[0], state=values[1])
        elif what == "grow":
            service.change(values[0], size=values[1])
        else:
            service.put(f"new-{values[0]}")
        follow(model, service)
        if kept in model.ids:
            assert model.cursor_id == kept
        assert model.marks.ids == sorted(marked)


def test_a_range_is_marked_from_the_last_mark_in_the_order_that_is_shown():
    service = FakeService()
    for name in "edcba":
        service.put(name)
    model, _ = model_of(service)
    model.set_query(DownloadQuery(sort=SortKey.NAME))
    model.move_to(3)
    model.mark_to_cursor()
    assert model.marks.ids == [1]
    model.move_to(1)
    model.mark_to_cursor()
    assert model.marks.ids == [1, 2, 3]
    model.move_to(4)
    model.mark_to_cursor()
    assert model.marks.ids == [0, 1, 2, 3]


def test_a_range_from_a_mark_that_is_not_shown_marks_the_cursors_row():
    service = FakeService()
    service.put("a", _S.DONE)
    for name in "bcd":
        service.put(name)
    model, _ = model_of(service)
    model.mark_to_cursor()
    model.set_query(DownloadQuery(View.QUEUED))
    model.move_to(2)
    model.mark_to_cursor()
    assert model.marks.ids == [0, 3]


def test_a_filter_that_fails_leaves_the_list_as_it_was():
    service = FakeService()
    service.put("a")
    model, _ = model_of(service)
    model.set_query(DownloadQuery(text="is:"))
    assert model.ids == [0]
    assert model.error.startswith("is: needs a state")
    model.set_query(DownloadQuery())
    assert model.error == ""


def test_when_its_download_leaves_the_view_the_cursor_keeps_its_line():
    service = FakeService()
    for name in "abcd":
        service.put(name)
    model, clock = model_of(service)
    model.set_query(DownloadQuery(View.QUEUED))
    model.move_to(1)
    service.change(1, state=_S.DONE)
    clock.now += 5
    follow(model, service)
    assert (model.cursor, model.cursor_id) == (1, 2)


def test_an_empty_list_has_no_download_under_its_cursor():
    service = FakeService()
    model, _ = model_of(service)
    assert model.cursor_id is None
    model.move_to(5)
    assert model.cursor == 0
    model.set_query(model.query._replace(text="nothing"))
    assert model.cursor_id is None


class Slow(FakeService):
    """An engine that takes as many slices as a test says to find something."""

    slices = 3

    def select_iter(self, query: DownloadQuery):
        ids = yield from super().select_iter(query)
        for _ in range(self.slices if query.text else 0):
            yield
        return ids


def slow_model(names: str) -> tuple[ListModel, Slow, Hand]:
    service = Slow()
    for name in names:
        service.put(name)
    model, clock = model_of(service)
    return model, service, clock


def test_the_list_stays_what_it_was_until_a_search_is_over():
    model, _, _ = slow_model("abc")
    assert not model.set_query(DownloadQuery(text="name:b"))
    assert [model.work(), model.work()] == [False, False]
    assert model.is_searching
    assert model.ids == [0, 1, 2]
    assert model.work()
    assert not model.is_searching
    assert model.ids == [1]
    assert not model.work()


def test_another_query_ends_the_search_before_it():
    model, _, _ = slow_model("abc")
    model.set_query(DownloadQuery(text="name:b"))
    model.work()
    model.set_query(DownloadQuery(text="name:c"))
    assert [model.work(), model.work(), model.work()] == [False, False, True]
    assert model.ids == [2]
    model.set_query(DownloadQuery(text="name:a"))
    assert model.set_query(DownloadQuery())
    assert model.ids == [0, 1, 2]
    assert not model.is_searching


def test_only_a_long_search_started_by_a_key_is_shown():
    model, service, clock = slow_model("abc")
    model.set_query(DownloadQuery(text="is:queued"))
    assert not model.is_late
    clock.now += 2 * LATE_S
    assert model.is_late
    while not model.work():
        pass
    assert not model.is_late
    clock.now += 60
    service.put("d")
    assert not follow(model, service)
    clock.now += 60
    assert model.is_searching
    assert not model.is_late


def test_changes_in_the_engine_wait_for_the_search_under_way():
    model, service, clock = slow_model("abc")
    model.set_query(DownloadQuery(text="is:queued"))
    service.put("d")
    clock.now += 60
    assert not follow(model, service)
    while not model.work():
        pass
    assert model.ids == [0, 1, 2]
    clock.now += 60
    follow(model, service)
    while not model.work():
        pass
    assert model.ids == [0, 1, 2, 3]


def test_the_cursor_may_move_during_a_search():
    model, _, _ = slow_model("abcd")
    model.set_query(DownloadQuery(text="-name:b"))
    model.move_to(2)
    while not model.work():
        pass
    assert (model.cursor, model.cursor_id) == (1, 2)


def test_the_groups_of_failed_downloads_contain_only_what_matches_the_filter():
    model, service, _ = slow_model("")
    for name in ("gone-a", "gone-b", "shut-a"):
        kind = "not_found" if name.startswith("gone") else "auth"
        service.put(name, _S.FAILED, error_kind=kind)
    model.set_query(DownloadQuery(View.FAILED))
    assert [len(cause.ids) for cause in model.groups.values()] == [2, 1]
    model.set_query(DownloadQuery(View.FAILED, text="name:shut"))
    assert len(model.groups) == 2, "what is listed is still grouped"
    while not model.work():
        pass
    assert [cause.ids for cause in model.groups.values()] == [[2]]


def busy_service() -> FakeService:
    """Return an engine with ten done, two running, and one in each other state."""
    service = FakeService()
    for number in range(10):
        service.put(f"done-{number}", _S.DONE, size=100, received=100)
    for state in (_S.QUEUED, _S.FAILED, _S.DOWNLOADING, _S.CANCELLED, _S.WAITING):
        service.put(state.word, state)
    service.put("paused", _S.PAUSED)
    service.put("probing", _S.PROBING)
    return service


def test_running_downloads_come_first_and_finished_ones_are_one_line():
    service = busy_service()
    model, _ = active_first(service)
    assert model.ids == [12, 16, 14, 11, 15, DONE_HEADING, 10, 13]
    group = model.groups[DONE_HEADING]
    assert (len(group.ids), group.nbytes) == (10, 1000)
    assert sorted(model.listed) == list(range(17)), "hidden ones can be marked"


def test_finished_downloads_are_rows_while_the_list_fits_the_screen():
    service = busy_service()
    model, _ = active_first(service, height=17)
    assert model.ids == [12, 16, 14, 11, 15, 10, 13, *range(10)]


def test_finished_downloads_are_rows_if_they_are_all_there_is_or_match_a_filter():
    service = FakeService()
    for number in range(10):
        service.put(f"file-{number}", _S.DONE)
    model, _ = active_first(service)
    assert model.ids == list(range(10))
    service.put("more")
    model.set_query(model.query._replace(text="file-3"))
    assert model.ids == [3]
    model.set_query(model.query._replace(text=""))
    assert model.ids == [DONE_HEADING, 10]


def test_queued_downloads_are_in_the_order_of_the_queue():
    service = FakeService()
    for name in "abc":
        service.put(name)
    model, clock = active_first(service)
    run_at_once(service.reorder_iter([2], Move.TOP))
    later(model, clock, service)
    assert model.ids == [2, 0, 1]


def test_a_cursor_that_was_not_moved_shows_running_downloads_one_after_another():
    service = FakeService()
    for number in range(20):
        service.put(f"file-{number}")
    model, clock = active_first(service)
    for number in range(12):
        service.change(number, state=_S.DOWNLOADING)
        later(model, clock, service)
        assert model.cursor_id == number
        service.change(number, state=_S.DONE)
        clock.now += LINGER_S / 4
        follow(model, service)
        assert model.cursor_id == number, "a key for it must not reach the next one"
        clock.now += LINGER_S
        follow(model, service)
        assert model.cursor == 0


def test_a_running_download_keeps_the_unmoved_cursor_when_another_starts_above():
    service = FakeService()
    for number in range(8):
        service.put(f"file-{number}")
    service.change(3, state=_S.DOWNLOADING)
    model, clock = active_first(service)
    assert model.cursor_id == 3
    service.change(1, state=_S.DOWNLOADING)
    later(model, clock, service)
    assert model.ids[:2] == [1, 3]
    assert model.cursor_id == 3


def test_a_download_that_finishes_under_the_cursor_stays_until_the_cursor_leaves():
    service = FakeService()
    for number in range(8):
        service.put(f"file-{number}", _S.DOWNLOADING if number < 3 else _S.QUEUED)
    model, clock = active_first(service)
    model.move_to(1)
    service.change(1, state=_S.DONE)
    for _ in range(5):
        clock.now += 60
        service.put("more")
        follow(model, service)
        assert (model.cursor, model.cursor_id) == (1, 1)
    assert len(model.groups[DONE_HEADING].ids) == 1
    model.move_to(0)
    clock.now += 2 * CALM_S
    follow(model, service)
    assert 1 not in model.ids
    assert model.cursor_id == 0


def test_closing_the_finished_downloads_puts_the_cursor_on_their_line():
    service = busy_service()
    model, _ = active_first(service)
    model.fold_done()
    model.set_query(model.query)
    assert model.ids[-11:] == [DONE_HEADING, *range(10)]
    model.move_to(len(model.ids) - 3)
    model.fold_done()
    model.set_query(model.query)
    assert model.ids[5] == DONE_HEADING
    assert model.cursor_line == DONE_HEADING


def test_rows_by_speed_are_sorted_again_each_second():
    service = FakeService()
    for name, speed in (("a", 10.0), ("b", 20.0), ("c", 0.0)):
        service.put(name, _S.DOWNLOADING, size=1000, speed=speed)
    service.put("d")
    model, clock = active_first(service)
    model.set_query(DownloadQuery(sort=SortKey.SPEED, is_reversed=True))
    assert model.ids == [1, 0, 2, 3]
    clock.now += 0.9
    assert not follow(model, service)
    clock.now += 0.2
    assert follow(model, service)


def test_a_row_that_stays_is_listed_once_when_the_same_groups_are_found_again():
    service = FakeService()
    for name in ("a", "b"):
        service.put(name, _S.DOWNLOADING)
    for n in range(9):
        service.put(f"done-{n}", _S.DONE)
    groups = None

    def find_once(query):
        # Without a connection, an attached dashboard finds what it found last.
        nonlocal groups
        if groups is None:
            groups = yield from service.by_activity_iter(query)
        return groups

    clock = Hand()
    model = ListModel(service.select_iter, clock, None, find_once)
    model.query = DownloadQuery(sort=SortKey.ACTIVITY)
    model.height = 5
    follow(model, service)
    model.move_to(0)
    service.change(0, state=_S.DONE)
    groups = None
    for _ in range(3):
        model.invalidate()
        clock.now += 1.5 * CALM_S
        model.refresh(-1, clock.now)
        assert model.ids.count(0) == 1

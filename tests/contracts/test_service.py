"""What every ``DownloadService`` promises, whoever stands behind it."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.contracts.conftest import SIZE
from tests.support.queue_order import queue_order
from tests.support.until import until
from tui.core import events
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.listing.filter import FilterError
from tui.core.listing.query import Activity, DownloadQuery, SortKey, View
from tui.core.notices import PauseReason
from tui.core.service import REMOVED, KeepReason, Move
from tui.ui.actions.batch_runner import finish

if TYPE_CHECKING:
    from tests.contracts.conftest import World

_S = DownloadState
ALL = DownloadQuery()


def states(world: World, ids: list[int]) -> set[DownloadState]:
    return {row.state for row in world.service.rows(ids)}


async def found(world: World, query: DownloadQuery) -> list[int]:
    """The ids that a search finds."""
    return await finish(world.service.select_iter(query))


async def kinds(world: World, subscription) -> list[tuple[type, int | None]]:
    await world.sync()  # from another process, events arrive a moment later
    return [(type(e), getattr(e, "id", None)) for e in subscription.drain()]


async def test_added_downloads_have_consecutive_ids_and_are_counted(world):
    first = await world.put(_S.PAUSED, 3)
    second = await world.put(_S.PAUSED, 2)
    assert [*first, *second] == list(range(5))
    snapshot = world.service.snapshot()
    assert snapshot.total == 5
    assert snapshot.counts[_S.PAUSED] == 5


async def test_adding_publishes_one_event_per_download(world):
    world.service.pause_all()
    await world.sync()
    subscription = world.service.subscribe()
    ids = await world.put(_S.QUEUED, 2)
    assert await kinds(world, subscription) == [(events.Queued, id) for id in ids]


@pytest.mark.parametrize("state", [_S.DOWNLOADING, _S.PAUSED, _S.FAILED])
async def test_cancel_changes_what_has_not_ended_well(world, state):
    ids = await world.put(state, 2)
    subscription = world.service.subscribe()
    assert world.service.cancel(ids) == ids
    assert states(world, ids) == {_S.CANCELLED}
    assert await kinds(world, subscription) == [(events.Cancelled, id) for id in ids]


@pytest.mark.parametrize("state", [_S.DONE, _S.CANCELLED])
async def test_cancel_leaves_what_has_ended(world, state):
    ids = await world.put(state)
    assert world.service.cancel(ids) == []
    assert states(world, ids) == {state}


async def test_pause_stops_a_running_download_and_resume_queues_it(world):
    ids = await world.put(_S.DOWNLOADING)
    assert world.service.pause(ids) == ids
    assert states(world, ids) == {_S.PAUSED}
    assert world.service.resume(ids) == ids
    await world.reach(ids, _S.DONE)


@pytest.mark.parametrize("state", [_S.DONE, _S.FAILED, _S.PAUSED])
async def test_pause_leaves_what_does_not_run(world, state):
    ids = await world.put(state)
    assert world.service.pause(ids) == []
    assert states(world, ids) == {state}


@pytest.mark.parametrize("state", [_S.DONE, _S.FAILED])
async def test_resume_leaves_what_was_not_stopped(world, state):
    ids = await world.put(state)
    assert world.service.resume(ids) == []
    assert states(world, ids) == {state}


async def test_a_cancelled_download_can_be_resumed(world):
    ids = await world.put(_S.CANCELLED)
    world.service.pause_all()
    assert world.service.resume(ids) == ids
    assert states(world, ids) == {_S.QUEUED}


@pytest.mark.parametrize("state", [_S.FAILED, _S.CANCELLED])
async def test_retry_queues_what_ended_badly(world, state):
    ids = await world.put(state)
    world.service.pause_all()
    await world.sync()
    subscription = world.service.subscribe()
    assert world.service.retry(ids) == ids
    assert states(world, ids) == {_S.QUEUED}
    assert world.service.rows(ids)[0].error == ""
    assert await kinds(world, subscription) == [(events.Queued, id) for id in ids]


@pytest.mark.parametrize("state", [_S.DONE, _S.PAUSED])
async def test_retry_leaves_the_rest(world, state):
    ids = await world.put(state)
    assert world.service.retry(ids) == []
    assert states(world, ids) == {state}


async def test_a_retry_can_be_undone(world):
    ids = await world.put(_S.FAILED)
    (before,) = world.service.rows(ids)
    world.service.pause_all()
    world.service.retry(ids)
    assert world.service.undo_retry(ids) == ids
    (after,) = world.service.rows(ids)
    assert after.state is _S.FAILED
    assert (after.error, after.error_kind) == (before.error, before.error_kind)
    assert world.service.undo_retry(ids) == []


@pytest.mark.parametrize("state", [_S.DONE, _S.FAILED, _S.CANCELLED])
async def test_ended_downloads_can_be_removed_and_restored(world, state):
    ids = await world.put(state, 2)
    assert world.service.remove(ids) == ids
    assert world.service.snapshot().total == 0
    assert world.service.snapshot().counts[state] == 0
    assert await found(world, ALL) == []
    assert world.service.restore(ids) == ids
    assert world.service.snapshot().total == 2
    assert await found(world, ALL) == ids
    assert world.service.restore(ids) == []


async def test_a_running_download_can_be_cancelled_and_removed_in_one_turn(world):
    ids = await world.put(_S.DOWNLOADING)
    world.service.cancel(ids)
    assert world.service.remove(ids) == ids
    await world.service.wait_idle()
    assert await found(world, ALL) == []
    assert world.service.restore(ids) == ids
    world.service.resume(ids)
    await world.reach(ids, _S.DONE)


@pytest.mark.parametrize(
    ("verb", "state"),
    [("retry", _S.FAILED), ("resume", _S.CANCELLED), ("cancel", _S.FAILED)],
)
async def test_a_verb_restores_a_removed_download_that_it_names(world, verb, state):
    """Undo of a step before the removal does so, once its own undo is over."""
    ids = await world.put(state)
    world.service.pause_all()
    world.service.remove(ids)
    assert getattr(world.service, verb)(ids) == ids
    await world.sync()
    assert world.service.snapshot().total == 1
    assert world.service.restore(ids) == []
    wanted = _S.CANCELLED if verb == "cancel" else _S.QUEUED
    assert states(world, ids) == {wanted}


@pytest.mark.parametrize("state", [_S.DOWNLOADING, _S.PAUSED])
async def test_what_has_not_ended_cannot_be_removed(world, state):
    ids = await world.put(state)
    assert world.service.remove(ids) == []
    assert world.service.snapshot().total == 1


async def test_the_queue_can_be_reordered_and_put_back(world):
    world.service.pause_all()
    ids = await world.put(_S.QUEUED, 4)
    queue = DownloadQuery(view=View.QUEUED)
    before = await finish(world.service.reorder_iter([ids[3], ids[2]], Move.TOP))
    moved = [ids[2], ids[3], ids[0], ids[1]]
    assert await found(world, queue) == moved
    assert sorted(before) == [ids[2], ids[3]]
    assert world.service.rows(ids)[0].state is _S.QUEUED
    world.service.set_queue_positions(before)
    assert await found(world, queue) == ids


async def test_a_move_that_changes_nothing_is_none(world):
    world.service.pause_all()
    ids = await world.put(_S.QUEUED, 2)
    assert await finish(world.service.reorder_iter(ids, Move.TOP)) == {}
    assert await finish(world.service.reorder_iter([], Move.UP)) == {}


async def test_paused_downloads_keep_their_place_in_the_queue(local):
    local.service.pause_all()
    ids = await local.put(_S.QUEUED, 3)
    local.service.pause([ids[1]])
    assert queue_order(local.service) == ids


@pytest.mark.parametrize(
    ("index", "lands_at", "order"),
    [(0, 0, [2, 0, 1]), (1, 1, [0, 2, 1]), (9, 2, [0, 1, 2]), (-1, 0, [2, 0, 1])],
)
async def test_a_download_moves_to_an_index_of_the_queue(local, index, lands_at, order):
    local.service.pause_all()
    ids = await local.put(_S.QUEUED, 3)
    local.service.pause([ids[0], ids[2]])
    assert local.service.move_to(ids[2], index) == lands_at
    assert queue_order(local.service) == [ids[n] for n in order]


async def test_many_moves_to_the_same_index_keep_the_order(local):
    local.service.pause_all()
    ids = await local.put(_S.QUEUED, 3)
    expected = list(ids)
    for _ in range(120):
        last = expected.pop()
        expected.insert(1, last)
        local.service.move_to(last, 1)
        assert queue_order(local.service) == expected


async def test_a_download_moves_between_two_others_and_a_watch_sees_it(local):
    service = local.service
    (done,) = await local.put(_S.DONE)
    service.pause_all()
    ids = await local.put(_S.QUEUED, 4)
    service.pause(ids)
    watch = service.watch()
    watch.take()
    assert service.move_between(ids[3], ids[0], ids[1])
    assert service.move_between(ids[2], None, ids[0])
    assert service.move_between(ids[0], ids[1], None)
    expected = [ids[2], ids[3], ids[1], ids[0]]
    assert queue_order(service) == expected
    positions = service.positions([*expected, done])
    assert positions[-1] is None
    assert positions[:-1] == sorted(positions[:-1])
    assert watch.take() >= {ids[0], ids[2], ids[3]}
    assert service.count == watch.count
    watch.close()


async def test_between_two_downloads_there_is_no_endless_space(local):
    service = local.service
    service.pause_all()
    first, second, third = await local.put(_S.QUEUED, 3)
    moves = 0
    while service.move_between(third, first, second):
        second, third = third, second
        moves += 1
        assert queue_order(service) == [first, second, third]
    assert moves > 20
    assert service.move_to(third, 1) == 1
    assert queue_order(service) == [first, third, second]


async def test_what_is_not_in_the_queue_has_no_index(local):
    (id,) = await local.put(_S.DONE)
    with pytest.raises(ValueError, match="neither queued nor paused"):
        local.service.move_to(id, 0)


@pytest.mark.parametrize("state", [_S.QUEUED, _S.PAUSED, _S.FAILED, _S.CANCELLED])
async def test_the_request_of_an_unfinished_download_can_be_changed(local, state):
    if state is _S.QUEUED:
        local.service.pause_all()
    (id,) = await local.put(state)
    mirror = "http://127.0.0.1:9/mirror"
    request = local.service.request(id)
    request = request._replace(mirrors=(*request.mirrors, mirror), name="other.bin")
    local.service.change_request(id, request)
    # The engine waits for a worker that is still closing the part file.
    await until(lambda: local.service.rows([id])[0].name == "other.bin")
    assert local.service.request(id) == request
    assert local.service.detail(id).mirrors == request.mirrors
    assert local.service.rows([id])[0].state is state


async def test_the_request_of_a_finished_download_stays(local):
    (id,) = await local.put(_S.DONE)
    with pytest.raises(ValueError, match="done"):
        local.service.change_request(id, local.service.request(id))


async def test_a_request_with_a_url_that_cannot_be_fetched_is_refused(local):
    (id,) = await local.put(_S.PAUSED)
    request = local.service.request(id)
    with pytest.raises(ValueError, match="ftp"):
        local.service.change_request(id, request._replace(mirrors=("ftp://a/b",)))
    assert local.service.request(id) == request


async def test_a_url_that_cannot_be_fetched_is_refused(world):
    (id,) = await world.put(_S.PAUSED)
    with pytest.raises(ValueError, match="ftp"):
        world.service.set_url(id, "ftp://example.org/x")
    assert world.service.rows([id])[0].url.startswith("http")


async def test_a_download_can_get_another_url(world):
    (id,) = await world.put(_S.PAUSED)
    url = "http://127.0.0.1:9/other"
    world.service.set_url(id, url)
    # The engine waits for a worker that is still closing the part file.
    await until(lambda: world.service.rows([id])[0].url == url)


async def test_a_finished_download_keeps_its_url(world):
    (id,) = await world.put(_S.DONE)
    url = world.service.rows([id])[0].url
    world.service.set_url(id, "http://127.0.0.1:9/other")
    await world.sync()
    assert world.service.rows([id])[0].url == url


async def test_limits_show_in_the_next_snapshot(world):
    service = world.service
    service.set_concurrency(3)
    service.set_per_host(2)
    service.set_segments(5)
    service.set_rate_limit(1_000_000)
    service.set_writers(2)
    service.set_inline_writes(True)
    service.set_disk_delay(0.05)
    now = service.snapshot()
    assert (now.concurrency, now.per_host, now.segments) == (3, 2, 5)
    assert now.rate_limit == 1_000_000
    assert (now.disk.writers, now.disk.is_inline) == (2, True)
    assert now.disk.delay_s == 0.05
    service.set_rate_limit(None)
    service.set_inline_writes(False)
    service.set_disk_delay(0.0)
    assert service.snapshot().rate_limit is None
    assert not service.snapshot().disk.is_inline
    assert not service.snapshot().disk.delay_s


async def test_each_changed_limit_is_an_event(world):
    subscription = world.service.subscribe()
    world.service.set_concurrency(3)
    assert [kind for kind, _ in await kinds(world, subscription)] == [
        events.LimitChanged
    ]


async def test_a_number_pins_automatic_concurrency(world):
    world.service.set_auto(True)
    assert world.service.snapshot().auto.is_on
    world.service.set_concurrency(4)
    auto = world.service.snapshot().auto
    assert not auto.is_on
    assert auto.is_pinned


async def test_a_paused_queue_pauses_what_runs_and_resuming_it_resumes_that(world):
    ids = await world.put(_S.DOWNLOADING)
    subscription = world.service.subscribe()
    world.service.pause_all()
    assert world.service.snapshot().is_queue_paused
    assert states(world, ids) == {_S.PAUSED}
    world.service.resume_all()
    assert not world.service.snapshot().is_queue_paused
    seen = [kind for kind, _ in await kinds(world, subscription)]
    assert seen.index(events.QueuePaused) < seen.index(events.QueueResumed)
    await world.reach(ids, _S.DONE)


async def test_failures_are_grouped_by_cause(world):
    ids = await world.put(_S.FAILED, 2)
    await world.put(_S.DONE)
    query = DownloadQuery(view=View.FAILED)
    (cause,) = await finish(world.service.by_cause_iter(query))
    assert list(cause.ids) == ids
    assert cause.kind == world.service.rows(ids)[0].error_kind


async def test_views_select_by_state(world):
    failed = await world.put(_S.FAILED)
    done = await world.put(_S.DONE)
    paused = await world.put(_S.PAUSED)
    assert await found(world, DownloadQuery(view=View.FAILED)) == failed
    assert await found(world, DownloadQuery(view=View.DONE)) == done
    assert await found(world, DownloadQuery(view=View.PAUSED)) == paused
    assert await found(world, ALL) == [*failed, *done, *paused]
    assert world.service.in_states({_S.FAILED, _S.PAUSED}) == [*failed, *paused]


async def test_a_filter_and_an_order_apply_together(world):
    ids = await world.put(_S.PAUSED, 3)
    by_name = DownloadQuery(sort=SortKey.NAME, is_reversed=True)
    assert await found(world, by_name) == ids[::-1]
    assert await found(world, DownloadQuery(text="is:done")) == []
    with pytest.raises(FilterError):
        await found(world, DownloadQuery(text="size:>much"))


async def test_activity_groups_have_every_download_once(world):
    failed = await world.put(_S.FAILED)
    done = await world.put(_S.DONE, 2)
    paused = await world.put(_S.PAUSED)
    groups = await finish(world.service.by_activity_iter(ALL))
    assert groups.ids[Activity.FAILED] == failed
    assert groups.ids[Activity.DONE] == done
    assert groups.ids[Activity.PAUSED] == paused
    assert sum(map(len, groups.ids)) == 4
    rows = world.service.rows(done)
    assert groups.done_bytes == sum(row.received for row in rows)


async def test_complete_rows_and_details_can_be_fetched(world):
    ids = await world.put(_S.DONE, 3)
    rows = await world.service.fetch_rows(ids[::-1])
    assert [row.id for row in rows] == ids[::-1]
    assert all(row.name and row.url and row.size == row.received for row in rows)
    details = await world.service.fetch_details(ids)
    assert [detail.row.id for detail in details] == ids
    assert all(detail.path.endswith(detail.row.name) for detail in details)


async def test_a_row_changes_its_version_when_it_changes(world):
    (id,) = await world.put(_S.PAUSED)
    (before,) = world.service.rows([id])
    world.service.cancel([id])
    (after,) = world.service.rows([id])
    assert after.version != before.version


async def test_details_belong_to_their_row(world):
    (id,) = await world.put(_S.DONE)
    detail = world.service.detail(id)
    assert detail.row.id == id
    assert detail.row.state is _S.DONE
    assert detail.finished == ((0, detail.row.size),)


async def test_a_listener_hears_what_it_did_not_exclude(world):
    (id,) = await world.put(_S.PAUSED)
    everything = world.service.subscribe()
    less = world.service.subscribe(frozenset({events.Cancelled}))
    world.service.cancel([id])
    await everything.wait()
    assert await kinds(world, everything) == [(events.Cancelled, id)]
    assert await kinds(world, less) == []


async def test_a_closed_listener_hears_nothing(world):
    (id,) = await world.put(_S.PAUSED)
    subscription = world.service.subscribe()
    subscription.close()
    world.service.cancel([id])
    assert subscription.drain() == []


async def test_idle_means_that_only_a_user_can_resume(world):
    await world.put(_S.PAUSED)
    await world.put(_S.DONE)
    await asyncio.wait_for(world.service.wait_idle(), 20)


async def test_a_running_download_is_not_idle(world):
    ids = await world.put(_S.DOWNLOADING)
    idle = asyncio.ensure_future(world.service.wait_idle())
    await asyncio.sleep(0)
    assert not idle.done()
    world.service.cancel(ids)
    await asyncio.wait_for(idle, 20)


async def test_a_queue_that_an_error_has_paused_is_idle(world):
    await world.run_into(PauseReason(ErrorKind.DISK_FULL, "the disk is full"))
    await world.put(_S.QUEUED)
    await asyncio.wait_for(world.service.wait_idle(), 20)


async def test_several_can_wait_until_it_is_idle(world):
    ids = await world.put(_S.DOWNLOADING)
    first, second, last = (
        asyncio.ensure_future(world.service.wait_idle()) for _ in range(3)
    )
    await asyncio.sleep(0)
    last.cancel()
    await asyncio.wait([last])
    world.service.cancel(ids)
    await asyncio.wait_for(asyncio.gather(first, second), 20)


async def test_closing_twice_is_safe(world):
    await world.put(_S.DOWNLOADING)
    await world.service.close()
    await world.service.close()


async def test_the_folder_of_a_finished_download_can_be_opened(local):
    (id,) = await local.put(_S.DONE)
    fd = await local.service.open_folder(id)
    try:
        assert stat.S_ISDIR(os.fstat(fd).st_mode)
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


async def test_states_of_all_downloads_say_which_were_removed(local):
    (failed,) = await local.put(_S.FAILED)
    (paused,) = await local.put(_S.PAUSED)
    local.service.remove([failed])
    assert local.service.states() == bytes([_S.FAILED | REMOVED, _S.PAUSED])
    assert local.service.states([paused]) == bytes([_S.PAUSED])


async def test_a_watch_collects_what_changes_until_it_is_taken(local):
    first, second = await local.put(_S.PAUSED, 2)
    watch = local.service.watch()
    assert (watch.count, watch.take()) == (2, set())
    local.service.cancel([second])
    await local.put(_S.PAUSED)
    assert watch.count == 3
    assert watch.take() & {first, second} == {second}
    local.service.remove([second])
    assert watch.take() >= {second}
    assert first not in watch.take()


async def test_data_of_listed_downloads_is_not_deleted(world):
    ids = await world.put(_S.DONE, 2)
    world.service.remove(ids[:1])
    deletion = await world.service.delete_data(ids)
    assert (deletion.files, deletion.nbytes) == (1, SIZE)
    assert deletion.kept == ((ids[1], KeepReason.RESTORED),)

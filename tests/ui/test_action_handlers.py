"""Action handlers on a plain context: what they ask of the service, and the undo."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.fake_context import FakeContext
from tests.support.fake_service import FakeService
from tests.support.until import until
from tests.ui.dashboards import (
    DONE,
    FAILED,
    PAUSED,
    QUEUED,
    RUNNING,
    some_downloads,
)
from tui.core.download import DownloadState
from tui.core.listing.query import LARGEST_FIRST, DownloadQuery, SortKey, View
from tui.core.listing.slices import run_at_once
from tui.core.settings import MAX_CONCURRENCY
from tui.ui.actions.batch_runner import SLICE
from tui.ui.dialogs.confirm import ConfirmScreen
from tui.ui.dialogs.detail import DetailScreen
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.keys.registry import ACTIONS
from tui.ui.list.model import DONE_HEADING

_S = DownloadState
MANY = 2 * SLICE + 500


@pytest.fixture
def context() -> FakeContext:
    """A context with one download in each important state."""
    return FakeContext(some_downloads())


def mixed(count: int) -> FakeContext:
    """A context with queued, paused and finished downloads in turn."""
    service = FakeService(concurrency=4)
    for number in range(count):
        state = (_S.QUEUED, _S.PAUSED, _S.DONE)[number % 3]
        service.put(f"file-{number}", state, size=10)
    return FakeContext(service)


def huge() -> FakeContext:
    """A context with more downloads than one slice."""
    service = FakeService(concurrency=2)
    service.put("running", _S.DOWNLOADING, size=100, speed=1.0)
    for number in range(MANY - 1):
        state = _S.PAUSED if number % 5 == 0 else _S.QUEUED
        service.put(f"file-{number}", state)
    return FakeContext(service)


def states(context: FakeContext) -> list[DownloadState]:
    return [row.state for row in context.service.downloads]


def test_every_action_can_be_run_on_an_empty_list():
    context = FakeContext(FakeService())
    for action in ACTIONS:
        if action.id not in ("settings", "screenshot", "export_failed"):
            context.perform(action.id)
    assert context.service.snapshot().total == 0


# -- cancel ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "restored"),
    [(RUNNING, _S.QUEUED), (PAUSED, _S.PAUSED), (QUEUED, _S.QUEUED)],
)
def test_cancel_is_undone_to_the_earlier_state(context, line, restored):
    context.put_cursor(line)
    context.run("cancel")
    assert states(context)[line] is _S.CANCELLED
    assert context.list.repainted == [line]
    context.run("undo")
    assert states(context)[line] is restored


def test_cancel_on_a_finished_download_says_why_nothing_happens(context):
    context.put_cursor(DONE)
    context.run("cancel")
    assert context.service.calls["cancel"] == 0
    assert context.message == "Cancel: nothing to cancel here"


def test_cancel_acts_on_all_marked_and_one_undo_restores_them():
    context = mixed(12)
    before = states(context)
    context.run("mark_all", "cancel")
    assert states(context).count(_S.CANCELLED) == 8
    assert context.message == "Cancelled 8 · u to restore"
    context.run("undo")
    assert states(context) == before
    assert context.message == "Undid: cancel of 8 downloads"


def test_cancel_asks_above_twenty_downloads():
    context = mixed(40)
    context.run("mark_all", "cancel")
    assert isinstance(context.dialogs[-1], ConfirmScreen)
    assert context.dialogs[-1].title_text() == "Cancel 27 downloads"
    context.answer(None)
    assert context.service.calls["cancel"] == 0
    context.run("cancel")
    context.answer(True)
    assert states(context).count(_S.CANCELLED) == 27
    context.run("undo")
    assert states(context).count(_S.PAUSED) == 13
    assert states(context).count(_S.QUEUED) == 14


def test_cancel_does_not_ask_for_twenty_downloads():
    context = mixed(30)
    context.run("mark_all", "cancel")
    assert context.message == "Cancelled 20 · u to restore"


def test_cancel_includes_marked_downloads_that_the_filter_hides(context):
    context.run("mark_all", "view_queued", "cancel")
    now = states(context)
    assert now[RUNNING] is now[PAUSED] is now[QUEUED] is _S.CANCELLED
    assert now[DONE] is _S.DONE


def test_cancel_all_asks_first(context):
    context.run("cancel_all")
    assert states(context).count(_S.CANCELLED) == 0
    context.answer(True)
    assert states(context).count(_S.CANCELLED) == 3


# -- pause, retry, remove --------------------------------------------------------------


def test_pause_toggles_and_undo_reverts_either(context):
    for action, state in (
        ("pause", _S.PAUSED),
        ("pause", _S.QUEUED),
        ("undo", _S.PAUSED),
        ("undo", _S.QUEUED),
    ):
        context.run(action)
        assert states(context)[RUNNING] is state


@pytest.mark.parametrize(
    ("actions", "what"),
    [(("pause", "pause"), "resume"), (("cancel", "retry"), "retry")],
)
def test_undo_says_so_if_the_download_is_done_by_now(context, actions, what):
    context.run(*actions)
    row = context.service.downloads[RUNNING]
    row.state = _S.DONE
    context.run("undo")
    assert row.state is _S.DONE
    assert context.message == f"Too late to undo: {what} of {row.name}"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("pause", "pause", _S.QUEUED),
        ("cancel", "retry", _S.QUEUED),
        ("cancel", "cancel", _S.CANCELLED),
    ],
)
def test_a_second_key_acts_on_the_download_of_the_first(first, second, expected):
    service = FakeService(concurrency=2)
    for name in ("a.iso", "b.iso"):
        service.put(name, _S.DOWNLOADING, size=100, speed=1.0)
    context = FakeContext(service)
    assert not context.list.model.is_placed

    context.run(first)
    context.list.refresh_order()
    assert context.list.cursor_row.name == "a.iso"
    context.run(second)

    assert [row.state for row in service.rows([0, 1])] == [expected, _S.DOWNLOADING]


def test_pause_resumes_only_if_all_marked_are_paused():
    context = mixed(9)
    context.run("mark_all", "pause")
    assert context.service.last[0] == "pause"
    assert states(context).count(_S.PAUSED) == 6
    assert context.message == "Paused 3 downloads · u to undo"
    context.run("pause")
    assert states(context).count(_S.QUEUED) == 6
    assert context.message == "Resumed 6 downloads · u to undo"
    context.run("undo", "undo")
    assert states(context)[:3] == [_S.QUEUED, _S.PAUSED, _S.DONE]


def test_retry_queues_one_and_retry_failed_all_of_them(context):
    service = context.service
    context.put_cursor(FAILED)
    context.run("retry")
    assert states(context)[FAILED] is _S.QUEUED
    service.fail(FAILED)
    service.fail(QUEUED)
    context.run("retry_failed")
    assert service.last == ("retry", [FAILED, QUEUED])


def test_retry_queues_a_cancelled_download_again(context):
    context.run("cancel", "retry")
    assert states(context)[RUNNING] is _S.QUEUED


def test_retry_of_marked_downloads_leaves_the_others_alone(context):
    context.service.put("cancelled.bin", _S.CANCELLED)
    context.list.refresh_order()
    context.run("mark_all", "retry")
    assert context.message == "Retrying 2 downloads · u to undo"
    unchanged = [_S.DOWNLOADING, _S.QUEUED, _S.PAUSED, _S.QUEUED, _S.DONE]
    assert states(context) == [*unchanged, _S.QUEUED]


def test_undo_of_a_retry_restores_failed_and_cancelled_each_as_it_was(context):
    row = context.service.downloads[FAILED]
    context.service.cancel([RUNNING])
    context.run("mark", "mark", "retry")
    assert row.state is _S.QUEUED
    assert states(context)[RUNNING] is _S.QUEUED
    context.run("undo")
    assert (row.state, row.error, row.error_kind) == (_S.FAILED, "404", "not_found")
    assert states(context)[RUNNING] is _S.CANCELLED


def test_remove_takes_downloads_off_the_list_until_undone(context):
    context.run("mark_all", "remove")
    assert context.message == "Removed 5 downloads from the list · u to restore"
    assert context.list.model.ids == []
    assert context.list.model.marks.ids == []
    context.run("undo")
    assert context.list.model.ids == [0, 1, 2, 3, 4]
    assert context.list.model.marks.ids == [0, 1, 2, 3, 4]
    assert states(context) == [
        *(_S.QUEUED, _S.FAILED, _S.PAUSED, _S.QUEUED, _S.DONE),
    ]


def test_many_unfinished_downloads_are_removed_after_a_question():
    context = mixed(40)
    context.run("mark_all", "remove")
    assert isinstance(context.dialogs[-1], ConfirmScreen)
    assert not context.service.calls["remove"]
    context.answer(None)
    assert len(context.list.model.ids) == 40
    context.run("remove")
    context.answer(True)
    assert context.list.model.ids == []


async def test_data_is_deleted_after_a_question_unless_it_is_undone_in_time(context):
    context.actions.states.deletions.sleep = lambda _: asyncio.sleep(0)
    context.run("remove_with_data")
    context.answer(None)
    assert not context.service.calls["remove"]
    context.run("remove_with_data")
    context.answer(True)
    context.run("undo")
    await context.finish()
    assert not context.service.calls["delete_data"]
    assert len(context.list.model.ids) == 5
    context.run("mark_all", "remove_with_data")
    context.answer(True)
    assert "will be deleted in 10s · u to keep it" in context.message
    await context.finish()
    assert context.service.last == ("delete_data", [0, 1, 2, 3, 4])
    assert context.message.startswith("Deleted the data of 5 downloads, ")
    context.run("undo")
    assert context.message == "Undo: nothing to undo"


async def test_a_second_deletion_can_be_undone_for_its_whole_time():
    """The timer of the first one, which was undone, must not delete for the second."""
    context = mixed(1)
    timers: list[asyncio.Event] = []

    async def sleep(_seconds: float) -> None:
        timers.append(asyncio.Event())
        await timers[-1].wait()

    async def remove() -> None:
        context.run("remove_with_data")
        context.answer(True)
        count = len(timers)
        await until(lambda: len(timers) > count)

    context.actions.states.deletions.sleep = sleep
    await remove()
    assert context.list.model.ids == []
    context.run("undo")
    await until(lambda: len(context.list.model.ids) == 1)
    await remove()
    assert context.list.model.ids == []
    timers[0].set()
    await asyncio.sleep(0)
    assert not context.service.calls["delete_data"]
    timers[1].set()
    await context.finish()
    assert context.service.last == ("delete_data", [0])


async def test_quitting_deletes_what_still_waits(context):
    context.run("remove_with_data")
    context.answer(True)
    await context.actions.states.deletions.finish()
    assert context.service.calls["delete_data"] == 1


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("retry", "No selected download can be retried"),
        ("connections_more", "No selected download is running"),
    ],
)
def test_an_action_that_fits_no_marked_download_says_so(action, message):
    context = mixed(9)
    context.run("mark_all", action)
    assert context.message == message


# -- marks -----------------------------------------------------------------------------


def test_mark_toggles_and_moves_down(context):
    context.run("mark", "mark", "cursor_down", "mark")
    assert context.list.model.marks.ids == [0, 1, 3]
    context.run("cursor_up", "mark")
    assert context.list.model.marks.ids == [0, 1]


def test_mark_range_extends_from_the_last_mark():
    context = mixed(30)
    context.run("mark", "cursor_down", "cursor_down", "mark_range")
    assert context.list.model.marks.ids == [0, 1, 2, 3]


def test_mark_all_marks_what_the_filter_shows_and_unmarks_it_again():
    context = mixed(30)
    context.actions.view.set_filter("file-2")
    context.run("mark_all")
    assert context.list.model.marks.ids == [2, *range(20, 30)]
    context.run("mark_all")
    assert context.list.model.marks.ids == []


def test_escape_clears_the_zoomed_pane_then_the_filter_then_the_marks(context):
    model, view = context.list.model, context.actions.view
    context.run("mark", "zoom")
    view.set_filter("b")
    view.escape()
    assert not context.pane_layout.zoomed
    assert model.query.text == "b"
    view.escape()
    assert (model.query.text, len(model.marks)) == ("", 1)
    view.escape()
    assert len(model.marks) == 0


# -- the queue -------------------------------------------------------------------------


def queue(context: FakeContext) -> list[int]:
    return run_at_once(context.service.select_iter(DownloadQuery(View.QUEUED)))


def test_the_queue_is_reordered_and_every_step_can_be_undone(context):
    more = [context.service.put(f"more-{number}") for number in range(3)]
    context.list.refresh_order()
    before = [QUEUED, *more]
    context.put_cursor(QUEUED)
    context.run("lower_in_queue")
    assert queue(context) == [more[0], QUEUED, *more[1:]]
    context.run("raise_in_queue")
    assert queue(context) == before
    context.run("lower_in_queue", "lower_in_queue", "first_in_queue")
    assert queue(context) == before
    context.run("undo")
    assert queue(context) == [more[0], more[1], QUEUED, more[2]]
    context.run("undo", "undo", "undo", "undo")
    assert queue(context) == before


def test_marked_downloads_move_together_and_return_to_their_positions():
    service = FakeService()
    for name in "abcdef":
        service.put(name)
    context = FakeContext(service)
    context.list.model.marks.add([1, 3, 4])
    context.run("first_in_queue")
    assert queue(context) == [1, 3, 4, 0, 2, 5]
    assert context.message == "Moved 3 downloads to the front of the queue · u to undo"
    context.run("undo")
    assert queue(context) == [0, 1, 2, 3, 4, 5]


# -- limits ----------------------------------------------------------------------------


def test_concurrency_changes_within_its_limits(context):
    service = context.service
    context.run("more", "more", "more", "fewer")
    assert service.concurrency == 6
    context.run("more_16")
    assert service.concurrency == 22
    context.run("fewer_16", "fewer_16")
    assert service.concurrency == 1
    service.set_concurrency(MAX_CONCURRENCY)
    context.run("more")
    assert service.concurrency == MAX_CONCURRENCY


def test_setting_concurrency_turns_automatic_concurrency_off_and_says_so(context):
    context.run("auto")
    assert context.message == (
        "Automatic concurrency is on. Press + - or c to set it yourself."
    )
    context.run("more")
    assert context.message == "Concurrency set to 5; press A for automatic"


def test_every_change_of_concurrency_replaces_the_message_about_the_last_one(context):
    context.run("auto", "more", "fewer_16")
    assert context.message == "Concurrency set to 1"


def test_concurrency_is_asked_for(context):
    context.run("set_number")
    assert isinstance(context.dialogs[-1], PromptScreen)
    context.answer("64")
    assert context.service.concurrency == 64
    context.run("set_number")
    context.answer(None)
    assert context.service.concurrency == 64


@pytest.mark.parametrize(
    ("typed", "rate"), [("10M", 10 << 20), ("500k", 500 << 10), ("0", None)]
)
def test_the_rate_limit_is_asked_for(context, typed, rate):
    context.run("limit")
    context.answer(typed)
    assert context.service.last == ("set_rate_limit", rate, None)


def test_the_rate_limit_of_one_download_leaves_the_others_alone(context):
    context.put_cursor(QUEUED)
    context.run("limit_row")
    context.answer("500k")
    assert context.service.limits == {QUEUED: 500 << 10}
    assert context.service.rate_limit is None


def test_connections_of_a_running_download_change_by_one(context):
    context.run("connections_more", "connections_more")
    assert context.service.connections[RUNNING] == 3
    context.run(*["connections_fewer"] * 5)
    assert context.service.connections[RUNNING] == 1


def test_connections_change_for_all_marked_downloads_that_run(context):
    context.service.put("more.bin", _S.DOWNLOADING, size=10, connections=3)
    context.list.refresh_order()
    context.run("mark_all", "connections_more")
    connections = context.service.connections
    assert (connections[0], connections[5]) == (2, 4)
    assert context.message == "One more connection for each of 2 downloads"


def test_the_limit_of_a_host_is_asked_for_and_zero_removes_it(context):
    (host,) = context.service.origins()
    context.actions.run.ask_host_limit(host)
    context.answer("7")
    assert context.service.last == ("set_origin_cap", host.origin, 7)
    assert context.message == f"Max downloads from {host.origin}: 7"
    context.actions.run.ask_host_limit(host)
    context.answer("0")
    assert context.message == f"Max downloads from {host.origin}: the global limit"
    assert context.refresh_scheduler.hosts_refreshed == 2


def test_writers_and_inline_writes(context):
    context.run("writers_more", "writers_more", "writers_fewer")
    assert context.service.writers == 5
    assert context.message == "Writer threads: 5"
    context.run("inline_writes")
    assert context.service.is_inline
    assert context.message == (
        "Writes now run on the event loop. Watch the lag; press i to stop."
    )
    context.run("inline_writes")
    assert not context.service.is_inline


def test_with_inline_writes_the_slow_disk_says_how_to_end_them(context):
    context.run("inline_writes")
    context.run("slow_disk")
    assert context.message.endswith(" Press i to write in threads again.")


def test_the_slow_disk_is_said_to_be_simulated(context):
    context.run("slow_disk")
    assert context.service.disk_delay_s == 0.05
    assert context.message == (
        "Simulating a slow disk: each write takes 50 ms longer."
        " Press i to write on the event loop."
    )
    context.run("slow_disk")
    assert context.service.disk_delay_s == 0
    assert context.message == "No longer simulating a slow disk"


def test_pause_all_and_resume_all(context):
    context.run("pause_all")
    assert context.service.is_queue_paused
    assert context.message == "All paused. Press P to resume."
    context.run("pause_all")
    assert not context.service.is_queue_paused
    assert context.message == "Resumed"


# -- URL, path, details ----------------------------------------------------------------


async def test_copied_urls_have_no_password(context):
    context.service.downloads[RUNNING].url = "https://ada:secret@host/a.bin"
    context.run("copy_url")
    await context.finish()
    assert context.application.clipboard == "https://host/a.bin"
    context.run("mark", "mark", "copy_url")
    await context.finish()
    assert context.application.clipboard.splitlines() == [
        "https://host/a.bin",
        "https://example.org/failed.bin",
    ]
    assert context.message == "Copied 2 URLs"


async def test_copied_paths_include_the_folder(context):
    row = context.service.downloads[RUNNING]
    row.directory = "isos"
    context.run("copy_path")
    await context.finish()
    assert context.application.clipboard == f"/home/ada/downloads/isos/{row.name}"
    context.run("mark_all", "copy_path")
    await context.finish()
    assert len(context.application.clipboard.splitlines()) == 5


async def test_without_a_desktop_paths_are_copied(context, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1")
    context.put_cursor(DONE)
    context.run("open_file")
    await context.finish()
    assert context.application.clipboard == "/home/ada/downloads/done.bin"
    context.run("open_folder")
    await context.finish()
    assert context.application.clipboard == "/home/ada/downloads"
    assert context.message == (
        "Cannot open it: this is a session over ssh; copied /home/ada/downloads"
    )


@pytest.fixture
def desktop(monkeypatch, tmp_path):
    """A desktop whose command notes what it opens; returns the notes."""
    notes = tmp_path / "notes"
    command = tmp_path / ("open" if sys.platform == "darwin" else "xdg-open")
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {notes}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return notes


async def test_a_desktop_opens_documents_but_no_programs(context, desktop):
    context.put_cursor(DONE)
    context.run("open_file")
    await context.finish()
    context.service.change(DONE, name="install.sh")
    context.run("open_file")
    await context.finish()
    assert context.message == (
        "install.sh might run as a program, so its folder is opened"
    )
    assert desktop.read_text().split() == [
        "/home/ada/downloads/done.bin",
        "/home/ada/downloads",
    ]


@pytest.mark.parametrize("is_undone", [False, True])
def test_a_download_that_is_done_meanwhile_keeps_its_url(context, is_undone):
    context.put_cursor(PAUSED)
    context.run("edit_url")
    row = context.service.downloads[PAUSED]
    before, new = row.url, "https://example.org/new.iso"
    if is_undone:
        context.answer(new)
    row.state = _S.DONE
    if is_undone:
        context.run("undo")
        assert row.url == new
        assert context.message == "Too late to undo: URL change of paused.bin"
    else:
        context.answer(new)
        assert row.url == before
        assert context.message == "paused.bin is done; its URL stays"


def test_a_new_url_can_be_undone(context):
    context.put_cursor(PAUSED)
    context.run("edit_url")
    context.answer("https://example.org/new.iso?sig=2")
    row = context.service.downloads[PAUSED]
    assert row.url == "https://example.org/new.iso?sig=2"
    assert row.state is _S.PAUSED
    context.run("undo")
    assert row.url == "https://example.org/paused.bin"
    assert context.message == "Undid: URL change of paused.bin"


def test_a_new_url_retries_a_failed_download(context):
    context.put_cursor(FAILED)
    context.run("edit_url")
    context.answer("https://example.org/new.iso")
    assert context.service.last == ("retry", [FAILED])


def test_a_new_url_gets_the_credentials_of_the_old_one_on_the_same_server_only(context):
    row = context.service.downloads[QUEUED]
    row.url = "https://me:secret@example.org/old.iso"
    context.put_cursor(QUEUED)
    for typed, url in (
        ("https://example.org/new.iso", "https://me:secret@example.org/new.iso"),
        ("https://elsewhere.org/new.iso", "https://elsewhere.org/new.iso"),
    ):
        context.run("edit_url")
        context.answer(typed)
        assert row.url == url


def test_keys_in_the_details_act_on_their_download_not_on_the_marked_ones(context):
    context.put_cursor(QUEUED)
    context.list.model.marks.add([RUNNING])
    context.actions.rows.show_details(QUEUED)
    screen = context.dialogs[-1]
    assert isinstance(screen, DetailScreen)
    screen._change("cancel")
    assert states(context)[QUEUED] is _S.CANCELLED
    assert states(context)[RUNNING] is _S.DOWNLOADING
    screen._change("cancel")
    assert context.service.calls["cancel"] == 1, "disabled by now"


# -- view ------------------------------------------------------------------------------


def test_each_view_lists_its_states(context):
    for action, view, ids in (
        ("view_active", View.ACTIVE, [RUNNING]),
        ("view_queued", View.QUEUED, [QUEUED]),
        ("view_done", View.DONE, [DONE]),
        ("view_failed", View.FAILED, [FAILED]),
        ("view_paused", View.PAUSED, [PAUSED]),
        ("view_all", View.ALL, [0, 1, 2, 3, 4]),
    ):
        context.run(action)
        assert context.list.model.query.view is view
        assert context.list.model.listed == ids


def test_the_order_is_chosen_from_a_menu_largest_first_and_can_be_reversed(context):
    for key in SortKey:
        context.run("sort")
        context.answer(key)
        query = context.list.model.query
        assert query.sort is key
        assert query.is_reversed == (key in LARGEST_FIRST)
    context.actions.view.sort_by(SortKey.ADDED)
    context.run("sort_reverse")
    assert context.list.model.ids == [4, 3, 2, 1, 0]


def test_the_order_by_activity_and_the_list_order_are_one_key_apart(context):
    context.actions.view.sort_by(SortKey.ACTIVITY)
    context.run("sort_reverse")
    assert not context.list.model.query.is_reversed
    assert "cannot be reversed" in context.message
    context.run("list_order")
    assert context.list.model.query == DownloadQuery()
    context.run("list_order")
    assert context.list.model.query.sort is SortKey.ACTIVITY


def test_finished_downloads_are_shown_and_hidden_with_one_key(context):
    context.run("list_order", "fold_done")
    model = context.list.model
    assert model.ids == [RUNNING, FAILED, PAUSED, DONE_HEADING, QUEUED]
    context.run("fold_done")
    assert model.ids == [RUNNING, FAILED, PAUSED, QUEUED, DONE_HEADING, DONE]
    assert model.cursor_line == DONE_HEADING
    context.run("details")
    assert model.ids[3] == DONE_HEADING


def test_freeze_and_follow_say_how_to_stop(context):
    context.run("freeze")
    assert context.refresh_scheduler.is_frozen
    assert context.message == "List frozen (downloads continue). Press . to unfreeze."
    context.run("freeze", "follow")
    assert not context.refresh_scheduler.is_frozen
    assert context.follow_mode.is_on
    assert context.message == ("Following active downloads (f or any cursor key stops)")


def test_quit_add_and_suspend_reach_the_right_owner(context):
    context.run("add", "open_list", "quit", "interrupt", "suspend")
    assert context.add_queue.calls == ["editor", "list", "quit", "interrupt"]
    assert context.message == "Cannot suspend: no shell with job control"
    context.application.can_suspend = True
    context.run("suspend")
    assert context.application.suspensions == 1


async def test_a_screenshot_that_cannot_be_written_says_why(context, monkeypatch):
    monkeypatch.setattr(
        "tui.ui.actions.application.user_pictures_path", lambda: Path("/proc/self")
    )
    context.run("screenshot")
    await context.finish()
    assert context.message == (
        "Could not save the screenshot: No such file or directory"
    )


async def test_a_screenshot_in_a_directory_that_is_gone_says_why(
    context, monkeypatch, tmp_path
):
    monkeypatch.setattr(
        "tui.ui.actions.application.user_pictures_path", lambda: tmp_path / "none"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    context.run("screenshot")
    await context.finish()
    monkeypatch.chdir(tmp_path)
    assert context.message == (
        "Could not save the screenshot: No such file or directory"
    )


# -- very many downloads ---------------------------------------------------------------


async def test_many_are_cancelled_in_slices_and_running_ones_last():
    context = huge()
    service = context.service
    slices = []
    cancel = service.cancel

    def watched(ids):
        slices.append(list(ids))
        return cancel(ids)

    service.cancel = watched
    context.actions.states._service = service
    context.run("mark_all", "cancel")
    context.answer(True)
    await context.finish()
    assert [len(ids) for ids in slices] == [SLICE, SLICE, 500]
    assert slices[-1][-1] == 0, "the running one"
    assert service.snapshot().counts[_S.CANCELLED] == MANY
    assert context.message == f"Cancelled {MANY:,} · u to restore"


async def test_one_undo_restores_many_each_as_it_was():
    context = huge()
    paused = context.service.snapshot().counts[_S.PAUSED]
    context.run("mark_all", "cancel")
    context.answer(True)
    await context.finish()
    context.run("undo")
    await context.finish()
    counts = context.service.snapshot().counts
    assert counts[_S.PAUSED] == paused
    assert counts[_S.QUEUED] == MANY - paused
    assert context.message == f"Undid: cancel of {MANY:,} downloads"


def test_states_of_many_are_looked_up_by_view_not_by_row():
    service = FakeService()
    for number in range(1_000):
        service.put(f"file-{number}", _S.PAUSED if number % 2 else _S.QUEUED)
    context = FakeContext(service)
    context.run("mark_all", "cancel")
    context.answer(True)
    assert context.message == "Cancelled 1,000 · u to restore"
    assert service.rows_asked < 1_000
    context.run("undo")
    assert len(run_at_once(service.select_iter(DownloadQuery(View.PAUSED)))) == 500


async def test_undo_is_refused_until_the_running_batch_is_done():
    context = huge()
    context.batches.run("Trying", range(MANY), list, lambda _: None)
    context.undo_stack.push("something", [0], lambda _: None)
    context.run("undo")
    assert len(context.undo_stack) == 1
    assert context.message == "Still working; undo will be available when it is done"
    await context.finish()
    context.run("undo")
    assert len(context.undo_stack) == 0


async def test_the_loop_turns_between_slices():
    context = huge()
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    seen = []

    def operation(ids):
        seen.append(turns)
        return list(ids)

    context.batches.run("Trying", range(5 * SLICE), operation, lambda _: None)
    await context.finish()
    counting.cancel()
    assert len(seen) == 5
    assert len(set(seen)) == 5


async def test_many_marked_move_in_slices_and_return_in_as_few():
    service = FakeService()
    for number in range(3_000):
        service.put(f"{number:04}")
    context = FakeContext(service)
    odd = list(range(1, 3_000, 2))
    context.list.model.marks.add(odd)
    context.run("first_in_queue")
    await context.finish()
    assert queue(context) == [*odd, *range(0, 3_000, 2)]
    assert context.message.startswith("Moved 1,500 downloads to the front")
    calls = service.calls["set_queue_positions"]
    context.run("undo")
    await context.finish()
    assert queue(context) == list(range(3_000))
    assert service.calls["set_queue_positions"] - calls == 2, "1,000 at a time"

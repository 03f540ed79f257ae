"""Marked downloads: what keys do to all of them, and that one ``u`` undoes it."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tests.ui.dashboards import (
    DONE,
    FAILED,
    PAUSED,
    QUEUED,
    RUNNING,
    dashboard,
    some_downloads,
)
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, View
from tui.ui.dialogs.confirm import ConfirmScreen

_S = DownloadState


def many(count: int) -> FakeService:
    service = FakeService(concurrency=4)
    for number in range(count):
        state = (_S.QUEUED, _S.PAUSED, _S.DONE)[number % 3]
        service.put(f"file-{number}", state, size=10)
    return service


async def test_space_marks_and_goes_down_and_the_screen_says_how_many():
    async with dashboard() as board:
        await board.press("space", "space", "j", "space")
        assert board.list.model.marks.ids == [0, 1, 3]
        assert "● 3 marked" in board.screen()[2]
        assert [line[2] for line in board.screen()[4:9]] == ["●", "●", " ", "●", " "]
        await board.press("k", "space")
        assert board.list.model.marks.ids == [0, 1]


async def test_v_marks_a_range_and_ctrl_a_all_that_the_filter_shows():
    async with dashboard(many(30)) as board:
        await board.press("space", "j", "j", "v")
        assert board.list.model.marks.ids == [0, 1, 2, 3]
        await board.press("escape", "slash")
        assert board.list.model.marks.ids == []
        await board.type("file-2")
        await board.press("enter", "ctrl+a")
        assert board.list.model.marks.ids == [2, *range(20, 30)]
        await board.press("ctrl+a")
        assert board.list.model.marks.ids == []


async def test_esc_takes_one_layer_away_at_a_time():
    async with dashboard() as board:
        await board.press("space", "slash", "b", "enter", "t", "z", "question_mark")
        model = board.list.model
        await board.press("escape")
        assert board.app.screen is board.main
        assert board.main.pane_layout.zoomed
        await board.press("escape")
        assert not board.main.pane_layout.zoomed
        assert model.query.text == "b"
        await board.press("escape")
        assert (model.query.text, len(model.marks)) == ("", 1)
        await board.press("escape")
        assert len(model.marks) == 0


async def test_x_cancels_the_marked_and_one_u_brings_all_back_as_they_were():
    async with dashboard(many(12)) as board:
        service = board.main.service
        before = [row.state for row in service.downloads]
        await board.press("ctrl+a", "x")
        assert [row.state for row in service.downloads].count(_S.CANCELLED) == 8
        assert board.message() == "Cancelled 8 · u to restore"
        await board.press("u")
        assert [row.state for row in service.downloads] == before
        assert board.message() == "Undid: cancel of 8 downloads"


async def test_marks_that_the_filter_hides_are_acted_on_too():
    async with dashboard() as board:
        await board.press("ctrl+a", "3", "x")
        states = [row.state for row in board.main.service.downloads]
        assert states[RUNNING] is states[PAUSED] is states[QUEUED] is _S.CANCELLED
        assert states[DONE] is _S.DONE


async def test_more_than_twenty_are_cancelled_only_after_a_question():
    async with dashboard(many(40)) as board:
        service = board.main.service
        await board.press("ctrl+a", "x")
        assert isinstance(board.app.screen, ConfirmScreen)
        assert "Cancel 27 downloads" in board.text()
        await board.press("enter")
        await board.pilot.pause()
        assert board.app.screen is board.main
        assert service.calls["cancel"] == 0, "enter alone is the safe answer"
        await board.press("x", "escape")
        assert service.calls["cancel"] == 0
        await board.press("x", "y")
        assert service.calls["cancel"] == 1
        assert len(service.select(DownloadQuery(text="is:cancelled"))) == 27
        await board.press("u")
        assert len(service.select(DownloadQuery(View.PAUSED))) == 13
        assert len(service.select(DownloadQuery(View.QUEUED))) == 14


async def test_twenty_are_cancelled_without_a_question():
    async with dashboard(many(30)) as board:
        await board.press("ctrl+a", "x")
        assert board.message() == "Cancelled 20 · u to restore"


async def test_X_asks_before_it_cancels_everything():
    async with dashboard() as board:
        service = board.main.service
        await board.press("X")
        assert "Cancel all 3 unfinished downloads" in board.text()
        assert "1 of them are running" in board.text()
        await board.press("down", "enter")
        await board.pilot.pause()
        assert len(service.select(DownloadQuery(text="is:cancelled"))) == 3


async def test_p_pauses_the_marked_and_resumes_them_when_all_are_paused():
    async with dashboard(many(9)) as board:
        service = board.main.service
        await board.press("ctrl+a", "p")
        assert service.last[0] == "pause"
        assert len(service.select(DownloadQuery(View.PAUSED))) == 6
        assert board.message() == "Paused 3 downloads · u to undo"
        await board.press("p")
        assert len(service.select(DownloadQuery(View.QUEUED))) == 6
        await board.press("u", "u")
        assert [row.state for row in service.downloads][:3] == [
            _S.QUEUED,
            _S.PAUSED,
            _S.DONE,
        ]


async def test_r_retries_all_marked_that_failed_or_were_cancelled():
    service = some_downloads()
    service.put("cancelled.bin", _S.CANCELLED)
    async with dashboard(service) as board:
        await board.press("ctrl+a", "r")
        assert board.message() == "Retrying 2 downloads · u to undo"
        states = [row.state for row in service.downloads]
        assert (
            states == [_S.DOWNLOADING, _S.QUEUED, _S.PAUSED, _S.DONE] + [_S.QUEUED] * 2
        )


async def test_the_marked_move_in_the_queue_and_go_back_to_their_places():
    service = FakeService()
    for name in "abcdef":
        service.put(name)
    async with dashboard(service) as board:
        queue = DownloadQuery(View.QUEUED)
        await board.press("j", "space", "j", "space", "space", "F")
        assert service.select(queue) == [1, 3, 4, 0, 2, 5]
        await board.press("u")
        assert service.select(queue) == [0, 1, 2, 3, 4, 5]


async def test_many_marks_move_in_slices_and_go_back_in_as_few():
    service = FakeService()
    for number in range(3_000):
        service.put(f"{number:04}")
    async with dashboard(service) as board:
        queue = DownloadQuery(View.QUEUED)
        odd = list(range(1, 3_000, 2))
        board.list.model.marks.add(odd)
        await board.press("F")
        await board.app.workers.wait_for_complete()
        assert service.select(queue) == [*odd, *range(0, 3_000, 2)]
        assert board.message().startswith("Moved 1,500 downloads to the front")
        calls = service.calls["place"]
        await board.press("u")
        await board.app.workers.wait_for_complete()
        assert service.select(queue) == list(range(3_000))
        assert service.calls["place"] - calls == 2, "1,000 at a time"


async def test_y_copies_all_marked_urls():
    async with dashboard() as board:
        await board.press("space", "space", "y")
        assert board.app.clipboard.splitlines() == [
            "https://example.org/running.bin",
            "https://example.org/failed.bin",
        ]
        assert board.message() == "Copied 2 URLs"


async def test_a_key_that_fits_none_of_the_marked_says_so():
    async with dashboard(many(9)) as board:
        for key, words in (
            ("r", "No selected download can be retried"),
            ("greater_than_sign", "No selected download is running"),
        ):
            await board.press("ctrl+a") if not board.list.model.marks else None
            await board.press(key)
            assert board.message() == words


async def test_connections_change_for_all_marked_that_run():
    service = some_downloads()
    service.put("more.bin", _S.DOWNLOADING, size=10, connections=3)
    async with dashboard(service) as board:
        await board.press("ctrl+a", "greater_than_sign")
        assert (service.connections[0], service.connections[5]) == (2, 4)
        assert board.message() == "One more connection for each of 2 downloads"


async def test_a_click_left_of_the_name_marks():
    async with dashboard() as board:
        await board.pilot.click(board.list, offset=(1, 2))
        await board.settle()
        assert board.list.model.marks.ids == [2]


async def test_thousands_of_marked_are_cancelled_and_brought_back():
    service = FakeService()
    for number in range(2_000):
        service.put(f"file-{number}", _S.PAUSED if number % 2 else _S.QUEUED)
    async with dashboard(service) as board:
        await board.press("ctrl+a", "x", "y")
        assert board.message() == "Cancelled 2,000 · u to restore"
        assert service.rows_asked < 2_000, "states are looked up by view, not by row"
        await board.press("u")
        assert len(service.select(DownloadQuery(View.PAUSED))) == 1_000


async def test_messages_replace_each_other_and_cover_nothing():
    async with dashboard() as board:
        await board.press("x", "j", "x", "G", "x")
        assert board.toasts() == []
        line = board.screen()[-2]
        assert "Cancelled queued.bin · u to restore" in line
        assert "running.bin" not in line


async def test_where_there_is_no_room_for_the_log_a_message_stands_in_for_the_keys():
    async with dashboard(size=(60, 15)) as board:
        assert "Cancel" in board.screen()[-1]
        await board.press("x")
        assert "Cancelled running.bin" in board.screen()[-1]
        board.main.messages._message = board.main.messages._message._replace(at_s=-99)
        await board.tick()
        assert "x Cancel" in board.screen()[-1]


async def test_a_small_screen_tells_how_many_are_marked_as_well():
    async with dashboard(size=(60, 15)) as board:
        await board.press("space", "space")
        assert "●2" in board.screen()[0]
        await board.press("escape")
        assert "●" not in board.screen()[0]


async def test_the_end_of_all_is_told_only_when_the_key_before_has_been_read():
    async with dashboard() as board:
        line = board.main.messages
        await board.press("ctrl+a", "x")
        await board.tick()
        assert board.message() == "Cancelled 3 · u to restore"
        line._message = line._message._replace(at_s=line._message.at_s - 3)
        await board.tick()
        assert board.message().startswith("All done in")


async def test_u_takes_a_retry_back_cancelled_and_failed_ones_each_as_they_were():
    async with dashboard() as board:
        service = board.main.service
        row = service.downloads[FAILED]
        service.cancel([RUNNING])
        await board.press("g", "space", "space", "r")
        assert row.state is _S.QUEUED
        assert service.downloads[RUNNING].state is _S.QUEUED
        await board.press("u")
        assert (row.state, row.error, row.error_kind) == (
            _S.FAILED,
            "404",
            "not_found",
        )
        assert service.downloads[RUNNING].state is _S.CANCELLED

"""Marks on the screen, and confirmation of actions on many downloads."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tests.ui.dashboards import (
    dashboard,
)
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, View
from tui.core.listing.slices import run_at_once
from tui.ui.dialogs.confirm import ConfirmScreen

_S = DownloadState


def many(count: int) -> FakeService:
    service = FakeService(concurrency=4)
    for number in range(count):
        state = (_S.QUEUED, _S.PAUSED, _S.DONE)[number % 3]
        service.put(f"file-{number}", state, size=10)
    return service


async def test_space_marks_and_moves_down_and_the_tabs_show_the_count():
    async with dashboard() as board:
        await board.press("space", "space", "j", "space")
        assert board.list.model.marks.ids == [0, 1, 3]
        assert "● 3 marked" in board.screen()[2]
        assert [line[2] for line in board.screen()[4:9]] == ["●", "●", " ", "●", " "]
        await board.press("k", "space")
        assert board.list.model.marks.ids == [0, 1]


async def test_escape_closes_one_layer_at_a_time():
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


async def test_cancelling_more_than_twenty_asks_and_enter_keeps_them():
    async with dashboard(many(40)) as board:
        service = board.main.service
        await board.press("ctrl+a", "x")
        assert isinstance(board.app.screen, ConfirmScreen)
        assert "Cancel 27 downloads" in board.text()
        await board.press("enter")
        await board.pilot.pause()
        assert board.app.screen is board.main
        assert service.calls["cancel"] == 0, "enter chooses the safe answer"
        await board.press("x", "escape")
        assert service.calls["cancel"] == 0
        await board.press("x", "y")
        assert service.calls["cancel"] == 1
        assert (
            len(run_at_once(service.select_iter(DownloadQuery(text="is:cancelled"))))
            == 27
        )
        await board.press("u")
        assert len(run_at_once(service.select_iter(DownloadQuery(View.PAUSED)))) == 13
        assert len(run_at_once(service.select_iter(DownloadQuery(View.QUEUED)))) == 14


async def test_cancel_all_asks_first():
    async with dashboard() as board:
        service = board.main.service
        await board.press("X")
        assert "Cancel all 3 unfinished downloads" in board.text()
        assert "1 of them is running" in board.text()
        await board.press("down", "enter")
        await board.pilot.pause()
        assert (
            len(run_at_once(service.select_iter(DownloadQuery(text="is:cancelled"))))
            == 3
        )


async def test_a_single_download_is_asked_about_in_the_singular():
    service = FakeService()
    service.put("one", _S.DOWNLOADING)
    async with dashboard(service) as board:
        await board.press("X")
        text = " ".join(board.text().split())
        assert "Cancel 1 unfinished download" in text
        assert "It is running. It stops now" in text
        assert "them" not in text.partition("Cancel 1")[2].partition("Partial")[0]


async def test_a_click_left_of_the_name_toggles_the_mark():
    async with dashboard() as board:
        await board.pilot.click(board.list, offset=(1, 2))
        await board.wait_idle()
        assert board.list.model.marks.ids == [2]


async def test_a_small_terminal_shows_the_number_of_marks():
    async with dashboard(size=(60, 15)) as board:
        await board.press("space", "space")
        assert "●2" in board.screen()[0]
        await board.press("escape")
        assert "●" not in board.screen()[0]

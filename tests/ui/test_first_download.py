"""From an empty dashboard to the first download in three keys."""

from __future__ import annotations

import pytest
from textual.events import Paste

from tests.support.fake_service import FakeService
from tests.support.until import until
from tests.ui.dashboards import dashboard
from tui.core.listing.query import DownloadQuery, View
from tui.ui.dialogs.add import AddScreen
from tui.ui.keys.registry import ACTIONS
from tui.ui.list.empty import empty_lines


async def test_a_paste_and_one_key_start_a_download():
    async with dashboard(FakeService()) as board:
        board.app.post_message(Paste("https://example.org/big.iso"))
        await until(lambda: isinstance(board.app.screen, AddScreen))
        await board.wait_idle()
        await board.press("ctrl+s")
        await until(lambda: board.main.service.snapshot().total == 1)


async def test_without_a_clipboard_a_url_can_be_typed():
    async with dashboard(FakeService()) as board:
        await board.press("a")
        await board.type("https://example.org/x")
        await board.press("ctrl+s")
        await until(lambda: board.main.service.snapshot().total == 1)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15), (40, 10), (200, 60)])
async def test_an_empty_dashboard_explains_itself_at_every_size(size):
    async with dashboard(FakeService(), size=size) as board:
        text = " ".join(board.text().split())
        assert "Paste URLs here, or press a to type them." in text
        assert "Files are saved to" in text


def test_the_output_folder_is_shown_and_long_paths_keep_both_ends(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    lines = empty_lines(
        DownloadQuery(), is_loading=False, output_dir="/home/ada/Downloads"
    )
    assert "Files are saved to ~/Downloads" in lines
    long = "/data/" + "x" * 200 + "/end"
    lines = empty_lines(DownloadQuery(), is_loading=False, output_dir=long)
    (line,) = [line for line in lines if line.startswith("Files are saved to")]
    assert len(line) < 80
    assert line.endswith("end")


@pytest.mark.parametrize("view", [view for view in View if view is not View.ALL])
def test_every_empty_view_explains_itself_and_the_way_back(view):
    lines = empty_lines(DownloadQuery(view), is_loading=False)
    assert view.value in lines[0]
    assert lines[-1] == "1 to show all downloads"


async def test_the_help_finds_every_key_and_title():
    async with dashboard(FakeService()) as board:
        await board.press("question_mark")
        listed = board.app.screen.query_one("HelpList")
        for action in ACTIONS:
            for key in action.shown_keys.split():
                listed.search(key)
                assert listed.chosen is not None
            listed.search(action.title)
            assert listed.chosen == action.id

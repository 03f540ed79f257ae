"""Theme, order and panes: chosen while looking, and kept from run to run."""

from __future__ import annotations

import json

import pytest

from tests.ui.dashboards import dashboard, some_downloads
from tui.config.precedence import DashboardSettings
from tui.core.listing.query import SortKey
from tui.ui.app import DashboardApp
from tui.ui.dialogs.choice import ThemeScreen
from tui.ui.style.theme import DEFAULT_THEME, LIGHT
from tui.ui.ui_state import UIState, load_ui_state, save_ui_state, ui_state_path


async def test_T_shows_each_theme_and_esc_gives_the_old_one_back():
    async with dashboard() as board:
        await board.press("T")
        assert isinstance(board.app.screen, ThemeScreen)
        await board.press("down")
        assert board.app.theme == LIGHT.name
        await board.press("down")
        third = board.app.theme
        assert third not in (LIGHT.name, DEFAULT_THEME)
        await board.press("escape")
        assert board.app.theme == DEFAULT_THEME
        await board.press("T", "down", "enter")
        assert board.app.theme == LIGHT.name
        assert board.app.screen is board.main


async def test_the_dashboard_stays_in_sight_while_a_theme_is_chosen():
    async with dashboard() as board:
        await board.press("T")
        assert "running.bin" in board.text()


async def test_what_it_looks_like_is_told_and_taken_again():
    async with dashboard() as board:
        await board.press("s", "s", "S", "d", "T", "down", "enter")
        state = board.app.ui_state
    assert state == UIState(LIGHT.name, SortKey.SIZE, True, {"disk": False})
    app = DashboardApp(some_downloads(), ui_state=state)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert app.ui_state == state
        assert not app.main.disk.display
        assert "Size ↑" in app.export_screenshot().replace("&#160;", " ")


async def test_a_theme_of_an_option_is_for_that_run_and_the_chosen_one_stays():
    chosen = DashboardSettings(theme=LIGHT.name)
    app = DashboardApp(some_downloads(), ui_state=UIState(theme="nord"), chosen=chosen)
    async with app.run_test(size=(120, 36)):
        assert app.theme == LIGHT.name
        assert app.ui_state.theme == "nord"
        app.theme = "gruvbox"  # as T does
        assert app.ui_state.theme == "gruvbox"


async def test_a_theme_that_is_gone_gives_way_to_ours():
    app = DashboardApp(some_downloads(), ui_state=UIState(theme="of-another-version"))
    assert app.theme == DEFAULT_THEME


def test_looks_are_read_back_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path / "new"))
    state = UIState("nord", SortKey.HOST, True, {"log": True, "disk": False})
    save_ui_state(ui_state_path(), state)
    assert load_ui_state(ui_state_path()) == (state, "")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["dashboard.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"]
)
def test_a_broken_file_means_a_first_start_and_is_told(content, tmp_path):
    path = tmp_path / "dashboard.json"
    path.write_bytes(content)
    state, trouble = load_ui_state(path)
    assert state == UIState()
    assert "could not be read" in trouble


@pytest.mark.parametrize(
    "kept",
    [
        {"theme": 1, "sort": "colour", "is_reversed": "yes", "panes": [1]},
        {"panes": {"disk": "open", "attic": True}},
        {"sort": {}, "theme": None},
    ],
)
def test_parts_that_make_no_sense_are_passed_over(kept, tmp_path):
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps(kept))
    assert load_ui_state(path) == (UIState(), "")


def test_none_is_a_first_start_without_a_word(tmp_path):
    assert load_ui_state(tmp_path / "none.json") == (UIState(), "")


def test_a_folder_that_cannot_be_made_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    save_ui_state(tmp_path / "file" / "dashboard.json", UIState())

"""Theme, sort order and panes: changed in the dashboard and kept between runs."""

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


async def test_themes_are_previewed_and_escape_restores_the_old_one():
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


async def test_the_dashboard_stays_visible_while_a_theme_is_chosen():
    async with dashboard() as board:
        await board.press("T")
        assert "running.bin" in board.text()


async def test_the_ui_state_is_saved_and_restored():
    async with dashboard() as board:
        await board.press("s", "z", "d", "T", "down", "enter")
        state = board.app.ui_state
    assert state == UIState(LIGHT.name, {"disk": False})
    app = DashboardApp(some_downloads(), ui_state=state)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert app.ui_state == state
        assert not app.main.disk.display
        sort = app.main.list.model.query.sort
        assert sort is SortKey.ACTIVITY, "the order belongs to one list"


async def test_columns_are_chosen_and_kept():
    async with dashboard(size=(120, 36)) as board:
        assert "Tries" in board.text()
        # Off goes what the cursor is on: the state, which is the first one.
        await board.press("C", "space", "down", "space", "down", "space", "enter")
        assert board.app.screen is board.main
        text = board.text()
        assert ("Got" in text, "Size" in text) == (True, False)
        state = board.app.ui_state
        await board.press("C", "space", "escape")
        assert board.app.ui_state == state
    app = DashboardApp(some_downloads(), ui_state=state)
    async with app.run_test(size=(120, 36)):
        assert "received" in app.columns
        app.set_columns(())
        assert app.ui_state.columns == ()


async def test_a_theme_option_applies_to_one_run_only():
    chosen = DashboardSettings(theme=LIGHT.name)
    app = DashboardApp(some_downloads(), ui_state=UIState(theme="nord"), chosen=chosen)
    async with app.run_test(size=(120, 36)):
        assert app.theme == LIGHT.name
        assert app.ui_state.theme == "nord"
        app.theme = "gruvbox"  # as the theme dialog does
        assert app.ui_state.theme == "gruvbox"


async def test_an_unknown_theme_falls_back_to_the_default():
    app = DashboardApp(some_downloads(), ui_state=UIState(theme="of-another-version"))
    assert app.theme == DEFAULT_THEME


def test_the_ui_state_is_loaded_as_it_was_saved(tmp_path, monkeypatch):
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path / "new"))
    state = UIState("nord", {"log": True, "disk": False})
    save_ui_state(ui_state_path(), state)
    assert load_ui_state(ui_state_path()) == (state, "")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["dashboard.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"]
)
def test_a_broken_file_is_reported_and_the_defaults_are_used(content, tmp_path):
    path = tmp_path / "dashboard.json"
    path.write_bytes(content)
    state, trouble = load_ui_state(path)
    assert state == UIState()
    assert "could not be read" in trouble


@pytest.mark.parametrize(
    "kept",
    [
        {"theme": 1, "panes": [1]},
        {"panes": {"disk": "open", "attic": True}},
        {"sort": "size", "theme": None},
    ],
)
def test_invalid_parts_of_the_file_are_ignored(kept, tmp_path):
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps(kept))
    assert load_ui_state(path) == (UIState(), "")


def test_a_missing_file_means_defaults_without_a_message(tmp_path):
    assert load_ui_state(tmp_path / "none.json") == (UIState(), "")


def test_a_folder_that_cannot_be_created_is_ignored(tmp_path):
    (tmp_path / "file").write_text("")
    save_ui_state(tmp_path / "file" / "dashboard.json", UIState())

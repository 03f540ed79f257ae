"""The settings dialog: search, validation, saving with comments, live effect."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from tests.ui.dashboards import Dashboard, dashboard
from tui.config import registry
from tui.config.document import read_document
from tui.config.precedence import resolve
from tui.config.registry import OPTIONS
from tui.core.service import DashboardService
from tui.core.text.units import format_size, use_units
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.dialogs.settings import SettingsScreen
from tui.ui.live_settings import LIMITS, LiveSettings
from tui.ui.style.theme import THEMES

_FILE = """\
# mine
concurrency = 12  # twelve
limit-rate = "5M"

[keys]
cancel = ["m"]  # x is too near
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.write_text(_FILE)
    monkeypatch.setenv("FETCHTUI_CONFIG", str(path))
    return path


async def opened(board: Dashboard) -> None:
    await board.press("comma")
    assert isinstance(board.app.screen, SettingsScreen)
    await board.app.workers.wait_for_complete()
    await board.wait_idle()


async def change(board: Dashboard, search: str, *keys: str) -> None:
    """Search for a setting, open it, press keys, and wait until it is written."""
    board.app.screen.query_one(Input).value = search  # typing takes a while here
    await board.press("enter", *keys)
    await board.app.workers.wait_for_complete()
    await board.wait_idle()


async def test_a_number_is_changed_written_and_applied_at_once(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "concurrency", "3", "1", "enter")
        assert board.main.service.concurrency == 31
        assert file.read_text() == _FILE.replace("= 12", "= 31")
        assert "concurrency = 31 · saved to" in board.text()


@pytest.mark.parametrize(
    ("key", "typed", "asked"),
    [
        ("per-host", "3", lambda service: service.per_host == 3),
        ("segments", "4", lambda service: service.segments == 4),
        ("limit-rate", "2M", lambda service: service.rate_limit == 2 << 20),
        ("writers", "7", lambda service: service.writers == 7),
    ],
)
async def test_what_the_engine_can_change_is_applied_at_once(file, key, typed, asked):
    async with dashboard() as board:
        await opened(board)
        await change(board, key, *typed, "enter")
        assert asked(board.main.service)
        written = read_document(file.read_bytes(), "config.toml")
        assert not written.problems
        assert key in written.values


@pytest.mark.parametrize("key", sorted(LIMITS))
def test_every_limit_has_a_verb_of_the_service(key):
    assert hasattr(DashboardService, f"set_{registry.find(key).field}")


async def test_an_invalid_value_is_reported_and_nothing_changes(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "concurrency", "0", "enter")
        assert "is not in the range 1 to" in board.text()
        await board.press("escape")
        assert file.read_text() == _FILE
        assert board.main.service.concurrency == 4


async def test_an_empty_value_removes_the_line_and_restores_the_default(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "limit-rate", "delete", "enter")
        assert "limit-rate" not in file.read_text()
        assert "# twelve" in file.read_text()
        assert board.main.service.rate_limit is None


async def test_switches_turn_with_enter_motion_and_ascii_at_once(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "motion")
        assert board.app.animation_level == "none"
        await change(board, "dashboard.ascii")
        assert board.app.is_ascii
        assert board.text().isascii()
        await change(board, "dashboard.ascii")
        assert not board.app.is_ascii
        assert "motion = false" in file.read_text()


async def test_a_theme_is_shown_while_it_is_chosen_and_written(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "dashboard.theme", "up", "enter")
        assert f'theme = "{board.app.theme}"' in file.read_text()


async def test_columns_and_units_change_at_once(file):
    async with dashboard() as board:
        try:
            await opened(board)
            await change(board, "dashboard.columns", "space", "enter")
            assert "columns = [" in file.read_text()
            assert board.app.columns[0] == "size"
            await change(board, "units", "down", "enter")
            assert 'units = "iec"' in file.read_text()
            assert format_size(2048) == "2.00 KiB"
        finally:
            use_units("si")


async def test_a_word_is_chosen_from_a_list_and_counts_from_the_next_start(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "on-exists", "down", "enter")
        assert 'on-exists = "skip"' in file.read_text()
        assert "from the next start" in board.text()


async def test_keys_are_changed_and_work_in_the_same_moment(file):
    async with dashboard(keys={"cancel": ("m",)}) as board:
        await opened(board)
        await change(board, "keys.pause", "n", "enter")
        assert 'pause = ["n"]' in file.read_text()
        await board.press("escape", "n")
        assert board.main.service.calls["pause"] == 1
        await board.press("p")
        assert board.main.service.calls["pause"] == 1


async def test_two_actions_swap_their_keys_in_one_step(file):
    async with dashboard(keys={"cancel": ("m", "x")}) as board:
        await opened(board)
        await change(board, "keys.pause", "m")
        assert "m: Cancel has this key; enter swaps the two" in board.text()
        assert "pause" not in file.read_text()
        await board.press("enter")
        await board.app.workers.wait_for_complete()
        written = file.read_text()
        assert 'pause = ["m"]' in written
        assert 'cancel = ["p", "x"]' in written
        assert board.app.keymap.by_id["cancel"].keys == ("p", "x")
        await board.press("escape")
        assert "p Cancel  m Pause" in board.screen()[-1]
        await board.press("m")
        assert board.main.service.calls["pause"] == 1


async def test_keys_that_cannot_be_bound_are_explained_when_pressed(file):
    async with dashboard() as board:
        await opened(board)
        await change(board, "keys.pause", "ctrl+i")
        assert "tab" in board.text()
        await board.press("escape", "enter", "tab")
        assert isinstance(board.app.screen, PromptScreen), "names can be typed as well"


async def test_each_value_shows_its_source(file):
    given = resolve(
        read_document(_FILE.encode(), "config.toml"),
        environment={"FETCHTUI_PER_HOST": "3"},
    )
    async with dashboard(size=(140, 40)) as board:
        board.main.service.concurrency, board.main.service.per_host = 12, 3
        board.main.service.rate_limit = 5 << 20
        board.app.settings = given
        await opened(board)
        lines = [line.strip(" │▌") for line in board.screen()]

        def source(key: str) -> str:
            return next(line for line in lines if line.startswith(key + " "))

        assert source("concurrency").endswith("config.toml:2")
        assert source("per-host").endswith("FETCHTUI_PER_HOST")
        assert source("segments").endswith("default")
        await board.press("escape", "w")
        await opened(board)
        lines = [line.strip(" │▌") for line in board.screen()]
        assert source("writers").endswith("changed in this session")


async def test_a_concurrency_that_was_measured_is_not_a_change_of_the_user(file):
    async with dashboard(size=(140, 40)) as board:
        board.main.service.set_auto(True)
        board.main.service.concurrency = 19
        await opened(board)
        (line,) = (line for line in board.screen() if " concurrency " in line)
        assert line.rstrip(" │").endswith("chosen by auto")
        await board.press("escape", "plus")
        await opened(board)
        (line,) = (line for line in board.screen() if " concurrency " in line)
        assert line.rstrip(" │").endswith("changed in this session")


async def test_an_invalid_file_is_reported_and_not_changed(file):
    file.write_text("concurrency = = 3")
    async with dashboard() as board:
        await opened(board)
        # After the path of the file, which may be of any length.
        assert "fix this before changing settings here" in board.words()
        await change(board, "concurrency", "3", "enter")
        assert "Not changed" in board.text()
        assert file.read_text() == "concurrency = = 3"
        assert board.main.service.concurrency == 4


async def test_an_unwritable_file_is_reported_and_nothing_changes(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FETCHTUI_CONFIG", str(tmp_path / "file" / "config.toml"))
    async with dashboard() as board:
        await opened(board)
        await change(board, "concurrency", "3", "enter")
        assert "fix the errors in the settings file first" in board.text()
        assert board.main.service.concurrency == 4


async def test_a_change_that_could_not_be_written_has_no_effect(tmp_path, monkeypatch):
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setenv("FETCHTUI_CONFIG", str(folder / "config.toml"))
    async with dashboard() as board:
        await opened(board)
        folder.rmdir()
        folder.write_text("a file where the folder was")
        await change(board, "on-exists", "down", "enter")
        assert "Not changed" in board.text()
        assert board.main.service.concurrency == 4
        folder.unlink()
        folder.mkdir()
        await change(board, "concurrency", "3", "enter")
        assert (folder / "config.toml").read_text().endswith("\nconcurrency = 3\n")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15), (40, 10)])
async def test_it_fits_every_size(file, size):
    async with dashboard(size=size) as board:
        await opened(board)
        board.app.screen.query_one(Input).value = "conc"
        await board.wait_idle()
        assert "concurrency" in board.text()
        assert {len(line) for line in board.screen()} == {size[0]}


async def test_an_unknown_theme_is_reported_until_another_is_chosen(file):
    told = "unknown theme 'nrod'; did you mean 'nord'?"
    async with dashboard(theme="nrod") as board:
        assert board.app.theme == "fetchtui-dark"
        assert board.app.available_themes.keys() == {*THEMES}
        assert told in board.message()
        await opened(board)
        assert told in board.text()
        await change(board, "dashboard.theme", "end", "enter")
        await board.press("escape")
        await opened(board)
        assert told not in board.text()


def test_the_settings_know_the_names_of_all_themes():
    assert registry.THEMES == THEMES


def test_no_hint_gives_its_example_twice():
    for option in OPTIONS:
        assert LiveSettings.hint(option.key).count("such as") <= 1, option.key

"""The save dialog: groups, formats, file name; and saved lists can be read."""

from __future__ import annotations

import json

import pytest

from tests.support.until import until
from tests.ui.dashboards import dashboard, some_downloads
from tests.ui.panes_builders import SIZES, Caller, on_screen, until_shown
from tui.sources.load import load_sources
from tui.sources.writers import ListFormat
from tui.ui.dialogs.save import SaveChoice, SaveScreen

GROUPS = {"All": 1200, "Listed now": 3, "Marked": 0, "Not finished": 7, "Failed": 0}


@pytest.fixture
def service(tmp_path):
    """An engine with some downloads, in a folder of the test."""
    service = some_downloads()
    service.output_dir = str(tmp_path)
    return service


async def until_said(board, text: str) -> None:
    await until(lambda: board.message().startswith(text), 30)


@pytest.mark.parametrize("size", SIZES)
async def test_it_offers_what_there_is_and_every_format(size):
    app = Caller(SaveScreen(GROUPS))
    async with app.run_test(size=size) as pilot:
        text = on_screen(app)
        for word in ("All  1,200", "Listed now  3", "Not finished  7", "JSON Lines"):
            assert word in text
        assert "Marked" not in text
        await pilot.press("down", "tab", "down", "down")
        await pilot.pause()
        assert "for spreadsheets" in on_screen(app)
        await pilot.press("enter")
        await pilot.pause()
    (choice,) = app.answers
    assert choice.group == "Listed now"
    assert choice.format is ListFormat.CSV
    assert choice.path.startswith("list-")
    assert choice.path.endswith(".csv")


async def test_a_name_that_was_typed_keeps_its_stem():
    app = Caller(SaveScreen(GROUPS))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "tab", "ctrl+u", "x", "shift+tab", "down")
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.answers == [SaveChoice("All", ListFormat.TEXT, "x.txt")]


async def test_esc_saves_nothing():
    app = Caller(SaveScreen(GROUPS))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await pilot.pause()
    assert app.answers == [None]


async def test_ctrl_e_saves_the_marked_ones_as_json(tmp_path, service):
    async with dashboard(service) as board:
        await board.press("space", "space", "ctrl+e")
        assert "Marked  2" in on_screen(board.app)
        await board.press("down", "down", "tab", "down", "down", "down", "enter")
        await until_said(board, "Saved 2 as ")
        (saved,) = tmp_path.iterdir()
        assert board.message() == f"Saved 2 as {saved}"
        assert saved.stat().st_mode & 0o777 == 0o600
        written = json.loads(saved.read_text())
        assert [entry["out"] for entry in written] == ["running.bin", "failed.bin"]
        requests, complaints = load_sources([str(saved)], None)
        assert (len(requests), complaints) == (2, [])


async def test_a_file_that_is_there_is_not_replaced(tmp_path, service):
    (tmp_path / "mine.txt").write_text("mine")
    async with dashboard(service) as board:
        await board.press("ctrl+e", "tab", "tab", *["backspace"] * 40, *"mine.txt")
        await board.press("enter")
        await until_said(board, "Could not save the list")
        assert board.message() == (
            "Could not save the list: a file with that name already exists"
        )
    assert (tmp_path / "mine.txt").read_text() == "mine"


async def test_ctrl_o_adds_a_list_and_skips_listed_downloads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = some_downloads()
    there = service.downloads[0].url
    (tmp_path / "new.txt").write_text(f"https://new.example/1\n{there}\n")
    (tmp_path / "bad.txt").write_text("https://new.example/2\nnonsense\n")
    async with dashboard(service) as board:
        await board.press("ctrl+o", *"new")
        await until_shown(board.app, "1 already listed")
        await board.press("enter")
        await until_said(board, "Added 1 download")
        # The message says what is being added, and undo takes back what was.
        await until(lambda: service.downloads[-1].url == "https://new.example/1")
        await until(lambda: board.main.add_queue.is_all_added)
        total = service.snapshot().total
        await board.press("u")
        await until_said(board, "Undid: adding of 1 download")
        assert service.snapshot().total == total - 1
        await board.press("ctrl+o", *"bad", "enter")
        await until_shown(board.app, "+ bad.txt")
        await until_shown(board.app, "1 invalid line")

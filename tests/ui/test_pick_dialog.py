"""The pick dialog: typing, completion, browsing and the preview."""

from __future__ import annotations

import os

import pytest

from tests.support.until import until
from tests.ui.panes_builders import SIZES, Caller, on_screen, until_shown
from tui.ui.dialogs.path_completion import SHOWN, complete, list_folder
from tui.ui.dialogs.pick import PathInput, PickScreen


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with lists, and the working directory."""
    (tmp_path / "lists" / "deep").mkdir(parents=True)
    (tmp_path / "lists" / "one.txt").write_text("https://a.example/1\nnope\n")
    (tmp_path / "lists" / "only.csv").write_text("url\nhttps://a.example/2\n")
    (tmp_path / "lists" / "SHA256SUMS").write_text(f"{'a' * 64}  x\n")
    (tmp_path / "lists" / "photo.jpg").write_bytes(b"\0" * 5000)
    (tmp_path / "lists" / ".hidden.txt").write_text("")
    (tmp_path / "lists" / "evil\x1b[31m.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(typed: str) -> list[str]:
    return [entry.name for entry in list_folder(typed).entries]


async def test_it_opens_in_a_directory_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    app = Caller(PickScreen())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.screen.query_one(PathInput).value == "/"
    monkeypatch.chdir(tmp_path)


def test_a_folder_shows_folders_then_lists_then_the_rest(home):
    everything = ["deep", "one.txt", "only.csv", "SHA256SUMS", "photo.jpg"]
    assert names("lists/") == everything
    assert names(f"{home}/lists/O") == ["one.txt", "only.csv"]
    assert names("lists/.") == [".hidden.txt"]
    assert names("~/no-such-folder-here/") == []


def test_a_pipe_is_not_offered_since_opening_it_could_wait_for_ever(home):
    os.mkfifo("lists/pipe.txt")
    os.symlink("pipe.txt", "lists/to-pipe.txt")
    os.symlink("one.txt", "lists/to-one.txt")
    assert "to-one.txt" in names("lists/")
    assert not [name for name in names("lists/") if "pipe" in name]


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("nowhere/x", "No such file or directory"),
        ("lists/one.txt/x", "Not a directory"),
        ("a\0/b", "no such folder"),
    ],
)
def test_an_unreadable_folder_shows_the_error(home, typed, error):
    assert list_folder(typed).error == error


def test_a_huge_folder_is_cut_and_counted(home):
    for number in range(SHOWN + 7):
        (home / f"f-{number:04}").touch()
    seen = list_folder(f"{home}/f")
    assert (len(seen.entries), seen.more) == (SHOWN, 7)


@pytest.mark.parametrize(
    ("typed", "after"),
    [
        ("lists/o", "lists/on"),
        ("lists/on", "lists/on"),
        ("lists/one", "lists/one.txt"),
        ("lists/D", "lists/deep/"),
        ("lis", "lists/"),
        ("lists/zzz", "lists/zzz"),
    ],
)
def test_tab_writes_what_the_entries_have_in_common(home, typed, after):
    assert complete(typed, list_folder(typed)) == after


@pytest.mark.parametrize("size", SIZES)
async def test_walking_into_a_folder_and_choosing_a_list(home, size):
    app = Caller(PickScreen())
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot.app, "lists/")
        await pilot.press("enter")
        await until_shown(pilot.app, "one.txt")
        assert "\x1b" not in on_screen(app)
        await pilot.press("down")
        await until_shown(pilot.app, "1 to add")
        assert "1 invalid line" in on_screen(app)
        await pilot.press("down")
        await until_shown(pilot.app, "1 to add")
        await pilot.press("up", "pagedown", "pageup", "down", "enter")
        await until(lambda: app.answers, 30)
    picked = app.answers[0]
    assert os.path.basename(picked.path) == "one.txt"
    assert len(picked.preview.requests) == 1
    assert picked.preview.bad_count == 1


async def test_a_path_may_be_typed_and_completed(home):
    app = Caller(PickScreen())
    async with app.run_test(size=(80, 24)) as pilot:
        typed = app.screen.query_one(PathInput)
        typed.value = "lists/onl"
        await until_shown(pilot.app, "only.csv")
        await pilot.press("tab")
        assert typed.value == "lists/only.csv"
        await until_shown(pilot.app, "1 to add")
        typed.value = "lists/zzz"
        await until_shown(pilot.app, "No matching files.")
        await pilot.press("enter")
        await pilot.press("escape")
        await pilot.pause()
    assert app.answers == [None]


async def test_a_file_that_is_not_a_list_shows_why(home):
    app = Caller(PickScreen(folder=str(home / "lists")))
    async with app.run_test(size=(80, 24)) as pilot:
        typed = app.screen.query_one(PathInput)
        typed.value = "lists/photo"
        await until_shown(pilot.app, "photo.jpg")
        await until_shown(pilot.app, "binary data")
        await pilot.press("enter")
        await until(lambda: app.answers, 30)
    assert app.answers[0].preview.bad_count == 1, "the add screen tells what is wrong"

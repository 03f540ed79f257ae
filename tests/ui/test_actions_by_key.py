"""Every action, pressed: the service is called in the same turn, the row repainted."""

from __future__ import annotations

import pytest

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
from tui.core.listing.query import DownloadQuery, SortKey, View
from tui.core.request import DownloadRequest
from tui.core.settings import MAX_CONCURRENCY
from tui.ui.dialogs.add import AddScreen
from tui.ui.dialogs.confirm import QuitScreen
from tui.ui.dialogs.detail import DetailScreen
from tui.ui.dialogs.help import HelpScreen
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.keys.registry import ACTIONS

_S = DownloadState


def on(line: int) -> list[str]:
    """Keys that put the cursor on a line."""
    return ["g", *["j"] * line]


async def test_x_cancels_at_once_and_u_brings_the_same_state_back():
    for line, state in ((RUNNING, _S.QUEUED), (PAUSED, _S.PAUSED), (QUEUED, _S.QUEUED)):
        async with dashboard() as board:
            service = board.main.service
            await board.press(*on(line), "x")
            assert service.downloads[line].state is _S.CANCELLED
            assert "cancelled" in board.screen()[4 + line]
            await board.press("u")
            assert service.downloads[line].state is state
            assert state.word in board.screen()[4 + line]


async def test_x_on_a_finished_download_changes_nothing_and_says_so():
    async with dashboard() as board:
        await board.press(*on(DONE), "x")
        assert board.main.service.calls["cancel"] == 0
        assert board.message() == "Cancel: nothing to cancel here"
        assert board.toasts() == []


async def test_the_row_shows_the_new_state_without_waiting_for_a_tick():
    async with dashboard() as board:
        board.main._timer.stop()
        await board.press("x")
        assert "cancelled" in board.screen()[4]


async def test_p_pauses_and_resumes_and_u_takes_either_back():
    async with dashboard() as board:
        states = board.main.service.downloads
        await board.press("p")
        assert states[RUNNING].state is _S.PAUSED
        await board.press("p")
        assert states[RUNNING].state is _S.QUEUED
        await board.press("u")
        assert states[RUNNING].state is _S.PAUSED
        await board.press("u")
        assert states[RUNNING].state is _S.QUEUED


async def test_r_retries_the_failed_one_and_R_all_of_them():
    async with dashboard() as board:
        service = board.main.service
        await board.press(*on(FAILED), "r")
        assert service.downloads[FAILED].state is _S.QUEUED
        service.fail(FAILED)
        service.fail(QUEUED)
        await board.tick()
        await board.press("R")
        assert service.last == ("retry", [FAILED, QUEUED])


async def test_r_on_a_cancelled_download_queues_it_again():
    async with dashboard() as board:
        await board.press("x", "r")
        assert board.main.service.downloads[RUNNING].state is _S.QUEUED


async def test_plus_and_minus_change_downloads_at_once_and_the_header_shows_it():
    async with dashboard() as board:
        service = board.main.service
        board.main._timer.stop()
        await board.press("plus", "plus", "equals_sign", "minus")
        assert service.concurrency == 6
        assert "1/6" in board.screen()[1]
        await board.press("right_square_bracket")
        assert service.concurrency == 22
        await board.press("left_square_bracket", "left_square_bracket")
        assert service.concurrency == 1
        service.set_concurrency(MAX_CONCURRENCY)
        await board.press("plus")
        assert service.concurrency == MAX_CONCURRENCY


async def test_more_running_than_allowed_is_told_as_draining():
    async with dashboard() as board:
        service = board.main.service
        for number in range(3):
            service.put(f"more-{number}", _S.DOWNLOADING, size=10, speed=1.0)
        service.set_concurrency(2)
        await board.tick()
        assert "draining to 2" in board.screen()[1]
        assert "4/2" in board.screen()[1]


async def test_c_asks_for_the_number_and_refuses_what_is_none():
    async with dashboard() as board:
        await board.press("c")
        assert isinstance(board.app.screen, PromptScreen)
        await board.type("0")
        await board.press("enter")
        assert isinstance(board.app.screen, PromptScreen)
        await board.press("backspace")
        await board.type("64")
        await board.press("enter")
        assert board.main.service.concurrency == 64
        assert "/64" in board.screen()[1]


@pytest.mark.parametrize(
    ("typed", "rate"), [("10M", 10 << 20), ("500k", 500 << 10), ("0", None)]
)
async def test_b_sets_the_rate_limit(typed, rate):
    async with dashboard() as board:
        await board.press("b")
        await board.type(typed)
        await board.press("enter")
        assert board.main.service.last == ("set_rate_limit", rate, None)


async def test_connections_of_the_running_download_change_by_one():
    async with dashboard() as board:
        service = board.main.service
        await board.press("greater_than_sign", "greater_than_sign")
        assert service.connections[RUNNING] == 3
        await board.press(*["less_than_sign"] * 5)
        assert service.connections[RUNNING] == 1


async def test_the_queue_is_reordered_and_moved_back():
    async with dashboard() as board:
        service = board.main.service
        more = [service.put(f"more-{number}") for number in range(3)]
        before = [QUEUED, *more]

        def queue() -> list[int]:
            return service.select(DownloadQuery(View.QUEUED))

        await board.press(*on(QUEUED), "J")
        assert queue() == [more[0], QUEUED, *more[1:]]
        await board.press("K")
        assert queue() == before
        await board.press("J", "J", "F", "F", "K")
        assert queue() == before
        await board.press(*["u"] * 6)
        assert queue() == [more[0], QUEUED, *more[1:]]
        await board.press("u")
        assert queue() == before


async def test_y_copies_the_url_without_its_password():
    async with dashboard() as board:
        board.main.service.downloads[RUNNING].url = "https://ada:secret@host/a.bin"
        await board.press("y")
        assert board.app.clipboard == "https://host/a.bin"


async def test_o_without_a_desktop_gives_the_path(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1")
    async with dashboard() as board:
        await board.press(*on(DONE), "o")
        await board.app.workers.wait_for_complete()
        assert board.app.clipboard == "/home/ada/downloads/done.bin"


async def test_O_without_a_desktop_gives_the_folder(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1")
    async with dashboard() as board:
        await board.press(*on(DONE), "O")
        await board.app.workers.wait_for_complete()
        assert board.app.clipboard == "/home/ada/downloads"


async def test_O_hands_the_folder_to_the_desktop(monkeypatch, tmp_path):
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/opened\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    async with dashboard() as board:
        await board.press(*on(RUNNING), "O")
        await board.app.workers.wait_for_complete()
        assert board.message().startswith("Opening /home/ada/downloads")
    assert (tmp_path / "opened").read_text() == "/home/ada/downloads\n"


async def test_Y_copies_where_the_file_will_be():
    async with dashboard() as board:
        board.main.service.downloads[RUNNING].directory = "isos"
        await board.press("Y")
        name = board.main.service.downloads[RUNNING].name
        assert board.app.clipboard == f"/home/ada/downloads/isos/{name}"
        await board.press("ctrl+a", "Y")
        paths = board.app.clipboard.splitlines()
        assert len(paths) == len(board.main.service.downloads)


async def test_P_holds_everything_and_lets_it_go_on():
    async with dashboard() as board:
        service = board.main.service
        await board.press("P")
        assert service.is_held
        assert "HELD" in board.screen()[0]
        await board.press("P")
        assert not service.is_held


async def test_writers_and_inline_writes():
    async with dashboard() as board:
        service = board.main.service
        await board.press("W", "W", "w")
        assert service.writers == 5
        await board.press("i")
        assert service.is_inline
        await board.press("i")
        assert not service.is_inline


async def test_a_opens_the_editor_and_its_requests_are_added():
    async with dashboard() as board:
        await board.press("a")
        screen = board.app.screen
        assert isinstance(screen, AddScreen)
        screen.dismiss([DownloadRequest(("https://example.org/new.bin",))])
        await board.settle()
        await board.app.workers.wait_for_complete()
        await board.tick()
        assert board.main.service.downloads[-1].name == "new.bin"
        assert "new.bin" in board.text()


async def test_enter_opens_the_details():
    async with dashboard() as board:
        await board.press("enter")
        assert isinstance(board.app.screen, DetailScreen)


async def test_views_by_digit_show_only_their_states():
    async with dashboard() as board:
        for key, view, ids in (
            ("2", View.ACTIVE, [RUNNING]),
            ("3", View.QUEUED, [QUEUED]),
            ("4", View.DONE, [DONE]),
            ("5", View.FAILED, [FAILED]),
            ("6", View.PAUSED, [PAUSED]),
            ("1", View.ALL, [0, 1, 2, 3, 4]),
        ):
            await board.press(key)
            assert board.list.model.query.view is view
            assert board.list.model.listed == ids


async def test_s_goes_through_the_orders_and_S_turns_them_round():
    async with dashboard() as board:
        for key in (*list(SortKey)[1:], SortKey.ADDED):
            await board.press("s")
            assert board.list.model.query.sort is key
        await board.press("S")
        assert board.list.model.ids == [4, 3, 2, 1, 0]


async def test_panes_open_fold_and_zoom():
    async with dashboard() as board:
        main = board.main
        for key, pane in (("d", main.disk), ("t", main.graph)):
            assert pane.display
            await board.press(key)
            assert not pane.display
            await board.press(key)
            assert pane.display
        assert main.log_pane.is_folded
        await board.press("L")
        assert not main.log_pane.is_folded
        await board.press("z")
        assert not main.list.display
        assert main.log_pane.size.height > 20
        await board.press("escape")
        assert main.list.display


async def test_the_cursor_moves_by_line_page_and_end():
    service = some_downloads()
    for number in range(95):
        service.put(f"file-{number}")
    async with dashboard(service, size=(80, 24)) as board:
        page = board.list.size.height - 1
        for keys, line in (
            (["j", "down"], 2),
            (["k", "up", "up"], 0),
            (["pagedown"], page),
            (["ctrl+d", "pageup"], page),
            (["ctrl+u"], 0),
            (["G"], 99),
            (["home"], 0),
            (["end"], 99),
            (["g"], 0),
        ):
            await board.press(*keys)
            assert board.list.model.cursor == line, keys


async def test_help_opens_and_runs_what_is_chosen():
    async with dashboard() as board:
        await board.press("question_mark")
        assert isinstance(board.app.screen, HelpScreen)
        board.app.screen.dismiss("more")
        await board.settle()
        assert board.main.service.concurrency == 5


async def test_the_palette_opens_by_both_keys():
    async with dashboard() as board:
        for key in ("ctrl+p", "colon"):
            await board.press(key)
            assert type(board.app.screen).__name__ == "CommandPalette"
            await board.press("escape")


async def test_ctrl_s_saves_a_picture_in_the_output_directory(tmp_path, monkeypatch):
    async with dashboard() as board:
        snapshot = board.main.service.snapshot
        monkeypatch.setattr(
            board.main.service,
            "snapshot",
            lambda: snapshot()._replace(output_dir=str(tmp_path)),
        )
        await board.tick()
        await board.press("ctrl+s")
        await board.app.workers.wait_for_complete()
        (picture,) = tmp_path.iterdir()
        assert picture.name.startswith("fetchtui-")
        assert "<svg" in picture.read_text()


async def test_q_asks_while_something_runs():
    async with dashboard() as board:
        await board.press("q")
        assert isinstance(board.app.screen, QuitScreen)


async def test_every_action_can_be_pressed_in_an_empty_dashboard():
    async with dashboard(FakeService(), size=(80, 24)) as board:
        for action in ACTIONS:
            if action.id in ("quit", "interrupt", "screenshot"):
                continue
            for key in action.keys:
                await board.press(key)
                if board.app.screen is not board.main:
                    await board.press("escape")
                assert board.app.screen is board.main

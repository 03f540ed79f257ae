"""Keys pressed in the dashboard, and what the screen shows at once."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tests.ui.dashboards import (
    PAUSED,
    QUEUED,
    RUNNING,
    dashboard,
    some_downloads,
)
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import MAX_CONCURRENCY
from tui.ui.dialogs.add import AddScreen
from tui.ui.dialogs.confirm import QuitScreen
from tui.ui.dialogs.detail import DetailScreen
from tui.ui.dialogs.help import HelpScreen
from tui.ui.keys.registry import ACTIONS

_S = DownloadState


def on(line: int) -> list[str]:
    """Return keys that move the cursor to a row."""
    return ["g", *["j"] * line]


async def test_cancel_shows_at_once_and_undo_restores_the_state():
    for line, state in ((RUNNING, _S.QUEUED), (PAUSED, _S.PAUSED), (QUEUED, _S.QUEUED)):
        async with dashboard() as board:
            service = board.main.service
            # In list order, where a row stays where it is.
            await board.press("l", *on(line), "x")
            assert service.downloads[line].state is _S.CANCELLED
            assert "cancelled" in board.screen()[4 + line]
            await board.press("u")
            assert service.downloads[line].state is state
            assert state.word in board.screen()[4 + line]


async def test_a_key_is_drawn_before_anything_else_runs(monkeypatch):
    async with dashboard() as board:
        board.main._timer.stop()
        await board.press("g")
        drawn = []
        display = board.app._display
        monkeypatch.setattr(
            board.app, "_display", lambda *args: drawn.append(args) or display(*args)
        )
        for id in ("cursor_down", "more"):
            board.main._drawn_at_s = 0.0
            drawn.clear()
            board.main.perform(id)
            assert len(drawn) == 1, id
            await board.wait_idle()
            assert len(drawn) == 1, "not once more"


async def test_keys_that_arrive_together_are_drawn_together(monkeypatch):
    async with dashboard() as board:
        board.main._timer.stop()
        drawn = []
        monkeypatch.setattr(board.main, "_on_timer_update", lambda: drawn.append(1))
        # By this clock, all of them take no time.
        monkeypatch.setattr("tui.ui.eager_screen.time.monotonic", lambda: 1000.0)
        for _ in range(20):
            board.main.perform("cursor_down")
        assert len(drawn) == 1


async def test_a_row_shows_its_new_state_before_the_next_tick():
    async with dashboard() as board:
        board.main._timer.stop()
        await board.press("x")
        assert "cancelled" in board.screen()[4]


async def test_plus_and_minus_change_concurrency_and_the_header_shows_it():
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


async def test_the_header_shows_downloads_above_the_limit():
    async with dashboard() as board:
        service = board.main.service
        for number in range(3):
            service.put(f"more-{number}", _S.DOWNLOADING, size=10, speed=1.0)
        service.set_concurrency(2)
        await board.tick()
        assert "finishing" in board.screen()[1]
        assert "4/2" in board.screen()[1]


async def test_the_folder_is_opened_by_the_desktop(monkeypatch, tmp_path):
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


async def test_pause_all_shows_in_the_header_and_toggles():
    async with dashboard() as board:
        service = board.main.service
        await board.press("P")
        assert service.is_queue_paused
        assert "queue paused" in board.screen()[0]
        await board.press("P")
        assert not service.is_queue_paused


async def test_requests_of_the_editor_are_added():
    async with dashboard() as board:
        await board.press("a")
        screen = board.app.screen
        assert isinstance(screen, AddScreen)
        screen.dismiss([DownloadRequest(("https://example.org/new.bin",))])
        await board.wait_idle()
        await board.app.workers.wait_for_complete()
        await board.tick()
        assert board.main.service.downloads[-1].name == "new.bin"
        assert "new.bin" in board.text()


async def test_enter_opens_the_details():
    async with dashboard() as board:
        await board.press("enter")
        assert isinstance(board.app.screen, DetailScreen)


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


async def test_the_cursor_moves_by_row_and_page_and_to_the_ends():
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
        await board.wait_idle()
        assert board.main.service.concurrency == 5


async def test_the_palette_opens_by_both_keys():
    async with dashboard() as board:
        for key in ("ctrl+p", "colon"):
            await board.press(key)
            assert type(board.app.screen).__name__ == "ActionPalette"
            await board.press("escape")


async def test_a_screenshot_is_saved_among_the_pictures(pictures):
    async with dashboard() as board:
        await board.press("ctrl+s")
        await board.app.workers.wait_for_complete()
        (picture,) = pictures.iterdir()
        assert picture.name.startswith("fetchtui-")
        assert "<svg" in picture.read_text()


async def test_quit_asks_while_downloads_run():
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

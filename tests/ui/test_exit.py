"""The ways to quit, each with its exit status and messages."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import (
    PAUSED,
    QUEUED,
    Dashboard,
    dashboard,
    some_downloads,
)
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.ui.dialogs.confirm import QuitScreen
from tui.ui.exit import AfterExit, exit_status

_S = DownloadState


def ended(*states: DownloadState) -> FakeService:
    service = FakeService()
    for number, state in enumerate(states):
        service.put(f"file-{number}", state, size=10, received=10)
    return service


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((_S.DONE, _S.DONE), 0),
        ((), 0),
        ((_S.DONE, _S.FAILED), 1),
        ((_S.DONE, _S.CANCELLED), 0),
        ((_S.DONE, _S.QUEUED), 130),
        ((_S.FAILED, _S.PAUSED), 130),
        ((_S.DOWNLOADING,), 130),
    ],
)
def test_the_exit_status_depends_on_the_states(states, status):
    assert exit_status(ended(*states).snapshot()) == status


async def choose_finish(board: Dashboard) -> None:
    """Answer the question before quitting: end when what runs has ended."""
    await board.press("q")
    board.app.screen.dismiss("finish")
    await board.wait_idle()


async def test_quit_does_not_ask_when_nothing_runs():
    async with dashboard(ended(_S.DONE, _S.FAILED)) as board:
        await board.press("q")
        assert board.app.return_value == 1


async def test_quit_asks_just_after_the_last_download_has_ended(monkeypatch):
    service = ended(_S.DONE)
    id = service.put("last.bin", _S.DOWNLOADING, size=10, received=5)
    async with dashboard(service) as board:
        await board.tick()
        service.finish(id)
        await board.tick()
        monkeypatch.setattr("tui.ui.exit.JUST_ENDED_S", 3600.0)
        await board.press("q")
        assert isinstance(board.app.screen, QuitScreen)
        await board.press("q")
        assert board.app.return_value == 0


async def test_quitting_early_keeps_the_states_and_exits_with_130():
    async with dashboard() as board:
        await board.press("q")
        assert isinstance(board.app.screen, QuitScreen)
        board.app.screen.dismiss("quit")
        await board.wait_idle()
        assert board.app.return_value == 130
        assert board.main.service.downloads[0].state is _S.DOWNLOADING


async def test_ctrl_c_twice_quits_at_once_even_over_a_dialog():
    async with dashboard() as board:
        await board.press("a", "ctrl+c")
        assert isinstance(board.app.screen, QuitScreen)
        await board.press("ctrl+c")
        assert board.app.return_value == 130


async def test_finish_starts_nothing_new_and_quits_when_running_downloads_end():
    service = some_downloads()
    async with dashboard(service) as board:
        await choose_finish(board)
        assert service.downloads[QUEUED].state is _S.PAUSED
        assert board.app.return_value is None
        service.finish(0)
        await board.tick()
        assert board.app.return_value == 130
        assert service.downloads[QUEUED].state is _S.QUEUED, "a later run must start it"
        assert service.downloads[PAUSED].state is _S.PAUSED, "the user paused it"


async def test_finish_is_shown_and_escape_takes_it_back():
    service = some_downloads()
    async with dashboard(service) as board:
        await choose_finish(board)
        await board.tick()
        assert "quits when done" in board.screen()[0]
        await board.press("escape")
        await board.tick()
        assert "quits when done" not in board.screen()[0]
        assert service.downloads[QUEUED].state is _S.QUEUED
        assert service.downloads[PAUSED].state is _S.PAUSED, "the user paused it"
        service.finish(0)
        await board.tick()
        assert board.app.return_value is None


async def test_the_session_learns_what_is_paused_only_until_the_end():
    told: list[set[int]] = []
    async with dashboard() as board:
        board.main.exit_flow.after = AfterExit(
            set_aside=lambda ids: told.append({*ids})
        )
        await choose_finish(board)
        assert told == [{QUEUED}]
        await board.press("escape")
        assert told == [{QUEUED}, set()]


async def test_a_signal_while_finishing_keeps_what_waits_queued():
    service = some_downloads()
    async with dashboard(service) as board:
        await choose_finish(board)
        assert service.downloads[QUEUED].state is _S.PAUSED
        board.app.stop()
        await board.wait_idle()
        assert board.app.return_value == 130
        assert service.downloads[QUEUED].state is _S.QUEUED, "a later run must start it"
        assert service.downloads[PAUSED].state is _S.PAUSED, "the user paused it"


async def test_pausing_everything_while_finishing_does_not_quit():
    service = some_downloads()
    async with dashboard(service) as board:
        await choose_finish(board)
        await board.tick()
        await board.press("P")
        await board.tick()
        assert board.app.return_value is None


async def test_exit_when_done_waits_for_downloads_that_are_still_being_added():
    service = FakeService()
    requests = [DownloadRequest((f"https://example.org/{n}",)) for n in range(3)]
    async with dashboard(service, requests=requests, exit_when_done=True) as board:
        await board.app.workers.wait_for_complete()
        await board.tick()
        assert board.app.return_value is None
        for id in range(3):
            assert board.app.return_value is None
            service.finish(id)
            await board.tick()
        assert board.app.return_value == 0


async def test_exit_when_done_prepares_no_frame_that_nobody_sees(monkeypatch):
    service = FakeService()
    id = service.put("last.bin", DownloadState.DOWNLOADING, size=10, received=5)
    async with dashboard(service, exit_when_done=True) as board:
        refreshed = []
        monkeypatch.setattr(
            board.main.refresh_scheduler, "tick", lambda **_: refreshed.append(1)
        )
        await board.tick()
        assert refreshed
        refreshed.clear()
        service.finish(id)
        await board.tick()
        assert board.app.return_value == 0
        assert not refreshed


async def test_exit_when_done_waits_while_a_download_is_paused():
    service = ended(_S.DONE, _S.PAUSED)
    async with dashboard(service, exit_when_done=True) as board:
        await board.tick()
        assert board.app.return_value is None


async def test_a_signal_exits_with_130():
    async with dashboard() as board:
        board.app.stop()
        await board.wait_idle()
        assert board.app.return_value == 130


async def test_the_subscription_is_closed_with_the_dashboard():
    service = some_downloads()
    async with dashboard(service):
        assert len(service.subscriptions) == 1
    assert not service.subscriptions


async def test_the_hint_promises_no_resume_if_the_session_is_not_saved():
    async with dashboard() as board:
        board.main.exit_flow.after = AfterExit(
            "Progress is saved. Run fetchtui to resume.",
            lambda: "this session is not being saved: x",
        )
        await board.press("q")
        await board.pilot.pause()
        assert "Progress is saved" not in board.text()
        assert "Session not saved; partial files are kept." in board.text()
        assert "Save progress" not in board.text()
        assert len(board.main.exit_flow.hint) <= 80


async def test_the_demo_offers_to_quit_without_saving():
    async with dashboard() as board:
        board.main.exit_flow.after = AfterExit(
            "Demo progress is not saved.", has_session=False
        )
        await board.press("q")
        await board.pilot.pause()
        assert "Demo progress is not saved." in board.text()
        assert "q  Quit" in board.text()
        assert "Save progress" not in board.text()


async def test_the_downloads_can_continue_in_the_background():
    service = some_downloads()
    async with dashboard(service) as board:
        asked = []
        board.main.exit_flow.after = AfterExit(hand_over=lambda: asked.append(1) or "")
        await board.press("q")
        assert "Continue in the background" in "\n".join(board.screen())
        await board.press("b")
        await board.wait_idle()
        assert board.app.return_value == 0
        assert asked == [1]
        assert board.main.exit_flow.hint == ""
    assert service.downloads[0].state is _S.DOWNLOADING


async def test_a_reason_against_the_background_is_shown():
    async with dashboard() as board:
        board.main.exit_flow.after = AfterExit(hand_over=lambda: "the disk is full")
        await board.press("Q")
        await board.tick()
        assert board.app.return_value is None
        assert any(
            "session not saved: the disk is full" in line for line in board.screen()
        )


async def test_the_background_continues_as_soon_as_all_downloads_are_added():
    async with dashboard() as board:
        asked = []
        board.main.exit_flow.after = AfterExit(hand_over=lambda: asked.append(1) or "")
        board.main.add_queue._pending = 1
        await board.press("Q")
        await board.tick()
        assert board.app.return_value is None
        assert any("as soon as all downloads are added" in x for x in board.screen())
        board.main.add_queue._pending = 0
        await board.tick()
        assert board.app.return_value == 0
        assert asked == [1]


async def test_without_a_session_there_is_no_background():
    async with dashboard() as board:
        await board.press("q")
        assert "background" not in "\n".join(board.screen())
        await board.press("b", "escape", "Q")
        await board.tick()
        assert board.app.return_value is None
        assert any("cannot continue in the background" in x for x in board.screen())


async def test_finishing_is_undone_before_the_background_continues():
    service = some_downloads()
    async with dashboard(service) as board:
        board.main.exit_flow.after = AfterExit(hand_over=lambda: "")
        await board.press("q", "f")
        await board.wait_idle()
        assert service.downloads[QUEUED].state is _S.PAUSED
        await board.press("Q")
        await board.wait_idle()
        assert board.app.return_value == 0
        assert service.downloads[QUEUED].state is _S.QUEUED

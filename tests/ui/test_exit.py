"""The ways out, with the exit status of each, and what is said on the way."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard, some_downloads
from tui.core.download import DownloadState
from tui.core.events import Queued, Started
from tui.core.request import DownloadRequest
from tui.ui.dialogs.confirm import QuitScreen
from tui.ui.exit import exit_status
from tui.ui.notifications import FailureDigest
from tui.ui.poller import (
    BUSY_FRAME_S,
    COVERED_FRAME_S,
    FRAME_S,
    IDLE_FRAME_S,
    EnginePoller,
)

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
def test_exit_status_by_what_is_left(states, status):
    assert exit_status(ended(*states).snapshot()) == status


async def test_q_leaves_at_once_when_nothing_runs():
    async with dashboard(ended(_S.DONE, _S.FAILED)) as board:
        await board.press("q")
        assert board.app.return_value == 1


async def test_quit_keeps_the_state_and_ends_with_130():
    async with dashboard() as board:
        await board.press("q")
        assert isinstance(board.app.screen, QuitScreen)
        board.app.screen.dismiss("quit")
        await board.settle()
        assert board.app.return_value == 130
        assert board.main.service.downloads[0].state is _S.DOWNLOADING


async def test_ctrl_c_twice_leaves_at_once_even_over_a_dialog():
    async with dashboard() as board:
        await board.press("a", "ctrl+c")
        assert isinstance(board.app.screen, QuitScreen)
        await board.press("ctrl+c")
        assert board.app.return_value == 130


async def test_finish_lets_what_runs_end_starts_nothing_new_and_then_leaves():
    service = some_downloads()
    async with dashboard(service) as board:
        await board.press("q")
        board.app.screen.dismiss("finish")
        await board.settle()
        assert service.downloads[4].state is _S.PAUSED
        assert board.app.return_value is None
        service.finish(0)
        await board.tick()
        assert board.app.return_value == 130
        assert service.downloads[4].state is _S.QUEUED, "as a later run shall find it"
        assert service.downloads[2].state is _S.PAUSED, "as the person left it"


async def test_exit_when_done_waits_for_the_last_and_for_what_is_still_to_be_added():
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


async def test_exit_when_done_waits_for_a_person_while_something_is_paused():
    service = ended(_S.DONE, _S.PAUSED)
    async with dashboard(service, exit_when_done=True) as board:
        await board.tick()
        assert board.app.return_value is None


async def test_a_signal_leaves_with_130():
    async with dashboard() as board:
        board.app.stop()
        await board.settle()
        assert board.app.return_value == 130


async def test_the_listener_is_closed_with_the_dashboard():
    service = some_downloads()
    async with dashboard(service):
        assert len(service.subscriptions) == 1
    assert not service.subscriptions


async def test_failures_are_told_together_and_the_end_once():
    service = FakeService()
    for number in range(40):
        service.put(f"file-{number}")
    async with dashboard(service) as board:
        for id in range(37):
            service.fail(id, "not_found" if id < 30 else "connect_timeout")
        await board.tick()
        assert board.toasts() == ["37 failed: 30× not found, 7× connect timeout"]
        await board.press("s")
        assert "37 failed" in board.text()
        assert "37 failed" not in board.screen()[-2], "the line that speaks is free"
        for id in range(37, 40):
            service.finish(id)
        await board.tick()
        await board.tick()
        assert board.message().startswith("All done in")
        assert len(board.toasts()) == 1


async def test_what_starts_while_100_are_added_has_its_name_in_the_log():
    service = FakeService()
    async with dashboard(service) as board:
        for number in range(100):
            service.put(f"file-{number}")
            service.push(Queued(number, 0.0))
        service.push(Started(3, 0.0, 1))
        await board.tick()
        assert "file-3  started" in board.text()


def test_one_failure_is_told_with_its_name_and_reason_and_not_at_full_length():
    service = FakeService()
    service.put("a.pdf", error="gone " * 200)
    digest = FailureDigest(service)
    subscription = service.subscribe()
    service.fail(0, "not_found", "gone " * 200)
    digest.add(subscription.drain())
    many, text = digest.take(10.0)
    assert many == 1
    assert text.startswith("a.pdf: gone")
    assert len(text) <= 160
    assert digest.take(20.0) == (0, "")


def test_the_pace_follows_what_there_is_to_do():
    service = FakeService()
    id = service.put("a")
    bridge = EnginePoller(service)
    assert bridge.interval(is_covered=False) == IDLE_FRAME_S
    service.start(id, size=10)
    bridge.poll()
    assert bridge.interval(is_covered=False) == FRAME_S
    assert bridge.interval(is_covered=True) == COVERED_FRAME_S
    service.loop = service.loop._replace(p50_s=0.02)
    bridge.poll()
    assert bridge.interval(is_covered=False) == BUSY_FRAME_S
    service.finish(id)
    bridge.poll()
    assert bridge.interval(is_covered=False) == IDLE_FRAME_S


async def test_no_promise_is_made_that_an_unwritable_state_directory_breaks():
    async with dashboard() as board:
        board.main.exit_flow.resume_hint = "Progress is saved. Run fetchtui to resume."
        board.main.exit_flow.unsaved = lambda: "this session is not being saved: x"
        await board.press("q")
        await board.pilot.pause()
        assert "Progress is saved" not in board.text()
        assert "Session not saved; partial files are kept." in board.text()
        assert len(board.main.exit_flow.hint) <= 80

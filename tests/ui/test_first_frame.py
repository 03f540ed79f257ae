"""The first frame: complete, and not drawn again before anything changes."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard, some_downloads
from tui.core.download import DownloadState
from tui.ui.app import DashboardApp
from tui.ui.bars.filter_bar import FilterBar
from tui.ui.poller import EnginePoller
from tui.ui.ui_state import UIState


@pytest.fixture
def frames(monkeypatch) -> list[str]:
    """Collect the text of each frame that an application draws."""
    frames: list[str] = []
    display = DashboardApp._display

    def record(app, screen, renderable) -> None:
        display(app, screen, renderable)
        strips = screen._compositor.render_strips()
        lines = ["".join(segment.text for segment in strip) for strip in strips]
        frames.append("\n".join(line.rstrip() for line in lines))

    monkeypatch.setattr(DashboardApp, "_display", record)
    return frames


@pytest.mark.parametrize("size", [(120, 36), (90, 25), (60, 15), (30, 8)])
async def test_the_first_frame_is_the_one_that_stays(frames, size):
    service = FakeService(concurrency=4)
    service.put("paused.bin", DownloadState.PAUSED, size=1000, received=100)
    async with dashboard(service, size):
        pass
    assert frames[0].strip()
    assert [text for text in frames if text != frames[0]] == []


async def test_the_first_frame_has_rows_panes_and_keys(frames):
    async with dashboard():
        pass
    for text in ("fetchtui", "running.bin", "Throughput", "idle", "? Help"):
        assert text in frames[0]


async def test_panes_and_the_filter_are_mounted_when_they_are_opened():
    async with dashboard() as board:
        assert not board.main.hosts.is_attached
        assert not board.main.query(FilterBar)
        await board.press("L", "H", "slash", "x")
        order = [widget.id for widget in board.main.children if widget.id]
        assert order.index("panes") < order.index("hosts") < order.index("log")
        assert board.main.filter_bar.input.value == "x"


async def test_a_pane_that_was_open_in_the_last_run_is_in_the_first_frame(frames):
    app = DashboardApp(some_downloads(), ui_state=UIState(panes={"log": True}))
    async with app.run_test(size=(120, 36)):
        pass
    assert "Log [L]" in frames[0]


async def test_handlers_of_keys_are_loaded_by_the_first_key():
    async with dashboard() as board:
        assert board.main.used_actions is None
        await board.press("j")
        assert board.main.used_actions is board.main.actions


async def test_a_session_that_is_restored_at_once_is_drawn_once(monkeypatch):
    polls = []
    poll = EnginePoller.poll

    def record(poller):
        polls.append(1)
        return poll(poller)

    async def restore() -> str:
        return ""

    monkeypatch.setattr(EnginePoller, "poll", record)
    monkeypatch.setattr("tui.ui.poller.FRAME_S", 60.0)
    monkeypatch.setattr("tui.ui.poller.IDLE_FRAME_S", 60.0)
    app = DashboardApp(some_downloads())
    app.main.add_queue.restore = restore
    async with app.run_test() as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert len(polls) == 1
        app.main.add_queue._show_restored()  # as its timer does after a moment
        assert len(polls) == 1

"""The first frame: complete, and not drawn again before anything changes."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard, some_downloads
from tui.core.download import DownloadState
from tui.ui.app import DashboardApp
from tui.ui.bars.filter_bar import FilterBar
from tui.ui.main_screen import MainScreen
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


@pytest.mark.parametrize("rows", [0, 3, 500])
async def test_the_screen_is_laid_out_and_drawn_once_before_downloads_are_added(
    frames, monkeypatch, rows
):
    layouts, drawn = [], []
    refresh_layout, begin = MainScreen._refresh_layout, MainScreen._begin

    def record_layout(screen, *args, **options) -> None:
        layouts.append(1)
        refresh_layout(screen, *args, **options)

    def record_begin(screen) -> None:
        drawn.append((len(layouts), len(frames)))
        begin(screen)

    monkeypatch.setattr(MainScreen, "_refresh_layout", record_layout)
    monkeypatch.setattr(MainScreen, "_begin", record_begin)
    service = FakeService(concurrency=4)
    for number in range(rows):
        service.put(f"{number}.bin", DownloadState.PAUSED, size=1000, received=100)
    async with dashboard(service, (120, 36)) as board:
        assert drawn == [(1, 1)]
        assert board.main.list.vertical_scrollbar.size.height == (
            board.main.list.size.height if rows > 30 else 0
        )


async def test_a_scroll_bar_that_only_the_layout_finds_necessary_is_drawn():
    service = FakeService(concurrency=4)
    for number in range(30):
        service.put(f"{number}.bin", DownloadState.PAUSED, size=1000, received=100)
    async with dashboard(service, (120, 36)) as board:
        listed = board.main.list
        assert listed.size.height < 30 < 36
        assert listed.vertical_scrollbar.size.height == listed.size.height


async def test_what_changes_right_after_the_first_frame_is_drawn(frames, monkeypatch):
    drop = MainScreen._drop_early_requests

    def change(screen) -> None:
        drop(screen)
        screen.notify("Changed")

    monkeypatch.setattr(MainScreen, "_drop_early_requests", change)
    async with dashboard():
        pass
    assert "Changed" not in frames[0]
    assert "Changed" in frames[-1]


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

"""The list on a screen: 100,000 rows at the cost of thirty, and the mouse."""

from __future__ import annotations

import gc

import pytest
from textual.events import MouseScrollDown
from textual.screen import Screen
from textual.strip import Strip

from tests.support.fake_service import FakeService
from tests.ui.dashboards import Dashboard, dashboard, some_downloads
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.ui.app import DashboardApp
from tui.ui.list.model import ListModel

_S = DownloadState


def long_service(number: int) -> FakeService:
    service = FakeService()
    for index in range(number):
        service.put(f"file-{index:06d}.bin")
    for id in range(5):
        service.start(id, size=1 << 20, speed=1000.0)
    return service


async def cost_of_ticks(number: int) -> tuple[int, int, int]:
    """Selects, rows asked for and lines drawn in 20 ticks of a list that moves."""
    service = long_service(number)
    async with dashboard(service, size=(100, 30)) as board:
        board.main._timer.stop()
        drawn = 0
        render_line = board.list.render_line

        def count(y):
            nonlocal drawn
            drawn += 1
            return render_line(y)

        board.list.render_line = count
        asked = service.calls["select"]
        rows = service.rows_asked
        for _ in range(20):
            service.advance(0.1)
            board.main.tick()
            # Its own ticks would be more on a slow machine.
            board.main._timer.stop()
            await board.wait_idle()
        return service.calls["select"] - asked, service.rows_asked - rows, drawn


async def test_frames_of_100_000_rows_cost_what_frames_of_100_do():
    few = await cost_of_ticks(100)
    many = await cost_of_ticks(100_000)
    assert few[0] == many[0] == 0, "nothing is selected again"
    assert many[1] <= few[1] * 1.5
    assert many[2] <= few[2] * 1.5


async def test_only_rows_whose_text_changed_are_drawn_again():
    service = long_service(100)
    async with dashboard(service, size=(100, 30)) as board:
        board.main._timer.stop()
        await board.tick()
        board.main._timer.stop()
        drawn = []
        render_line = board.list.render_line
        board.list.render_line = lambda y: drawn.append(y) or render_line(y)
        service.advance(0.1)
        board.main.tick()
        await board.wait_idle()
        assert drawn
        assert set(drawn) <= set(range(5)), "the five that run"


@pytest.mark.parametrize("rows", [5, 100])
async def test_lines_that_are_drawn_again_leave_nothing_to_the_garbage_collector(rows):
    def strips() -> int:
        return sum(isinstance(one, Strip) for one in gc.get_objects())

    service = long_service(rows)
    async with dashboard(service, size=(100, 30)) as board:
        board.main._timer.stop()
        drawn = []
        render_line = board.list.render_line
        board.list.render_line = lambda y: drawn.append(y) or render_line(y)
        gc.collect()
        gc.disable()
        try:
            before = strips()
            for _ in range(20):
                service.advance(0.1)
                board.main.tick()
                board.main._timer.stop()
                await board.wait_idle()
            assert len(drawn) >= 50
            assert strips() - before < 50
        finally:
            gc.enable()


async def test_a_frame_sends_the_cells_that_changed_and_no_others():
    service = FakeService()
    for id in range(4):
        service.put(f"file-{id}.bin")
        service.start(id, size=1 << 40, speed=1000.0)
    async with dashboard(service, size=(100, 30)) as board:
        board.main._timer.stop()
        board.list.tick(service.snapshot(), is_moving=True)
        board.list.tick(service.snapshot(), is_moving=True)
        await board.wait_idle()
        asked = []
        board.list.refresh = lambda *regions, **_: asked.extend(regions)
        for _ in range(2):
            board.list.tick(service.snapshot(), is_moving=True)
        assert {region.y for region in asked} == set(range(4))
        assert all(region.size == (1, 1) for region in asked), "spinners alone"


async def test_a_row_in_flight_changes_on_every_other_frame_and_at_once_for_a_key():
    service = FakeService()
    for id in range(2):
        service.put(f"file-{id}.bin")
        service.start(id, size=1000, speed=100.0)
    async with dashboard(service, size=(100, 30)) as board:
        board.main._timer.stop()
        writer = board.list._writer
        changed = []
        seen = writer.write([0, 1])
        for _ in range(4):
            service.advance(0.1)
            writer.tick(is_moving=True)
            now = writer.write([0, 1])
            changed.append({id for id in now if now[id] != seen[id]})
            seen = now
        assert changed in ([{0}, {1}] * 2, [{1}, {0}] * 2)
        service.pause([0, 1])
        now = writer.write([0, 1])
        assert all(now[id] != seen[id] for id in (0, 1)), "a state never waits"


async def test_the_end_of_100_000_rows_is_one_key_away():
    async with dashboard(long_service(100_000), size=(80, 24)) as board:
        await board.press("G")
        assert "file-099999.bin" in board.text()
        await board.press("g")
        assert "file-000000.bin" in board.text()


async def test_a_long_list_is_not_called_empty_until_its_order_is_known(monkeypatch):
    monkeypatch.setattr(ListModel, "work", lambda _model: False)
    app = DashboardApp(long_service(10), (), "list.txt")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        text = Dashboard(app, pilot).text()
        assert "No downloads yet" not in text
        assert "Reading the list…" in text


async def test_requests_are_added_after_the_first_paint():
    service = FakeService()
    urls = (f"https://example.org/{n}.bin" for n in range(5_000))
    requests = [DownloadRequest((url,)) for url in urls]
    async with dashboard(service, requests=requests) as board:
        await board.app.workers.wait_for_complete()
        await board.tick()
        assert len(service.downloads) == 5_000
        assert service.calls["add"] > 1, "in slices"
        assert board.list.model.ids[:2] == [0, 1]


async def test_the_wheel_scrolls_and_takes_the_cursor_along():
    async with dashboard(long_service(500), size=(80, 24)) as board:
        for _ in range(4):
            await board.pilot._post_mouse_events(
                [MouseScrollDown], widget=board.list, offset=(5, 5)
            )
        await board.wait_idle()
        top = board.list.scroll_offset.y
        assert top == 12
        assert board.list.model.cursor == top


async def test_a_click_moves_the_cursor_and_two_open_the_details():
    async with dashboard(size=(120, 36)) as board:
        await board.pilot.click(board.list, offset=(10, 3))
        assert board.list.model.cursor_id == 3
        await board.pilot.click(board.list, offset=(10, 2), times=2)
        await board.wait_idle()
        assert type(board.app.screen).__name__ == "DetailScreen"


async def test_a_click_on_a_heading_sorts_and_again_turns_round():
    async with dashboard(size=(120, 36)) as board:
        heading = board.main.heading
        at = board.screen()[3].index("Name")
        await board.pilot.click(heading, offset=(at, 0))
        assert board.list.model.ids == [4, 1, 2, 3, 0]
        await board.pilot.click(heading, offset=(at, 0))
        assert board.list.model.ids == [0, 3, 2, 1, 4]
        assert "Name ↓" in board.screen()[3]


async def test_a_row_stays_under_the_cursor_while_the_list_grows_above_it():
    service = some_downloads()
    async with dashboard(service, size=(120, 36)) as board:
        await board.press("s", "n")
        await board.press("G")
        assert board.list.cursor_row.name == "running.bin"
        service.put("aaa.bin")
        board.list.model._moved_at_s -= 5
        board.list.model._next_at_s = 0
        await board.tick()
        assert board.list.cursor_row.name == "running.bin"
        cursor = [line for line in board.screen() if line.startswith("▌")]
        assert len(cursor) == 1
        assert "running.bin" in cursor[0]


@pytest.mark.parametrize("size", [(120, 36), (60, 15)])
async def test_an_empty_list_says_what_to_do(size):
    async with dashboard(FakeService(), size=size) as board:
        assert "No downloads yet" in board.text()
        assert "press a to type" in board.text()


async def test_a_list_whose_downloads_are_all_removed_says_what_to_do():
    service = FakeService()
    requests = [DownloadRequest(("https://example.org/a.bin",))]
    async with dashboard(service, requests=requests) as board:
        await board.app.workers.wait_for_complete()
        service.start(0, size=1)
        service.finish(0)
        service.remove([0])
        board.main.show_new_rows()
        await board.pilot.pause()
        assert "No downloads yet" in board.text()


async def test_text_from_outside_is_drawn_literally():
    service = FakeService()
    service.put("[red]x[/red]\x1b[31m漢字.bin", _S.DOWNLOADING, size=10)
    service.put("\x1b]0;owned\x07", _S.FAILED, error="[bold]\x1b[2J")
    async with dashboard(service) as board:
        await board.tick()
        text = board.text()
        assert "[red]x[/red]" in text
        assert "漢字.bin" in text
        assert "\x1b" not in text
        assert "\x07" not in text


async def test_new_rows_ask_for_no_layout_but_move_the_scroll_bar(monkeypatch):
    service = FakeService(concurrency=4)
    for number in range(100):
        service.put(f"file-{number}.bin", DownloadState.QUEUED)
    async with dashboard(service) as board:
        layouts = []
        lay_out = Screen._refresh_layout
        monkeypatch.setattr(
            Screen,
            "_refresh_layout",
            lambda *args, **kw: layouts.append(args) or lay_out(*args, **kw),
        )
        service.put("last.bin", DownloadState.QUEUED)
        await board.tick()
        assert board.list.vertical_scrollbar.window_virtual_size == 101
        assert layouts == []
        await board.press("end")
        assert "last.bin" in board.text()

"""The dashboard at every size: no overlap, no cut lines, no errors."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.support.fake_service import FakeService
from tests.support.lines import line_text
from tests.ui.dashboards import dashboard
from tests.ui.sample_state import sample_events, sample_service
from tui.core.download import DownloadState
from tui.ui.app import _SHEETS
from tui.ui.keys.registry import ACTIONS
from tui.ui.panes.disk import DiskPane
from tui.ui.panes.layout import PANES, Breakpoint, PaneLayout, breakpoint_for
from tui.ui.style.theme import palette_of

_S = DownloadState
SIZES = [(120, 36), (80, 24), (60, 15), (40, 10), (200, 60), (39, 9), (100, 30)]


@pytest.mark.parametrize("size", SIZES)
async def test_every_line_is_as_wide_as_the_terminal(size):
    service = sample_service()
    async with dashboard(service, size=size) as board:
        sample_events(service)
        await board.tick()
        lines = board.screen()
        assert len(lines) == size[1]
        assert {cell_len(line) for line in lines} == {size[0]}


@pytest.mark.parametrize("size", [s for s in SIZES if s[0] >= 40])
async def test_the_footer_shows_whole_keys_and_always_help_and_quit(size):
    async with dashboard(sample_service(), size=size) as board:
        footer = board.screen()[-1]
        assert "? Help" in footer
        assert "q Quit" in footer
        assert "…" not in footer
        labels = {action.label for action in ACTIONS if action.label}
        for part in footer.split("  "):
            words = part.strip().split(" ", 1)
            assert not part.strip() or words[1] in labels


@pytest.mark.parametrize("size", SIZES)
async def test_keys_work_at_every_size(size):
    service = sample_service()
    async with dashboard(service, size=size) as board:
        await board.press("plus", "d", "t", "L", "z", "z", "d", "x", "u", "s", "2", "1")
        assert service.concurrency == 13
        is_seen = board.list.display
        assert (service.calls["cancel"] == 1) == is_seen, "only visible rows"


async def test_no_key_acts_on_a_row_behind_a_zoomed_pane():
    service = sample_service()
    async with dashboard(service, size=(120, 36)) as board:
        await board.press("d", "d", "z", "x")
        assert service.calls["cancel"] == 0
        await board.press("z", "x")
        assert service.calls["cancel"] == 1


async def test_at_120x36_three_panes_are_side_by_side():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        main = board.main
        panes = [main.graph, main.disk, main.detail]
        assert len({pane.region.y for pane in panes}) == 1
        assert not any(pane.is_folded for pane in panes)
        assert main.list.size.height >= 20
        assert main.log_pane.is_folded


async def test_at_80x24_panes_are_one_line_each_and_open_on_demand():
    async with dashboard(sample_service(), size=(80, 24)) as board:
        main = board.main
        panes = [main.graph, main.disk, main.detail]
        assert [pane.region.height for pane in panes] == [1, 1, 1]
        await board.press("d")
        assert main.disk.region.height >= 6
        assert not main.disk.is_folded
        await board.press("d")
        assert main.disk.region.height == 1


async def test_at_60x15_only_the_disk_line_remains():
    async with dashboard(sample_service(), size=(60, 15)) as board:
        main = board.main
        assert main.disk.display
        assert not main.graph.display
        assert not main.tabs.display
        assert main.list.size.height == 11


async def test_below_40x10_one_line_shows_the_totals():
    service = sample_service()
    async with dashboard(service, size=(39, 5)) as board:
        lines = [line for line in board.screen() if line.strip()]
        assert len(lines) == 1
        assert "37.5%" in lines[0]
        await board.press("plus")
        assert service.concurrency == 13


async def test_a_resize_changes_the_layout_at_once():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        for size in ((60, 15), (30, 6), (200, 60), (80, 24)):
            await board.pilot.resize_terminal(*size)
            await board.wait_idle()
            assert {cell_len(line) for line in board.screen()} == {size[0]}
        assert board.main.graph.is_folded


def test_breakpoints_by_size():
    assert breakpoint_for(120, 36) is Breakpoint.FULL
    assert breakpoint_for(200, 20) is Breakpoint.FOLDED
    assert breakpoint_for(80, 24) is Breakpoint.FOLDED
    assert breakpoint_for(60, 15) is Breakpoint.BARE
    assert breakpoint_for(40, 10) is Breakpoint.BARE
    assert breakpoint_for(39, 40) is Breakpoint.LINE


def test_a_closed_pane_stays_closed_in_every_size_until_it_is_opened():
    board = PaneLayout()
    board.toggle("disk", Breakpoint.FULL)
    assert not board.arrange(120, 36)["disk"].is_shown
    assert board.arrange(80, 24)["disk"].is_folded
    board.toggle("disk", Breakpoint.FULL)
    assert board.arrange(120, 36)["disk"].is_shown


def test_while_zoomed_another_pane_key_zooms_that_one():
    board = PaneLayout()
    board.zoom()
    board.toggle("log", Breakpoint.FULL)
    places = board.arrange(120, 36)
    assert [pane for pane in PANES if places[pane].is_shown] == ["log"]
    board.toggle("log", Breakpoint.FULL)
    assert not board.zoomed


async def test_every_theme_distinguishes_failed_waiting_and_active():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        for name in board.app.available_themes:
            board.app.theme = name
            palette = palette_of(board.app)
            assert len({palette.failed, palette.waiting, palette.active}) == 3, name
            await board.wait_idle()
            assert "downloading" in board.text()


async def test_ascii_mode_draws_only_ascii(monkeypatch):
    monkeypatch.setenv("FETCHTUI_ASCII", "1")
    service = FakeService()
    for state in _S:
        service.put(f"{state.word}.bin", state, size=1000, received=500, speed=10.0)
    async with dashboard(service, size=(120, 36)) as board:
        await board.tick()
        top = board.screen()[: 4 + len(_S)]
        assert [line for line in top if not line.isascii()] == []
        assert board.screen()[-1].isascii()


async def test_the_spinner_is_static_without_motion(monkeypatch):
    service = FakeService()
    service.put("a", _S.DOWNLOADING, size=None, received=5)
    async with dashboard(service) as board:
        board.app.animation_level = "none"
        await board.tick()
        before = board.screen()[4]
        for _ in range(3):
            await board.tick()
        assert board.screen()[4] == before


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (40, 10), (69, 17), (99, 29)])
@pytest.mark.parametrize("keys", ["dLt", "tdL", "Ldt", "dtL"])
async def test_the_list_keeps_rows_however_many_panes_are_opened(size, keys):
    async with dashboard(sample_service(), size=size) as board:
        await board.press(*keys)
        await board.pilot.pause()
        assert board.list.size.height >= (4 if size[1] > 10 else 3)
        last = {"d": board.main.disk, "L": board.main.log_pane, "t": board.main.graph}
        pane = last[keys[-1]]
        assert pane.display
        assert not pane.is_folded
        assert board.screen()[-1].strip()


async def test_closing_a_pane_unfolds_the_one_opened_before():
    async with dashboard(sample_service(), size=(60, 15)) as board:
        await board.press("d", "t", "t")
        await board.pilot.pause()
        assert not board.main.disk.is_folded


async def test_a_dialog_has_its_own_width_when_all_sheets_were_read_ahead():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        sheets = sorted(_SHEETS.glob("*.tcss"))
        for _ in sheets:
            board.app._read_sheets()
        assert all(board.app.stylesheet.has_source(str(path)) for path in sheets)
        await board.press("s")
        assert board.app.screen.query_one("#box").outer_size.width == 48


async def test_at_100_columns_the_disk_pane_cuts_nothing():
    async with dashboard(sample_service(), size=(100, 30)) as board:
        pane = board.main.query_one(DiskPane)
        words = [line_text(line) for line in pane.body(pane.size.width - 4, 5)]
        assert not [line for line in words[-2:] if "…" in line]
        assert "[slow]" in board.text()

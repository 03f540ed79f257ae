"""The throughput pane: graph, figures, loop lag, and its folded form."""

from __future__ import annotations

import re

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import MB, HandClock, PaneApp, drawn, engine
from tui.core.download import DownloadState
from tui.ui.panes.throughput import ThroughputGraph


async def shown(snapshot, size=(40, 8), is_folded=False, is_ascii=False) -> list[str]:
    pane = ThroughputGraph(monotonic=HandClock())
    async with PaneApp(pane, is_ascii=is_ascii).run_test(size=size) as pilot:
        pane.is_folded = is_folded
        pane.show(snapshot)
        await pilot.pause()
        return drawn(pane)


async def test_it_draws_axis_graph_and_figures():
    lines = await shown(engine(), size=(60, 10))
    text = "\n".join(lines)
    assert "Throughput [t]" in lines[0]
    assert lines[1].startswith("│ 500 MB┤")
    assert "250 MB┤" in text
    assert "⣿⣿" in text
    assert "now 342 MB/s  avg 318 MB/s  peak 412 MB/s" in text


async def test_the_corner_says_how_many_seconds_are_seen():
    assert "58 s" in (await shown(engine()))[0]
    assert "89 s" in (await shown(engine(), size=(100, 8)))[0]
    assert " s ─╮" not in (await shown(engine(history=())))[0]


async def test_with_little_room_the_figures_stay():
    text = "\n".join(await shown(engine(), size=(40, 4)))
    assert "342 MB/s" in text


@pytest.mark.parametrize("history", [(), (0.0, 0.0)])
async def test_nothing_downloaded_yet_draws_no_graph_and_no_axis(history):
    empty = engine(history=history, speed=0.0, average=0.0, peak=0.0)
    lines = await shown(empty, size=(40, 8))
    assert "now 0 B/s" in lines[-2]
    assert all(not line.strip("│ ") for line in lines[1:-2])


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_folded_it_is_a_spark_between_name_and_speed(width):
    (line,) = await shown(engine(), size=(width, 15), is_folded=True)
    assert len(line) == width
    assert line.startswith(" net ")
    assert "342 MB/s" in line
    assert "▇" in line


async def test_ascii_mode_draws_only_ascii():
    lines = await shown(engine(), is_ascii=True)
    assert all(line.isascii() for line in lines)
    assert "#" in "".join(lines)


async def test_the_axis_stays_while_the_speed_dips():
    clock = HandClock()
    pane = ThroughputGraph(monotonic=clock)
    async with PaneApp(pane).run_test(size=(40, 8)):
        pane.show(engine())
        pane.show(engine(history=(40.0 * MB,) * 60))
        assert "500 MB" in drawn(pane)[1]
        clock.now_s += 10
        pane.show(engine(history=(40.0 * MB,) * 60))
        assert "50 MB" in drawn(pane)[1]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_header_and_pane_show_the_same_speed_at_every_moment(size):
    service = FakeService()
    id = service.put("a", DownloadState.DOWNLOADING, size=10**9, speed=1.0)
    async with dashboard(service, size) as board:
        for megabytes in range(10, 22):
            service.speeds[id] = megabytes * MB
            await board.tick()
            header, *others = board.screen()
            (speed,) = re.findall(r"([0-9.]+ M?B/s)   ETA", header)
            shown = [line for line in others if " net " in line or " now " in line]
            assert len(shown) == 1
            assert speed in shown[0]

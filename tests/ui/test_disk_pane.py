"""The disk pane: writer threads, queue, buffer, latency, loop lag, and buttons."""

from __future__ import annotations

import pytest

from tests.support.lines import line_text
from tests.ui.panes_builders import (
    HOSTILE,
    IDLE,
    MB,
    HandClock,
    PaneApp,
    disk,
    drawn,
    engine,
    loop,
    slot,
)
from tui.ui.panes.disk import BOTTLENECK, DiskPane
from tui.ui.panes.disk_lines import (
    comparison_line,
    history_lines,
    worker_line,
    worker_lines,
    write_line,
)
from tui.ui.panes.lag_comparison import Comparison, LagComparison
from tui.ui.panes.pane import line_width

INLINE = {"is_inline": True, "workers": (IDLE,) * 4}


class DiskPaneApp(PaneApp):
    """Records the pane's messages."""

    def __init__(self, pane: DiskPane, **options) -> None:
        super().__init__(pane, **options)
        self.requests: list[object] = []

    def on_disk_pane_writers_changed(self, message: DiskPane.WritersChanged) -> None:
        self.requests.append(message.delta)

    def on_disk_pane_inline_toggled(self) -> None:
        self.requests.append("inline")

    def on_disk_pane_slow_disk_toggled(self) -> None:
        self.requests.append("slow disk")


async def shown(*snapshots, size=(60, 13), seconds=1.0, is_ascii=False) -> str:
    """Show snapshots one after another and return the pane as text."""
    clock = HandClock()
    pane = DiskPane(monotonic=clock)
    async with PaneApp(pane, is_ascii=is_ascii).run_test(size=size):
        for snapshot in snapshots:
            pane.show(snapshot)
            clock.now_s += seconds
        return "\n".join(drawn(pane))


async def test_every_thread_has_a_line_with_operation_bytes_file_and_time():
    lines = (await shown(engine(), size=(84, 13))).split("\n")
    assert "1 ⠙ write  1.00 MB  train-00017-of-00512.parquet" in lines[1]
    assert "9.0 ms" in lines[1]
    assert "3 ⠙ sync" in lines[3]
    assert "SHA256SUMS +11" in lines[3]
    assert "4 · idle" in lines[4]


async def test_the_figures_show_queue_buffer_speed_latency_batching_and_lag():
    text = await shown(engine())
    for fact in (
        "3 waiting",
        "buffered ",
        "3.00 MB of 64.0 MB",
        "339 MB/s",
        "p50 8.1 p99 31 ms",
        "ops per call 4.2",
        "sync p99 12 ms",
        "loop p50 0.4 ms  p99 9.1 ms",
        "executor 4",
    ):
        assert fact in text


@pytest.mark.parametrize("height", [6, 8, 10, 13, 20])
@pytest.mark.parametrize("width", [40, 60, 120])
async def test_speed_latency_and_lag_are_shown_at_every_size(width, height):
    text = await shown(engine(), size=(width, height))
    assert "339 MB/s" in text
    assert "31 ms" in text
    assert "9.1 ms" in text
    assert {len(line) for line in text.split("\n")} == {width}


async def test_threads_that_do_not_fit_are_counted_busy_ones_are_shown():
    slots = (IDLE, slot(name="busy-one")) * 8
    text = await shown(engine(disk=disk(workers=slots, writers=16)), size=(60, 10))
    assert "busy-one" in text
    assert "… 11 more, 3 busy" in text
    assert " 1 · idle" not in text


async def test_the_queue_graph_grows_with_time_and_keeps_bursts():
    snapshots = [engine(disk=disk(queued=n)) for n in (1, 8, 0, 4)]
    text = await shown(*snapshots)
    assert "▁█ ▄" in text
    # Four snapshots within half a second share a column, which shows the maximum.
    text = await shown(*snapshots, seconds=0.1)
    assert "  █" in text
    assert "▁█" not in text


async def test_a_disk_that_cannot_keep_up_is_reported_after_a_second():
    full = engine(disk=disk(in_flight=64 * MB))
    assert BOTTLENECK not in await shown(full)
    assert BOTTLENECK in await shown(full, full)
    assert BOTTLENECK not in await shown(full, full, engine())


def series(number: int, lag_s: float, batches: int, **fields) -> list:
    """Return snapshots of consecutive seconds in which something is written."""
    lags = loop(history_s=(lag_s,))
    return [
        engine(disk=disk(batches=batches + i, **fields), loop=lags)
        for i in range(1, number + 1)
    ]


async def test_inline_writes_are_marked_and_compared_once_both_are_measured():
    before = series(6, 0.0091, 0)
    text = await shown(*before, *series(2, 0.34, 10, **INLINE))
    assert "INLINE (blocks the loop!)" in text
    assert "executor 9.1 ms → inline measuring" in text
    assert "[to executor]" in text
    inline = series(8, 0.34, 10, **INLINE)
    assert "executor 9.1 ms → inline 340 ms" in await shown(*before, *inline)
    after = series(8, 0.0091, 30)
    text = await shown(*before, *inline, *after)
    assert "inline 340 ms → executor 9.1 ms" in text
    assert "INLINE" not in text


async def test_lag_is_compared_only_while_something_is_written():
    still = [engine(disk=disk(**INLINE), loop=loop(history_s=(0.3,)))] * 10
    assert "inline measuring" in await shown(*series(6, 0.01, 0), *still)


async def test_similar_lags_suggest_the_slow_disk():
    both = [*series(6, 0.011, 0), *series(8, 0.012, 10, **INLINE)]
    text = await shown(*both, size=(90, 13))
    assert "executor 11 ms → inline 12 ms  similar; I slows the disk" in text


async def test_a_change_of_the_disk_starts_the_comparison_again():
    both = [*series(6, 0.01, 0), *series(8, 0.011, 10, **INLINE)]
    slow = series(8, 0.06, 30, delay_s=0.05, **INLINE)
    text = await shown(*both, *slow, size=(90, 13))
    assert "slow disk +50 ms" in text
    assert "[real disk]" in text
    assert "executor not measured → inline 60 ms" in text


async def test_each_thread_shows_the_fraction_of_time_in_which_it_was_busy():
    def at(*busy_s: float):
        return engine(disk=disk(workers=tuple(IDLE._replace(busy_s=s) for s in busy_s)))

    text = await shown(at(10, 0, 0, 5), at(10.5, 0, 0, 6), size=(60, 13))
    lines = text.split("\n")
    assert [line.rstrip(" │")[-4:] for line in lines[1:5]] == [
        " 50%",
        "  0%",
        "  0%",
        "100%",
    ]
    assert "━━━───" in lines[1]


async def test_a_late_loop_is_shown_against_at_least_fifty_milliseconds():
    calm = await shown(engine(loop=loop(history_s=(0.001,) * 60)), size=(80, 14))
    assert "▁▁▁▁" in calm
    late = loop(p99_s=0.3, history_s=(0.3,) * 60)
    assert "████" in await shown(engine(loop=late), size=(80, 14))


async def test_the_inline_warning_fits_in_a_narrow_pane():
    text = await shown(engine(disk=disk(**INLINE)), size=(40, 8))
    assert "INLINE blocks the loop!" in text


@pytest.mark.parametrize("is_inline", [False, True])
@pytest.mark.parametrize("width", [36, 45, 60])
def test_a_comparison_of_which_nothing_is_measured_is_not_cut(is_inline, width):
    line = comparison_line(Comparison(is_inline, None, None), width)
    assert line_width(line) <= width
    assert line[-1].text == "measuring"


@pytest.mark.parametrize("is_inline", [False, True])
@pytest.mark.parametrize("lag_s", [0.0091, 0.029, 0.346, 12.5])
def test_a_comparison_of_which_one_side_is_measured_is_not_cut(is_inline, lag_s):
    sides = (lag_s, None) if is_inline else (None, lag_s)
    line = comparison_line(Comparison(is_inline, *sides), 36)
    assert line_width(line) <= 36
    assert line[-1].text == "measuring"


def test_the_comparison_ends_a_minute_after_inline_writes():
    comparison = LagComparison()
    assert comparison.update(disk(), 0.01, 0) is None
    assert comparison.update(disk(**INLINE), 0.3, 1) == (True, None, None)
    assert comparison.update(disk(**INLINE), 0.4, 500) == (True, None, None)
    assert comparison.update(disk(), 0.02, 560) == (False, None, None)
    assert comparison.update(disk(), 0.02, 561) is None


async def test_buttons_ask_for_writers_and_for_inline():
    pane = DiskPane()
    app = DiskPaneApp(pane)
    async with app.run_test(size=(60, 12)) as pilot:
        pane.show(engine())
        await pilot.pause()
        foot = drawn(pane)[-1]
        for button in ("[-]", "[+]", "[inline]", "[slow disk]"):
            await pilot.click(pane, offset=(foot.index(button) + 1, 11))
        await pilot.click(pane, offset=(foot.index("writers"), 11))
        assert app.requests == [-1, 1, "inline", "slow disk"]


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_folded_it_is_one_line_of_the_main_figures(width):
    pane = DiskPane()
    async with PaneApp(pane).run_test(size=(width, 15)) as pilot:
        pane.is_folded = True
        pane.show(engine())
        await pilot.pause()
        (line,) = drawn(pane)
    assert len(line) == width
    for fact in ("disk", "339 MB/s", "4 writers", "queue 3", "p99 31 ms"):
        assert fact in line


async def test_ascii_mode_draws_only_ascii():
    full = engine(disk=disk(in_flight=64 * MB, workers=(slot(name=HOSTILE),)))
    assert (await shown(full, full, is_ascii=True)).isascii()


@pytest.mark.parametrize("width", [10, 20, 36, 56, 116])
@pytest.mark.parametrize("operations", [1, 2, 12_000])
def test_thread_lines_are_as_wide_as_the_pane(width, operations):
    line = worker_line(3, slot(operations=operations), max(width, 20), 2, "⠋")
    assert line_width(line) == max(width, 20)


def test_hostile_names_are_sanitized():
    text = line_text(worker_line(1, slot(name=HOSTILE), 100, 1, "⠋"))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]bold[/red]" in text


def test_without_space_there_are_no_lines():
    assert worker_lines((slot(),) * 3, 40, 0, "⠋") == []


async def test_a_tall_pane_draws_and_explains_the_history():
    slow = engine(loop=loop(history_s=(0.002,) * 80 + (0.3,) * 40))
    text = await shown(slow, slow, size=(114, 34))
    assert "Loop lag worst per half second" in text
    assert "500 ms┤" in text
    assert "Queue operations waiting" in text
    assert "10┤" in text
    assert "i again to stop" in text


async def test_the_body_never_exceeds_its_height():
    pane = DiskPane(monotonic=HandClock())
    async with PaneApp(pane).run_test(size=(60, 13)):
        pane.show(engine())
        for width in (34, 56, 110):
            for height in range(6, 45):
                assert len(pane.body(width, height)) <= height


@pytest.mark.parametrize("height", range(9, 40))
def test_the_graphs_never_exceed_their_height(height):
    assert len(history_lines((0.1,) * 99, [3] * 99, 60, height)) <= height


@pytest.mark.parametrize("width", [24, 30, 36])
def test_no_figure_of_the_writes_is_cut(width):
    text = line_text(write_line(disk(speed=123_456_789.0, p99_s=0.0123), width))
    assert "123 MB/s" in text
    assert "p99 12 ms" in text
    assert "…" not in text

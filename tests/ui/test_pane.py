"""The base class of panes: frames, clipping, clicks, and minimal repaints."""

from __future__ import annotations

import pytest

from tests.support.lines import line_text
from tests.ui.panes_builders import PaneApp, drawn
from tui.ui.keys.registry import BY_ID
from tui.ui.panes.detail import DetailPane
from tui.ui.panes.disk import DiskPane
from tui.ui.panes.disk_lines import explanation
from tui.ui.panes.event_log import EventLog
from tui.ui.panes.pane import Line, Pane, Span, clip, justify, line_width, to_ascii
from tui.ui.panes.throughput import ThroughputGraph
from tui.ui.style.format import cells
from tui.ui.style.theme import LIGHT


class Board(Pane):
    """Shows what a test puts on it and notes what was pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Line] = [[Span("one")], [Span("two")], [Span("three")]]
        self.presses: list[str] = []

    def title(self) -> Line:
        return [Span("Board [b]", "title")]

    def corner(self) -> Line:
        return [Span("right")]

    def foot(self) -> Line:
        return [Span("[-]", "key", "fewer"), Span(" "), Span("[+]", "key", "more")]

    def body(self, width: int, height: int) -> list[Line]:
        return self.rows

    def folded(self, width: int) -> Line:
        return [Span("folded"), Span("…" * width)]

    def pressed(self, action: str) -> None:
        self.presses.append(action)


def test_clip_cuts_to_the_cell_and_says_that_it_did():
    line = [Span("hello "), Span("world", "key")]
    assert line_text(clip(line, 20)) == "hello world"
    assert line_text(clip(line, 11)) == "hello world"
    assert line_text(clip(line, 8)) == "hello w…"
    assert line_text(clip(line, 6)) == "hello…"
    assert clip(line, 0) == []


def test_wide_characters_never_overrun_a_line():
    line = [Span("漢字漢字"), Span("🎉🎉")]
    for width in range(14):
        assert line_width(clip(line, width)) <= width
        assert line_width(justify(line, [Span("x")], max(1, width))) == max(1, width)


def test_the_right_half_of_a_line_stays_whole():
    line = justify([Span("a long name of a file")], [Span("9 ms")], 12)
    assert line_text(line) == "a long… 9 ms"


def test_ascii_text_keeps_its_width():
    assert to_ascii("a…b") == "a~b"
    assert cells(to_ascii("漢字é")) == cells("漢字é")
    assert to_ascii("漢字é█").isascii()


async def test_a_frame_names_the_pane_and_fills_its_size():
    board = Board()
    async with PaneApp(board).run_test(size=(40, 8)):
        lines = drawn(board)
    assert lines[0] == "╭─ Board [b] ────────────────── right ─╮"
    assert lines[1] == "│ one                                  │"
    assert lines[-1] == "╰─ [-] [+] ────────────────────────────╯"
    assert {len(line) for line in lines} == {40}


async def test_only_lines_whose_text_changed_are_painted_again():
    board = Board()
    async with PaneApp(board).run_test(size=(40, 8)) as pilot:
        await pilot.pause()
        strips = board.render_lines(board.size.region)

        def painted() -> list[int]:
            after = board.render_lines(board.size.region)
            pairs = zip(strips, after, strict=True)
            return [y for y, (old, new) in enumerate(pairs) if new is not old]

        board.redraw()
        await pilot.pause()
        assert painted() == []
        board.rows = [[Span("one")], [Span("2")], [Span("three")]]
        board.redraw()
        await pilot.pause()
        assert painted() == [2]


async def test_a_folded_pane_is_one_line_without_a_frame():
    board = Board()
    async with PaneApp(board).run_test(size=(20, 8)) as pilot:
        board.is_folded = True
        await pilot.pause()
        assert drawn(board) == ["folded" + "…" * 14]
        board.is_folded = False
        await pilot.pause()
        assert board.size.height == 8


@pytest.mark.parametrize(("x", "pressed"), [(3, ["fewer"]), (7, ["more"]), (6, [])])
async def test_clicks_reach_the_button_under_them(x, pressed):
    board = Board()
    async with PaneApp(board).run_test(size=(40, 8)) as pilot:
        await pilot.click(board, offset=(x, 7))
        assert board.presses == pressed


async def test_a_change_of_theme_repaints_in_its_colours():
    board = Board()
    app = PaneApp(board)
    async with app.run_test(size=(40, 8)) as pilot:
        before = list(board.render_line(1))
        app.theme = LIGHT.name
        await pilot.pause()
        await pilot.pause()
        assert list(board.render_line(1)) != before


async def test_ascii_mode_draws_nothing_above_7f():
    board = Board()
    board.rows = [[Span("名前…")]]
    async with PaneApp(board, is_ascii=True).run_test(size=(40, 8)):
        assert all(line.isascii() for line in drawn(board))


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 2), (9, 4)])
async def test_a_pane_too_small_for_anything_does_not_fail(size):
    board = Board()
    async with PaneApp(board).run_test(size=size):
        assert all(len(line) == size[0] for line in drawn(board))


@pytest.mark.parametrize(
    ("pane", "action"),
    [
        (ThroughputGraph, "graph"),
        (DiskPane, "disk"),
        (DetailPane, "details"),
        (EventLog, "log"),
    ],
)
async def test_each_pane_names_the_key_that_the_registry_gives_it(pane, action):
    widget = pane()
    async with PaneApp(widget).run_test(size=(60, 8)):
        assert f"[{BY_ID[action].shown_key}]" in drawn(widget)[0]


def test_the_disk_pane_explains_itself_with_the_right_key():
    assert f"Press {BY_ID['inline_writes'].shown_key} to write inline" in explanation(
        is_inline=False
    )
    assert "run on the event loop now" in explanation(is_inline=True)

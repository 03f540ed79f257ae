"""Every way out of every dialog may be taken twice, and no storm ends the dashboard."""

from __future__ import annotations

import asyncio
import gc

import pytest
from rich.style import Style
from textual.css.query import NoMatches
from textual.events import Click
from textual.widgets import OptionList
from textual.worker import WorkerFailed

from tests.ui.dashboards import Dashboard, dashboard
from tests.ui.storm import click, key, send, storm
from tui.ui.actions.palette import ActionProvider
from tui.ui.dialogs.help import HelpList

OPENING = {
    "help": ["question_mark"],
    "settings": ["comma"],
    "a setting": ["comma", "c", "o", "n", "c", "enter"],
    "theme": ["T"],
    "palette": ["colon"],
    "add": ["a"],
    "open a list": ["a", "ctrl+o"],
    "save": ["ctrl+e"],
    "concurrency": ["c"],
    "rate limit": ["b"],
    "quit": ["q"],
    "details": ["enter"],
    "guide": ["f1"],
}
WAYS = ["enter", "escape", "y", "q", "ctrl+s"]


def is_alive(board: Dashboard) -> bool:
    app = board.app
    return app._exception is None and (app._exit or app.screen_stack[0] is board.main)


@pytest.mark.parametrize("name", OPENING)
async def test_every_way_out_of_a_dialog_may_be_taken_twice(name):
    ways = [[word, word] for word in WAYS]
    ways += [["enter", "escape"], ["escape", "enter", "enter"]]
    while ways:
        async with dashboard() as board:
            while ways and not board.app._exit:
                await board.press(*OPENING[name])
                send(board, [key(word) for word in ways.pop()])
                await board.wait_idle()
                assert is_alive(board)
                while len(board.app.screen_stack) > 1:
                    await board.press("escape")


async def test_a_double_click_on_a_row_of_the_help_runs_it_once():
    async with dashboard(size=(120, 110)) as board:
        await board.press("question_mark")
        await board.pilot.pause()
        ran = []
        board.main.actions.table["more"] = lambda: ran.append(1)
        listed = board.app.screen.query_one(HelpList)
        rows = [getattr(row, "id", "") for row in listed._rows]
        at = listed.region.offset
        send(board, click(at.x + 4, at.y + rows.index("more")) * 2)
        await board.wait_idle()
        await board.pilot.pause()
        assert ran == [1]
        assert board.app.screen is board.main


async def test_a_double_click_outside_the_palette_closes_it():
    async with dashboard() as board:
        await board.press("colon")
        await board.pilot.pause()
        send(board, click(1, 35) * 2)
        await board.wait_idle()
        assert board.app.screen is board.main


async def test_a_hit_of_the_palette_runs_once():
    async with dashboard() as board:
        ran = []
        board.main.actions.table["fewer"] = lambda: ran.append(1)
        provider = ActionProvider(board.app.screen)
        hits = [hit async for hit in provider.search("Decrease concurrency")]
        hits[0].command()
        hits[0].command()
        assert ran == [1]


async def test_random_events_never_end_the_dashboard():
    await storm(0, 400)


@pytest.mark.parametrize("seed", [130, 1016])
async def test_events_that_arrive_while_the_dashboard_closes_are_ignored(seed):
    await storm(seed, 400)


@pytest.mark.parametrize("error", [NoMatches(""), WorkerFailed(NoMatches(""))])
async def test_a_missing_widget_is_an_error_only_while_the_dashboard_runs(error):
    async with dashboard() as board:
        board.app.exit(0)
        board.app._handle_exception(error)
    assert board.app._exception is None
    with pytest.raises(type(error)):
        async with dashboard() as board:
            board.app._handle_exception(error)


async def test_work_that_never_starts_is_not_reported(recwarn):
    async with dashboard() as board:
        for id in ("open_folder", "screenshot", "export_failed", "add", "open_list"):
            board.main.actions.table[id]()
            assert board.main.workers, id
            board.main.workers.cancel_all()
            await asyncio.sleep(0)
    gc.collect()
    assert not [str(each.message) for each in recwarn]


LISTS = {name: OPENING[name] for name in ("palette", "theme", "open a list", "save")}


@pytest.mark.parametrize("name", LISTS)
async def test_a_click_on_an_option_that_is_gone_is_ignored(name):
    async with dashboard() as board:
        await board.press(*LISTS[name])
        listed = board.app.screen.query(OptionList).first()
        style = Style.from_meta({"option": 1000})
        listed.post_message(
            Click(listed, 0, 0, 0, 0, 1, False, False, False, 0, 0, style)
        )
        await board.wait_idle()
        assert is_alive(board)


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_without_space_ignores_page_keys(name):
    async with dashboard(size=(1, 1)) as board:
        await board.press(*LISTS[name])
        for listed in board.app.screen.query(OptionList):
            listed._clear_caches()
            listed.highlighted = 0 if listed.option_count else None
            listed.action_page_up()
            listed.action_page_down()
        await board.press("pageup", "pagedown")
        assert is_alive(board)

"""Every action, run by its keys, by click and from the palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.events import Click

from tests.ui.dashboards import DONE, RUNNING, Dashboard, dashboard
from tui.ui.actions.palette import ActionProvider
from tui.ui.dialogs.help import HelpList
from tui.ui.keys.registry import ACTIONS, Action

if TYPE_CHECKING:
    from tui.ui.panes.pane import Pane


def watched(board: Dashboard) -> list[str]:
    """Record actions instead of running them."""
    done: list[str] = []
    for id in board.main.actions.table:
        board.main.actions.table[id] = lambda id=id: done.append(id)
    return done


def make_possible(board: Dashboard, action: Action) -> None:
    """Put the dashboard into a state in which an action is enabled."""
    main = board.main
    main.undo_stack.push("something", [], lambda _: None)
    for line in (RUNNING, 1, 2, DONE, 4):
        for marks in ((), range(5)):
            main.list.model.marks.clear()
            main.list.model.marks.add(marks)
            main.list.put_cursor(line)
            if action.is_enabled(main.action_state()):
                return
    raise AssertionError(action.id)


async def test_every_action_is_run_by_each_of_its_keys():
    async with dashboard() as board:
        done = watched(board)
        for action in ACTIONS:
            make_possible(board, action)
            for key in action.keys:
                await board.press(key)
            assert done == [action.id] * len(action.keys)
            done.clear()


async def test_every_action_is_run_by_a_click_in_the_help():
    async with dashboard(size=(120, 110)) as board:
        await board.press("question_mark")
        await board.pilot.pause()
        done = watched(board)
        # The screen stays open: opening it for each action takes a minute.
        board.app.screen.dismiss = board.app.perform
        listed = board.app.screen.query_one(HelpList)
        rows = [getattr(row, "id", "") for row in listed._rows]
        for action in ACTIONS:
            make_possible(board, action)
            await click(board, listed, 4, rows.index(action.id))
            assert done == [action.id]
            done.clear()


async def test_every_action_in_the_footer_is_run_by_a_click():
    async with dashboard(size=(240, 36)) as board:
        done = watched(board)
        footer = board.main.footer
        shown = [action for action in ACTIONS if action.label]
        for action in shown:
            make_possible(board, action)
            board.main.refresh_now()
            x = board.screen()[-1].index(f" {action.label} ") + 1
            await click(board, footer, x, 0)
            assert done == [action.id]
            done.clear()


async def test_every_action_is_run_from_the_palette():
    async with dashboard() as board:
        done = watched(board)
        provider = ActionProvider(board.app.screen)
        for action in ACTIONS:
            make_possible(board, action)
            hits = [hit async for hit in provider.search(action.title)]
            (hit,) = [hit for hit in hits if str(hit.text) == action.title]
            hit.command()
            assert done == [action.id]
            done.clear()


async def click(board: Dashboard, canvas: Pane, x: int, y: int) -> None:
    """Click on a cell of a pane."""
    at = canvas.region.offset
    event = Click(
        canvas, x, y, 0, 0, 1, False, False, False, at.x + x, at.y + y, chain=1
    )
    canvas.post_message(event)
    await board.wait_idle()

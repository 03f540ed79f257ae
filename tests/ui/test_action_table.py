"""The table of actions: complete, free of clashes, and the source of every list."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.support.until import until
from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import until_shown
from tui.ui.actions.handlers import HANDLER_CLASSES
from tui.ui.actions.palette import ActionProvider
from tui.ui.app import DashboardApp
from tui.ui.keys.registry import ACTIONS, BY_ID

# Keys that terminals send as another key, or not at all.
_UNSAFE = {"ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m", "ctrl+enter"}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_a_key_a_title_a_help_line_and_a_handler(action):
    assert action.keys
    assert action.title[0].isupper()
    assert not action.title.endswith(".")
    assert action.help.endswith(".")
    owners = [owner for owner in HANDLER_CLASSES if hasattr(owner, action.id)]
    assert len(owners) == 1, "exactly one handler"


def test_ids_and_keys_are_used_once():
    assert len(BY_ID) == len(ACTIONS)
    keys = Counter(key for action in ACTIONS for key in action.keys)
    assert [key for key, number in keys.items() if number > 1] == []


def test_no_key_is_one_that_terminals_alias():
    keys = {key for action in ACTIONS for key in action.keys}
    assert not keys & _UNSAFE
    assert not [key for key in keys if "alt+" in key or "ctrl+shift" in key]


def test_every_action_that_can_be_disabled_has_a_reason_except_back():
    off = [
        a
        for a in ACTIONS
        if a.is_enabled is not BY_ID["add"].is_enabled and not a.disabled_reason
    ]
    assert [action.id for action in off] == ["escape"]


async def test_every_key_is_bound_with_priority_on_the_main_screen():
    async with dashboard() as board:
        bound = board.main._bindings.key_to_bindings
    for action in ACTIONS:
        for key in action.keys:
            (binding,) = bound[key]
            assert binding.action == f"run('{action.id}')"
            assert binding.priority


def test_pairs_in_the_footer_exist_and_ranks_have_labels():
    for action in ACTIONS:
        assert not action.pair or action.pair in BY_ID
        assert bool(action.rank) == bool(action.label)


def test_no_description_names_a_key_that_may_change():
    keys = {action.shown_key for action in ACTIONS} - {"a", "s", "i"}
    for action in ACTIONS:
        assert not keys.intersection(re.split(r"[\s.,;:]+", action.help)), action.id


async def test_the_palette_finds_every_action_by_its_title():
    async with dashboard() as board:
        provider = ActionProvider(board.app.screen)
        for action in ACTIONS:
            hits = [hit async for hit in provider.search(action.title)]
            assert action.title in [str(hit.text) for hit in hits]


async def test_a_number_in_the_palette_sets_the_concurrency():
    async with dashboard() as board:
        await board.press("ctrl+p")
        await board.type("37")
        await until_shown(board.app, "to 37")
        await board.press("enter")
        await until(lambda: board.main.service.snapshot().concurrency == 37)


async def test_help_lists_every_action_of_the_registry():
    async with dashboard(size=(120, 110)) as board:
        await board.press("question_mark")
        shown = board.text()
        missing = [a.title for a in ACTIONS if a.title not in shown]
        assert missing == []


def test_no_binding_of_the_application_hides_an_action():
    actions = {key for action in ACTIONS for key in action.keys}
    application = {
        key
        for binding in DashboardApp.BINDINGS
        for key in binding.key.split(",")
        if binding.priority
    }
    # These two must work over dialogs as well, so the application binds them.
    assert application & actions == {"ctrl+c"}
    assert application - actions == {"ctrl+q"}

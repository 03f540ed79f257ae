"""Keys changed in the settings: applied, refused with a fix, shown everywhere."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import FAILED, RUNNING, dashboard
from tui.core.download import DownloadState
from tui.ui.actions.palette import ActionProvider
from tui.ui.keys.keymap import Keymap, key_name, key_of
from tui.ui.keys.registry import ACTIONS

_S = DownloadState


def clashes_and_unbound(keymap: Keymap) -> list[str]:
    """Return keys with two actions, and actions without a key."""
    owners: dict[str, str] = {}
    found = []
    for action in keymap.actions:
        if not action.keys:
            found.append(action.id)
        for key in action.keys:
            if key in owners:
                found.append(f"{key}: {owners[key]}, {action.id}")
            owners[key] = action.id
    return found


def test_default_keys_do_not_clash_and_every_action_has_one():
    assert clashes_and_unbound(Keymap()) == []


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("x", "x"),
        ("X", "X"),
        ("?", "question_mark"),
        ("+", "plus"),
        ("ctrl++", "ctrl+plus"),
        (",", "comma"),
        ("F2", "f2"),
        ("PgUp", "pageup"),
        ("esc", "escape"),
        ("Del", "delete"),
        ("Ctrl+X", "ctrl+X"),
        ("ctrl+x", "ctrl+x"),
        ("question_mark", "question_mark"),
        ("ä", "ä"),
        ("space", "space"),
        ("shift+tab", "shift+tab"),
        ("hyper+x", None),
        ("f99", None),
        ("xx", None),
        ("", None),
        ("\x1b", None),
    ],
)
def test_keys_are_parsed_in_their_usual_forms(written, name):
    assert key_name(written) == name


def test_an_override_changes_one_action_only():
    keymap = Keymap()
    assert keymap.apply({"cancel": "delete", "pause": ["p", "F8"]}) == []
    assert keymap.by_id["cancel"].keys == ("delete",)
    assert keymap.by_id["pause"].keys == ("p", "f8")
    assert keymap.by_id["retry"].keys == ("r",)
    assert clashes_and_unbound(keymap) == []


def test_two_actions_can_swap_their_keys():
    keymap = Keymap()
    assert keymap.apply({"cancel": "p", "pause": "x"}) == []
    assert keymap.shown("cancel") == "p"
    assert keymap.shown("pause") == "x"


def test_without_a_key_messages_refer_to_the_palette():
    keymap = Keymap()
    assert keymap.apply({"cancel_all": []}) == []
    assert keymap.by_id["cancel_all"].keys == ()
    assert keymap.shown("cancel_all") == "ctrl+p Cancel all"


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"cancl": "x"}, "unknown action “cancl”; did you mean 'cancel'?"),
        ({"zzzzzz": "x"}, "unknown action “zzzzzz”; fetchtui config explain"),
        ({"cancel": "hyper+x"}, "keys.cancel: unknown key “hyper+x”; write keys as"),
        ({"cancel": "ctrl+i"}, "terminals send ctrl+i as tab; use another key"),
        ({"cancel": "ctrl+c"}, "ctrl+c is already used by interrupt; use another key"),
        ({"cancel": 7}, 'keys.cancel must be a key or a list of keys: cancel = "x"'),
        ({"cancel": [7]}, "keys.cancel must be a key"),
        (
            {"cancel": "m", "remove": "m"},
            "m is already used by cancel; use another key or",
        ),
        ({"cancel": "r"}, "r is already used by retry; give retry another key first"),
        ({"cancel\x1b[2J": "x"}, "unknown action"),
    ],
)
def test_invalid_overrides_are_reported_with_a_fix(overrides, problem):
    keymap = Keymap()
    problems = keymap.apply(overrides)
    assert len(problems) == 1
    assert problem in problems[0]
    assert "\x1b" not in problems[0]
    assert not [found for found in clashes_and_unbound(keymap) if ":" in found]


def test_no_key_is_ever_bound_to_two_actions():
    keys = [key for action in ACTIONS for key in action.keys]
    for shift in range(1, 12):
        keymap = Keymap()
        keymap.apply({a.id: keys[(n * 7 + shift) % 20] for n, a in enumerate(ACTIONS)})
        assert not [found for found in clashes_and_unbound(keymap) if ":" in found]


def test_later_overrides_replace_earlier_ones():
    keymap = Keymap()
    keymap.apply({"cancel": "delete"})
    keymap.apply({})
    assert keymap.actions == Keymap().actions


async def test_a_changed_key_replaces_the_old_one_in_all_texts():
    async with dashboard(keys={"cancel": "m", "undo": "F4", "log": "l"}) as board:
        service = board.main.service
        await board.press("x")
        assert service.calls["cancel"] == 0
        await board.press("m")
        assert service.downloads[RUNNING].state is _S.CANCELLED
        assert "f4 to restore" in board.message().lower()
        assert " m Cancel" in board.screen()[-1]
        await board.press("f4")
        assert service.downloads[RUNNING].state is _S.QUEUED
        await board.press("l")
        await board.pilot.pause()
        assert "Log [l]" in board.text()
        assert key_of("cancel") == "m"


async def test_help_and_palette_name_the_changed_key():
    async with dashboard(size=(120, 110), keys={"screenshot": "F12"}) as board:
        provider = ActionProvider(board.app.screen)
        hits = [hit async for hit in provider.search("Save a screenshot")]
        assert hits[0].help.startswith("F12 ")
        await board.press("question_mark")
        line = next(line for line in board.screen() if "Save a screenshot" in line)
        assert "F12" in line


def test_descriptions_name_the_changed_keys():
    keymap = Keymap()
    assert "u restores them." in keymap.by_id["cancel_all"].help
    keymap.apply({"undo": "F4", "more": ""})
    assert "F4 restores them." in keymap.by_id["cancel_all"].help
    assert "Increase concurrency - c turn it off." in keymap.by_id["auto"].help


async def test_advice_on_a_failed_row_names_the_changed_keys():
    async with dashboard(keys={"retry": "F5", "remove": "Del"}) as board:
        await board.press(*["j"] * FAILED)
        assert "F5 to retry, Del to remove" in board.text()


async def test_problems_are_shown_when_the_dashboard_opens():
    async with dashboard(keys={"cancl": "x"}) as board:
        assert "did you mean 'cancel'?" in board.message()


async def test_the_detail_pane_names_the_changed_keys():
    keys = {"details": ["F6"], "add": ["i"]}
    async with dashboard(FakeService(), keys=keys) as board:
        shown = "\n".join(line.strip("│ ") for line in board.screen())
        assert "F6 opens all details." in shown
        assert "i adds URLs." in shown
        assert "[F6]" in shown
        assert "[enter]" not in shown

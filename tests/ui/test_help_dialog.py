"""The help dialog: every key is listed, found and run, and none by accident."""

from __future__ import annotations

import pytest

from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import SIZES, Caller, PaneApp, drawn, on_screen
from tui.ui.actions.palette import ActionProvider
from tui.ui.dialogs.help import HelpList, HelpScreen, find
from tui.ui.keys.registry import ACTIONS, BY_ID
from tui.ui.keys.synonyms import SYNONYMS as OTHER_WORDS


def test_an_empty_search_finds_every_action_in_order():
    assert find(ACTIONS, " ") == list(ACTIONS)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("x", "cancel"),
        ("P", "pause_all"),
        ("+", "more"),
        ("cancel", "cancel"),
        ("RATE limit", "limit"),
        ("disk pane", "disk"),
    ],
)
def test_keys_and_words_find_their_action_first(query, first):
    assert find(ACTIONS, query)[0].id == first


#: Words of other programs, and the actions one of which must come first.
SYNONYMS = [
    ("concurrency", {"set_number", "more"}),
    ("parallel", {"set_number", "more"}),
    ("delete", {"remove", "remove_with_data"}),
    ("remove", {"remove", "remove_with_data"}),
    ("kill", {"cancel"}),
    ("stop", {"cancel"}),
    ("exit", {"quit"}),
    ("throttle", {"limit", "limit_row"}),
    ("bandwidth", {"limit", "limit_row"}),
    ("import", {"open_list", "add"}),
    ("export", {"save_list", "export_failed"}),
    ("screenshot", {"screenshot"}),
    ("select", {"mark"}),
    ("restart", {"retry"}),
    ("resume", {"pause"}),
    ("priority", {"first_in_queue", "raise_in_queue"}),
    ("color", {"theme"}),
    ("colour", {"theme"}),
    ("config", {"settings"}),
    ("option", {"settings"}),
    ("options", {"settings"}),
    ("history", {"log", "graph"}),
    ("search", {"filter"}),
]


@pytest.mark.parametrize(("word", "ids"), SYNONYMS)
def test_the_help_finds_actions_by_words_of_other_programs(word, ids):
    assert find(ACTIONS, word)[0].id in ids
    assert find(ACTIONS, word.upper())[0].id in ids
    assert find(ACTIONS, word[:-1]), "while it is typed, it is found as well"


async def palette(query: str) -> list[str]:
    """Return what the palette offers, best match first."""
    async with dashboard() as board:
        provider = ActionProvider(board.app.screen)
        hits = [hit async for hit in provider.search(query)]
    hits.sort(key=lambda hit: -hit.score)
    return [str(hit.text or hit.match_display) for hit in hits]


@pytest.mark.parametrize(("word", "ids"), SYNONYMS)
async def test_the_palette_finds_actions_by_words_of_other_programs(word, ids):
    assert (await palette(word))[0] in {BY_ID[id].title for id in ids}


@pytest.mark.parametrize("query", ["5", " 5 ", "concurrency 5", "set concurrency to 5"])
async def test_a_number_in_the_palette_offers_that_concurrency_first(query):
    assert (await palette(query))[0] == "Set concurrency to 5"


async def test_the_palette_offers_no_concurrency_for_a_number_within_a_text():
    assert "Set concurrency to 50" not in await palette("50 ms")


async def test_the_palette_finds_no_scattered_letters():
    assert BY_ID["mark_range"].title not in await palette("delete")
    assert await palette("cncl") == []


def test_synonyms_belong_to_actions_that_exist():
    assert set(OTHER_WORDS) <= set(BY_ID)
    for action in ACTIONS:
        assert all(word == word.casefold() for word in action.synonyms)


def test_every_word_must_be_found():
    assert find(ACTIONS, "cancel nonsense") == []


async def test_every_action_is_listed_with_its_keys():
    board = HelpList(ACTIONS)
    async with PaneApp(board).run_test(size=(100, 90)):
        text = "\n".join(drawn(board))
    for action in ACTIONS:
        assert any(
            action.shown_keys in line and action.title in line
            for line in text.split("\n")
        ), action.id
        assert action.group.value in text


@pytest.mark.parametrize("size", SIZES)
async def test_typing_searches_and_enter_leaves_with_the_action(size):
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=size) as pilot:
        await pilot.press(*"undo")
        await pilot.pause()
        assert "Revert the last add" in on_screen(app)
        await pilot.press("enter")
    assert app.answers == ["undo"]


async def test_enter_alone_runs_nothing():
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        assert app.answers == []
        await pilot.press("escape")
    assert app.answers == [None]


async def test_arrows_walk_through_all_actions_and_scroll():
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=(60, 15)) as pilot:
        board = app.screen.query_one(HelpList)
        seen = []
        await pilot.press("down")
        seen.append(board.chosen)
        for _ in ACTIONS[1:]:
            app.screen.action_move(1)
            seen.append(board.chosen)
            shown = [line for line in drawn(board) if line.startswith("▌")]
            assert len(shown) == 1
        assert seen == [action.id for action in ACTIONS]
        await pilot.press("down", "pageup", "up", "pagedown", "pagedown", "enter")
    assert app.answers == [ACTIONS[-1].id]


async def test_walking_up_to_the_first_action_shows_its_heading():
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press(*["pagedown"] * 3, *["pageup"] * 6)
        assert ACTIONS[0].group.value in drawn(app.screen.query_one(HelpList))[0]


async def test_a_click_runs_the_action_under_it():
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(HelpList, offset=(10, 2))
    assert app.answers == [ACTIONS[1].id]


async def test_a_search_without_result_shows_a_message():
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press(*"qqq", "down", "enter")
        assert "No matching action" in on_screen(app)
        assert app.answers == []


async def test_the_wheel_scrolls_without_choosing():
    app = Caller(HelpScreen(ACTIONS))
    async with app.run_test(size=(60, 15)) as pilot:
        board = app.screen.query_one(HelpList)
        before = drawn(board)
        board.scroll_rows(3)
        await pilot.pause()
        assert drawn(board)[0] == before[3]
        board.scroll_rows(-30)
        assert drawn(board) == before
        assert board.chosen is None


async def test_ascii_mode_draws_only_ascii():
    app = Caller(HelpScreen(ACTIONS), is_ascii=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down")
        await pilot.pause()
        assert on_screen(app).isascii()

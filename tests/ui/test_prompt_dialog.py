"""The prompt dialog: one value, with errors shown while typing."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from tests.ui.panes_builders import HOSTILE, SIZES, Caller, on_screen
from tui.core.text.units import parse_size
from tui.ui.dialogs.prompt import PromptScreen


def check(text: str) -> str | None:
    try:
        parse_size(text)
    except ValueError as error:
        return str(error)
    return None


def rate_screen() -> PromptScreen:
    return PromptScreen("Rate limit", "10M", check, "500k, 10M, 1.5G; 0 for none")


@pytest.mark.parametrize("size", SIZES)
async def test_typing_replaces_the_value_and_enter_sets_it(size):
    app = Caller(rate_screen())
    async with app.run_test(size=size) as pilot:
        text = on_screen(app)
        assert "Rate limit" in text
        assert "10M" in text
        assert "0 for none" in text
        await pilot.press(*"25M", "enter")
    assert app.answers == ["25M"]


async def test_an_error_is_shown_while_typing_and_not_accepted():
    app = Caller(rate_screen())
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press(*"fast", "enter")
        assert "'fast' is not a valid size" in on_screen(app)
        assert app.answers == []
        await pilot.press(*["backspace"] * 4, "5")
        await pilot.pause()
        assert "is not a valid size" not in on_screen(app)
        await pilot.press("enter")
    assert app.answers == ["5"]


async def test_esc_leaves_it_as_it_is():
    app = Caller(rate_screen())
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press("9", "escape")
    assert app.answers == [None]


async def test_an_empty_line_is_checked_only_on_enter():
    app = Caller(rate_screen())
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press("backspace")
        await pilot.pause()
        assert "is not a valid size" not in on_screen(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "is not a valid size" in on_screen(app)


async def test_control_characters_do_not_get_into_the_line():
    app = Caller(PromptScreen(HOSTILE, "1", lambda text: HOSTILE))
    async with app.run_test(size=(60, 15)) as pilot:
        line = app.screen.query_one(Input)
        line.post_message(events.Paste("2\x1b[2J"))
        await pilot.press("3")
        await pilot.pause()
        text = on_screen(app)
        assert line.value == "3"
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]bold[/red]" in text

"""The quit and confirm dialogs: summary, choices, and the safe one on Enter."""

from __future__ import annotations

import pytest

from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import SIZES, Caller, engine, on_screen
from tests.ui.sample_state import sample_service
from tui.ui.dialogs.confirm import QuitScreen, quit_summary
from tui.ui.exit import AfterExit

IDLE = engine(counts=(0, 0, 0, 0, 0, 0, 12, 3, 0))


def test_the_summary_shows_what_is_running_and_that_progress_is_saved():
    first, second = quit_summary(engine())
    assert first == "212 active, 61,204 queued, 1.94 TB left."
    assert second == "Progress is saved."


def test_sizes_that_nobody_knows_are_to_go_as_well():
    first, _ = quit_summary(engine(unknown=48))
    assert first.endswith("1.94 TB and 48 of unknown size left.")
    first, _ = quit_summary(engine(unknown=3, known_size=0, known_received=0))
    assert first.endswith("queued, 3 of unknown size left.")


def test_waiting_counts_as_queued_and_paused_is_shown():
    lines = quit_summary(engine(counts=(2, 0, 0, 3, 4, 0, 0, 0, 0)))
    assert lines[0].startswith("5 queued, 4 paused")


def test_with_nothing_running_it_says_what_became_of_it():
    assert quit_summary(IDLE) == [
        "Nothing is running. 12 done, 3 failed.",
        "Partial files are kept, where there are any.",
    ]
    cancelled = engine(counts=(0, 0, 0, 0, 0, 0, 0, 0, 1))
    assert quit_summary(cancelled)[0] == "Nothing is running. 1 cancelled."
    done = engine(counts=(0, 0, 0, 0, 0, 0, 12, 0, 0))
    assert quit_summary(done) == ["Nothing is running. 12 done."]
    assert quit_summary(engine(counts=(0,) * 9)) == ["Nothing is running."]


async def test_the_demo_does_not_promise_to_keep_partial_files():
    app = Caller(QuitScreen(IDLE, "Demo progress is not saved.", keeps_files=False))
    async with app.run_test(size=(80, 24)):
        text = on_screen(app)
    assert "3 failed" in text
    assert "Partial files" not in text


async def test_the_background_is_offered_only_while_something_is_left_to_do():
    async with Caller(QuitScreen(engine(), can_detach=True)).run_test() as pilot:
        assert "b  Continue in the background" in on_screen(pilot.app)
    app = Caller(QuitScreen(IDLE, can_detach=True))
    async with app.run_test() as pilot:
        assert "Continue" not in on_screen(app)
        await pilot.press("b")
        await pilot.press("escape")
        await pilot.pause()
    assert app.answers == [None]


@pytest.mark.parametrize("size", SIZES)
async def test_summary_and_choices_fit_at_every_size(size):
    async with Caller(QuitScreen(engine())).run_test(size=size) as pilot:
        text = on_screen(pilot.app)
    for words in (
        "212 active, 61,204 queued, 1.94 TB left.",
        "q  Save progress and quit",
        "f  Finish active, then quit",
        "esc  Cancel",
    ):
        assert words in text


async def test_quitting_does_not_offer_to_save_what_is_not_saved():
    app = Caller(QuitScreen(engine(), "Demo progress is not saved.", is_saved=False))
    async with app.run_test(size=(80, 24)) as pilot:
        text = on_screen(pilot.app)
    assert "q  Quit" in text
    assert "f  Finish active, then quit" in text
    assert "Save progress" not in text


async def test_quitting_does_not_offer_to_save_when_nothing_is_left():
    async with Caller(QuitScreen(IDLE)).run_test(size=(80, 24)) as pilot:
        text = on_screen(pilot.app)
    assert "q  Quit" in text
    assert "Save progress" not in text


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], "quit"),
        (["q"], "quit"),
        (["f"], "finish"),
        (["escape"], None),
        (["s"], None),
        (["down", "enter"], "finish"),
        (["j", "j", "enter"], None),
        (["down", "up", "enter"], "quit"),
    ],
)
async def test_single_keys_choose(keys, answer):
    app = Caller(QuitScreen(engine()))
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
    assert app.answers == [answer]


async def test_a_click_chooses():
    app = Caller(QuitScreen(engine()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click("#finish")
        await pilot.pause()
    assert app.answers == ["finish"]


async def test_finishing_is_not_offered_when_nothing_runs():
    app = Caller(QuitScreen(IDLE))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "Finish" not in on_screen(app)
        await pilot.press("f")
        await pilot.pause()
    assert app.answers == ["quit"]


@pytest.mark.parametrize("size", [(38, 9), (40, 10), (20, 6), (60, 13), (30, 5)])
async def test_every_choice_is_visible_in_a_small_terminal(size):
    async with dashboard(sample_service(), size=size) as board:
        board.main.exit_flow.after = AfterExit(
            "Every byte is kept; plain fetchtui goes on."
        )
        await board.press("q")
        await board.pilot.pause()
        shown = board.text()
        for words in ("q  Save progr", "f  Finish ac", "esc  Cancel"):
            assert words in shown


@pytest.mark.parametrize("size", [(38, 9), (40, 10), (30, 5)])
async def test_both_answers_are_visible_in_a_small_terminal(size):
    async with dashboard(sample_service(), size=size) as board:
        await board.press("X")
        await board.pilot.pause()
        assert "n  Keep them" in board.text()
        assert "y  Cancel all" in board.text()

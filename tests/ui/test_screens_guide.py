"""The guide in the dashboard: every topic can be opened and read at every size."""

from __future__ import annotations

import pytest

from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import SIZES, Caller, on_screen
from tui.docs import TOPICS, read_topic
from tui.ui.dialogs.docs import GuideScreen, draw
from tui.ui.style.theme import DARK, LIGHT


async def shown(app, pilot) -> str:
    """Return the screen once the topic is drawn."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
    return on_screen(app)


@pytest.mark.parametrize("size", SIZES)
async def test_it_opens_on_the_first_topic_and_steps_through_all(size):
    app = Caller(GuideScreen())
    async with app.run_test(size=size) as pilot:
        seen = []
        for _ in TOPICS:
            seen.append(await shown(app, pilot))
            await pilot.press("right")
        assert await shown(app, pilot) == seen[0]
        assert len(set(seen)) == len(TOPICS)
        assert "Getting started" in seen[0]
        await pilot.press("left")
        assert await shown(app, pilot) == seen[-1]
        await pilot.press("escape")
    assert app.answers == [None]


async def test_long_topics_scroll_and_a_new_topic_starts_at_its_top():
    app = Caller(GuideScreen())
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(app, pilot)
        await pilot.press("G")
        assert "What is stable" in await shown(app, pilot)
        await pilot.press("right")
        assert "A source is a URL" in await shown(app, pilot)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_fits_its_width(topic, theme):
    text = draw(read_topic(topic), 60, theme)
    assert max(len(line) for line in text.plain.splitlines()) <= 60


async def test_a_key_of_the_dashboard_opens_it():
    async with dashboard() as board:
        await board.press("h")
        assert isinstance(board.app.screen, GuideScreen)

"""Rate limits are typed while everything runs: for all, or for one download."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tui.core.download import DownloadState
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.style.format import editable_size


def running() -> FakeService:
    service = FakeService()
    for name in ("one", "two"):
        service.put(name, DownloadState.DOWNLOADING)
    return service


async def enter(board, key: str, text: str) -> None:
    await board.press(key)
    assert isinstance(board.app.screen, PromptScreen)
    board.app.screen.query_one("Input").value = text
    await board.press("enter")


async def test_b_limits_everything_and_zero_lifts_it():
    service = running()
    async with dashboard(service) as board:
        await enter(board, "b", "10M")
        assert service.rate_limit == 10 << 20
        await enter(board, "b", "0")
        assert service.rate_limit is None


async def test_shift_b_limits_the_one_under_the_cursor_only():
    service = running()
    async with dashboard(service) as board:
        await board.press("j")
        await enter(board, "B", "500k")
        assert service.limits == {1: 500 << 10}
        assert service.rate_limit is None
        assert "two" in board.text()


async def test_what_is_no_rate_is_refused():
    service = running()
    async with dashboard(service) as board:
        await enter(board, "B", "fast")
        assert isinstance(board.app.screen, PromptScreen)
        assert service.limits == {}


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "0"), (500 << 10, "500K"), (10 << 20, "10M"), (1000, "1000")],
)
def test_a_rate_is_shown_as_one_would_type_it(rate: int | None, text: str):
    assert editable_size(rate) == text


async def test_the_prompt_says_how_a_rate_is_written():
    async with dashboard(running()) as board:
        await board.press("b")
        shown = [
            "".join(segment.text for segment in strip)
            for strip in board.app.screen._compositor.render_strips()
        ]
        assert any("500k, 10M or 1.5G; 0 for no limit" in line for line in shown)


async def test_a_number_by_hand_says_that_it_pins_what_was_automatic():
    service = running()
    service.concurrency = 4
    async with dashboard(service) as board:
        await board.press("A", "plus")
        assert board.message() == "Concurrency set to 5; press A for automatic"

"""Prompts for the concurrency, a rate limit and the URL of a download."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tui.core.download import DownloadState
from tui.core.text.units import editable_size
from tui.ui.dialogs.prompt import PromptScreen

_S = DownloadState


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


async def test_a_rate_limit_applies_to_the_download_under_the_cursor():
    service = running()
    async with dashboard(service) as board:
        await board.press("j")
        await enter(board, "B", "500k")
        assert service.limits == {1: 500 << 10}
        assert service.rate_limit is None
        assert "two" in board.text()


async def test_an_invalid_rate_is_refused():
    service = running()
    async with dashboard(service) as board:
        await enter(board, "B", "fast")
        assert isinstance(board.app.screen, PromptScreen)
        assert service.limits == {}


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "0"), (500 << 10, "500K"), (10 << 20, "10M"), (1000, "1000")],
)
def test_a_rate_is_shown_in_the_form_that_is_typed(rate: int | None, text: str):
    assert editable_size(rate) == text


async def test_the_rate_prompt_explains_the_format():
    async with dashboard(running()) as board:
        await board.press("b")
        shown = [
            "".join(segment.text for segment in strip)
            for strip in board.app.screen._compositor.render_strips()
        ]
        assert any("500k, 10M or 1.5G; 0 for no limit" in line for line in shown)


async def test_the_concurrency_prompt_refuses_invalid_numbers():
    async with dashboard() as board:
        await board.press("c")
        assert isinstance(board.app.screen, PromptScreen)
        await board.type("0")
        await board.press("enter")
        assert isinstance(board.app.screen, PromptScreen)
        await board.press("backspace")
        await board.type("64")
        await board.press("enter")
        assert board.main.service.concurrency == 64
        assert "/64" in board.screen()[1]


def with_one(state, url="https://example.org/old.iso"):
    service = FakeService()
    service.put("old.iso", state, url=url)
    return service


async def changed(board, url):
    """Press e and enter another URL."""
    await board.press("e")
    assert isinstance(board.app.screen, PromptScreen)
    board.app.screen.query_one("Input").value = url
    await board.press("enter")


async def test_a_new_url_is_used_and_undo_restores_the_old_one():
    service = with_one(_S.PAUSED)
    async with dashboard(service) as board:
        await changed(board, "https://example.org/new.iso?sig=2")
        assert service.downloads[0].url == "https://example.org/new.iso?sig=2"
        assert service.downloads[0].state is _S.PAUSED
        await board.press("u")
        assert service.downloads[0].url == "https://example.org/old.iso"


async def test_an_unsupported_url_is_refused_while_it_is_typed():
    service = with_one(_S.QUEUED)
    async with dashboard(service) as board:
        await changed(board, "ftp://example.org/x")
        assert isinstance(board.app.screen, PromptScreen)
        assert "only http and https" in board.text()
        await board.press("escape")
        assert service.calls["set_url"] == 0


async def test_a_password_is_hidden_but_kept_for_the_same_server():
    service = with_one(_S.QUEUED, "https://me:secret@example.org/old.iso")
    async with dashboard(service) as board:
        await board.press("e")
        assert "https://example.org/old.iso" in board.text()
        assert "secret" not in board.text()
        await board.press("enter")
        assert service.calls["set_url"] == 0, "nothing was changed"
        await changed(board, "https://example.org/new.iso")
        assert service.downloads[0].url == "https://me:secret@example.org/new.iso"
        await changed(board, "https://elsewhere.org/new.iso")
        assert service.downloads[0].url == "https://elsewhere.org/new.iso"


async def test_a_finished_download_gets_no_new_url():
    async with dashboard(with_one(_S.DONE)) as board:
        await board.press("e")
        assert not isinstance(board.app.screen, PromptScreen)


async def test_keys_in_a_burst_behind_enter_are_for_what_is_there_then():
    service = running()
    async with dashboard(service) as board:
        await board.burst("b", *"40M", "enter", "c", *"17", "enter")
        await board.wait_idle()
        assert service.rate_limit == 40 << 20
        assert service.concurrency == 17
        assert not isinstance(board.app.screen, PromptScreen)


async def test_keys_in_a_burst_behind_a_refused_value_correct_it():
    service = running()
    async with dashboard(service) as board:
        await board.burst("b", "f", "enter", "backspace", *"5k", "enter")
        await board.wait_idle()
        assert service.rate_limit == 5 << 10

"""The key that gives a download another URL."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tui.core.download import DownloadState
from tui.ui.dialogs.prompt import PromptScreen

_S = DownloadState


def with_one(state, url="https://example.org/old.iso"):
    service = FakeService()
    service.put("old.iso", state, url=url)
    return service


async def changed(board, url):
    """Press e, replace what stands there, and enter it."""
    await board.press("e")
    assert isinstance(board.app.screen, PromptScreen)
    board.app.screen.query_one("Input").value = url
    await board.press("enter")


async def test_e_gives_another_url_and_u_the_old_one_back():
    service = with_one(_S.PAUSED)
    async with dashboard(service) as board:
        await changed(board, "https://example.org/new.iso?sig=2")
        assert service.downloads[0].url == "https://example.org/new.iso?sig=2"
        assert service.downloads[0].state is _S.PAUSED
        await board.press("u")
        assert service.downloads[0].url == "https://example.org/old.iso"


async def test_one_that_failed_is_tried_again_at_once():
    service = with_one(_S.FAILED)
    async with dashboard(service) as board:
        await changed(board, "https://example.org/new.iso")
        assert service.last == ("retry", [0])


async def test_what_cannot_be_fetched_is_refused_while_it_is_typed():
    service = with_one(_S.QUEUED)
    async with dashboard(service) as board:
        await changed(board, "ftp://example.org/x")
        assert isinstance(board.app.screen, PromptScreen)
        assert "only http and https" in board.text()
        await board.press("escape")
        assert service.calls["set_url"] == 0


async def test_a_password_is_not_shown_but_kept_for_the_same_server():
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


async def test_a_finished_download_needs_no_other_url():
    async with dashboard(with_one(_S.DONE)) as board:
        await board.press("e")
        assert not isinstance(board.app.screen, PromptScreen)

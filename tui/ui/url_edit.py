"""Giving a download another URL: a link has expired, or a mirror is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.plain_text import plain, plain_url
from tui.core.request import URL_LIMIT, check_url, origin_of
from tui.ui.screens.number import NumberScreen

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.screens.main import MainScreen

_HINT = "Bytes that are there are kept if the server proves that the file is the same."
_ENDED_BADLY = (DownloadState.FAILED, DownloadState.CANCELLED)


def ask_for_url(screen: MainScreen, row: DownloadSnapshot) -> None:
    """Ask for another URL of a download, and let it go on from there."""
    shown = plain_url(row.url, URL_LIMIT)
    service = screen.service

    def check(text: str) -> str | None:
        try:
            check_url(text)
        except ValueError as error:
            return str(error)
        return None

    def use(text: str | None) -> None:
        if text is None or text == shown:
            return
        service.set_url(row.id, _with_login(row.url, text))
        screen.undo_stack.push(
            f"changed the URL of {plain(row.name)}",
            [row.id],
            lambda _: service.set_url(row.id, row.url),
        )
        (now,) = service.rows([row.id])
        if now.state in _ENDED_BADLY:
            service.retry([row.id])
        screen.tell(f"{plain(row.name)} is fetched from {plain_url(text)} now")
        screen.list.repaint([row.id])

    prompt = NumberScreen(f"URL of {plain(row.name, 50)}", shown, check, _HINT)
    screen.app.push_screen(prompt, use)


def _with_login(old: str, new: str) -> str:
    """Put the login back that was not shown, if it is still the same server's."""
    scheme, _, rest = new.partition("://")
    login, at, _ = old.partition("://")[2].partition("/")[0].rpartition("@")
    if not at or "@" in rest.partition("/")[0] or origin_of(old) != origin_of(new):
        return new
    return f"{scheme}://{login}@{rest}"

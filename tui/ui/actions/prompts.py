"""Giving a download another URL: a link has expired, or a mirror is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.request import URL_LIMIT, check_url, origin_of
from tui.core.text.plain_text import plain, plain_url
from tui.core.text.units import format_rate, parse_size
from tui.ui.dialogs.prompt import PromptScreen

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.main_screen import MainScreen

FORMS = "500k, 10M or 1.5G; 0 for no limit"


def ask_for_rate(screen: MainScreen, row: DownloadSnapshot | None = None) -> None:
    """Ask for bytes per second and set them at once.

    Args:
        screen: shows the run.
        row: the one download that it is for; ``None`` for all together.
    """
    service = screen.service
    name = "" if row is None else plain(row.name, 40)

    def check(text: str) -> str | None:
        try:
            parse_size(text)
        except ValueError:
            return f"not a rate: {FORMS}"
        return None

    def use(text: str | None) -> None:
        if text is None:
            return
        rate = parse_size(text) or None
        service.set_rate_limit(rate, None if row is None else row.id)
        told = f"Limit {format_rate(rate)}" if rate else "No rate limit"
        screen.tell(f"{told} for {name}" if name else told)
        screen.show_now()

    if row is None:
        title, now = "Rate limit, bytes per second", service.snapshot().rate_limit
    else:
        title, now = f"Rate limit of {name}", service.detail(row.id).rate_limit
    prompt = PromptScreen(title, typed(now), check, FORMS)
    screen.app.push_screen(prompt, use)


def typed(rate: int | None) -> str:
    """Return a rate as one would type it: ``10M``."""
    if not rate:
        return "0"
    for power, letter in ((3, "G"), (2, "M"), (1, "K")):
        whole, rest = divmod(rate, 1024**power)
        if whole and not rest:
            return f"{whole}{letter}"
    return str(rate)


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

    prompt = PromptScreen(f"URL of {plain(row.name, 50)}", shown, check, _HINT)
    screen.app.push_screen(prompt, use)


def _with_login(old: str, new: str) -> str:
    """Put the login back that was not shown, if it is still the same server's."""
    scheme, _, rest = new.partition("://")
    login, at, _ = old.partition("://")[2].partition("/")[0].rpartition("@")
    if not at or "@" in rest.partition("/")[0] or origin_of(old) != origin_of(new):
        return new
    return f"{scheme}://{login}@{rest}"

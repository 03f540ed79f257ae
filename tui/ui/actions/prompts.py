"""Prompts for a rate limit and for another URL of a download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.request import check_url, with_login_of
from tui.core.text.sanitize import display_url, sanitize, sanitize_url
from tui.core.text.units import editable_size, format_limit, parse_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import DownloadId
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.actions.context import ActionContext

_RATE_HINT = "500k, 10M or 1.5G; 0 for no limit"
_URL_HINT = "Partial data is kept if the server confirms that the file is the same."
_RETRIED = (DownloadState.FAILED, DownloadState.CANCELLED)


def ask_for_rate(context: ActionContext, row: DownloadSnapshot | None = None) -> None:
    """Ask for a rate limit in bytes per second and apply it at once.

    Args:
        context: the dashboard.
        row: the download to limit; ``None`` for all downloads together.
    """
    from tui.ui.dialogs.prompt import PromptScreen

    service = context.service
    name = "" if row is None else sanitize(row.name, 40)

    def check(text: str) -> str | None:
        if not text:
            return f"Enter a rate: {_RATE_HINT}"
        try:
            parse_size(text)
        except ValueError:
            return f"'{sanitize(text, 20)}' is not a valid rate; use {_RATE_HINT}"
        return None

    def apply(text: str | None) -> None:
        if text is None:
            return
        rate = parse_size(text) or None
        service.set_rate_limit(rate, None if row is None else row.id)
        message = f"Rate limit {format_limit(rate)}" if rate else "No rate limit"
        context.notify(f"{message} for {name}" if name else message)
        context.refresh_now()

    if row is None:
        title, now = "Rate limit in bytes per second", service.snapshot().rate_limit
    else:
        title, now = f"Rate limit of {name}", service.detail(row.id).rate_limit
    context.ask(PromptScreen(title, editable_size(now), check, _RATE_HINT), apply)


def ask_for_url(context: ActionContext, row: DownloadSnapshot) -> None:
    """Ask for another URL of a download and continue from there."""
    from tui.ui.dialogs.prompt import PromptScreen

    shown = sanitize_url(row.url)
    service = context.service

    def check(text: str) -> str | None:
        try:
            check_url(text)
        except ValueError as error:
            return str(error)
        return None

    def undo(ids: Sequence[DownloadId]) -> list[DownloadId]:
        service.set_url(row.id, row.url)
        is_done = service.rows(ids)[0].state is DownloadState.DONE
        return [] if is_done else list(ids)

    def apply(text: str | None) -> None:
        if text is None or text == shown:
            return
        service.set_url(row.id, with_login_of(text, [row.url]))
        (now,) = service.rows([row.id])
        if now.state is DownloadState.DONE:
            context.notify(
                f"{sanitize(row.name)} is done; its URL stays", severity="warning"
            )
            return
        what = f"URL change of {sanitize(row.name)}"
        context.undo_stack.push(what, [row.id], undo)
        if now.state in _RETRIED:
            service.retry([row.id])
        context.notify(f"{sanitize(row.name)} now downloads from {display_url(text)}")
        context.list.repaint([row.id])

    title = f"URL of {sanitize(row.name, 50)}"
    context.ask(PromptScreen(title, shown, check, _URL_HINT), apply)

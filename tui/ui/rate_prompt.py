"""Asking for a rate limit, of everything or of one download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.plain_text import plain
from tui.core.units import format_rate, parse_size
from tui.ui.screens.number import NumberScreen

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.screens.main import MainScreen

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
    prompt = NumberScreen(title, typed(now), check, FORMS)
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

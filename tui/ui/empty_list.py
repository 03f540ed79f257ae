"""What a list without rows says: nothing found, nothing yet, or not read yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.plain_text import plain
from tui.core.query import View

if TYPE_CHECKING:
    from tui.core.query import DownloadQuery


def empty_lines(query: DownloadQuery, *, is_loading: bool) -> list[str]:
    """Return what an empty list means, and below it what to do about it."""
    if query.text:
        return [
            f"Nothing matches “{plain(query.text, 40)}”",
            "esc clears the filter",
        ]
    if query.view is not View.ALL:
        return [f"No {query.view.value} downloads", "1 shows all of them"]
    if is_loading:
        return ["Reading the list…"]
    return [
        "No downloads yet",
        "Press a to add some, or paste URLs right here.",
        "fetchtui LIST.txt starts with a list.",
    ]

"""The text of an empty list: no match, no downloads, or still loading.

It explains what the list would show and which key to press. Following the text for an
empty dashboard, a new user has a download running after three keys.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.core.listing.query import View
from tui.core.text.sanitize import sanitize
from tui.ui.keys.keymap import key_of
from tui.ui.style.format import middle_ellipsis

if TYPE_CHECKING:
    from tui.core.listing.query import DownloadQuery

_LONGEST_PATH = 60


def empty_lines(
    query: DownloadQuery, output_dir: str = "", *, is_loading: bool
) -> list[str]:
    """Return why the list is empty, and below it what to do."""
    if query.text:
        return [
            f"No downloads match “{sanitize(query.text, 40)}”",
            f"{key_of('escape')} to clear the filter",
        ]
    if query.view is not View.ALL:
        return [
            f"No {query.view.value} downloads",
            *_of_view(query.view),
            f"{key_of('view_all')} to show all downloads",
        ]
    if is_loading:
        return ["Reading the list…"]
    lines = [
        "No downloads yet",
        "",
        f"Paste URLs here, or press {key_of('add')} to type them.",
    ]
    if output_dir:
        lines.append(f"Files are saved to {_short(output_dir)}")
    return [
        *lines,
        "",
        " · ".join(f"{key_of(id)} {id}" for id in ("help", "settings", "quit")),
        "To start with a list: fetchtui LIST.txt. For a demo: fetchtui --demo.",
    ]


def _of_view(view: View) -> list[str]:
    """Return what a view would show, and the key that goes with it."""
    if view is View.FAILED:
        return [
            "Failed downloads appear here, grouped by cause."
            f" Press {key_of('retry')} to retry."
        ]
    if view is View.CANCELLED:
        return [f"Press {key_of('cancel')} to cancel the download under the cursor."]
    if view is View.PAUSED:
        return [f"Press {key_of('pause')} to pause the download under the cursor."]
    if view is View.QUEUED:
        return [f"Press {key_of('fewer')} or {key_of('more')} to change concurrency."]
    return []


def _short(path: str) -> str:
    """Return a path with ``~``, shortened in the middle if it is long."""
    home = os.path.expanduser("~")
    if home != "/" and (path == home or path.startswith(home + os.sep)):
        path = "~" + path[len(home) :]
    return middle_ellipsis(sanitize(path), _LONGEST_PATH)

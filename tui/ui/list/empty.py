"""What a list without rows says: nothing found, nothing yet, or not read yet.

Each tells what would stand there and which key leads on; the first one is all that a
newcomer needs to have a download running three keys later.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.core.listing.query import View
from tui.core.text.plain_text import plain
from tui.ui.keys.keymap import key_of
from tui.ui.style.format import middle_ellipsis

if TYPE_CHECKING:
    from tui.core.listing.query import DownloadQuery

_LONGEST_PATH = 60


def empty_lines(
    query: DownloadQuery, output_dir: str = "", *, is_loading: bool
) -> list[str]:
    """Return what an empty list means, and below it what to do about it."""
    if query.text:
        return [
            f"Nothing matches “{plain(query.text, 40)}”",
            f"{key_of('escape')} clears the filter",
        ]
    if query.view is not View.ALL:
        return [
            f"No {query.view.value} downloads",
            *_of_view(query.view),
            f"{key_of('view_all')} shows all of them",
        ]
    if is_loading:
        return ["Reading the list…"]
    lines = [
        "No downloads yet",
        "",
        f"Paste URLs right here, or press {key_of('add')} to type some.",
    ]
    if output_dir:
        lines.append(f"Files go to {_short(output_dir)}")
    return [
        *lines,
        "",
        f"{key_of('help')} lists every key · {key_of('settings')} what can be set"
        f" · {key_of('quit')} quits",
        "fetchtui LIST.txt starts with a list, fetchtui --demo shows it all.",
    ]


def _of_view(view: View) -> list[str]:
    """Say what would stand in a view, where a key has to do with it."""
    if view is View.FAILED:
        return [f"What fails stands here by its cause; {key_of('retry')} tries again."]
    if view is View.PAUSED:
        return [f"{key_of('pause')} pauses the download under the cursor."]
    if view is View.QUEUED:
        return [f"{key_of('fewer')} {key_of('more')} set how many run at once."]
    return []


def _short(path: str) -> str:
    """Return a path with ``~``, cut in the middle if it is long."""
    home = os.path.expanduser("~")
    if home != "/" and (path == home or path.startswith(home + os.sep)):
        path = "~" + path[len(home) :]
    return middle_ellipsis(plain(path), _LONGEST_PATH)

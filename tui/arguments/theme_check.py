"""Whether the theme that ``dashboard.theme`` names exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.config.complaint import Complaint

if TYPE_CHECKING:
    from tui.config.precedence import Resolved


def check_theme(resolved: Resolved) -> list[Complaint]:
    """Return a complaint if there is no such theme.

    Only what judges settings asks: most themes are Textual's, which takes a quarter
    of a second to import. The dashboard, which has it, says so itself.
    """
    given = resolved.values["dashboard.theme"]
    if not given.value:  # mostly
        return []
    from tui.ui.theme import wrong_theme

    reason = wrong_theme(given.value)
    return [Complaint(given.source, reason)] if reason else []

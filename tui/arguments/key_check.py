"""Whether the actions that ``[keys]`` names exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.config.complaint import Complaint
from tui.config.kinds import suggest
from tui.core.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.config.document import Document


def known_actions() -> dict[str, str]:
    """Return the names of all actions, with what they do."""
    from tui.ui.actions import ACTIONS

    return {action.id: action.title for action in ACTIONS}


def check_keys(
    document: Document, keys: Sequence[tuple[str, object]], source: str
) -> list[Complaint]:
    """Return a complaint for every action that there is not."""
    known = known_actions()
    complaints = []
    for name, _ in keys:
        if name not in known:
            place = document.place(("keys", name)) if document.text else source
            near = suggest(name, known) or "; fetchtui config explain keys lists them"
            reason = f"keys: there is no action {plain(name, 60)!r}{near}"
            complaints.append(Complaint(place, reason))
    return complaints

"""The widget that shows a draft."""

from __future__ import annotations

from typing import Any

from tui.ui.dialogs.add_preview import Draft, draft_lines
from tui.ui.panes.pane import Line, Pane, Span


class DraftPreview(Pane):
    """What the text or the list would add."""

    has_frame = False

    def __init__(self, empty: str = "", **options: Any) -> None:
        """Start with an empty draft; ``empty`` is said while there is nothing."""
        super().__init__(**options)
        self._draft = Draft()
        self._empty = empty

    def show(self, draft: Draft) -> None:
        """Tell about this draft."""
        self._draft = draft
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Counts first, then lines that are wrong with their reasons."""
        del width
        if self._empty and self._draft.is_empty:
            return [[Span(self._empty, "dim")]]
        return draft_lines(self._draft, height, self.is_ascii)

    def folded(self, width: int) -> Line:
        """The counts."""
        del width
        return [Span(" "), *draft_lines(self._draft, 1, self.is_ascii)[0]]

"""The column headings above the list."""

from __future__ import annotations

from typing import Any

from textual.message import Message

from tui.core.listing.query import DownloadQuery, SortKey, View
from tui.ui.list.rows import columns_for, heading
from tui.ui.panes.pane import Line, Pane, Span


class ListHeading(Pane):
    """The column headings; a click sorts by the column."""

    DEFAULT_CSS = "ListHeading { height: 1; }"
    has_frame = False

    class Pressed(Message):
        """Asks to sort by a column; a second time, to reverse the order."""

        def __init__(self, sort: SortKey) -> None:
            super().__init__()
            self.sort = sort

    def __init__(self, **options: Any) -> None:
        """Accept the options of any Textual widget."""
        super().__init__(**options)
        self._query = DownloadQuery(View.ALL)
        self._chosen: tuple[str, ...] = ()

    def show(self, query: DownloadQuery) -> None:
        """Mark the column that the list is sorted by."""
        self._query = query
        self.redraw()

    def set_columns(self, chosen: tuple[str, ...]) -> None:
        """Show these columns, as the list does."""
        self._chosen = chosen
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Return the headings, aligned with the columns of the list."""
        del height
        columns = columns_for(width - 1, self._chosen)  # the scroll bar takes one
        spans = heading(columns, self._query)
        return [
            [
                Span(
                    text,
                    "header"
                    if key is not self._query.sort or not text.strip()
                    else "key",
                    key.value if key else "",
                )
                for text, key in spans
            ]
        ]

    def pressed(self, action: str) -> None:
        """Post the clicked column."""
        self.post_message(self.Pressed(SortKey(action)))

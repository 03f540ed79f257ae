"""Which downloads the list shows, and which one the cursor is on; knows no Textual.

The cursor belongs to a download, not to a line: it stays on its download when the
list is sorted, filtered or grows, and the list never moves under a key press.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.filter import FilterError
from tui.core.query import DownloadQuery, SortKey, View
from tui.ui.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import DownloadId

CALM_S = 1.0
"""After the cursor moved, the order stays as it is for this long."""
_RESELECT_S = 0.25
_COST_FACTOR = 25
"""Selecting may take a 25th of the loop's time at most: 100,000 names sort in 30 ms,
so such a list is put in order once in 0.75 s."""
_LIVE_SORTS = frozenset({SortKey.PROGRESS, SortKey.STATE, SortKey.SIZE})


class ListModel:
    """The ids in their order, and the cursor."""

    def __init__(
        self,
        select: Callable[[DownloadQuery], list[DownloadId]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the query function of the service, and a clock."""
        self._select = select
        self._monotonic = monotonic
        self.query = DownloadQuery()
        self.ids: list[DownloadId] = []
        self.cursor = 0
        """Index of the line under the cursor; 0 while the list is empty."""
        self.marks = Marks()
        self.trouble = ""
        """Why the list could not be selected anew, in words; it stays as it was."""
        self._seen = (-1, -1)
        self._moved_at_s = -CALM_S
        self._next_at_s = 0.0

    @property
    def cursor_id(self) -> DownloadId | None:
        """The download under the cursor."""
        return self.ids[self.cursor] if self.ids else None

    @property
    def many(self) -> int:
        """How many downloads keys act on in place of the cursor's; 0 for none."""
        return len(self.marks)

    @property
    def chosen(self) -> list[DownloadId]:
        """What an action on downloads acts on: the marked ones, or the cursor's."""
        if self.marks:
            return self.marks.ids
        return [] if self.cursor_id is None else [self.cursor_id]

    def set_query(self, query: DownloadQuery) -> None:
        """Show what another query asks for, now."""
        self.query = query
        self._reselect()

    def refresh(self, structure: int, total: int) -> bool:
        """Select again if the engine's lists changed and the moment is good.

        Args:
            structure: ``EngineSnapshot.structure``.
            total: ``EngineSnapshot.total``.

        Returns:
            Whether ``ids`` was made anew.
        """
        seen_structure, seen_total = self._seen
        is_same = structure == seen_structure or self._is_fixed
        if total == seen_total and is_same:
            return False
        now = self._monotonic()
        is_first = not self.ids
        if not is_first and (now < self._next_at_s or now - self._moved_at_s < CALM_S):
            return False
        self._seen = (structure, total)
        self._reselect()
        return True

    def mark_to_cursor(self) -> None:
        """Mark all from the one marked last to the cursor; without one, the cursor's.

        A last one that this view does not show counts as none.
        """
        start = self._line_of(self.marks.last)
        self.marks.add_range(
            self.ids, self.cursor if start is None else start, self.cursor
        )

    def hurry(self) -> None:
        """Let the next refresh select at once: a person is waiting for new rows."""
        self._next_at_s = 0.0
        self._moved_at_s = -CALM_S

    @property
    def _is_fixed(self) -> bool:
        """Whether a change of state or size leaves members and order as they are."""
        query = self.query
        return query.view is View.ALL and query.sort not in _LIVE_SORTS

    def _reselect(self) -> None:
        kept = self.cursor_id
        started = self._monotonic()
        try:
            self.ids = self._select(self.query)
        except FilterError as error:
            self.trouble = str(error)
        else:
            self.trouble = ""
        now = self._monotonic()
        self._next_at_s = now + max(_RESELECT_S, (now - started) * _COST_FACTOR)
        self.cursor = self._index_of(kept)

    def _index_of(self, id: DownloadId | None) -> int:
        last = max(0, len(self.ids) - 1)
        near = min(self.cursor, last)
        if id is None or not self.ids:
            return 0 if id is None else near
        # Almost always it is where it was.
        if self.ids[near] == id:
            return near
        line = self._line_of(id)
        return near if line is None else line

    def _line_of(self, id: DownloadId | None) -> int | None:
        try:
            return None if id is None else self.ids.index(id)
        except ValueError:
            return None

    def move_to(self, index: int) -> bool:
        """Put the cursor on a line, as far as there is one; tell if it moved."""
        index = max(0, min(index, len(self.ids) - 1))
        self._moved_at_s = self._monotonic()
        has_moved = index != self.cursor
        self.cursor = index
        return has_moved

"""Which downloads the list shows, and where the cursor is. Independent of Textual.

The cursor belongs to a download, not to a line: it stays on its download when the list
is sorted, filtered or grows, and the list never moves under a key press.
"""

from __future__ import annotations

import time
from itertools import chain, takewhile
from typing import TYPE_CHECKING, TypeAlias

from tui.core.listing.filter import FilterError
from tui.core.listing.query import DownloadQuery, SortKey, View, among
from tui.ui.list.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tui.core.download import DownloadId
    from tui.core.listing.query import FailureGroup

_Lines: TypeAlias = "tuple[list[int], dict[int, FailureGroup]]"
CALM_S = 1.0
"""Time after a cursor movement in which the order does not change."""
_RESELECT_S = 0.25
_COST_FACTOR = 25
"""Selecting may use 1/25 of the event loop's time: 100,000 names sort in 30 ms, so such
a list is sorted every 0.75 s."""
LATE_S = 0.1
"""A search that takes longer is shown as such."""
_LIVE_SORTS = frozenset({SortKey.PROGRESS, SortKey.STATE, SortKey.SIZE})


class ListModel:
    """The ids in their order, and the cursor.

    Filtering a long list is a search in slices (``work``). Until it is complete, the
    list shows the previous result; another query replaces the search immediately.
    """

    def __init__(
        self,
        select_iter: Callable[[DownloadQuery], Generator[None, None, list[DownloadId]]],
        monotonic: Callable[[], float] = time.monotonic,
        by_cause: Callable[[DownloadQuery], list[FailureGroup]] | None = None,
    ) -> None:
        """Create an empty list.

        Args:
            select_iter: finds the ids that match a query, sorted, in slices.
            monotonic: clock, in seconds.
            by_cause: groups ids for the view of failed downloads; ``None`` for no
                groups.
        """
        self._select_iter = select_iter
        self._by_cause = by_cause
        self._monotonic = monotonic
        self.query = DownloadQuery()
        self.ids: list[DownloadId] = []
        """One per line; negative for the heading of a group (``groups``)."""
        self.groups: dict[int, FailureGroup] = {}
        """Groups of failed downloads, by the id of their heading."""
        self.folded: set[int] = set()
        """Headings whose downloads are hidden."""
        self._headings: dict[tuple[str, int], int] = {}
        self.cursor = 0
        """Index of the line under the cursor; 0 if the list is empty."""
        self.marks = Selection()
        self.error = ""
        """Why the last search failed, or ""; the list then stays unchanged."""
        self.is_asked = False
        """Whether a key started the last search, not a change in the engine."""
        self._search: Generator[None, None, _Lines] | None = None
        self._began_at_s = 0.0
        self._spent_s = 0.0
        """Time that the search has used so far."""
        self._seen = (-1, -1)
        self._moved_at_s = -CALM_S
        self._next_at_s = 0.0

    @property
    def cursor_line(self) -> int | None:
        """The download or the heading under the cursor."""
        return self.ids[self.cursor] if self.ids else None

    @property
    def cursor_id(self) -> DownloadId | None:
        """The download under the cursor."""
        line = self.cursor_line
        return None if line is None or line < 0 else line

    @property
    def cursor_group(self) -> FailureGroup | None:
        """The group whose heading is under the cursor, or ``None``."""
        line = self.cursor_line
        return None if line is None else self.groups.get(line)

    @property
    def many(self) -> int:
        """Number of marked or grouped downloads that keys act on, or 0."""
        group = self.cursor_group
        return len(self.marks) or (0 if group is None else len(group.ids))

    @property
    def chosen(self) -> list[DownloadId]:
        """The downloads that an action applies to: all marked, or the cursor's."""
        return self.marks.ids or self.at_cursor

    @property
    def at_cursor(self) -> list[DownloadId]:
        """The download under the cursor, or the group if it is on a heading."""
        group = self.cursor_group
        if group is not None:
            return group.ids
        return [] if self.cursor_id is None else [self.cursor_id]

    @property
    def listed(self) -> list[DownloadId]:
        """All downloads of view and filter, including those of folded groups."""
        if self.groups:
            return [id for group in self.groups.values() for id in group.ids]
        return self.ids

    def fold(self) -> None:
        """Toggle whether the group under the cursor is folded by the next query."""
        line = self.cursor_line
        if line in self.groups:
            self.folded ^= {line}

    def set_query(self, query: DownloadQuery) -> bool:
        """Start the search for a new query.

        Returns:
            True if it is complete and ``ids`` is new; if not, ``work`` continues it.
        """
        self.query = query
        self.is_asked = True
        return self._begin()

    @property
    def is_searching(self) -> bool:
        """Whether ``ids`` is still the result of an earlier query."""
        return self._search is not None

    @property
    def is_late(self) -> bool:
        """Whether a search started by a key takes long enough to be shown."""
        is_long = self._monotonic() - self._began_at_s > LATE_S
        return self.is_searching and self.is_asked and is_long

    def refresh(self, revision: int, total: int) -> bool:
        """Select again if the engine's lists changed and it is time to.

        Args:
            revision: ``EngineSnapshot.revision``.
            total: ``EngineSnapshot.total``.

        Returns:
            True if ``ids`` is new; if not, a search may have started.
        """
        if self.is_searching:
            return False
        seen_structure, seen_total = self._seen
        is_same = revision == seen_structure or self._is_fixed
        if total == seen_total and is_same:
            return False
        now = self._monotonic()
        is_first = not self.ids
        if not is_first and (now < self._next_at_s or now - self._moved_at_s < CALM_S):
            return False
        self._seen = (revision, total)
        self.is_asked = False
        return self._begin()

    def mark_to_cursor(self) -> None:
        """Mark the range from the download marked last to the cursor.

        If that download is not listed, mark the one under the cursor only.
        """
        last = self.marks.last
        start = self.cursor if last is None else self.line_of(last, self.cursor)
        self.marks.add_range(self.ids, start, self.cursor)

    def invalidate(self) -> None:
        """Make the next refresh select immediately: the user is waiting for rows."""
        self._next_at_s = 0.0
        self._moved_at_s = -CALM_S

    @property
    def _is_fixed(self) -> bool:
        """Whether a change of state or size cannot change members or order."""
        query = self.query
        # Terms such as is: and size: depend on what changes.
        is_same_members = query.view is View.ALL and ":" not in query.text
        return is_same_members and query.sort not in _LIVE_SORTS

    def _begin(self) -> bool:
        self._search = self._lines()
        self._began_at_s = self._monotonic()
        self._spent_s = 0.0
        return self.work()

    def work(self) -> bool:
        """Continue the search for a few milliseconds.

        Returns:
            True if it ended: ``ids`` is new, or ``error`` contains the error.
        """
        if self._search is None:
            return False
        started = self._monotonic()
        try:
            next(self._search)
        except FilterError as error:
            self.error = str(error)
        except StopIteration as end:
            self.error = ""
            self._set_lines(*end.value)
        else:
            self._spent_s += self._monotonic() - started
            return False
        self._search = None
        now = self._monotonic()
        self._spent_s += now - started
        self._next_at_s = now + max(_RESELECT_S, self._spent_s * _COST_FACTOR)
        return True

    def _set_lines(self, lines: list[int], groups: dict[int, FailureGroup]) -> None:
        kept = self.cursor_line
        before, index = self.ids, self.cursor
        self.ids, self.groups = lines, groups
        self.cursor = self._index_of(kept)
        if kept is not None and self.cursor_line != kept:
            self.cursor = self._nearest(before, index)

    def _nearest(self, before: list[int], index: int) -> int:
        """Return the line of the remaining id that was nearest to a removed one.

        Prefers its own group: groups are sorted by size, so after a change the same
        line may be in another one.

        Args:
            before: the previous lines.
            index: position of the cursor in them.
        """
        kept = set(self.ids)
        after = takewhile(lambda id: id >= 0, before[index + 1 :])
        above = reversed(before[:index])
        for id in chain(after, above):
            if id in kept:
                return self.ids.index(id)
        return self.cursor

    def _lines(self) -> Generator[None, None, _Lines]:
        query = self.query
        if self._by_cause is None or query.view is not View.FAILED:
            ids = yield from self._select_iter(query)
            return ids, {}
        groups = self._by_cause(query._replace(text=""))
        if query.text:
            ids = yield from self._select_iter(query)
            groups = among(groups, ids)
        lines: list[int] = []
        headings = {}
        for group in groups:
            # A heading keeps its id when the groups change their order.
            line = self._headings.setdefault(group[:2], -1 - len(self._headings))
            headings[line] = group
            lines.append(line)
            if line not in self.folded:
                lines += group.ids
        return lines, headings

    def _index_of(self, id: DownloadId | None) -> int:
        last = max(0, len(self.ids) - 1)
        near = min(self.cursor, last)
        if id is None or not self.ids:
            return 0 if id is None else near
        # Its position rarely changes.
        if self.ids[near] == id:
            return near
        return self.line_of(id, near)

    def line_of(self, id: int, default: int) -> int:
        """Return the line of a download or a heading, or ``default``."""
        try:
            return self.ids.index(id)
        except ValueError:
            return default

    def move_to(self, index: int) -> bool:
        """Move the cursor to a line within the list; return True if it moved."""
        index = max(0, min(index, len(self.ids) - 1))
        self._moved_at_s = self._monotonic()
        has_moved = index != self.cursor
        self.cursor = index
        return has_moved

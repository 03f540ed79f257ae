"""Which downloads the list shows, and which one the cursor is on; knows no Textual.

The cursor belongs to a download, not to a line: it stays on its download when the
list is sorted, filtered or grows, and the list never moves under a key press.
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
    from tui.core.listing.query import Cause

_Lines: TypeAlias = "tuple[list[int], dict[int, Cause]]"
CALM_S = 1.0
"""After the cursor moved, the order stays as it is for this long."""
_RESELECT_S = 0.25
_COST_FACTOR = 25
"""Selecting may take a 25th of the loop's time at most: 100,000 names sort in 30 ms,
so such a list is put in order once in 0.75 s."""
LATE_S = 0.1
"""A search that takes longer is told."""
_LIVE_SORTS = frozenset({SortKey.PROGRESS, SortKey.STATE, SortKey.SIZE})


class ListModel:
    """The ids in their order, and the cursor.

    A filter over very many is a search in slices (``work``): until it is over, the
    list stays what the one before found, and another query ends it at once.
    """

    def __init__(
        self,
        selecting: Callable[[DownloadQuery], Generator[None, None, list[DownloadId]]],
        monotonic: Callable[[], float] = time.monotonic,
        by_cause: Callable[[DownloadQuery], list[Cause]] | None = None,
    ) -> None:
        """Take the query functions of the service, and a clock.

        Args:
            selecting: finds the ids in the order of a query, in slices.
            monotonic: seconds.
            by_cause: ids grouped, for the view of failed ones; ``None`` for no groups.
        """
        self._selecting = selecting
        self._by_cause = by_cause
        self._monotonic = monotonic
        self.query = DownloadQuery()
        self.ids: list[DownloadId] = []
        """A line each; negative for the heading of a group (``causes``)."""
        self.causes: dict[int, Cause] = {}
        """Groups of the failed, by the id of their heading."""
        self.folded: set[int] = set()
        """Headings whose group is not listed."""
        self._headings: dict[tuple[str, int], int] = {}
        self.cursor = 0
        """Index of the line under the cursor; 0 while the list is empty."""
        self.marks = Selection()
        self.trouble = ""
        """Why the list could not be selected anew, in words; it stays as it was."""
        self.is_asked = False
        """Whether a key asked for the last search, or else a change in the engine."""
        self._search: Generator[None, None, _Lines] | None = None
        self._began_at_s = 0.0
        self._spent_s = 0.0
        """What the search has cost the loop so far."""
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
    def cursor_cause(self) -> Cause | None:
        """The group whose heading is under the cursor."""
        line = self.cursor_line
        return None if line is None else self.causes.get(line)

    @property
    def many(self) -> int:
        """How many downloads keys act on in place of the cursor's; 0 for none."""
        cause = self.cursor_cause
        return len(self.marks) or (0 if cause is None else len(cause.ids))

    @property
    def chosen(self) -> list[DownloadId]:
        """What an action on downloads acts on: the marked ones, or the cursor's."""
        return self.marks.ids or self.at_cursor

    @property
    def at_cursor(self) -> list[DownloadId]:
        """The download under the cursor, or all of the group that it heads."""
        cause = self.cursor_cause
        if cause is not None:
            return cause.ids
        return [] if self.cursor_id is None else [self.cursor_id]

    @property
    def listed(self) -> list[DownloadId]:
        """All downloads of view and filter, those of folded groups included."""
        if self.causes:
            return [id for cause in self.causes.values() for id in cause.ids]
        return self.ids

    def fold(self) -> None:
        """Fold the group of the cursor's heading, or unfold it, with the next query."""
        line = self.cursor_line
        if line in self.causes:
            self.folded ^= {line}

    def set_query(self, query: DownloadQuery) -> bool:
        """Show what another query asks for, as soon as it is found.

        Returns:
            Whether ``ids`` was made anew; if not, ``work`` goes on with the search.
        """
        self.query = query
        self.is_asked = True
        return self._begin()

    @property
    def is_searching(self) -> bool:
        """Whether ``ids`` is still what an earlier query found."""
        return self._search is not None

    @property
    def is_late(self) -> bool:
        """Whether a search for a key takes so long that it should be told."""
        is_long = self._monotonic() - self._began_at_s > LATE_S
        return self.is_searching and self.is_asked and is_long

    def refresh(self, revision: int, total: int) -> bool:
        """Select again if the engine's lists changed and the moment is good.

        Args:
            revision: ``EngineSnapshot.revision``.
            total: ``EngineSnapshot.total``.

        Returns:
            Whether ``ids`` was made anew; if not, a search may have begun.
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
        """Mark all from the one marked last to the cursor; without one, the cursor's.

        A last one that this view does not show counts as none.
        """
        last = self.marks.last
        start = self.cursor if last is None else self.line_of(last, self.cursor)
        self.marks.add_range(self.ids, start, self.cursor)

    def invalidate(self) -> None:
        """Let the next refresh select at once: a person is waiting for new rows."""
        self._next_at_s = 0.0
        self._moved_at_s = -CALM_S

    @property
    def _is_fixed(self) -> bool:
        """Whether a change of state or size leaves members and order as they are."""
        query = self.query
        # is: and size: choose by what changes.
        is_same_members = query.view is View.ALL and ":" not in query.text
        return is_same_members and query.sort not in _LIVE_SORTS

    def _begin(self) -> bool:
        self._search = self._lines()
        self._began_at_s = self._monotonic()
        self._spent_s = 0.0
        return self.work()

    def work(self) -> bool:
        """Go on with the search for a few milliseconds.

        Returns:
            Whether that ended it: ``ids`` was made anew, or ``trouble`` says why not.
        """
        if self._search is None:
            return False
        started = self._monotonic()
        try:
            next(self._search)
        except FilterError as error:
            self.trouble = str(error)
        except StopIteration as end:
            self.trouble = ""
            self._take(*end.value)
        else:
            self._spent_s += self._monotonic() - started
            return False
        self._search = None
        now = self._monotonic()
        self._spent_s += now - started
        self._next_at_s = now + max(_RESELECT_S, self._spent_s * _COST_FACTOR)
        return True

    def _take(self, lines: list[int], causes: dict[int, Cause]) -> None:
        kept = self.cursor_line
        before, place = self.ids, self.cursor
        self.ids, self.causes = lines, causes
        self.cursor = self._index_of(kept)
        if kept is not None and self.cursor_line != kept:
            self.cursor = self._nearest(before, place)

    def _nearest(self, before: list[int], place: int) -> int:
        """Return the line of what stood nearest to a line that is gone.

        In its own group if there is one left: groups change their order with their
        sizes, so the same line may be in another one.

        Args:
            before: the lines as they were.
            place: where the cursor was among them.
        """
        kept = set(self.ids)
        after = takewhile(lambda id: id >= 0, before[place + 1 :])
        above = reversed(before[:place])
        for id in chain(after, above):
            if id in kept:
                return self.ids.index(id)
        return self.cursor

    def _lines(self) -> Generator[None, None, _Lines]:
        query = self.query
        if self._by_cause is None or query.view is not View.FAILED:
            ids = yield from self._selecting(query)
            return ids, {}
        groups = self._by_cause(query._replace(text=""))
        if query.text:
            ids = yield from self._selecting(query)
            groups = among(groups, ids)
        lines: list[int] = []
        causes = {}
        for cause in groups:
            # A heading keeps its id however the groups are ordered.
            line = self._headings.setdefault(cause[:2], -1 - len(self._headings))
            causes[line] = cause
            lines.append(line)
            if line not in self.folded:
                lines += cause.ids
        return lines, causes

    def _index_of(self, id: DownloadId | None) -> int:
        last = max(0, len(self.ids) - 1)
        near = min(self.cursor, last)
        if id is None or not self.ids:
            return 0 if id is None else near
        # Almost always it is where it was.
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
        """Put the cursor on a line, as far as there is one; tell if it moved."""
        index = max(0, min(index, len(self.ids) - 1))
        self._moved_at_s = self._monotonic()
        has_moved = index != self.cursor
        self.cursor = index
        return has_moved

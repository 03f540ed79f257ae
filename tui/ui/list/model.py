"""Which downloads the list shows, and where the cursor is. Independent of Textual.

The cursor belongs to a download, not to a line: it stays on its download when the list
is sorted, filtered or grows, and the list never moves under a key press. Until the user
moves it or acts on its download, it stays at the top and shows running downloads one
after another.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from itertools import chain, takewhile
from typing import TYPE_CHECKING, TypeAlias

from tui.core.listing.filter import FilterError
from tui.core.listing.query import Activity, DownloadQuery, SortKey, View, among
from tui.core.quick.named_tuple import NamedTuple
from tui.ui.list.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator

    from tui.core.download import DownloadId
    from tui.core.listing.query import ActivityGroups, FailureGroup

CALM_S = 1.0
"""Time after a cursor movement in which the order does not change."""
_RESELECT_S = 0.25
_COST_FACTOR = 25
"""Selecting may use 1/25 of the event loop's time: 100,000 names sort in 30 ms, so such
a list is sorted every 0.75 s."""
_FLOOD_COST_FACTOR = 100
"""The same while files end faster than rows can be read: that time delays them."""
LATE_S = 0.1
"""A search that takes longer is shown as such."""
_FIXED_SORTS = frozenset({SortKey.ADDED, SortKey.NAME, SortKey.HOST})
_METERED_SORTS = frozenset({SortKey.SPEED, SortKey.ETA})
_METER_S = 1.0
"""Time between two orders by a meter: faster, and rows could not be read."""
LINGER_S = 2.0
"""Time for which a finished download stays under a cursor that was never moved. A key
that was meant for it must not reach the next one."""
_HEIGHT = 24
"""Lines of the list before its size is known."""


DONE_HEADING = -1
"""The line above all finished downloads."""


class FinishedGroup(NamedTuple):
    """All finished downloads, below one heading."""

    ids: list[DownloadId]
    nbytes: int
    """Size of all of them together."""


Group: TypeAlias = "FailureGroup | FinishedGroup"


class _Lines(NamedTuple):
    """The result of a search."""

    ids: list[int]
    groups: dict[int, Group]
    listed: list[DownloadId]
    """The downloads of ``ids``, and those of folded groups."""


class _Shown:
    """What the last order by activity showed."""

    def __init__(self) -> None:
        self.running: frozenset[DownloadId] = frozenset()
        self.done: list[DownloadId] | None = None
        """Finished downloads; ``None`` after another order."""
        self.pinned: DownloadId | None = None
        """A finished download that keeps its position while it is under the cursor."""
        self.linger_until_s = 0.0


class ListModel:
    """The ids in their order, and the cursor.

    Filtering a long list is a search in slices (``work``). Until it is complete, the
    list shows the previous result; another query replaces the search immediately.
    """

    def __init__(
        self,
        select_iter: Callable[[DownloadQuery], Generator[None, None, list[DownloadId]]],
        monotonic: Callable[[], float] = time.monotonic,
        by_cause: (
            Callable[[DownloadQuery], Generator[None, None, list[FailureGroup]]] | None
        ) = None,
        by_activity: (
            Callable[[DownloadQuery], Generator[None, None, ActivityGroups]] | None
        ) = None,
    ) -> None:
        """Create an empty list.

        Args:
            select_iter: finds the ids that match a query, sorted, in slices.
            monotonic: clock, in seconds.
            by_cause: groups ids for the view of failed downloads; ``None`` for no
                groups.
            by_activity: groups ids for the order by activity; ``None`` for no heading
                above finished downloads.
        """
        self._select_iter = select_iter
        self._by_cause = by_cause
        self._by_activity = by_activity
        self._monotonic = monotonic
        self.query = DownloadQuery()
        self.ids: list[DownloadId] = []
        """One per line; negative for the heading of a group (``groups``)."""
        self.groups: dict[int, Group] = {}
        """Groups of failed or finished downloads, by the id of their heading."""
        self.folded: set[int] = set()
        """Headings whose downloads are hidden."""
        self.is_done_folded: bool | None = None
        """Whether the user folded finished downloads; ``None`` folds them if the list
        is longer than the screen."""
        self.height = _HEIGHT
        """Visible lines."""
        self._listed: list[DownloadId] = []
        self._headings: dict[tuple[str, int], int] = {("done", 0): DONE_HEADING}
        self.cursor = 0
        """Index of the line under the cursor; 0 if the list is empty."""
        self.is_placed = False
        """Whether the user has moved the cursor, or acted on the download under it."""
        self._shown = _Shown()
        self._target: int | None = None
        """The line to which the cursor goes once it is listed."""
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
        self._ended_at_s = 0.0
        self._is_awaited = True
        """The user waits for rows: the next search may follow the last one at once."""

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
    def cursor_group(self) -> Group | None:
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
        return self._listed

    def fold(self) -> None:
        """Toggle whether the group under the cursor is folded by the next query."""
        line = self.cursor_line
        if isinstance(self.cursor_group, FinishedGroup):
            self.fold_done()
        elif line in self.groups:
            self.folded ^= {line}

    def fold_done(self) -> bool:
        """Toggle whether the next query folds finished downloads.

        Returns:
            True if they are folded now.
        """
        self.is_done_folded = DONE_HEADING not in self.folded
        self._target = None if self.is_done_folded else DONE_HEADING
        return self.is_done_folded

    def open_done(self) -> None:
        """Let the next query show finished downloads, with the cursor above them."""
        self.is_done_folded = False
        self._target = DONE_HEADING

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

    def refresh(self, revision: int, total: int, *, is_flood: bool = False) -> bool:
        """Select again if the engine's lists changed and it is time to.

        Args:
            revision: ``EngineSnapshot.revision``.
            total: ``EngineSnapshot.total``.
            is_flood: whether rows change faster than they can be read.

        Returns:
            True if ``ids`` is new; if not, a search may have started.
        """
        if self.is_searching:
            return False
        seen_structure, seen_total = self._seen
        is_same = revision == seen_structure or self._is_fixed
        now = self._monotonic()
        if total == seen_total and is_same and not self._is_due(now):
            return False
        is_first = not self.ids
        is_moving = now - self._moved_at_s < CALM_S
        if not is_first and (is_moving or self._rests(now, is_flood=is_flood)):
            return False
        self._seen = (revision, total)
        self.is_asked = False
        return self._begin()

    def resize(self, height: int) -> None:
        """Set the number of visible lines, which decides what is folded."""
        total = len(self._listed)
        if (self.height < total) is not (height < total):
            self._seen = (-1, -1)
        self.height = height

    def mark_to_cursor(self) -> None:
        """Mark the range from the download marked last to the cursor.

        If that download is not listed, mark the one under the cursor only.
        """
        last = self.marks.last
        start = self.cursor if last is None else self.line_of(last, self.cursor)
        self.marks.add_range(self.ids, start, self.cursor)

    def invalidate(self) -> None:
        """Make the next refresh select immediately: the user is waiting for rows."""
        self._is_awaited = True
        self._moved_at_s = -CALM_S

    @property
    def _is_fixed(self) -> bool:
        """Whether a change of state or size cannot change members or order."""
        query = self.query
        # Terms such as is: and size: depend on what changes.
        is_same_members = query.view is View.ALL and ":" not in query.text
        return is_same_members and query.sort in _FIXED_SORTS

    def _is_due(self, now: float) -> bool:
        """Return True if the order changes although the engine's lists did not."""
        if self._shown.pinned is not None and (
            self._shown.pinned != self.cursor_id
            or (not self.is_placed and now >= self._shown.linger_until_s)
        ):
            return True
        return self.query.sort in _METERED_SORTS and now >= self._ended_at_s + _METER_S

    def _rests(self, now: float, *, is_flood: bool) -> bool:
        """Return True if the last search took so long that the next one has to wait."""
        factor = _FLOOD_COST_FACTOR if is_flood else _COST_FACTOR
        rest_s = max(_RESELECT_S, self._spent_s * factor)
        return not self._is_awaited and now < self._ended_at_s + rest_s

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
            self._set_lines(end.value)
        else:
            self._spent_s += self._monotonic() - started
            return False
        self._search = None
        now = self._monotonic()
        self._spent_s += now - started
        self._ended_at_s = now
        self._is_awaited = False
        return True

    def _set_lines(self, lines: _Lines) -> None:
        kept = self.cursor_line
        before, index = self.ids, self.cursor
        self.ids, self.groups, self._listed = lines
        target, self._target = self._target, None
        if target in self.groups:
            self.is_placed = True
            self.cursor = self.ids.index(target)
            return
        if not self.is_placed and self._is_led(kept):
            self.cursor = 0
            return
        self.cursor = self._index_of(kept)
        if kept is not None and self.cursor_line != kept:
            self.cursor = self._nearest(before, index)

    def _is_led(self, line: int | None) -> bool:
        """Return True if a cursor that was never moved leaves ``line`` for the top."""
        if self.query.sort in _FIXED_SORTS:
            return False
        if self.query.sort is not SortKey.ACTIVITY:
            return True
        return line is None or (
            line != self._shown.pinned and line not in self._shown.running
        )

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
        is_grouped = query.view is View.ALL and query.sort is SortKey.ACTIVITY
        if is_grouped and self._by_activity is not None:
            return self._by_activity_lines((yield from self._by_activity(query)))
        self._shown.pinned = None
        self._shown.running = frozenset()
        self._shown.done = None
        if self._by_cause is None or query.view is not View.FAILED:
            ids = yield from self._select_iter(query)
            return _Lines(ids, {}, ids)
        groups = yield from self._by_cause(query._replace(text=""))
        if query.text:
            ids = yield from self._select_iter(query)
            groups = among(groups, ids)
        lines: list[int] = []
        headings: dict[int, Group] = {}
        for group in groups:
            # A heading keeps its id when the groups change their order.
            line = self._headings.setdefault(group[:2], -1 - len(self._headings))
            headings[line] = group
            lines.append(line)
            if line not in self.folded:
                lines += group.ids
        return _Lines(lines, headings, [id for group in groups for id in group.ids])

    def _by_activity_lines(self, groups: ActivityGroups) -> _Lines:
        """Return the lines of the order by activity, with a heading above the done."""
        done = groups.ids[Activity.DONE]
        running, finishing, *others, _ = groups.ids
        listed = list(chain(*groups.ids))
        is_folded = self._folds_done(len(listed), len(done))
        self._pin(finishing, done, is_folded=is_folded)
        self._shown.done = done
        if self._shown.pinned is not None:
            # A copy: without a connection, an attached dashboard finds these groups
            # again.
            running = [*running]
            insort(running, self._shown.pinned)
            finishing = [id for id in finishing if id != self._shown.pinned]
        self._shown.running = frozenset(running)
        unfinished = [running, finishing, *others]
        headings: dict[int, Group] = {}
        if done and (is_folded or self.is_done_folded is False):
            headings[DONE_HEADING] = FinishedGroup(done, groups.done_bytes)
        first = chain(*unfinished[: Activity.QUEUED])
        rest = chain(*unfinished[Activity.QUEUED :])
        if is_folded:
            # Above the queue: below a long one, nobody would see this line.
            self.folded.add(DONE_HEADING)
            lines = [*first, DONE_HEADING, *rest]
        else:
            self.folded.discard(DONE_HEADING)
            rows = [id for id in done if id != self._shown.pinned]
            lines = [*first, *rest, *headings, *rows]
        return _Lines(lines, headings, listed)

    def _folds_done(self, total: int, done: int) -> bool:
        """Return True if finished downloads are one line."""
        if not done:
            return False
        if self.is_done_folded is not None:
            return self.is_done_folded
        return self.height < total > done and not self.query.text

    def _pin(
        self, finishing: list[DownloadId], done: list[DownloadId], *, is_folded: bool
    ) -> None:
        """Keep a download that has finished under the cursor in its position.

        Below a cursor that was never moved it stays there for ``LINGER_S``; otherwise
        until the cursor leaves it, unless it is listed further down.
        """
        id, now = self.cursor_id, self._monotonic()
        pinned, self._shown.pinned = self._shown.pinned, None
        if id is None:
            return
        is_finishing = _contains(finishing, id)
        if not is_finishing and not _contains(done, id):
            return
        if is_finishing or (id != pinned and self._was_unfinished(id)):
            self._shown.linger_until_s = now + LINGER_S
        elif id != pinned:
            return
        is_lingering = not self.is_placed and now < self._shown.linger_until_s
        if is_finishing or is_lingering or (self.is_placed and is_folded):
            self._shown.pinned = id

    def _was_unfinished(self, id: DownloadId) -> bool:
        """Return True if the last order by activity did not show it as finished."""
        return self._shown.done is not None and not _contains(self._shown.done, id)

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

    def stay_on(self, ids: Container[DownloadId]) -> None:
        """Keep the cursor on its download if the user acts on it.

        The next key is meant for the same download, such as the one that resumes it.

        Args:
            ids: the downloads that the action applies to.
        """
        if self.cursor_id in ids:
            self.is_placed = True

    def move_to(self, index: int, *, is_key: bool = True) -> bool:
        """Move the cursor to a line within the list.

        Args:
            index: the line.
            is_key: whether the user moves it; the order then stays for a moment.

        Returns:
            True if it moved.
        """
        index = max(0, min(index, len(self.ids) - 1))
        if is_key:
            self.is_placed = bool(self.ids)
            self._moved_at_s = self._monotonic()
        has_moved = index != self.cursor
        self.cursor = index
        return has_moved


def _contains(ids: list[DownloadId], id: DownloadId) -> bool:
    """Return True if a sorted list contains ``id``."""
    index = bisect_left(ids, id)
    return index < len(ids) and ids[index] == id

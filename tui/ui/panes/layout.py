"""Which panes are open, folded or away, for a terminal's size and a person's wishes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

PANES = ("graph", "disk", "detail", "hosts", "log")
"""Ids of the panes, in the order in which they stand."""
ON_DEMAND = frozenset({"hosts", "log"})
"""Panes that nobody sees before a key asks for them."""


class Breakpoint(Enum):
    """How much space there is."""

    FULL = "full"
    """Three panes side by side below the list."""
    FOLDED = "folded"
    """Panes of one line each."""
    BARE = "bare"
    """The list, two lines above and two below it."""
    LINE = "line"
    """One line of totals; keys still work."""


def room_for(width: int, height: int) -> Breakpoint:
    """Return how much fits in a terminal of this size, in cells."""
    if width < 40 or height < 10:
        return Breakpoint.LINE
    if width < 70 or height < 18:
        return Breakpoint.BARE
    if width < 100 or height < 30:
        return Breakpoint.FOLDED
    return Breakpoint.FULL


class Place(NamedTuple):
    """How one pane is to be shown."""

    is_shown: bool
    is_folded: bool
    height: int
    """Lines; 0 for all that there is."""


_CHROME = {Breakpoint.FOLDED: 6, Breakpoint.BARE: 3}
"""Lines of totals, headings, message and keys around list and panes."""
_LEAST_ROWS = 5
_LEAST_PANE = 3
_AWAY = Place(False, True, 1)
_ONE_LINE = Place(True, True, 1)


@dataclass
class PaneLayout:
    """What a person asked for, on top of what the size allows."""

    wishes: dict[str, bool] = field(default_factory=dict)
    """Pane -> open (or closed); panes that are not in it follow the size."""
    zoomed: str = ""
    """The pane that has the whole middle, or ""."""
    last: str = "graph"
    """The pane that was opened last; the one to zoom."""
    _opened: list[str] = field(default_factory=list)
    """Panes in the order in which they were opened by hand, the last one last."""

    def toggle(self, pane: str, room: Breakpoint) -> None:
        """Open a pane, or close it; while one is zoomed, zoom that one instead."""
        self.last = pane
        if self.zoomed:
            self.zoomed = "" if self.zoomed == pane else pane
            return
        is_open = not self.is_open(pane, room)
        self.wishes[pane] = is_open
        if is_open:
            self._opened = [*(name for name in self._opened if name != pane), pane]

    def is_open(self, pane: str, room: Breakpoint) -> bool:
        """Whether a pane has more than one line."""
        return self.wishes.get(pane, room is Breakpoint.FULL and pane not in ON_DEMAND)

    def zoom(self) -> None:
        """Give the last pane the whole middle, or give the list its place back."""
        self.zoomed = "" if self.zoomed else self.last

    def places(self, width: int, height: int) -> dict[str, Place]:
        """Return how each pane is to be shown in a terminal of this size."""
        room = room_for(width, height)
        if room is Breakpoint.LINE:
            return dict.fromkeys(PANES, _AWAY)
        if self.zoomed:
            places = dict.fromkeys(PANES, _AWAY)
            places[self.zoomed] = Place(True, False, 0)
            return places
        places = {pane: self._place(pane, room, height) for pane in PANES}
        if room is not Breakpoint.FULL:
            self._leave_room_for_list(places, height - _CHROME[room] - _LEAST_ROWS)
        return places

    def _leave_room_for_list(self, places: dict[str, Place], room: int) -> None:
        """Fold the panes opened first, then shrink the last, until the list has rows.

        Args:
            places: of panes one above the other; changed.
            room: lines for all of them together.
        """
        ranks = {pane: at for at, pane in enumerate(self._opened, 1)}
        others = [pane for pane in PANES if pane != self.last]
        others.sort(key=lambda pane: ranks.get(pane, 0))

        def is_too_much() -> bool:
            return _height_of(places) > room

        for pane in others:
            if is_too_much() and not places[pane].is_folded:
                places[pane] = _AWAY if pane in ON_DEMAND else _ONE_LINE
        for pane in others:
            if is_too_much() and places[pane].is_folded:
                places[pane] = _AWAY
        last = places[self.last]
        if is_too_much() and last.is_shown and not last.is_folded:
            over = _height_of(places) - room
            height = max(_LEAST_PANE, last.height - over)
            places[self.last] = last._replace(height=height)

    def _place(self, pane: str, room: Breakpoint, height: int) -> Place:
        if self.is_open(pane, room):
            return Place(True, False, open_height(height))
        if room is Breakpoint.FULL or pane in ON_DEMAND:
            return _AWAY
        is_only_line = room is Breakpoint.BARE and pane != "disk"
        return _AWAY if is_only_line else _ONE_LINE


def _height_of(places: dict[str, Place]) -> int:
    return sum(place.height for place in places.values() if place.is_shown)


def open_height(height: int) -> int:
    """Return the lines of an open pane: a quarter of the terminal, within reason."""
    return max(6, min(12, height // 4))

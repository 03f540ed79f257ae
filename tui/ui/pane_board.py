"""Which panes are open, folded or away, for a terminal's size and a person's wishes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

PANES = ("graph", "disk", "detail", "log")
"""Ids of the panes, in the order in which they stand."""


class Room(Enum):
    """How much space there is."""

    FULL = "full"
    """Three panes side by side below the list."""
    FOLDED = "folded"
    """Panes of one line each."""
    BARE = "bare"
    """The list, two lines above and two below it."""
    LINE = "line"
    """One line of totals; keys still work."""


def room_for(width: int, height: int) -> Room:
    """Return how much fits in a terminal of this size, in cells."""
    if width < 40 or height < 10:
        return Room.LINE
    if width < 70 or height < 18:
        return Room.BARE
    if width < 100 or height < 30:
        return Room.FOLDED
    return Room.FULL


class Place(NamedTuple):
    """How one pane is to be shown."""

    is_shown: bool
    is_folded: bool
    height: int
    """Lines; 0 for all that there is."""


_AWAY = Place(False, True, 1)
_ONE_LINE = Place(True, True, 1)


@dataclass
class PaneBoard:
    """What a person asked for, on top of what the size allows."""

    wishes: dict[str, bool] = field(default_factory=dict)
    """Pane -> open (or closed); panes that are not in it follow the size."""
    zoomed: str = ""
    """The pane that has the whole middle, or ""."""
    last: str = "graph"
    """The pane that was opened last; the one to zoom."""

    def toggle(self, pane: str, room: Room) -> None:
        """Open a pane, or close it; while one is zoomed, zoom that one instead."""
        self.last = pane
        if self.zoomed:
            self.zoomed = "" if self.zoomed == pane else pane
            return
        self.wishes[pane] = not self.is_open(pane, room)

    def is_open(self, pane: str, room: Room) -> bool:
        """Whether a pane has more than one line."""
        return self.wishes.get(pane, room is Room.FULL and pane != "log")

    def zoom(self) -> None:
        """Give the last pane the whole middle, or give the list its place back."""
        self.zoomed = "" if self.zoomed else self.last

    def places(self, width: int, height: int) -> dict[str, Place]:
        """Return how each pane is to be shown in a terminal of this size."""
        room = room_for(width, height)
        if room is Room.LINE:
            return dict.fromkeys(PANES, _AWAY)
        if self.zoomed:
            places = dict.fromkeys(PANES, _AWAY)
            places[self.zoomed] = Place(True, False, 0)
            return places
        return {pane: self._place(pane, room, height) for pane in PANES}

    def _place(self, pane: str, room: Room, height: int) -> Place:
        if self.is_open(pane, room):
            return Place(True, False, open_height(height))
        if room is Room.FULL or pane == "log":
            return _AWAY
        is_only_line = room is Room.BARE and pane != "disk"
        return _AWAY if is_only_line else _ONE_LINE


def open_height(height: int) -> int:
    """Return the lines of an open pane: a quarter of the terminal, within reason."""
    return max(6, min(12, height // 4))

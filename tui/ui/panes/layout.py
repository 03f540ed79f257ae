"""Decides which panes are open, folded or hidden in a terminal of a given size."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from tui.core.quick.named_tuple import NamedTuple

PANES = ("graph", "disk", "detail", "hosts", "log")
"""Ids of the panes, in the order of their layout."""
ON_DEMAND = frozenset({"hosts", "log"})
"""Panes that stay hidden until a key opens them."""


class Breakpoint(Enum):
    """How much fits on the screen."""

    FULL = "full"
    """Three panes side by side below the list."""
    FOLDED = "folded"
    """Panes of one line each."""
    BARE = "bare"
    """The list, with two lines above and two below it."""
    LINE = "line"
    """A single line of totals; keys still work."""


def breakpoint_for(width: int, height: int) -> Breakpoint:
    """Return how much fits in a terminal of ``width`` by ``height`` cells."""
    if width < 40 or height < 10:
        return Breakpoint.LINE
    if width < 70 or height < 18:
        return Breakpoint.BARE
    if width < 100 or height < 30:
        return Breakpoint.FOLDED
    return Breakpoint.FULL


class PanePlacement(NamedTuple):
    """How one pane is shown."""

    is_shown: bool
    is_folded: bool
    height: int
    """Lines; 0 for all that are available."""


_CHROME = {Breakpoint.FOLDED: 6, Breakpoint.BARE: 3}
"""Lines around list and panes: totals, headings, message and keys."""
_MIN_LIST_ROWS = 5
_MIN_PANE_HEIGHT = 3
_HIDDEN = PanePlacement(False, True, 1)
_ONE_LINE = PanePlacement(True, True, 1)


@dataclass(eq=False, repr=False)
class PaneLayout:
    """The layout that the terminal's size suggests, as changed by the user."""

    overrides: dict[str, bool] = field(default_factory=dict)
    """Pane -> open or closed by the user; other panes follow the terminal's size."""
    zoomed: str = ""
    """The pane that fills the whole middle, or ""."""
    last: str = "graph"
    """The pane that was toggled last; ``zoom`` applies to it."""
    _opened: list[str] = field(default_factory=list)
    """Panes that the user opened, most recent last."""

    def toggle(self, pane: str, breakpoint: Breakpoint) -> None:
        """Open or close a pane; while another is zoomed, zoom this one instead."""
        self.last = pane
        if self.zoomed:
            self.zoomed = "" if self.zoomed == pane else pane
            return
        is_open = not self.is_open(pane, breakpoint)
        self.overrides[pane] = is_open
        if is_open:
            self._opened = [*(name for name in self._opened if name != pane), pane]

    def is_open(self, pane: str, breakpoint: Breakpoint) -> bool:
        """Return True if a pane has more than one line."""
        is_default = breakpoint is Breakpoint.FULL and pane not in ON_DEMAND
        return self.overrides.get(pane, is_default)

    def zoom(self) -> None:
        """Let the last toggled pane fill the middle, or bring the list back."""
        self.zoomed = "" if self.zoomed else self.last

    def arrange(self, width: int, height: int) -> dict[str, PanePlacement]:
        """Return how to show each pane in a terminal of this size."""
        breakpoint = breakpoint_for(width, height)
        if breakpoint is Breakpoint.LINE:
            return dict.fromkeys(PANES, _HIDDEN)
        if self.zoomed:
            zoomed = {self.zoomed: PanePlacement(True, False, 0)}
            return dict.fromkeys(PANES, _HIDDEN) | zoomed
        placements = {pane: self._placement(pane, breakpoint, height) for pane in PANES}
        if breakpoint is not Breakpoint.FULL:
            available = height - _CHROME[breakpoint] - _MIN_LIST_ROWS
            self._make_room_for_list(placements, available)
        return placements

    def _make_room_for_list(
        self, placements: dict[str, PanePlacement], available: int
    ) -> None:
        """Fold or hide panes, then shrink the last one, until the list has its rows.

        Panes that were opened first are folded first.

        Args:
            placements: of panes one above the other; changed in place.
            available: lines for all panes together.
        """
        opened = {pane: index for index, pane in enumerate(self._opened, 1)}
        others = [pane for pane in PANES if pane != self.last]
        others.sort(key=lambda pane: opened.get(pane, 0))

        def is_too_high() -> bool:
            return _total_height(placements) > available

        for pane in others:
            if is_too_high() and not placements[pane].is_folded:
                placements[pane] = _HIDDEN if pane in ON_DEMAND else _ONE_LINE
        for pane in others:
            if is_too_high() and placements[pane].is_folded:
                placements[pane] = _HIDDEN
        last = placements[self.last]
        if is_too_high() and last.is_shown and not last.is_folded:
            excess = _total_height(placements) - available
            height = max(_MIN_PANE_HEIGHT, last.height - excess)
            placements[self.last] = last._replace(height=height)

    def _placement(
        self, pane: str, breakpoint: Breakpoint, height: int
    ) -> PanePlacement:
        if self.is_open(pane, breakpoint):
            return PanePlacement(True, False, open_height(height))
        if breakpoint is Breakpoint.FULL or pane in ON_DEMAND:
            return _HIDDEN
        # Of the folded panes, a bare screen has a line for the disk only.
        is_hidden = breakpoint is Breakpoint.BARE and pane != "disk"
        return _HIDDEN if is_hidden else _ONE_LINE


def _total_height(placements: dict[str, PanePlacement]) -> int:
    return sum(pane.height for pane in placements.values() if pane.is_shown)


def open_height(height: int) -> int:
    """Return the height of an open pane: a quarter of the terminal, 6 to 12 lines."""
    return max(6, min(12, height // 4))

"""Paints a snapshot: the list on every tick, the rest as often as it can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.ui.list.causes import advice_on
from tui.ui.panes.layout import Breakpoint

if TYPE_CHECKING:
    from tui.ui.main_screen import MainScreen

_IDLE_PAINT = 4
"""Ticks between two paints while nothing happens: under 1 % of a core."""


class RefreshScheduler:
    """Decides which parts of the dashboard are due."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen with the parts."""
        self._screen = screen
        self._ticks = -1
        self._idle_ticks = -1
        self._painted = -1
        """``EngineSnapshot.revision`` of the last paint."""
        self.is_frozen = False
        """The list stays as it is, so that it can be read; keys go on working."""
        self._follow = screen.following
        self._detailed: int | None = None

    @property
    def mode(self) -> str:
        """Id of the action that changed how the list moves; "" for none."""
        if self.is_frozen:
            return "freeze"
        return "follow" if self._follow.is_on else ""

    def follow(self, *, has_news: bool) -> None:
        """Paint what is due; an idle dashboard rests."""
        screen = self._screen
        if has_news or screen.bridge.is_moving or self._is_seen_change():
            self._paint()

    def paint_all(self) -> None:
        """Paint every part that can be seen, now."""
        self._ticks = -1
        self._paint()

    def paint_bars(self) -> None:
        """Paint the lines of totals, views and keys."""
        screen = self._screen
        snapshot = screen.bridge.snapshot
        is_bare = screen.room in (Breakpoint.BARE, Breakpoint.LINE)
        marked = len(screen.list.model.marks) if is_bare else 0
        is_moving = screen.bridge.is_moving
        screen.header.show(snapshot, is_moving=is_moving, marked=marked)
        if screen.room is not Breakpoint.LINE:
            screen.tabs.show(snapshot, screen.list.model, self.mode)
            screen.verdict.show(snapshot)
            self.paint_cursor()

    def paint_cursor(self) -> None:
        """Paint what depends on the row under the cursor: keys and advice."""
        screen = self._screen
        situation = screen.situation()
        screen.footer.show(situation)
        cause = screen.list.model.cursor_cause if situation.is_heading else None
        screen.messages.advise(advice_on(situation.row, cause))

    def _paint(self) -> None:
        screen = self._screen
        snapshot = screen.bridge.snapshot
        self._ticks += 1
        if snapshot.revision != self._painted or self._is_turn(2):
            self._painted = snapshot.revision
            self.paint_bars()
        if screen.room is Breakpoint.LINE:
            return
        if not self.is_frozen:
            screen.list.tick(snapshot, is_moving=screen.bridge.is_moving)
            self._follow.tick()
        if screen.disk.display and self._is_turn(2):
            screen.disk.show(snapshot)
        if screen.hosts.display and self._is_turn(3):
            self.paint_hosts()
        if screen.graph.display and self._is_turn(5):
            screen.graph.show(snapshot)
        self._paint_detail()

    def paint_hosts(self) -> None:
        """Paint the hosts: asking for them costs by their number."""
        self._screen.hosts.show(self._screen.service.origins())

    def _paint_detail(self) -> None:
        screen = self._screen
        id = screen.list.model.cursor_id
        if screen.detail.display and (self._is_turn(2) or id != self._detailed):
            self._detailed = id
            screen.detail.show(None if id is None else screen.service.detail(id))

    def _is_seen_change(self) -> bool:
        """Whether an idle dashboard has something new to paint; meters go slowly."""
        self._idle_ticks += 1
        screen = self._screen
        is_new = screen.bridge.snapshot.revision != self._painted
        if screen.detail.display and screen.list.model.cursor_id != self._detailed:
            return True
        return is_new or self._idle_ticks % _IDLE_PAINT == 0

    def _is_turn(self, every: int) -> bool:
        """Whether a part that is painted on every so many ticks is due."""
        return self._ticks % every == 0 or not self._screen.bridge.is_moving

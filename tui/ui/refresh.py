"""Redraws the dashboard: the list on every tick, other parts less often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.core.listing.query import View
from tui.core.quick.named_tuple import NamedTuple
from tui.ui.list.advice import cursor_advice
from tui.ui.panes.layout import Breakpoint

if TYPE_CHECKING:
    from tui.ui.bars.bottleneck_line import BottleneckLine
    from tui.ui.bars.footer import FooterBar
    from tui.ui.bars.header import HeaderBar
    from tui.ui.bars.message_line import MessageLine
    from tui.ui.bars.tabs import TabsBar
    from tui.ui.keys.conditions import ActionState
    from tui.ui.list.follow import FollowMode
    from tui.ui.list.widget import DownloadList
    from tui.ui.panes.detail import DetailPane
    from tui.ui.panes.disk import DiskPane
    from tui.ui.panes.hosts import HostsPane
    from tui.ui.panes.throughput import ThroughputGraph
    from tui.ui.poller import EnginePoller

_IDLE_TICKS = 4
"""Ticks between two refreshes while nothing happens: under 1 % of a core."""


class ScreenState(Protocol):
    """The state of the screen that decides what is drawn."""

    @property
    def breakpoint(self) -> Breakpoint:
        """The size class of the terminal."""
        ...

    @property
    def shown_hosts(self) -> HostsPane | None:
        """The hosts pane while it is visible."""
        ...

    def action_state(self) -> ActionState:
        """Return the state that decides which actions are enabled."""
        ...


class Parts(NamedTuple):
    """The widgets that are refreshed."""

    header: HeaderBar
    tabs: TabsBar
    list: DownloadList
    graph: ThroughputGraph
    disk: DiskPane
    detail: DetailPane
    bottleneck: BottleneckLine
    messages: MessageLine
    footer: FooterBar


class RefreshScheduler:
    """Decides which parts of the dashboard are due to be redrawn."""

    def __init__(
        self,
        parts: Parts,
        poller: EnginePoller,
        follow_mode: FollowMode,
        state: ScreenState,
    ) -> None:
        """Draw the poller's snapshots with ``parts``."""
        self._parts = parts
        self._poller = poller
        self._follow_mode = follow_mode
        self._state = state
        self._ticks = -1
        self._idle_ticks = -1
        self._drawn = -1
        """``EngineSnapshot.revision`` of the last refresh."""
        self._drawn_detail: int | None = None
        self.is_frozen = False
        """The list is not updated, so that it can be read; keys keep working."""

    @property
    def mode(self) -> str:
        """ID of the action that changed how the list moves; "" for none."""
        if self.is_frozen:
            return "freeze"
        return "follow" if self._follow_mode.is_on else ""

    def tick(self, *, has_events: bool) -> None:
        """Redraw what is due; less often while the dashboard is idle."""
        if has_events or self._poller.is_moving or self._is_idle_refresh_due():
            self._refresh()

    def refresh_all(self) -> None:
        """Redraw every visible part now."""
        self._ticks = -1
        self._refresh()

    def refresh_bars(self) -> None:
        """Redraw the lines with totals, views and keys."""
        parts, snapshot = self._parts, self._poller.snapshot
        breakpoint = self._state.breakpoint
        has_no_tabs = breakpoint in (Breakpoint.BARE, Breakpoint.LINE)
        marked = len(parts.list.model.marks) if has_no_tabs else 0
        view = parts.list.model.query.view
        parts.header.show(
            snapshot,
            is_moving=self._poller.is_moving,
            marked=marked,
            view=view.value if has_no_tabs and view is not View.ALL else "",
        )
        if breakpoint is not Breakpoint.LINE:
            if parts.graph.display:
                parts.graph.show(snapshot)  # one speed here and in the header
            parts.tabs.show(snapshot, parts.list.model, self.mode)
            parts.bottleneck.show(snapshot)
            self.refresh_cursor()

    def refresh_cursor(self) -> None:
        """Redraw what depends on the row under the cursor: keys and advice."""
        parts, state = self._parts, self._state.action_state()
        parts.footer.show(state)
        group = parts.list.model.cursor_group if state.is_heading else None
        parts.messages.advise(cursor_advice(state.row, group))

    def refresh_tabs(self) -> None:
        """Redraw the line with views, sort order and filter."""
        parts = self._parts
        parts.tabs.show(self._poller.snapshot, parts.list.model, self.mode)

    def refresh_hosts(self) -> None:
        """Redraw the hosts; asking for them costs time per host."""
        hosts = self._state.shown_hosts
        if hosts is not None:
            hosts.show(self._poller.service.origins())

    def _refresh(self) -> None:
        parts, snapshot = self._parts, self._poller.snapshot
        self._ticks += 1
        if snapshot.revision != self._drawn or self._is_turn(2):
            self._drawn = snapshot.revision
            self.refresh_bars()
        if self._state.breakpoint is Breakpoint.LINE:
            return
        if not self.is_frozen:
            parts.list.tick(
                snapshot,
                is_moving=self._poller.is_moving,
                is_flood=self._poller.is_flood,
            )
            self._follow_mode.tick()
        if parts.disk.display and self._is_turn(2):
            parts.disk.show(snapshot)
        if self._is_turn(3):
            self.refresh_hosts()
        self._refresh_detail()

    def _refresh_detail(self) -> None:
        parts, id = self._parts, self._parts.list.model.cursor_id
        if parts.detail.display and (self._is_turn(2) or id != self._drawn_detail):
            self._drawn_detail = id
            service = self._poller.service
            parts.detail.show(None if id is None else service.detail(id))

    def _is_idle_refresh_due(self) -> bool:
        """Return True if an idle dashboard has a change to draw, or a meter is due."""
        self._idle_ticks += 1
        parts = self._parts
        if parts.detail.display and parts.list.model.cursor_id != self._drawn_detail:
            return True
        has_changed = self._poller.snapshot.revision != self._drawn
        return has_changed or self._idle_ticks % _IDLE_TICKS == 0

    def _is_turn(self, every: int) -> bool:
        """Return True if a part that is drawn on every ``every``-th tick is due."""
        return self._ticks % every == 0 or not self._poller.is_moving

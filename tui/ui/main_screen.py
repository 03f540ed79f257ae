"""The dashboard itself: totals, views, list, panes, keys, and the tick that feeds them.

The order of one tick: poll the engine, log its events, paint what can be seen, see
whether it is time to leave, arm the next tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.binding import BindingsMap
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input

from tui.core.listing.query import DownloadQuery
from tui.core.text.plain_text import plain
from tui.ui.actions.batch_runner import BatchRunner
from tui.ui.actions.export import FailedExport
from tui.ui.actions.rows import RowActions
from tui.ui.actions.run import RunActions
from tui.ui.actions.selection import MarkActions
from tui.ui.actions.undo import UndoStack
from tui.ui.actions.view import ViewActions
from tui.ui.adding import AddQueue
from tui.ui.bars.bottleneck_line import BottleneckLine
from tui.ui.bars.filter_bar import FilterBar
from tui.ui.bars.footer import FooterBar
from tui.ui.bars.header import ActionPressed, HeaderBar
from tui.ui.bars.message_line import MessageLine, Severity
from tui.ui.bars.tabs import TabsBar
from tui.ui.exit import ExitFlow
from tui.ui.keys.keymap import current
from tui.ui.keys.registry import ACTIONS, BY_ID, ActionState, Group
from tui.ui.list.follow import FollowMode
from tui.ui.list.heading import ListHeading
from tui.ui.list.widget import DownloadList
from tui.ui.notifications import Notifications
from tui.ui.panes.detail import DetailPane
from tui.ui.panes.disk import DiskPane
from tui.ui.panes.event_log import EventLog
from tui.ui.panes.hosts import HostsPane
from tui.ui.panes.layout import Breakpoint, PaneLayout, breakpoint_for
from tui.ui.panes.throughput import ThroughputGraph
from tui.ui.poller import EnginePoller
from tui.ui.refresh import RefreshScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer

    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService
    from tui.ui.ui_state import UIState


class MainScreen(Screen[None]):
    """Everything that can be seen of a run, and every key that changes it."""

    def __init__(
        self,
        service: DownloadService,
        requests: Sequence[DownloadRequest],
        source_title: str,
        *,
        exit_when_done: bool,
    ) -> None:
        """Take the engine, what to fetch, its name for the header, and how to end."""
        super().__init__()
        self.use_keys()
        self.service = service
        self.bridge = EnginePoller(service)
        self.undo_stack = UndoStack(service)
        self.bulk = BatchRunner(self)
        self.intake = AddQueue(self)
        self.board = PaneLayout()
        self.room = Breakpoint.FULL
        self.leaving = ExitFlow(self, exit_when_done=exit_when_done)
        self.trouble = ""
        """What to tell first; "" for nothing."""
        self._requests = requests
        self._timer: Timer | None = None
        self.header = HeaderBar(source_title)
        self.tabs = TabsBar()
        self.filter_bar = FilterBar(id="filter")
        self.heading = ListHeading()
        self.list = DownloadList(service)
        self.graph = ThroughputGraph(id="graph")
        self.disk = DiskPane(id="disk")
        self.detail = DetailPane(id="detail")
        self.hosts = HostsPane(lambda host: self.run.ask_cap(host), id="hosts")
        self.verdict = BottleneckLine()
        self.log_pane = EventLog(id="log")
        self.messages = MessageLine(self.log_pane)
        self.footer = FooterBar()
        side = (self.graph, self.disk, self.detail)
        self.panes = Container(*side, id="panes")
        self._all_panes = (*side, self.hosts, self.log_pane)
        self.views = ViewActions(self)
        self.rows = RowActions(self)
        self.marks = MarkActions(self)
        self.run = RunActions(self)
        self.following = FollowMode(self.list, service)
        self.failed_export = FailedExport(self)
        self.painter = RefreshScheduler(self)
        self._reporter = Notifications(self)
        self.handlers = self._find_handlers()

    def use_keys(self) -> None:
        """Bind the keys that the keymap says now."""
        # Textual's own set_keymap can take no key away, and binds keys of actions
        # with two of them twice (8.2.8).
        self._bindings = BindingsMap(current().bindings())

    def _find_handlers(self) -> dict[str, Callable[[], None]]:
        owners = (self.rows, self.marks, self.run, self.views)
        return {
            action.id: getattr(owner, action.id)
            for action in ACTIONS
            for owner in owners
            if hasattr(owner, action.id)
        }

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.header
        yield self.tabs
        yield self.filter_bar
        yield self.heading
        yield self.list
        yield self.panes
        yield self.hosts
        yield self.log_pane
        yield self.verdict
        yield self.messages
        yield self.footer

    def on_mount(self) -> None:
        """Paint once, then begin to add and to tick."""
        self.list.focus()
        self.list.explain_if_empty(is_loading=self._is_loading)
        self.show_now()
        self.call_after_refresh(self._begin)

    @property
    def _is_loading(self) -> bool:
        return bool(self._requests) or self.intake.restore is not None

    def _begin(self) -> None:
        self.trouble = self.trouble or next(iter(current().complaints), "")
        if self.trouble:
            self.tell(self.trouble, severity="warning")
        self.intake.begin(self._requests)
        self.tick()

    def on_unmount(self) -> None:
        """Stop listening to the engine."""
        self.leaving.forget()
        self.bridge.close()

    # -- the tick --------------------------------------------------------------------

    def tick(self) -> None:
        """Follow the engine once, and arm the next tick."""
        if self._timer is not None:
            self._timer.stop()
        events = self.bridge.poll()
        if self.app.has_lost_terminal:  # type: ignore[attr-defined]
            self.leaving.now()
            return
        self._reporter.log(events)
        if not self.app.is_terminal_behind:  # type: ignore[attr-defined]
            self.painter.follow(has_news=bool(events))
        self._reporter.tell(events, is_all_added=self.intake.is_all_added)
        self.leaving.check(is_all_added=self.intake.is_all_added)
        interval = self.bridge.interval(is_covered=self.app.screen is not self)
        self.messages.tick()
        self.app.announce(self.bridge.snapshot)  # type: ignore[attr-defined]
        self._timer = self.set_timer(interval, self.tick)

    def show_now(self) -> None:
        """Paint what a key changed, without waiting for the tick."""
        self.bridge.snapshot = self.service.snapshot()
        self.painter.paint_bars()

    # -- what is shown ---------------------------------------------------------------

    @on(DownloadList.Searched)
    def show_search(self) -> None:
        """Say how far the list is what was asked for."""
        self.list.explain_if_empty(is_loading=self._is_loading)
        self.tabs.show(self.bridge.snapshot, self.list.model, self.painter.mode)
        self.views.tell_trouble()

    def look_like(self, looks: UIState) -> None:
        """Take the order and the panes of an earlier run, before anything is shown."""
        query = DownloadQuery(sort=looks.sort, is_reversed=looks.is_reversed)
        self.list.model.query = query
        self.heading.show(query)
        self.board.overrides |= looks.panes

    def situation(self) -> ActionState:
        """What actions can be judged by."""
        return ActionState(
            row=self.list.cursor_row if self._sees_cursor else None,
            is_heading=self.list.display and self.list.model.cursor_cause is not None,
            many=self.list.model.many if self.list.display else 0,
            engine=self.bridge.snapshot,
            can_undo=len(self.undo_stack) > 0,
            can_escape=bool(
                self.filter_bar.is_open
                or self.board.zoomed
                or self.list.model.query.text
                or self.list.model.marks
                or self.focused is not self.list
            ),
        )

    @property
    def _sees_cursor(self) -> bool:
        """Whether a key may act on the row: only one that can be seen."""
        return self.list.display or self.board.zoomed == "detail"

    def tell(self, text: str, *, severity: Severity = "information") -> None:
        """Say something in the line above the keys, until something else is said."""
        self.messages.show_message(plain(text), severity)

    def on_resize(self, event: events.Resize) -> None:
        """Use the room that there is."""
        self.room = breakpoint_for(event.size.width, event.size.height)
        self.arrange_panes()

    def arrange_panes(self) -> None:
        """Open, fold and hide panes."""
        for room in Breakpoint:
            self.set_class(room is self.room, f"-{room.value}")
        width, height = self.app.size
        places = self.board.arrange(width, height)
        self.set_class(bool(self.board.zoomed), "-zoomed")
        is_side = self.room is Breakpoint.FULL and not self.board.zoomed
        self.panes.set_class(is_side, "-side")
        is_zoomed = self.board.zoomed in ("graph", "disk", "detail")
        self.panes.set_class(is_zoomed, "-zoomed")
        for pane in self._all_panes:
            place = places[str(pane.id)]
            pane.display = place.is_shown
            pane.is_folded = place.is_folded
            pane.styles.height = place.height or "1fr"
        if self.list.is_attached:
            self.painter.paint_all()

    # -- keys and clicks -------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep keys from acting while text is typed or another pane has them."""
        if action != "run":
            return True
        wanted = BY_ID[str(parameters[0])]
        if isinstance(self.focused, Input):
            return wanted.is_typable
        if wanted.group is Group.MOVE:
            return self.focused in (None, self.list)
        return True

    def action_run(self, id: str) -> None:
        """Do what a key stands for."""
        if self.focused is self.hosts and id in HostsPane.TAKES:
            self.hosts.ask_for_cap()
        else:
            self.run_named(id)

    def run_named(self, id: str) -> None:
        """Do an action of the registry, or say why it would do nothing."""
        action = BY_ID[id]
        if not action.when(self.situation()):
            if action.why_not:
                self.tell(f"{action.title}: {action.why_not}", severity="warning")
            return
        self.handlers[id]()
        is_move = action.group is Group.MOVE
        if is_move and not self.following.is_on:
            self.painter.paint_cursor()
            return
        if is_move:
            self.following.is_on = False
        self.show_now()

    @on(ActionPressed)
    def run_clicked(self, message: ActionPressed) -> None:
        """Do what was clicked."""
        message.stop()
        self.run_named(message.action)

    @on(ListHeading.Pressed)
    def sort_clicked(self, message: ListHeading.Pressed) -> None:
        """Order by the clicked column."""
        message.stop()
        self.views.sort_by(message.sort)

    @on(DownloadList.Opened)
    def open_clicked(self, message: DownloadList.Opened) -> None:
        """Open the details of a double-clicked row."""
        message.stop()
        self.rows.show_details(message.id)

    @on(DownloadList.MarkPressed)
    def mark_clicked(self) -> None:
        """Mark the row whose mark was clicked."""
        self.marks.toggle()
        self.show_now()

    @on(DetailPane.OpenRequested)
    def open_pane_clicked(self) -> None:
        """Open the details of the row under the cursor."""
        self.run_named("details")

    @on(DiskPane.WritersChanged)
    def writers_clicked(self, message: DiskPane.WritersChanged) -> None:
        """Change the number of writer threads."""
        message.stop()
        self.run.change_writers(message.delta)

    @on(DiskPane.InlineToggled)
    def inline_clicked(self, message: DiskPane.InlineToggled) -> None:
        """Switch inline writes."""
        message.stop()
        self.run_named("inline_writes")

    @on(FilterBar.FilterChanged)
    def filter_typed(self, message: FilterBar.FilterChanged) -> None:
        """List only what matches."""
        message.stop()
        self.views.set_filter(message.text)

    @on(FilterBar.Left)
    def filter_left(self, message: FilterBar.Left) -> None:
        """Give the keys back to the list."""
        message.stop()
        self.list.focus()

    def on_paste(self, event: events.Paste) -> None:
        """Take pasted URLs to the editor for adding."""
        if not isinstance(self.focused, Input):
            event.stop()
            self.run.add(event.text)

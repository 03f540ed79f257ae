"""The main screen: header, tabs, list, panes, keys, and the tick that updates them.

One tick polls the engine, logs its events, redraws what is due, checks whether it is
time to quit, and schedules the next tick.
"""

from __future__ import annotations

import asyncio
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from textual import on
from textual.binding import BindingsMap
from textual.containers import Container
from textual.widgets import Input

from tui.core.attachment import LinkState
from tui.core.text.sanitize import sanitize
from tui.messages import WATCHING, attached_to, attachment_alert, attachment_text
from tui.ui.actions.batch_runner import BatchRunner
from tui.ui.actions.context import Application
from tui.ui.actions.undo import UndoStack
from tui.ui.adding import AddQueue
from tui.ui.bars.bottleneck_line import BottleneckLine
from tui.ui.bars.footer import FooterBar
from tui.ui.bars.header import ActionPressed, HeaderBar
from tui.ui.bars.message_line import MessageLine
from tui.ui.bars.tabs import TabsBar
from tui.ui.eager_screen import EagerScreen
from tui.ui.exit import ExitFlow
from tui.ui.keys.conditions import ActionState
from tui.ui.keys.keymap import current
from tui.ui.keys.registry import BY_ID, Group
from tui.ui.list.follow import FollowMode
from tui.ui.list.heading import ListHeading
from tui.ui.list.widget import DownloadList
from tui.ui.notifications import Notifications
from tui.ui.panes.detail import DetailPane
from tui.ui.panes.disk import DiskPane
from tui.ui.panes.event_log import EventLog
from tui.ui.panes.layout import Breakpoint, PaneLayout, breakpoint_for
from tui.ui.panes.throughput import ThroughputGraph
from tui.ui.poller import EnginePoller
from tui.ui.refresh import Parts, RefreshScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.geometry import Size
    from textual.notifications import SeverityLevel
    from textual.screen import Screen
    from textual.timer import Timer
    from textual.worker import Worker

    from tui.core.attachment import Attachment
    from tui.core.download import DownloadId
    from tui.core.listing.query import DownloadQuery
    from tui.core.request import DownloadRequest
    from tui.core.service import DashboardService
    from tui.core.snapshot import EngineSnapshot, OriginSnapshot
    from tui.ui.actions.handlers import ActionHandlers
    from tui.ui.bars.filter_bar import FilterBar
    from tui.ui.panes.hosts import HostsPane
    from tui.ui.panes.pane import Pane
    from tui.ui.ui_state import UIState

T = TypeVar("T")
_TOAST_S = 4


_ON_KEYS = (
    "tui.ui.actions.handlers",
    "tui.ui.bars.filter_bar",
    "tui.ui.dialogs.dialog",
    "tui.ui.panes.hosts",
)
"""Modules that keys need; without them the first frame comes sooner."""


_LOAD_AFTER_S = 1.0
"""Delay before they are loaded: a run that is over sooner needs none of them. A key
that comes before loads them, which takes 4 ms."""


def _load_for_keys() -> None:
    for name in _ON_KEYS:
        import_module(name)


class ScreenHost(Application, Protocol):
    """The application that shows the screen."""

    @property
    def is_terminal_behind(self) -> bool:
        """Whether the terminal has not read the last frames yet."""
        ...

    @property
    def has_lost_terminal(self) -> bool:
        """Whether the terminal is gone."""
        ...

    def update_title(self, snapshot: EngineSnapshot) -> None:
        """Show title and progress in the terminal's window."""
        ...


class MainScreen(EagerScreen):
    """All widgets of the dashboard, and the context in which actions run.

    Implements ``ActionContext`` for the action handlers, and the smaller protocols of
    ``AddQueue``, ``ExitFlow`` and ``RefreshScheduler``.
    """

    attachment: Attachment | None = None
    """The connection to the process that downloads, if it is another one."""
    _restarts = 0
    """``Attachment.restarts`` that were noticed."""
    _has_arrivals = False
    """Whether rows have arrived that are about to be shown."""

    def __init__(
        self,
        application: ScreenHost,
        service: DashboardService,
        requests: Sequence[DownloadRequest],
        source_title: str,
        *,
        exit_when_done: bool,
    ) -> None:
        """Show the downloads of an engine.

        Args:
            application: shows this screen.
            service: the engine.
            requests: what to add once the first frame is drawn.
            source_title: name of the source, for the header.
            exit_when_done: quit when the last download has finished.
        """
        super().__init__()
        self.bind_keys()
        self.application = application
        self.service = service
        self.poller = EnginePoller(service)
        self.undo_stack = UndoStack(service)
        self.batches = BatchRunner(self)
        self.add_queue = AddQueue(self, service)
        self.pane_layout = PaneLayout()
        self.breakpoint = Breakpoint.FULL
        self.exit_flow = ExitFlow(self, self.poller, exit_when_done=exit_when_done)
        self.start_message = ""
        """Warning to show at the start; "" for none."""
        self._requests = requests
        self._timer: Timer | None = None
        self._arranged_for: Size | None = None
        """The size of the terminal that the panes are arranged for."""
        self._ended: EngineSnapshot | None = None
        """The result of a finished run, until something new begins."""
        self._make_widgets(source_title)
        self.follow_mode = FollowMode(self.list, service)
        self.refresh_scheduler = RefreshScheduler(
            Parts(
                self.header,
                self.tabs,
                self.list,
                self.graph,
                self.disk,
                self.detail,
                self.bottleneck_line,
                self.messages,
                self.footer,
            ),
            self.poller,
            self.follow_mode,
            self,
        )
        self._notifications = Notifications(
            self.poller, self.log_pane, self.messages, self._show_toast, self._show_end
        )

    @cached_property
    def actions(self) -> ActionHandlers:
        """The handlers of all actions, loaded after the first frame."""
        from tui.ui.actions.handlers import ActionHandlers

        return ActionHandlers(self)

    @property
    def used_actions(self) -> ActionHandlers | None:
        """The handlers, if there was need for them so far: loading takes 4 ms."""
        return vars(self).get("actions")

    def _make_widgets(self, source_title: str) -> None:
        self.header = HeaderBar(source_title)
        self.tabs = TabsBar()
        self.heading = ListHeading()
        self.list = DownloadList(self.service)
        self.graph = ThroughputGraph(id="graph")
        self.disk = DiskPane(id="disk")
        self.detail = DetailPane(id="detail")
        self.bottleneck_line = BottleneckLine()
        self.log_pane = EventLog(id="log")
        self.messages = MessageLine(self.log_pane)
        self.footer = FooterBar()
        side = (self.graph, self.disk, self.detail)
        self.panes = Container(*side, id="panes")
        self._all_panes: list[Pane] = [*side, self.log_pane]

    @cached_property
    def hosts(self) -> HostsPane:
        """The hosts pane, made when it is opened for the first time."""
        from tui.ui.panes.hosts import HostsPane

        pane = HostsPane(self._ask_host_limit, id="hosts")
        pane.display = False
        self._all_panes.append(pane)
        return pane

    @property
    def shown_hosts(self) -> HostsPane | None:
        """The hosts pane while it is visible."""
        is_shown = "hosts" in vars(self) and self.hosts.display
        return self.hosts if is_shown else None

    @cached_property
    def filter_bar(self) -> FilterBar:
        """The filter, made when it is opened for the first time."""
        from tui.ui.bars.filter_bar import FilterBar

        return FilterBar(
            lambda: self.mount(self.filter_bar, before=self.heading), id="filter"
        )

    def bind_keys(self) -> None:
        """Bind the keys of the current keymap."""
        # Textual's own set_keymap cannot unbind a key, and binds actions with two keys
        # twice (8.2.8).
        self._bindings = BindingsMap(current().bindings())

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom, already arranged for the terminal."""
        self._arranged_for = self.app.size
        self.breakpoint = breakpoint_for(*self._arranged_for)
        self.arrange_panes()
        yield self.header
        yield self.tabs
        yield self.heading
        yield self.list
        yield self.panes
        yield from (pane for pane in self._on_demand() if pane.display)
        yield self.bottleneck_line
        yield self.messages
        yield self.footer

    def on_mount(self) -> None:
        """Draw once, then start to add and to tick."""
        # As Textual does after the first frame, which would be laid out again (8.2.8).
        self.query_children("ToastRack").set(display=False)
        self.list.focus()
        self.screen_layout_refresh_signal.subscribe(
            self, lambda _: self._place_toasts(), immediate=True
        )
        self.heading.show(self.list.model.query)
        self.list.explain_if_empty(is_loading=self._is_loading)
        self.poller.refresh()
        self.refresh_scheduler.refresh_all()
        if len(self.list.model.ids) > self.app.size.height:
            # Textual finds out during the first layout, and needs another one (8.2.8).
            self.list.show_vertical_scrollbar = True
        self.call_after_refresh(self._begin)

    @property
    def _is_loading(self) -> bool:
        adding = self.add_queue
        is_waiting = bool(self._requests) or adding.restore is not None
        return is_waiting or not adding.is_all_added

    def _begin(self) -> None:
        message = self.start_message or next(iter(current().problems), "")
        if message:
            self.notify(message, severity="warning")
        requests, self._requests = self._requests, ()
        self.add_queue.begin(requests)  # shows the first rows, which starts the ticks
        load = partial(asyncio.to_thread, _load_for_keys)
        self.set_timer(_LOAD_AFTER_S, partial(self.run_in_background, load))

    def on_unmount(self) -> None:
        """Unsubscribe from the engine."""
        self.exit_flow.stop_watching()
        self.poller.close()

    def is_all_added(self) -> bool:
        """Return True if no downloads are left to be added or restored."""
        return self.add_queue.is_all_added

    # -- the tick --------------------------------------------------------------------

    def tick(self) -> None:
        """Poll the engine, show what changed, and schedule the next tick."""
        if self._timer is not None:
            self._timer.stop()
        events = self.poller.poll()
        if self.application.has_lost_terminal:
            self.exit_flow.quit()
            return
        is_all_added = self.add_queue.is_all_added
        self.exit_flow.check(is_all_added=is_all_added)
        if self.app._exit:
            return  # nobody would see this frame, which takes 5 ms
        self._notifications.log(events)
        self.header.is_quitting = self.exit_flow.is_finishing
        if not self.application.is_terminal_behind:
            self.refresh_scheduler.tick(has_events=bool(events))
        self._notifications.show(events, is_all_added=is_all_added)
        interval = self.poller.interval(is_covered=self.app.screen is not self)
        self.messages.tick()
        self.application.update_title(self.poller.snapshot)
        self._timer = self.set_timer(interval, self.tick)

    def refresh_now(self) -> None:
        """Show changed totals now, without waiting for the next tick."""
        self.poller.refresh()
        self.refresh_scheduler.refresh_bars()

    # -- what actions and collaborators use ------------------------------------------

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a message in the line above the keys, in place of Textual's toast."""
        del title, timeout, markup
        if self.app._exit:
            return  # the line is gone, or will be in a moment
        self.messages.show_message(sanitize(message), severity)

    def _show_toast(self, text: str) -> bool:
        if self.breakpoint not in (Breakpoint.FULL, Breakpoint.FOLDED):
            return False
        self._place_toasts()
        self.app.clear_notifications()  # the newest toast has all the numbers
        self.app.notify(text, severity="error", timeout=_TOAST_S, markup=False)
        return True

    def _place_toasts(self) -> None:
        """Let toasts cover only the end of the list: panes and lines stay readable."""
        zoomed = [
            pane for pane in self._all_panes if str(pane.id) == self.pane_layout.zoomed
        ]
        end = zoomed[0].region.bottom - 1 if zoomed else self.list.region.bottom
        for rack in self.query("ToastRack"):
            rack.styles.margin = (0, 0, self.size.height - end, 0)

    def _show_end(self, snapshot: EngineSnapshot | None) -> None:
        """Show the result of a finished run in the line that has space for it."""
        self._ended = snapshot
        is_full = self.breakpoint is Breakpoint.FULL
        self.bottleneck_line.show_end(snapshot if is_full else None)
        self.messages.show_end(None if is_full else snapshot)

    def ask(self, dialog: Screen[T], answer: Callable[[T | None], None]) -> None:
        """Open a dialog and call ``answer`` with its result."""
        self.app.push_screen(dialog, answer)

    def open(self, screen: Screen[Any]) -> None:
        """Open a screen and ignore its result."""
        self.app.push_screen(screen)

    def run_in_background(
        self,
        work: Callable[[], Coroutine[None, None, None]],
        *,
        group: str = "default",
        exclusive: bool = False,
    ) -> None:
        """Run what ``work`` makes; ``exclusive`` cancels others of the same group."""
        # mypy infers the type of the result from here.
        _: Worker[None] = self.run_worker(work, group=group, exclusive=exclusive)

    def exit_app(self, status: int) -> None:
        """End the application with an exit status."""
        self.app.exit(status)

    def all_added(self) -> None:
        """Watch for the end, now that nothing is left to add."""
        self.exit_flow.watch()

    def added_by_user(self, ids: Sequence[DownloadId]) -> None:
        """Let undo cancel and remove what a dialog has added."""
        self.undo_stack.push_add(ids)

    def show_new_rows(self) -> None:
        """Show new rows now; an idle dashboard would poll only twice a second."""
        self.list.model.invalidate()
        self.tick()
        if not self.list.model.ids:
            self.list.explain_if_empty(is_loading=self._is_loading)

    def show_query(self, query: DownloadQuery) -> None:
        """Show the current view, sort order and filter around the list."""
        self.heading.show(query)
        self.show_search()

    @on(DownloadList.Searched)
    def show_search(self) -> None:
        """Show the progress of a search, or what is wrong with the filter."""
        self.list.explain_if_empty(is_loading=self._is_loading)
        self.refresh_scheduler.refresh_tabs()
        self.actions.view.show_filter_error()

    def restore_ui_state(self, state: UIState) -> None:
        """Apply the panes of an earlier run, before anything is drawn."""
        self.pane_layout.overrides |= state.panes

    def action_state(self) -> ActionState:
        """Return the state that decides which actions are enabled."""
        model, is_listed = self.list.model, self.list.display
        has_cursor = is_listed or self.pane_layout.zoomed == "detail"
        return ActionState(
            row=self.list.cursor_row if has_cursor else None,
            is_heading=is_listed and model.cursor_group is not None,
            many=model.many if is_listed else 0,
            engine=self.poller.snapshot,
            can_undo=len(self.undo_stack) > 0,
            can_escape=bool(
                ("filter_bar" in vars(self) and self.filter_bar.is_open)
                or self.pane_layout.zoomed
                or model.query.text
                or model.marks
                or self.exit_flow.is_finishing
                or self.focused is not self.list
            ),
            is_read_only=bool(self._why_read_only()),
        )

    # -- attached to another process -------------------------------------------------

    def attach(self, attachment: Attachment) -> None:
        """Show the downloads of another process, and the state of the connection."""
        self.attachment = attachment
        # The connection calls from tasks of its own, in which Textual does not work.
        attachment.on_change = lambda: self.call_later(self._show_attachment)
        attachment.on_arrival(self._note_arrival)
        self.header.attached_to = attached_to(attachment)
        self.header.alert = attachment_alert(attachment)
        self.exit_flow.is_attached = True
        self.add_queue.is_attached = True

    @property
    def is_remote(self) -> bool:
        """Whether the files are on another machine."""
        return self.attachment is not None and bool(self.attachment.host)

    def _why_read_only(self) -> str:
        """Return why nothing can be changed now; "" if it can."""
        attachment = self.attachment
        if attachment is None:
            return ""
        if attachment.state is not LinkState.CONNECTED:
            return attachment_text(attachment)
        return WATCHING if attachment.is_watching else ""

    def may_change(self) -> bool:
        """Return True if downloads can be changed; show why if they cannot."""
        reason = self._why_read_only()
        if reason:
            self.notify(reason, severity="warning")
        return not reason

    def _show_attachment(self) -> None:
        """Show that the connection has ended, or is back."""
        attachment = self.attachment
        if attachment is None or not self.is_running or self.app._exit:
            return
        if attachment.restarts != self._restarts:
            # Ids of another process are those of other downloads.
            self._restarts = attachment.restarts
            self.undo_stack.clear()
            self.list.model.marks.clear()
        self.header.alert = attachment_alert(attachment)
        is_connected = attachment.state is LinkState.CONNECTED
        severity: SeverityLevel = "information" if is_connected else "warning"
        self.notify(attachment_text(attachment), severity=severity)
        self.show_new_rows()

    def _note_arrival(self) -> None:
        if not self._has_arrivals:
            self._has_arrivals = True
            self.call_later(self._show_arrived)

    def _show_arrived(self) -> None:
        """Show rows that have arrived from another process, before the next tick."""
        self._has_arrivals = False
        if self.is_running and not self.app._exit:
            self.list.update_rows()

    # -- layout ----------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Adapt to the new size of the terminal.

        At the start, Textual sends the size three times (8.2.8), for which the panes
        were arranged when they were made.
        """
        if event.size != self._arranged_for:
            self._arranged_for = event.size
            self.breakpoint = breakpoint_for(*event.size)
            self.arrange_panes()

    def arrange_panes(self) -> None:
        """Open, fold and hide panes as the pane layout says."""
        for breakpoint in Breakpoint:
            self.set_class(breakpoint is self.breakpoint, f"-{breakpoint.value}")
        self._show_end(self._ended)
        width, height = self.app.size
        placements = self.pane_layout.arrange(width, height)
        zoomed = self.pane_layout.zoomed
        self.set_class(bool(zoomed), "-zoomed")
        is_side = self.breakpoint is Breakpoint.FULL and not zoomed
        self.panes.set_class(is_side, "-side")
        self.panes.set_class(zoomed in ("graph", "disk", "detail"), "-zoomed")
        if placements["hosts"].is_shown:
            self.hosts.display = True  # made now if it was never open
        for pane in self._all_panes:
            placement = placements[str(pane.id)]
            pane.display = placement.is_shown
            pane.is_folded = placement.is_folded
            pane.styles.height = placement.height or "1fr"
        if self.list.is_attached:
            for pane in self._on_demand():
                if pane.display and not pane.is_attached:
                    self.mount(pane, before=self._below(pane))
            self.refresh_scheduler.refresh_all()

    def _on_demand(self) -> Iterator[Pane]:
        """Yield the panes that are mounted when they are opened for the first time."""
        if "hosts" in vars(self):
            yield self.hosts
        yield self.log_pane

    def _below(self, pane: Pane) -> Pane:
        """Return the widget below a pane that is about to be mounted."""
        is_above_log = pane is not self.log_pane and self.log_pane.is_attached
        return self.log_pane if is_above_log else self.bottleneck_line

    # -- keys and clicks -------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable keys while text is typed or while another pane handles them."""
        if action != "run":
            return True
        wanted = BY_ID[str(parameters[0])]
        if isinstance(self.focused, Input):
            return wanted.is_typable
        if wanted.group is Group.MOVE:
            return self.focused in (None, self.list)
        return True

    def action_run(self, id: str) -> None:
        """Run the action of a key."""
        hosts = self.shown_hosts
        if hosts is not None and self.focused is hosts and id in hosts.TAKES:
            hosts.ask_for_cap()
        else:
            self.perform(id)

    def perform(self, id: str) -> None:
        """Run an action, or show why it is disabled."""
        if self.app._exit:
            return  # a key that arrived together with the one that quits
        action = BY_ID[id]
        if action.changes_downloads and not self.may_change():
            return
        if not action.is_enabled(self.action_state()):
            if action.disabled_reason:
                message = f"{action.title}: {action.disabled_reason}"
                self.notify(message, severity="warning")
            return
        self.actions.table[id]()
        is_move = action.group is Group.MOVE
        if is_move and not self.follow_mode.is_on:
            self.refresh_scheduler.refresh_cursor()
        else:
            if is_move:
                self.follow_mode.is_on = False
            self.refresh_now()
        self.draw_now([*self.children, *self.panes.children])

    def _ask_host_limit(self, host: OriginSnapshot) -> None:
        if self.may_change():
            self.actions.run.ask_host_limit(host)

    @on(ActionPressed)
    def run_clicked(self, message: ActionPressed) -> None:
        """Run the clicked action."""
        message.stop()
        self.perform(message.action)

    @on(ListHeading.Pressed)
    def sort_clicked(self, message: ListHeading.Pressed) -> None:
        """Sort by the clicked column."""
        message.stop()
        self.actions.view.sort_by(message.sort)

    @on(DownloadList.Opened)
    def open_clicked(self, message: DownloadList.Opened) -> None:
        """Show the details of a double-clicked row, or fold the group of a heading."""
        message.stop()
        self.perform("details")

    @on(DownloadList.MarkPressed)
    def mark_clicked(self) -> None:
        """Toggle the clicked mark."""
        self.actions.selection.toggle()
        self.refresh_now()

    @on(DetailPane.OpenRequested)
    def open_pane_clicked(self) -> None:
        """Show the details of the row under the cursor."""
        self.perform("details")

    @on(DiskPane.WritersChanged)
    def writers_clicked(self, message: DiskPane.WritersChanged) -> None:
        """Change the number of writer threads."""
        message.stop()
        if self.may_change():
            self.actions.run.change_writers(message.delta)

    @on(DiskPane.InlineToggled)
    def inline_clicked(self, message: DiskPane.InlineToggled) -> None:
        """Toggle inline writes."""
        message.stop()
        self.perform("inline_writes")

    @on(DiskPane.SlowDiskToggled)
    def slow_disk_clicked(self, message: DiskPane.SlowDiskToggled) -> None:
        """Toggle the simulated slow disk."""
        message.stop()
        self.perform("slow_disk")

    def on_filter_bar_filter_changed(self, message: FilterBar.FilterChanged) -> None:
        """List only what matches the filter."""
        message.stop()
        self.actions.view.set_filter(message.text)

    def on_filter_bar_left(self, message: FilterBar.Left) -> None:
        """Return the focus to the list."""
        message.stop()
        self.list.focus()

    def on_paste(self, event: events.Paste) -> None:
        """Open pasted URLs in the editor."""
        if not isinstance(self.focused, Input):
            event.stop()
            if event.text.strip() and self.may_change():
                self.add_queue.open_editor(event.text)

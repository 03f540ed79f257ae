"""What action handlers may use of the dashboard.

``MainScreen`` implements ``ActionContext``; a plain object does in the unit tests.
Anything that a new handler needs and that is missing here is added here first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tui.ui.actions.batch_runner import BatchHost, BatchRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.screen import Screen

    from tui.core.download import DownloadId
    from tui.core.listing.history import SessionHistory
    from tui.core.listing.query import DownloadQuery
    from tui.core.service import DashboardService
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.actions.undo import UndoStack
    from tui.ui.keys.conditions import ActionState
    from tui.ui.list.follow import FollowMode
    from tui.ui.list.model import ListModel
    from tui.ui.live_settings import LiveSettings
    from tui.ui.panes.layout import Breakpoint, PaneLayout

T = TypeVar("T")


class ListView(Protocol):
    """The list of downloads: its rows, its cursor and its marks."""

    model: ListModel

    @property
    def display(self) -> bool:
        """Whether the list is visible: a zoomed pane hides it."""
        ...

    @property
    def cursor_row(self) -> DownloadSnapshot | None:
        """The download under the cursor."""
        ...

    def focus(self) -> object:
        """Give the list the keyboard focus."""
        ...

    def set_query(self, query: DownloadQuery) -> None:
        """List what another view, sort order or filter selects."""
        ...

    def refresh_order(self) -> None:
        """Select and sort the rows again now."""
        ...

    def repaint(self, ids: Iterable[DownloadId]) -> None:
        """Show the new state of some downloads now."""
        ...

    def update_rows(self) -> None:
        """Redraw the visible rows whose text changed."""
        ...

    def move_cursor(self, by: int) -> None:
        """Move the cursor by a number of rows."""
        ...

    def move_page(self, direction: int) -> None:
        """Move the cursor by one page, up (-1) or down (+1)."""
        ...

    def put_cursor(self, index: int) -> None:
        """Move the cursor to a row."""
        ...

    def lead_cursor(self, index: int) -> None:
        """Move the cursor to a row, in the upper third of the screen."""
        ...


class FilterField(Protocol):
    """The field that the filter is typed into."""

    @property
    def is_open(self) -> bool:
        """Whether the field is visible."""
        ...

    def open(self, text: str) -> None:
        """Show the field with a text in it, and focus it."""
        ...

    def close(self) -> None:
        """Hide the field."""
        ...

    def show_error(self, wrong: str) -> None:
        """Show what is wrong with the filter."""
        ...


class FocusTarget(Protocol):
    """A widget that can be hidden or have the focus."""

    @property
    def display(self) -> bool:
        """Whether the widget is visible."""
        ...

    def focus(self) -> object:
        """Give the widget the keyboard focus."""
        ...


class Adding(Protocol):
    """The dialogs that add downloads."""

    def open_editor(self, text: str) -> None:
        """Ask for URLs, starting from a text."""
        ...

    def open_list(self) -> None:
        """Ask for a list file."""
        ...


class Exiting(Protocol):
    """The ways to quit."""

    @property
    def is_finishing(self) -> bool:
        """Whether the dashboard quits when the running downloads have ended."""
        ...

    @property
    def hint(self) -> str:
        """How to resume after quitting now, in a sentence."""
        ...

    def quit(self) -> None:
        """Quit now."""
        ...

    def stay(self) -> None:
        """Do not quit then."""
        ...

    def ask(self) -> None:
        """Quit, after a question if downloads are running."""
        ...

    def interrupt(self) -> None:
        """Quit like ``ask``; at once when called twice in a row."""
        ...

    def detach(self) -> None:
        """Quit and let a background process continue the downloads."""
        ...


class Refreshing(Protocol):
    """The part of the refresh scheduler that actions control."""

    is_frozen: bool

    def refresh_hosts(self) -> None:
        """Show the hosts again."""
        ...


class Application(Protocol):
    """What actions use of the application and its terminal."""

    @property
    def can_suspend(self) -> bool:
        """Whether a shell with job control started the program."""
        ...

    def action_suspend_process(self) -> None:
        """Stop the process and return to the shell."""
        ...

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text to the clipboard."""
        ...

    def export_screenshot(self, *, title: str | None = None) -> str:
        """Return the screen as SVG."""
        ...

    @property
    def theme(self) -> str:
        """The name of the current theme."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the list; () for the usual ones."""
        ...

    def set_columns(self, chosen: tuple[str, ...]) -> None:
        """Show these columns."""
        ...

    @property
    def history(self) -> SessionHistory | None:
        """The saved sessions; ``None`` for a dashboard without any."""
        ...

    def open_session(self, id: str) -> None:
        """Open a session as soon as this dashboard has closed."""
        ...

    def live_settings(self) -> LiveSettings:
        """Return the settings, to show and change them."""
        ...


class ActionContext(BatchHost, Protocol):
    """The dashboard, as action handlers see it."""

    @property
    def service(self) -> DashboardService:
        """The engine."""
        ...

    @property
    def undo_stack(self) -> UndoStack:
        """The steps that can be undone."""
        ...

    @property
    def batches(self) -> BatchRunner:
        """Runs an operation over many downloads."""
        ...

    @property
    def list(self) -> ListView:
        """The list of downloads."""
        ...

    @property
    def filter_bar(self) -> FilterField:
        """The filter."""
        ...

    @property
    def hosts(self) -> FocusTarget:
        """The hosts pane."""
        ...

    @property
    def pane_layout(self) -> PaneLayout:
        """Which panes are open; call ``arrange_panes`` after a change."""
        ...

    @property
    def breakpoint(self) -> Breakpoint:
        """The size class of the terminal."""
        ...

    @property
    def follow_mode(self) -> FollowMode:
        """Keeps the cursor on an active download."""
        ...

    @property
    def refresh_scheduler(self) -> Refreshing:
        """Decides what is redrawn when."""
        ...

    @property
    def add_queue(self) -> Adding:
        """Adds downloads."""
        ...

    @property
    def exit_flow(self) -> Exiting:
        """Quits."""
        ...

    @property
    def application(self) -> Application:
        """The application and its terminal."""
        ...

    def ask(self, dialog: Screen[T], answer: Callable[[T | None], None]) -> None:
        """Open a dialog and call ``answer`` with its result."""
        ...

    def open(self, screen: Screen[Any]) -> None:
        """Open a screen and ignore its result."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether the files are on another machine."""
        ...

    def action_state(self) -> ActionState:
        """Return the state that decides which actions are enabled."""
        ...

    def perform(self, id: str) -> None:
        """Run an action, or show why it is disabled."""
        ...

    def arrange_panes(self) -> None:
        """Apply the pane layout."""
        ...

    def show_query(self, query: DownloadQuery) -> None:
        """Show the current view, sort order and filter around the list."""
        ...

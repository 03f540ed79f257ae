"""The screen that lists, opens and clears earlier sessions and finished downloads."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from tui.core.listing.history import FinishedDownload, History, SessionSummary
from tui.ui.dialogs.confirm import ConfirmScreen
from tui.ui.dialogs.dialog import MOVES, PRINTABLE, Dialog, Field
from tui.ui.history.lines import (
    FINISHED_ORDERS,
    SESSION_ORDERS,
    Order,
    Row,
    explanation,
    find_finished,
    find_sessions,
    finished_line,
    session_line,
)
from tui.ui.panes.pane import Line, Pane, Span
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.core.listing.history import SessionHistory


class HistoryList(Pane):
    """One line for each session or finished download, with a cursor."""

    has_frame = False

    class Chosen(Message):
        """A line was clicked."""

    def __init__(self, **options: Any) -> None:
        """List nothing yet."""
        super().__init__(**options)
        self._rows: Sequence[Row] = ()
        self._cursor = 0
        self._top = 0
        self.empty = "Reading…"
        """What to show without rows."""

    def show(self, rows: Sequence[Row]) -> None:
        """List rows, with the cursor on the first one."""
        self._rows = rows
        self._cursor = self._top = 0
        self.redraw()

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    def move(self, step: int) -> None:
        """Move the cursor and scroll to it."""
        self._cursor = max(0, min(len(self._rows) - 1, self._cursor + step))
        height = max(1, self.size.height)
        self._top = max(min(self._top, self._cursor), self._cursor - height + 1)
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Return the visible lines."""
        if not self._rows:
            return [[Span(self.empty, "dim")]]
        now = time.time()
        shown = enumerate(self._rows[self._top : self._top + height], self._top)
        return [self._line(y, row, width, now) for y, row in shown]

    def _line(self, y: int, row: Row, width: int, now: float) -> Line:
        mark = ">" if self.is_ascii else "▌"
        head = Span(f"{mark if y == self._cursor else ' '} ", "key", str(y))
        if isinstance(row, SessionSummary):
            line = session_line(row, width - 2, now)
        else:
            line = finished_line(row, width - 2, now)
        return [head, *(Span(span.text, span.style, str(y)) for span in line)]

    def folded(self, width: int) -> Line:
        """Return the first line; the list is never folded."""
        return self.body(width, 1)[0]

    def pressed(self, action: str) -> None:
        """Move the cursor to the clicked line; a click on it chooses it."""
        if int(action) == self._cursor:
            self.post_message(self.Chosen())
        else:
            self.move(int(action) - self._cursor)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move three lines up."""
        event.stop()
        self.move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move three lines down."""
        event.stop()
        self.move(3)


class HistoryScreen(Dialog[Row | None]):
    """Returns the session or the finished download to open, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = [
        "../dialogs/dialog.tcss",
        "../dialogs/history.tcss",
    ]
    TITLE_TEXT = "Sessions and history"
    KEYS = (
        ("enter", "open"),
        ("tab", "sessions or finished"),
        ("ctrl+t", "sort"),
        ("del", "clear"),
        ("esc", "close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("tab,shift+tab", "switch", show=False, priority=True),
        Binding("ctrl+t", "sort", show=False, priority=True),
        Binding("delete,ctrl+x", "clear", show=False, priority=True),
    ]

    def __init__(self, history: SessionHistory) -> None:
        """List what ``history`` has saved."""
        super().__init__()
        self._history = history
        self._all = History((), ())
        self._is_finished = False
        self._orders = [Order.TIME, Order.TIME]
        self._message = ""

    def compose_box(self) -> ComposeResult:
        """Lay out the search line, the tabs, the list and the explanation."""
        yield Field(
            placeholder="search names, directories and URLs",
            restrict=PRINTABLE,
            compact=True,
        )
        yield Static("", id="tabs", markup=False)
        yield HistoryList()
        yield Static("", id="description", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Focus the search line and read the sessions."""
        self.query_one(Input).focus()
        self.start(self._load, "load", is_exclusive=True)

    async def _load(self) -> None:
        self._all = await self._history.load()
        self.query_one(HistoryList).empty = "Nothing found."
        self._show()

    @property
    def list(self) -> HistoryList:
        """The list."""
        return self.query_one(HistoryList)

    def _show(self) -> None:
        query = self.query_one(Input).value
        order = self._orders[self._is_finished]
        rows: Sequence[Row]
        if self._is_finished:
            rows = find_finished(self._all.finished, query, order)
        else:
            rows = find_sessions(self._all.sessions, query, order)
        self.list.show(rows)
        marks = ("  ", "> ") if self._is_finished else ("> ", "  ")
        self.query_one("#tabs", Static).update(
            f"{marks[0]}Sessions {count(len(self._all.sessions))}   "
            f"{marks[1]}Finished earlier {count(len(self._all.finished))}"
            f"   by {order.value}"
        )
        self._explain()

    def _explain(self) -> None:
        text = self._message or explanation(self.list.chosen)
        self.query_one("#description", Static).update(text)

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Search while the user types."""
        event.stop()
        self._message = ""
        self._show()

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self._message = ""
        self.list.move(step)
        self._explain()

    def action_switch(self) -> None:
        """Switch between sessions and finished downloads."""
        self._is_finished = not self._is_finished
        self._message = ""
        self._show()

    def action_sort(self) -> None:
        """Sort by the next value."""
        orders = FINISHED_ORDERS if self._is_finished else SESSION_ORDERS
        now = orders.index(self._orders[self._is_finished])
        self._orders[self._is_finished] = orders[(now + 1) % len(orders)]
        self._show()

    @on(Input.Submitted)
    @on(HistoryList.Chosen)
    def open_chosen(self, event: Message) -> None:
        """Return the row under the cursor if it can be opened."""
        event.stop()
        row = self.list.chosen
        if isinstance(row, SessionSummary) and (row.problem or row.is_current):
            self._message = row.problem or "This session is open already"
            self._explain()
        elif row is not None:
            self.dismiss(row)

    # -- clearing --------------------------------------------------------------------

    def action_clear(self) -> None:
        """Delete the row under the cursor from the history, after a question."""
        row = self.list.chosen
        if isinstance(row, FinishedDownload):
            self._ask(
                "Clear one download from the history",
                partial(self._history.forget_finished, [row]),
            )
        elif row is not None and not row.is_current:
            left = f" {count(row.left)} downloads are unfinished." if row.left else ""
            self._ask(
                "Clear one session",
                partial(self._history.forget, [row.id]),
                f"It can no longer be opened.{left}",
            )
        else:
            self._message = "The session of this dashboard cannot be cleared"
            self._explain()

    def _ask(self, title: str, forget: Callable[[], Any], effect: str = "") -> None:
        def answer(is_confirmed: bool | None) -> None:
            if is_confirmed:
                self.start(partial(self._forget, forget), "load", is_exclusive=True)

        effect = f"{effect} Downloaded files are kept.".strip()
        self.app.push_screen(ConfirmScreen(title, effect, "Clear", "Keep"), answer)

    async def _forget(self, forget: Callable[[], Any]) -> None:
        gone = await forget()
        self._message = (
            "Cleared" if gone else "Not cleared: another process has this session open"
        )
        await self._load()

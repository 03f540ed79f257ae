"""The help screen: every action with its keys, searchable, run with Enter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from tui.ui.dialogs.dialog import MOVES, PRINTABLE, Dialog, Field
from tui.ui.panes.pane import Line, Pane, Span
from tui.ui.style.format import cells, fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import Enum

    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType


class HelpEntry(Protocol):
    """What the list needs of an action (``tui.ui.keys.registry.Action``)."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def help(self) -> str: ...  # noqa: D102
    @property
    def group(self) -> Enum: ...  # noqa: D102
    @property
    def shown_keys(self) -> str: ...  # noqa: D102
    @property
    def synonyms(self) -> frozenset[str]: ...  # noqa: D102


def find(actions: Sequence[HelpEntry], query: str) -> list[HelpEntry]:
    """Return the actions that contain every word of ``query``, best match first.

    An exact key comes first: ``x`` asks what x does, not which texts contain an x. A
    synonym counts like a word of the title if it is typed completely.
    """
    words = query.casefold().split()
    if not words:
        return list(actions)
    found: list[tuple[int, int, HelpEntry]] = []
    for index, action in enumerate(actions):
        title = action.title.casefold()
        text = f"{title} {action.help} {action.shown_keys} {action.group.value}"
        text = " ".join([text, *action.synonyms])
        if query.strip() in action.shown_keys.split() or query.casefold() == title:
            rank = 0
        elif action.synonyms.issuperset(words):
            rank = 1
        elif all(word in title for word in words):
            rank = 2
        elif all(word in text.casefold() for word in words):
            rank = 3
        else:
            continue
        found.append((rank, index, action))
    return [action for _, _, action in sorted(found, key=lambda item: item[:2])]


class HelpList(Pane):
    """Actions under their headings, with a cursor once the user searches or moves."""

    has_frame = False
    NO_MATCH: ClassVar[str] = "No matching action."

    class Chosen(Message):
        """A line was clicked."""

        def __init__(self, id: str) -> None:
            """Store the action's id."""
            super().__init__()
            self.id = id

    def __init__(self, actions: Sequence[HelpEntry], **options: Any) -> None:
        """List ``actions``."""
        super().__init__(**options)
        self._all = actions
        self._rows: list[HelpEntry | str] = []
        self._cursor = -1
        self._top = 0
        self.search("")

    def search(self, query: str) -> None:
        """List the matches of ``query``, with the cursor on the best one."""
        found = find(self._all, query)
        self._rows = []
        if query.strip():
            self._rows.extend(found)
        else:
            group = ""
            for action in found:
                if action.group.value != group:
                    group = action.group.value
                    self._rows += ["", group] if self._rows else [group]
                self._rows.append(action)
        # No cursor at first: Enter pressed out of habit must not cancel a download.
        self._cursor = 0 if query.strip() and found else -1
        self._top = 0
        self.redraw()

    @property
    def chosen(self) -> str | None:
        """Id of the action under the cursor."""
        row = self._rows[self._cursor] if 0 <= self._cursor < len(self._rows) else ""
        return None if isinstance(row, str) else row.id

    @property
    def description(self) -> str:
        """Description of the action under the cursor."""
        row = self._rows[self._cursor] if 0 <= self._cursor < len(self._rows) else ""
        return "" if isinstance(row, str) else row.help

    def move(self, step: int) -> None:
        """Move the cursor by ``step`` actions, skipping headings, and scroll to it."""
        rows = [y for y, row in enumerate(self._rows) if not isinstance(row, str)]
        if not rows:
            return
        if self._cursor in rows:
            index = rows.index(self._cursor) + step
            self._cursor = rows[max(0, min(len(rows) - 1, index))]
        else:
            self._cursor = rows[0 if step > 0 else -1]
        height = max(1, self.size.height)
        # Show the heading above the first action as well.
        first = 0 if self._cursor == rows[0] else self._cursor
        self._top = max(min(self._top, first), self._cursor - height + 1)
        self.redraw()

    def scroll_rows(self, step: int) -> None:
        """Scroll without moving the cursor."""
        most = max(0, len(self._rows) - self.size.height)
        self._top = max(0, min(most, self._top + step))
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Return the visible rows."""
        if not self._rows:
            return [[Span(self.NO_MATCH, "dim")]]
        room = max(
            (cells(row.shown_keys) for row in self._rows if not isinstance(row, str)),
            default=0,
        )
        shown = enumerate(self._rows[self._top : self._top + height], self._top)
        return [self._row_line(y, row, width, min(16, room)) for y, row in shown]

    def _row_line(self, y: int, row: HelpEntry | str, width: int, room: int) -> Line:
        if isinstance(row, str):
            return [Span(row, "title")]
        is_chosen = y == self._cursor
        mark = ">" if self.is_ascii else "▌"
        head = f"{mark if is_chosen else ' '} "
        keys = f"{fit(row.shown_keys, room)}  "
        left = width - cells(head) - cells(keys)
        line = [Span(head, "key", row.id), Span(keys, "key", row.id)]
        title = row.title
        column = min(38, max(cells(action.title) for action in self._all))
        if left - column < 34:
            # Narrow: only the chosen action shows its description, below the list.
            return [*line, Span(fit(title, left), _strength(is_chosen), row.id)]
        line.append(Span(f"{fit(title, column)}  ", _strength(is_chosen), row.id))
        rest = left - column - 2
        line.append(Span(fit(row.help, rest), "dim", row.id))
        return line

    def folded(self, width: int) -> Line:
        """Return the first visible row; the list is never folded."""
        return self.body(width, 1)[0]

    def pressed(self, action: str) -> None:
        """Choose the clicked action."""
        self.post_message(self.Chosen(action))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll three rows up."""
        event.stop()
        self.scroll_rows(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll three rows down."""
        event.stop()
        self.scroll_rows(3)


def _strength(is_chosen: bool) -> str:
    return "strong" if is_chosen else "text"


class HelpScreen(Dialog[str | None]):
    """The list of keys; returns the id of an action to run, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "help.tcss"]
    TITLE_TEXT = "Keys"
    KEYS = (
        ("type", "to search"),
        ("enter", "run"),
        ("esc", "close"),
        ("up/down", "choose"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("f1", "close", show=False, priority=True),
    ]

    def __init__(self, actions: Sequence[HelpEntry]) -> None:
        """List ``actions`` in their order."""
        super().__init__()
        self._actions = actions

    def compose_box(self) -> ComposeResult:
        """Lay out the search line, the list and the description."""
        yield Field(
            placeholder="search by key or words",
            restrict=PRINTABLE,
            compact=True,
        )
        yield HelpList(self._actions)
        yield Static("", id="description", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Focus the search line."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Search while the user types."""
        event.stop()
        self.query_one(HelpList).search(event.value)
        self._explain()

    @on(Input.Submitted)
    def run_chosen(self, event: Input.Submitted) -> None:
        """Return the chosen action, if any."""
        event.stop()
        chosen = self.query_one(HelpList).chosen
        if chosen is not None:
            self.dismiss(chosen)

    @on(HelpList.Chosen)
    def run_clicked(self, message: HelpList.Chosen) -> None:
        """Return the clicked action."""
        message.stop()
        self.dismiss(message.id)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(HelpList).move(step)
        self._explain()

    def _explain(self) -> None:
        """Show the whole description of the chosen action; its row may cut it."""
        text = self.query_one(HelpList).description
        self.query_one("#description", Static).update(text)

"""Every key, from the one registry; found by typing, run with enter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from tui.ui.dialogs.dialog import MOVES, PRINTABLE, Dialog
from tui.ui.panes.pane import Line, Pane, Span
from tui.ui.style.format import cells, fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import Enum

    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType


class HelpEntry(Protocol):
    """What help needs to know of an action (``tui.ui.keys.registry.Action``)."""

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


def find(actions: Sequence[HelpEntry], query: str) -> list[HelpEntry]:
    """Return the actions that hold every word of ``query``, best first.

    A key typed alone puts its action first: ``x`` asks what x does, not which texts
    hold that letter.
    """
    words = query.casefold().split()
    if not words:
        return list(actions)
    found: list[tuple[int, int, HelpEntry]] = []
    for place, action in enumerate(actions):
        title = action.title.casefold()
        text = f"{title} {action.help} {action.shown_keys} {action.group.value}"
        if query.strip() in action.shown_keys.split() or query.casefold() == title:
            rank = 0
        elif all(word in title for word in words):
            rank = 1
        elif all(word in text.casefold() for word in words):
            rank = 2
        else:
            continue
        found.append((rank, place, action))
    return [action for _, _, action in sorted(found, key=lambda item: item[:2])]


class HelpList(Pane):
    """Actions under their headings, with a cursor once there is a choice to make."""

    has_frame = False

    class Chosen(Message):
        """A line was clicked."""

        def __init__(self, id: str) -> None:
            """Tell which action it was."""
            super().__init__()
            self.id = id

    def __init__(self, actions: Sequence[HelpEntry], **options: Any) -> None:
        """Show all actions."""
        super().__init__(**options)
        self._all = actions
        self._rows: list[HelpEntry | str] = []
        self._cursor = -1
        self._top = 0
        self.search("")

    def search(self, query: str) -> None:
        """Show what matches; the best match is chosen as soon as something is typed."""
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
        # Nothing is chosen at first: enter out of habit must not cancel a download.
        self._cursor = 0 if query.strip() and found else -1
        self._top = 0
        self.redraw()

    @property
    def chosen(self) -> str | None:
        """Id of the action under the cursor."""
        row = self._rows[self._cursor] if 0 <= self._cursor < len(self._rows) else ""
        return None if isinstance(row, str) else row.id

    @property
    def sentence(self) -> str:
        """What the action under the cursor does."""
        row = self._rows[self._cursor] if 0 <= self._cursor < len(self._rows) else ""
        return "" if isinstance(row, str) else row.help

    def move(self, step: int) -> None:
        """Move the cursor by actions, over headings, and scroll along."""
        places = [at for at, row in enumerate(self._rows) if not isinstance(row, str)]
        if not places:
            return
        if self._cursor in places:
            index = places.index(self._cursor) + step
            self._cursor = places[max(0, min(len(places) - 1, index))]
        else:
            self._cursor = places[0 if step > 0 else -1]
        height = max(1, self.size.height)
        # Show the heading of the first action as well.
        first = 0 if self._cursor == places[0] else self._cursor
        self._top = max(min(self._top, first), self._cursor - height + 1)
        self.redraw()

    def scroll_rows(self, step: int) -> None:
        """Scroll without moving the cursor."""
        most = max(0, len(self._rows) - self.size.height)
        self._top = max(0, min(most, self._top + step))
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """The rows in view."""
        if not self._rows:
            return [[Span("No key does that. Try other words.", "dim")]]
        room = max(
            (cells(row.shown_keys) for row in self._rows if not isinstance(row, str)),
            default=0,
        )
        shown = enumerate(self._rows[self._top : self._top + height], self._top)
        return [self._row_line(at, row, width, min(16, room)) for at, row in shown]

    def _row_line(self, at: int, row: HelpEntry | str, width: int, room: int) -> Line:
        if isinstance(row, str):
            return [Span(row, "title")]
        is_chosen = at == self._cursor
        mark = ">" if self.is_ascii else "▌"
        head = f"{mark if is_chosen else ' '} "
        keys = f"{fit(row.shown_keys, room)}  "
        left = width - cells(head) - cells(keys)
        line = [Span(head, "key", row.id), Span(keys, "key", row.id)]
        title = row.title
        column = min(38, max(cells(action.title) for action in self._all))
        if left - column < 34:
            # Narrow: the title says enough, and the chosen one shows its sentence.
            return [*line, Span(fit(title, left), _strength(is_chosen), row.id)]
        line.append(Span(f"{fit(title, column)}  ", _strength(is_chosen), row.id))
        rest = left - column - 2
        line.append(Span(fit(row.help, rest), "dim", row.id))
        return line

    def folded(self, width: int) -> Line:
        """Help is never folded, but one line is its chosen action."""
        return self.body(width, 1)[0]

    def pressed(self, action: str) -> None:
        """Choose by click."""
        self.post_message(self.Chosen(action))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.scroll_rows(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.scroll_rows(3)


def _strength(is_chosen: bool) -> str:
    return "strong" if is_chosen else "text"


class HelpScreen(Dialog[str | None]):
    """The list of keys; leaves with the id of an action to run, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "help.tcss"]
    TITLE_TEXT = "Keys"
    KEYS = (
        ("type", "to search"),
        ("enter", "run it"),
        ("esc", "close"),
        ("up/down", "choose"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("f1", "close", show=False, priority=True),
    ]

    def __init__(self, actions: Sequence[HelpEntry]) -> None:
        """List these actions, in their order."""
        super().__init__()
        self._actions = actions

    def compose_box(self) -> ComposeResult:
        """A line to type in and the list."""
        yield Input(
            placeholder="type to search: a key or words",
            restrict=PRINTABLE,
            compact=True,
        )
        yield HelpList(self._actions)
        yield Static("", id="sentence", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Take the keys."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Search while typing."""
        event.stop()
        self.query_one(HelpList).search(event.value)
        self._explain()

    @on(Input.Submitted)
    def run_chosen(self, event: Input.Submitted) -> None:
        """Leave with the chosen action, if one is."""
        event.stop()
        chosen = self.query_one(HelpList).chosen
        if chosen is not None:
            self.dismiss(chosen)

    @on(HelpList.Chosen)
    def run_clicked(self, message: HelpList.Chosen) -> None:
        """Leave with the clicked action."""
        message.stop()
        self.dismiss(message.id)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(HelpList).move(step)
        self._explain()

    def _explain(self) -> None:
        """Say all of the chosen action's sentence: its line may have cut it."""
        self.query_one("#sentence", Static).update(self.query_one(HelpList).sentence)

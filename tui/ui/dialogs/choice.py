"""Dialogs that choose from a list: a value of a setting, an order, or a theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.core.listing.query import SortKey
from tui.core.settings import COLUMNS
from tui.core.text.sanitize import sanitize
from tui.ui.dialogs.dialog import Dialog, Options
from tui.ui.style.ascii import to_ascii
from tui.ui.style.sorting import SORT_CHOICES, SortChoice, arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.core.listing.query import DownloadQuery


_COLUMN_NAMES = {
    "state": "State, in words",
    "size": "Size",
    "received": "Bytes received",
    "percent": "Percent",
    "bar": "Progress bar",
    "speed": "Speed or state",
    "eta": "ETA",
    "finished": "Time finished",
    "tries": "Tries",
    "host": "Host",
}
USUAL_COLUMNS = tuple(name for name in COLUMNS if name not in ("received", "finished"))
"""Shown unless the user chooses others."""


class ChoiceScreen(Dialog[str | None]):
    """A list of words; returns the chosen one, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "choice.tcss"]
    KEYS = (("enter", "choose"), ("esc", "cancel"))

    def __init__(self, title: str, words: list[str], now: str, hint: str = "") -> None:
        """Offer ``words``, with the cursor on ``now``; ``hint`` explains them."""
        super().__init__()
        self._hint = hint
        self._title = sanitize(title)
        self._words = words
        self._now = now

    def title_text(self) -> str:
        """Return what is chosen."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the words."""
        yield Options(*(Option(Content(word), id=word) for word in self._words))
        yield Static(self._hint, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Put the cursor on the current word."""
        options = self.query_one(OptionList)
        if self._now in self._words:
            options.highlighted = self._words.index(self._now)
        options.focus()

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """Return the chosen entry."""
        event.stop()
        self.dismiss(event.option_id)


class SortScreen(Dialog[SortKey | None]):
    """A menu of orders, chosen by a letter; returns the chosen one, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "choice.tcss"]
    TITLE_TEXT = "Sort by"
    KEYS = (("letter", "or enter to choose"), ("esc", "cancel"))

    def __init__(self, query: DownloadQuery) -> None:
        """Offer every order, with the cursor on that of ``query``."""
        super().__init__()
        self._query = query

    def compose_box(self) -> ComposeResult:
        """Lay out the orders."""
        yield Options(*(self._option(choice) for choice in SORT_CHOICES))

    def _option(self, choice: SortChoice) -> Option:
        first = choice.first
        if choice.sort is self._query.sort:
            is_fixed = choice.sort is SortKey.ACTIVITY
            first = "now" if is_fixed else f"now {arrow(self._query)}, again to reverse"
        text = f"{choice.key}  {choice.name:<12}{first}"
        if getattr(self.app, "is_ascii", False):
            text = to_ascii(text)
        return Option(Content(text), id=choice.sort.value)

    def on_mount(self) -> None:
        """Put the cursor on the current order."""
        options = self.query_one(OptionList)
        options.highlighted = [c.sort for c in SORT_CHOICES].index(self._query.sort)
        options.focus()

    def on_key(self, event: events.Key) -> None:
        """Choose by letter."""
        for choice in SORT_CHOICES:
            if event.character == choice.key:
                event.stop()
                self.dismiss(choice.sort)

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """Return the chosen order."""
        event.stop()
        self.dismiss(SortKey(event.option_id))


class ColumnsScreen(Dialog[tuple[str, ...] | None]):
    """The columns of the list, each of which can be switched on and off.

    Returns those that are on; the empty tuple stands for the usual ones.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "choice.tcss"]
    TITLE_TEXT = "Columns"
    KEYS = (
        ("space", "toggle"),
        ("enter", "apply"),
        ("d", "default"),
        ("esc", "cancel"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_column", show=False, priority=True),
        Binding("d", "restore", show=False),
    ]

    def __init__(self, chosen: tuple[str, ...]) -> None:
        """Show ``chosen``, or the usual columns if it is empty, as switched on."""
        super().__init__()
        self._chosen = set(chosen or USUAL_COLUMNS)
        self._is_default = not chosen

    def compose_box(self) -> ComposeResult:
        """Lay out the columns."""
        yield Options(*(Option(self._text(name), id=name) for name in COLUMNS))
        yield Static(
            "Narrow terminals leave out what does not fit.",
            classes="hint",
            markup=False,
        )

    def _text(self, name: str) -> Content:
        mark = "x" if name in self._chosen else " "
        return Content(f"[{mark}] {_COLUMN_NAMES[name]}")

    def on_mount(self) -> None:
        """Focus the list."""
        self.query_one(OptionList).focus()

    def _show(self) -> None:
        options = self.query_one(OptionList)
        for name in COLUMNS:
            options.replace_option_prompt(name, self._text(name))

    def action_toggle_column(self) -> None:
        """Switch the column under the cursor on or off."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._chosen ^= {COLUMNS[options.highlighted]}
            self._is_default = False
            self._show()

    def action_restore(self) -> None:
        """Switch the usual columns on."""
        self._chosen, self._is_default = set(USUAL_COLUMNS), True
        self._show()

    @on(OptionList.OptionSelected)
    def apply(self, event: OptionList.OptionSelected) -> None:
        """Return the columns."""
        event.stop()
        columns = tuple(name for name in COLUMNS if name in self._chosen)
        self.dismiss(() if self._is_default else columns)


class ThemeScreen(Dialog[str | None]):
    """A list of themes with a live preview; returns the chosen one.

    Escape restores the previous theme.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "theme.tcss"]
    TITLE_TEXT = "Theme"
    KEYS = (("enter", "apply"), ("esc", "cancel"))

    def __init__(self, names: Sequence[str], now: str) -> None:
        """Offer the themes ``names``; ``now`` is the current one."""
        super().__init__()
        self._names = names
        self._before = now

    def compose_box(self) -> ComposeResult:
        """Lay out the names."""
        yield Options(*(Option(Content(name), id=name) for name in self._names))

    def on_mount(self) -> None:
        """Put the cursor on the current theme."""
        options = self.query_one(OptionList)
        options.highlighted = self._names.index(self._before)
        options.focus()

    @on(OptionList.OptionHighlighted)
    def preview(self, event: OptionList.OptionHighlighted) -> None:
        """Apply the theme under the cursor."""
        event.stop()
        if event.option_id is not None:
            self.app.theme = event.option_id

    @on(OptionList.OptionSelected)
    def keep(self, event: OptionList.OptionSelected) -> None:
        """Return the chosen entry."""
        event.stop()
        self.dismiss(event.option_id)

    def action_close(self) -> None:
        """Restore the previous theme."""
        self.app.theme = self._before
        self.dismiss(None)

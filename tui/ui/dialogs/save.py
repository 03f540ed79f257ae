"""Save downloads as a list: which of them, in which format, under which name."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.sources.writers import ListFormat
from tui.ui.dialogs.dialog import PRINTABLE, Dialog
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.types import CSSPathType

_FORMATS = {
    ListFormat.ARIA2: (
        "Plain with options",
        "names, mirrors, checksums; aria2 reads it",
    ),
    ListFormat.TEXT: ("URLs alone", "one a line, for wget -i and scripts"),
    ListFormat.CSV: ("Table (CSV)", "for spreadsheets"),
    ListFormat.JSON: ("JSON", "a list of objects"),
    ListFormat.JSON_LINES: ("JSON Lines", "an object a line"),
}
_HINT = "Passwords and headers with secrets are left out."


class SaveChoice(NamedTuple):
    """What was chosen."""

    group: str
    format: ListFormat
    path: str
    """As it was typed; what is relative lies below the output directory."""


class SaveScreen(Dialog[SaveChoice | None]):
    """Leaves with the choice."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "save.tcss"]
    TITLE_TEXT = "Save as a list"
    KEYS = (("enter", "save"), ("tab", "next"), ("arrows", "choose"), ("esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", show=False, priority=True),
    ]

    def __init__(self, groups: Mapping[str, int]) -> None:
        """Take the groups of downloads and how many each has."""
        super().__init__()
        self._groups = [name for name, number in groups.items() if number]
        self._counts = groups
        self._stem = time.strftime("list-%Y%m%d-%H%M%S")

    def compose_box(self) -> ComposeResult:
        """Which, how, where."""
        with Horizontal(id="choices"):
            names = (f"{name}  {count(self._counts[name])}" for name in self._groups)
            yield OptionList(*map(_option, names), id="groups", compact=True)
            formats = (title for title, _ in _FORMATS.values())
            yield OptionList(*map(_option, formats), id="formats", compact=True)
        yield Static("", classes="hint", id="about", markup=False)
        yield Input(restrict=PRINTABLE, compact=True, select_on_focus=False)
        with Horizontal(classes="buttons"):
            yield Button("Save", id="save", variant="primary", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            yield Static(_HINT, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Stand on the first of each."""
        groups, formats = self.query(OptionList)
        groups.highlighted = 0 if self._groups else None
        formats.highlighted = 0
        groups.focus()
        self.query_one("#save", Button).disabled = not self._groups

    @on(OptionList.OptionHighlighted, "#formats")
    def describe(self, event: OptionList.OptionHighlighted) -> None:
        """Say what the format is for, and name the file after it."""
        event.stop()
        format = list(_FORMATS)[event.option_index]
        self.query_one("#about", Static).update(_FORMATS[format][1])
        name = self.query_one(Input)
        stem = os.path.splitext(name.value)[0] or self._stem
        name.value = stem + format.suffix

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def submit(self, event: OptionList.OptionSelected | Input.Submitted) -> None:
        """Take enter, wherever it is pressed."""
        event.stop()
        self.action_save()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Take a click on a button."""
        event.stop()
        if event.button.id == "save":
            self.action_save()
        else:
            self.dismiss(None)

    def action_save(self) -> None:
        """Leave with the choice, if it is one."""
        groups, formats = self.query(OptionList)
        path = self.query_one(Input).value.strip()
        if groups.highlighted is not None and formats.highlighted is not None and path:
            format = list(_FORMATS)[formats.highlighted]
            self.dismiss(SaveChoice(self._groups[groups.highlighted], format, path))


def _option(text: str) -> Option:
    return Option(Content(text))

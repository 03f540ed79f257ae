"""Asks which downloads to save as a list, in which format and under which name."""

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
from tui.ui.dialogs.dialog import PRINTABLE, Dialog, Field, Options
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.types import CSSPathType

_FORMATS = {
    ListFormat.ARIA2: (
        "Text with options",
        "names, mirrors, checksums; aria2 can read it",
    ),
    ListFormat.TEXT: ("URLs only", "one per line, for wget -i and scripts"),
    ListFormat.CSV: ("Table (CSV)", "for spreadsheets"),
    ListFormat.JSON: ("JSON", "a list of objects"),
    ListFormat.JSON_LINES: ("JSON Lines", "one object per line"),
}
_HINT = "Passwords and secrets are left out."


class SaveChoice(NamedTuple):
    """What the user chose."""

    group: str
    format: ListFormat
    path: str
    """As typed; relative to the output directory."""


class SaveScreen(Dialog[SaveChoice | None]):
    """Returns the user's choice."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "save.tcss"]
    TITLE_TEXT = "Save as a list"
    KEYS = (("enter", "save"), ("tab", "next"), ("arrows", "choose"), ("esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", show=False, priority=True),
    ]

    def __init__(self, groups: Mapping[str, int]) -> None:
        """Offer ``groups`` of downloads, each with the number in it."""
        super().__init__()
        self._groups = [name for name, number in groups.items() if number]
        self._counts = groups
        self._stem = time.strftime("list-%Y%m%d-%H%M%S")

    def compose_box(self) -> ComposeResult:
        """Lay out groups, formats, file name and buttons."""
        with Horizontal(id="choices"):
            names = (f"{name}  {count(self._counts[name])}" for name in self._groups)
            yield Options(*map(_option, names), id="groups", compact=True)
            formats = (title for title, _ in _FORMATS.values())
            yield Options(*map(_option, formats), id="formats", compact=True)
        yield Static("", classes="hint", id="about", markup=False)
        yield Field(restrict=PRINTABLE, compact=True, select_on_focus=False)
        with Horizontal(classes="buttons"):
            yield Button("Save", id="save", variant="primary", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            yield Static(_HINT, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Put the cursor on the first group and format."""
        groups, formats = self.query(OptionList)
        groups.highlighted = 0 if self._groups else None
        formats.highlighted = 0
        groups.focus()
        self.query_one("#save", Button).disabled = not self._groups

    @on(OptionList.OptionHighlighted, "#formats")
    def describe(self, event: OptionList.OptionHighlighted) -> None:
        """Describe the format, and give the file name its suffix."""
        event.stop()
        format = list(_FORMATS)[event.option_index]
        self.query_one("#about", Static).update(_FORMATS[format][1])
        name = self.query_one(Input)
        stem = os.path.splitext(name.value)[0] or self._stem
        name.value = stem + format.suffix

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def submit(self, event: OptionList.OptionSelected | Input.Submitted) -> None:
        """Save on Enter, wherever it is pressed."""
        event.stop()
        self.action_save()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Handle a click on a button."""
        event.stop()
        if event.button.id == "save":
            self.action_save()
        else:
            self.dismiss(None)

    def action_save(self) -> None:
        """Return the choice, if it is complete."""
        groups, formats = self.query(OptionList)
        path = self.query_one(Input).value.strip()
        if groups.highlighted is not None and formats.highlighted is not None and path:
            format = list(_FORMATS)[formats.highlighted]
            self.dismiss(SaveChoice(self._groups[groups.highlighted], format, path))


def _option(text: str) -> Option:
    return Option(Content(text))

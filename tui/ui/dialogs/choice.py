"""Choosing one of a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.core.text.plain_text import plain
from tui.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.types import CSSPathType


class ChoiceScreen(Dialog[str | None]):
    """Leaves with the chosen word, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "choice.tcss"]
    KEYS = (("enter", "choose"), ("esc", "leave as it is"))

    def __init__(self, title: str, words: list[str], now: str) -> None:
        """Take what it is, the words, and the one that holds."""
        super().__init__()
        self._title = plain(title)
        self._words = words
        self._now = now

    def title_text(self) -> str:
        """What is chosen."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """The words."""
        yield OptionList(*(Option(Content(word), id=word) for word in self._words))

    def on_mount(self) -> None:
        """Stand on the one that holds."""
        options = self.query_one(OptionList)
        if self._now in self._words:
            options.highlighted = self._words.index(self._now)
        options.focus()

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """Leave with it."""
        event.stop()
        self.dismiss(event.option_id)


class ThemeScreen(Dialog[str | None]):
    """Leaves with the chosen theme; esc gives back the one that was there."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "theme.tcss"]
    TITLE_TEXT = "Theme"
    KEYS = (("enter", "keep"), ("esc", "as before"))

    def __init__(self, names: Sequence[str], now: str) -> None:
        """Take the names of all themes, and of the one that is shown."""
        super().__init__()
        self._names = names
        self._before = now

    def compose_box(self) -> ComposeResult:
        """The names; ours come first."""
        yield OptionList(*(Option(Content(name), id=name) for name in self._names))

    def on_mount(self) -> None:
        """Stand on the theme that is shown."""
        options = self.query_one(OptionList)
        options.highlighted = self._names.index(self._before)
        options.focus()

    @on(OptionList.OptionHighlighted)
    def preview(self, event: OptionList.OptionHighlighted) -> None:
        """Show it."""
        event.stop()
        if event.option_id is not None:
            self.app.theme = event.option_id

    @on(OptionList.OptionSelected)
    def keep(self, event: OptionList.OptionSelected) -> None:
        """Leave with it."""
        event.stop()
        self.dismiss(event.option_id)

    def action_close(self) -> None:
        """Give back what was there."""
        self.app.theme = self._before
        self.dismiss(None)

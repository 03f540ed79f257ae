"""Dialogs that choose from a list: a value of a setting, or a theme."""

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
    """A list of words; returns the chosen one, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "choice.tcss"]
    KEYS = (("enter", "choose"), ("esc", "cancel"))

    def __init__(self, title: str, words: list[str], now: str) -> None:
        """Offer ``words``, with the cursor on ``now``, the current one."""
        super().__init__()
        self._title = plain(title)
        self._words = words
        self._now = now

    def title_text(self) -> str:
        """Return what is chosen."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the words."""
        yield OptionList(*(Option(Content(word), id=word) for word in self._words))

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
        yield OptionList(*(Option(Content(name), id=name) for name in self._names))

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

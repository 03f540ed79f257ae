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

"""Ask for one value: downloads at once, a rate limit, connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.widgets import Input, Static

from tui.core.text.plain_text import plain
from tui.ui.dialogs.dialog import PRINTABLE, Dialog

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.types import CSSPathType


class PromptScreen(Dialog[str | None]):
    """One line to type in; what is wrong with it is said while it is typed."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "prompt.tcss"]
    KEYS = (("enter", "set"), ("esc", "leave as it is"))

    def __init__(
        self,
        title: str,
        value: str,
        check: Callable[[str], str | None],
        hint: str = "",
    ) -> None:
        """Ask for a new value.

        Args:
            title: what it is, such as ``Downloads at once``.
            value: the current one; typing replaces it.
            check: returns what is wrong with a text, or ``None``.
            hint: one line on what can be written, with an example.
        """
        super().__init__()
        self._title = plain(title)
        self._value = value
        self._check = check
        self._hint = hint

    def title_text(self) -> str:
        """What is asked for."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """The line, and below it a hint or what is wrong."""
        yield Input(self._value, select_on_focus=True, restrict=PRINTABLE, compact=True)
        yield Static(self._hint, classes="hint", id="hint", markup=False)
        yield Static("", classes="error", id="error", markup=False)

    def on_mount(self) -> None:
        """Take the keys."""
        self.query_one(Input).focus()
        self._say(None)

    @on(Input.Changed)
    def check_typed(self, event: Input.Changed) -> None:
        """Say at once what is wrong, but not about a line that is still empty."""
        event.stop()
        text = event.value.strip()
        self._say(self._check(text) if text else None)

    @on(Input.Submitted)
    def accept(self, event: Input.Submitted) -> None:
        """Hand the value back, if there is nothing wrong with it."""
        event.stop()
        text = event.value.strip()
        wrong = self._check(text)
        if wrong is None:
            self.dismiss(text)
        else:
            self._say(wrong)

    def _say(self, wrong: str | None) -> None:
        error = self.query_one("#error", Static)
        error.update(plain(wrong or ""))
        error.display = wrong is not None
        self.query_one("#hint").display = wrong is None and bool(self._hint)

"""Asks for one value: concurrency, a rate limit, a URL, or a key to press."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from tui.core.text.sanitize import sanitize
from tui.ui.dialogs.dialog import PRINTABLE, Dialog, Field
from tui.ui.keys.registry import shown_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType


class PromptScreen(Dialog[str | None]):
    """An input line that is validated while the user types."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "prompt.tcss"]
    KEYS = (("enter", "apply"), ("esc", "cancel"))

    def __init__(
        self,
        title: str,
        value: str,
        check: Callable[[str], str | None],
        hint: str = "",
    ) -> None:
        """Create the dialog.

        Args:
            title: name of the value, such as ``Concurrency``.
            value: the current value; typing replaces it.
            check: returns what is wrong with a text, or ``None``.
            hint: one line on how to write a value, with an example.
        """
        super().__init__()
        self._title = sanitize(title)
        self._value = value
        self._check = check
        self._hint = hint

    def title_text(self) -> str:
        """Return the name of the value."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the input line and, below it, a hint or an error."""
        yield Field(self._value, select_on_focus=True, restrict=PRINTABLE, compact=True)
        yield Static(self._hint, classes="hint", id="hint", markup=False)
        yield Static("", classes="error", id="error", markup=False)

    def on_mount(self) -> None:
        """Focus the input line."""
        self.query_one(Input).focus()
        self._show_error(None)

    @on(Input.Changed)
    def check_typed(self, event: Input.Changed) -> None:
        """Show what is wrong, unless the line is empty."""
        event.stop()
        text = event.value.strip()
        self._show_error(self._check(text) if text else None)

    @on(Input.Submitted)
    def accept(self, event: Input.Submitted) -> None:
        """Return the value if it is valid."""
        event.stop()
        text = event.value.strip()
        problem = self._check(text)
        if problem is None:
            self.dismiss(text)
        else:
            self._show_error(problem)

    def _show_error(self, problem: str | None) -> None:
        error = self.query_one("#error", Static)
        error.update(sanitize(problem or ""))
        error.display = problem is not None
        self.query_one("#hint").display = problem is None and bool(self._hint)


TYPE_NAMES = ""
"""Result of ``KeyScreen``: the user wants to type the names of keys instead."""


class KeyScreen(Dialog[str | None]):
    """Returns the key that was pressed and confirmed, as displayed; or TYPE_NAMES."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "prompt.tcss"]
    KEYS = (("enter", "apply"), ("tab", "type names"), ("esc", "cancel"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "type_names", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        now: str,
        check_key: Callable[[str], tuple[str, bool]],
    ) -> None:
        """Create the dialog.

        Args:
            title: the action.
            now: its keys, as displayed.
            check_key: returns what a key would do, and whether it can be applied.
        """
        super().__init__()
        self._title = sanitize(title)
        self._now = now
        self._check_key = check_key
        self._pressed = ""
        self._is_valid = False

    def title_text(self) -> str:
        """Return the action."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the request for a key, and what it would do."""
        yield Static(f"Press the new key. Now: {self._now or 'none'}", markup=False)
        yield Static("", classes="hint", id="hint", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Show what a key would do; Enter confirms the last one."""
        event.stop()
        if event.key == "enter" and self._pressed:
            if self._is_valid:
                self.dismiss(self._pressed)
            return
        self._pressed = shown_key(event.key)
        words, self._is_valid = self._check_key(self._pressed)
        self.query_one("#hint", Static).update(f"{self._pressed}: {sanitize(words)}")

    def action_type_names(self) -> None:
        """Let the user type the names of several keys."""
        self.dismiss(TYPE_NAMES)

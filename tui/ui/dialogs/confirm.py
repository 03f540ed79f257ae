"""Asks for confirmation before an action that affects many downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Static

from tui.core.text.plain_text import plain
from tui.ui.dialogs.dialog import Dialog, choice_button

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType


class ConfirmScreen(Dialog[bool | None]):
    """Returns ``True`` if the user confirmed; Enter alone picks the safe choice."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "quit.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", show=False),
        Binding("n,q", "close", show=False),
        Binding("down,j", "app.focus_next", show=False),
        Binding("up,k", "app.focus_previous", show=False),
    ]

    def __init__(self, title: str, effect: str, yes: str, no: str) -> None:
        """Create the dialog.

        Args:
            title: the action with the count, such as ``Cancel 37 downloads``.
            effect: what it means, in a sentence or two.
            yes: label of the button that confirms.
            no: label of the button that changes nothing.
        """
        super().__init__()
        self._title = plain(title)
        self._effect = effect
        self._yes = yes
        self._no = no

    def title_text(self) -> str:
        """Return the action that would be performed."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the effect and two buttons, the safe one first."""
        yield Static(self._effect, markup=False)
        with Vertical(classes="choices"):
            yield choice_button("n", self._no, "no", width=32)
            yield choice_button("y", self._yes, "yes", width=32)

    def on_mount(self) -> None:
        """Focus the safe choice."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Handle a click or Enter."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_agree(self) -> None:
        """Confirm."""
        self.dismiss(True)

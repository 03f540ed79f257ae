"""Before something large: how many it would touch and what it would do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tui.core.text.plain_text import plain
from tui.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType


class ConfirmScreen(Dialog[bool | None]):
    """Leaves with ``True`` where a person chose it; enter alone changes nothing."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "quit.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", show=False),
        Binding("n,q", "close", show=False),
        Binding("down,j", "app.focus_next", show=False),
        Binding("up,k", "app.focus_previous", show=False),
    ]

    def __init__(self, title: str, effect: str, yes: str, no: str) -> None:
        """Ask.

        Args:
            title: what would be done, with the count: ``Cancel 37 downloads``.
            effect: what that means, in a sentence or two.
            yes: name of the button that does it.
            no: name of the button that leaves all as it is.
        """
        super().__init__()
        self._title = plain(title)
        self._effect = effect
        self._yes = yes
        self._no = no

    def title_text(self) -> str:
        """What would be done."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """What it means, and two ways to go; the safe one comes first."""
        yield Static(self._effect, markup=False)
        with Vertical(classes="choices"):
            yield _choice("n", self._no, "no")
            yield _choice("y", self._yes, "yes")

    def on_mount(self) -> None:
        """Stand on the safe one."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Take a click, or enter."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_agree(self) -> None:
        """Do it."""
        self.dismiss(True)


def _choice(key: str, label: str, name: str) -> Button:
    return Button(Content(f"{key:>3}  {label:<32}"), id=name, compact=True)

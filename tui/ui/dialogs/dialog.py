"""What all dialogs share: a framed box on an opaque ground that esc closes.

The ground is opaque because a translucent one makes Textual blend every cell of the
live list below it anew: three times the cost of a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType

PRINTABLE = "[^\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f]*"
"""What may be typed or pasted into a line: Textual draws an ESC there as it is."""

Result = TypeVar("Result")


MOVES: tuple[Binding, ...] = (
    Binding("up", "move(-1)", show=False, priority=True),
    Binding("down", "move(1)", show=False, priority=True),
    Binding("pageup", "move(-10)", show=False, priority=True),
    Binding("pagedown", "move(10)", show=False, priority=True),
)
"""Of a dialog in which one types to search and chooses from a list."""


class Dialog(ModalScreen[Result]):
    """A box with a title, its keys in the lower edge, and whatever is inside."""

    CSS_PATH: ClassVar[CSSPathType | None] = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", show=False, priority=True),
    ]
    TITLE_TEXT: ClassVar[str] = ""
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of key and word for the lower edge, most wanted first."""

    def compose(self) -> ComposeResult:
        """Make the box; what goes into it comes from ``compose_box``."""
        with Vertical(id="box") as box:
            box.border_title = Content(self.title_text())
            yield from self.compose_box()

    def compose_box(self) -> ComposeResult:
        """Widgets inside the box."""
        raise NotImplementedError

    def title_text(self) -> str:
        """Title of the box, plain text."""
        return self.TITLE_TEXT

    def on_mount(self) -> None:
        """Draw with ASCII if the dashboard does."""
        self.set_class(bool(getattr(self.app, "is_ascii", False)), "-ascii")

    def on_resize(self, event: events.Resize) -> None:
        """Fill a small terminal, and say as many keys as fit."""
        width, height = event.size
        self.set_class(width < 72 or height < 24, "-small")
        self.set_class(height < 14, "-low")
        box = self.query_one("#box")
        words = ""
        for key, word in self.KEYS:
            more = f"{words}  {key} {word}" if words else f"{key} {word}"
            if len(more) > min(width, 84) - 8:
                break
            words = more
        box.border_subtitle = Content(words) if words else None

    def action_close(self) -> None:
        """Leave without a result."""
        self.dismiss(None)

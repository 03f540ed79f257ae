"""The dialog with everything about one shard, worker or host."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType


class DetailDialog(Dialog[None]):
    """Names and values, one pair per line."""

    CSS_PATH: ClassVar[CSSPathType | None] = "../dialogs/dialog.tcss"
    KEYS = (("esc", "close"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "close", show=False, priority=True),
    ]

    def __init__(self, title: str, pairs: list[tuple[str, str]]) -> None:
        """Show pairs under a title; both are safe to show."""
        super().__init__()
        self._title = title
        self._pairs = pairs

    def title_text(self) -> str:
        """Return the title."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the pairs."""
        width = max(len(name) for name, _ in self._pairs)
        with VerticalScroll():
            for name, value in self._pairs:
                label = f"{name:<{width}}  "
                text = Content.assemble((label, "$foreground-muted"), Content(value))
                yield Static(text, markup=False)

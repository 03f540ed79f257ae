"""The dialog that explains a strategy and shows its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.syntax import Syntax
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.lab.catalog import explain
from tui.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.lab.catalog import Entry


class ExplainDialog(Dialog[None]):
    """Shows the explanation and the source file of a strategy."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["../dialogs/dialog.tcss", "explain.tcss"]
    KEYS = (("esc", "close"), ("up/down", "scroll"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "close", show=False, priority=True),
        Binding("q", "close", show=False, priority=True),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, entry: Entry) -> None:
        """Explain the strategy ``entry``."""
        super().__init__()
        self._entry = entry

    def title_text(self) -> str:
        """Return the strategy's name."""
        return self._entry.title

    def compose_box(self) -> ComposeResult:
        """Lay out the explanation and the highlighted code."""
        explanation = explain(self._entry.name)
        with VerticalScroll():
            yield Static(Content.styled(explanation.headline, "bold"), markup=False)
            for paragraph in explanation.paragraphs:
                name, colon, rest = paragraph.partition(":")
                yield Static(
                    Content.assemble((name + colon, "bold $primary"), rest)
                    if rest
                    else Content(paragraph)
                )
            is_dark = self.app.current_theme.dark
            yield Static(
                Syntax(
                    explanation.code,
                    "python",
                    theme="monokai" if is_dark else "friendly",
                    background_color=self.app.theme_variables["background"],
                    word_wrap=True,
                ),
                id="code",
            )

    def on_mount(self) -> None:
        """Focus the text, so that keys scroll it."""
        super().on_mount()
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, step: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)

"""Where the filter is typed; the list follows every letter that makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from tui.core.listing.filter import FilterError, compile_filter
from tui.ui.dialogs.dialog import PRINTABLE

if TYPE_CHECKING:
    from textual.app import ComposeResult

HINT = "words · is:failed · host:name · size:>1G · /regex/ · -not"


class FilterBar(Horizontal):
    """One line above the list; esc clears and closes it, enter keeps the filter."""

    @dataclass
    class FilterChanged(Message):
        """The list shall show only what passes this filter, which makes sense."""

        text: str

    class Left(Message):
        """Typing is over; the filter stays."""

    def __init__(self, **options: Any) -> None:
        """Take the options of any widget."""
        super().__init__(**options)
        self.input = Input(
            placeholder=f"{HINT} · enter keeps, esc clears",
            compact=True,
            select_on_focus=False,
            restrict=PRINTABLE,
        )
        self.error_text = Static("", id="wrong", markup=False)
        self._sent = ""

    def compose(self) -> ComposeResult:
        """What is typed, and what is wrong with it."""
        yield Static("/ ", id="slash")
        yield self.input
        yield self.error_text

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Show it with a text and take the keys."""
        self.add_class("-open")
        self._sent = text
        self.input.value = text
        self.input.cursor_position = len(text)
        self.show_error("")
        self.input.focus()

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open")

    def show_error(self, wrong: str) -> None:
        """Say what is wrong with the filter, in place of the hint; "" for nothing."""
        self.error_text.update(wrong)
        self.error_text.display = bool(wrong)

    @on(Input.Changed)
    def follow(self, event: Input.Changed) -> None:
        """Judge the text, and pass on what makes sense."""
        event.stop()
        wrong, text = "", event.value
        try:
            compile_filter(text)
        except FilterError as error:
            # Until the last term is whole, those before it hold.
            wrong, text = str(error), error.before
        self.show_error(wrong)
        self._send(text)

    def _send(self, text: str) -> None:
        if self.is_open and text != self._sent:
            self._sent = text
            self.post_message(self.FilterChanged(text))

    @on(Input.Submitted)
    def keep(self, event: Input.Submitted) -> None:
        """Go back to the list; a filter that makes no sense has to be mended first."""
        event.stop()
        try:
            compile_filter(event.value)
        except FilterError:
            return
        self._send(event.value)
        self.close()
        self.post_message(self.Left())

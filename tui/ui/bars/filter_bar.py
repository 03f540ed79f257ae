"""The input line for the filter; the list is filtered while the user types."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from tui.core.listing.filter import FilterError, compile_filter

if TYPE_CHECKING:
    from collections.abc import Callable

HINT = "words · is:failed · host:name · size:>1G · /regex/ · -not"


class FilterBar(Horizontal):
    """One line above the list; Enter keeps the filter, Escape clears it.

    It is mounted when it is opened for the first time, since most runs never filter:
    Textual's input line and its styles take a tenth of the time to the first frame.
    """

    DEFAULT_CSS = """
    FilterBar {
        display: none;
        height: 1;
        background: $panel;
        color: $foreground;
        padding: 0 1;
        &.-open { display: block; }
        & Input { width: 1fr; background: $panel; }
        & #slash { width: 2; color: $accent; }
        & #filter-error { width: auto; max-width: 75%; color: $warning; }
    }
    """

    class FilterChanged(Message):
        """The list should show only what matches this valid filter."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The user finished typing; the filter stays."""

    def __init__(self, mount: Callable[[], object], **options: Any) -> None:
        """Create the line.

        Args:
            mount: mounts it where it belongs.
            options: of any Textual widget.
        """
        super().__init__(**options)
        self._mount_it = mount
        self.error_text = Static("", id="filter-error", markup=False)
        self._sent = ""

    @cached_property
    def input(self) -> Input:
        """The line to type in, made when it is opened for the first time."""
        from tui.ui.dialogs.dialog import PRINTABLE, Field

        return Field(
            placeholder=f"{HINT} · enter keeps, esc clears",
            compact=True,
            select_on_focus=False,
            restrict=PRINTABLE,
        )

    @property
    def is_open(self) -> bool:
        """Whether the line is visible."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Show the line with a text and focus it."""
        if not self.is_attached:
            self._mount_it()
            # Now and not by ``compose``, which runs later: the keys that follow belong
            # to the input line.
            self.mount(Static("/ ", id="slash"), self.input, self.error_text)
        self.add_class("-open")
        self._sent = text
        self.input.value = text
        self.input.cursor_position = len(text)
        self.show_error("")
        # At once, unlike ``focus``: the next key may be a letter of the filter.
        self.screen.set_focus(self.input)

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def show_error(self, wrong: str) -> None:
        """Show what is wrong with the filter; "" hides the error."""
        self.error_text.update(wrong)
        self.error_text.display = bool(wrong)

    @on(Input.Changed)
    def follow(self, event: Input.Changed) -> None:
        """Validate the text, and apply what is valid."""
        event.stop()
        wrong, text = "", event.value
        try:
            compile_filter(text)
        except FilterError as error:
            # Until the last term is complete, the terms before it apply.
            wrong, text = str(error), error.before
        self.show_error(wrong)
        self._send(text)

    def _send(self, text: str) -> None:
        if self.is_open and text != self._sent:
            self._sent = text
            self.post_message(self.FilterChanged(text))

    @on(Input.Submitted)
    def keep(self, event: Input.Submitted) -> None:
        """Return to the list, unless the filter is invalid."""
        event.stop()
        try:
            compile_filter(event.value)
        except FilterError:
            return
        self._send(event.value)
        self.close()
        self.post_message(self.Left())

"""Where the filter is typed; the list follows every letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual import on
from textual.message import Message
from textual.widgets import Input

_PAUSE_S = 0.08
_LARGE = 20_000
"""Rows above which the list waits for a pause in typing: filtering 100,000 names takes
longer than the time between two letters."""


class FilterBar(Input):
    """One line above the list; esc clears and closes it, enter keeps the filter."""

    @dataclass
    class FilterChanged(Message):
        """The list shall show only what has these words."""

        text: str

    class Left(Message):
        """Typing is over; the filter stays."""

    def __init__(self, **options: Any) -> None:
        """Take the options of any widget."""
        super().__init__(
            placeholder="words in name, folder or URL · enter keeps, esc clears",
            compact=True,
            select_on_focus=False,
            **options,
        )
        self.rows = 0
        """How many rows the list has without the filter."""
        self._sent = ""

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Show it with a text and take the keys."""
        self.add_class("-open")
        self._sent = text
        self.value = text
        self.cursor_position = len(text)
        self.focus()

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open")

    @on(Input.Changed)
    def follow(self, event: Input.Changed) -> None:
        """Pass the text on, at once or after a pause in typing."""
        event.stop()
        if self.rows <= _LARGE:
            self._send()
        else:
            self.set_timer(_PAUSE_S, lambda value=event.value: self._send_if(value))

    def _send_if(self, value: str) -> None:
        if value == self.value:
            self._send()

    def _send(self) -> None:
        if self.is_open and self.value != self._sent:
            self._sent = self.value
            self.post_message(self.FilterChanged(self.value))

    @on(Input.Submitted)
    def keep(self, event: Input.Submitted) -> None:
        """Go back to the list."""
        event.stop()
        self._send()
        self.close()
        self.post_message(self.Left())

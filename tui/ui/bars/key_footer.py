"""A footer with a fixed row of keys, for screens beside the dashboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tui.ui.panes.pane import Line, Pane, Span, clip, line_width

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN_S = 5.0
"""Seconds for which a message replaces the keys."""


class KeyFooter(Pane):
    """One line: the keys, or for a few seconds a message."""

    DEFAULT_CSS = "KeyFooter { height: 1; }"
    has_frame = False

    def __init__(self, keys: Sequence[tuple[str, str, str]], **options: Any) -> None:
        """Show keys, each as (action of the screen, key, word)."""
        super().__init__(**options)
        self.message = ""
        self._keys = keys
        self._until = 0.0

    def show_message(self, message: str) -> None:
        """Show a message for a few seconds."""
        self.message = message
        self._until = time.monotonic() + _SHOWN_S
        self.redraw()

    def tick(self) -> None:
        """Remove a message after its time."""
        if self.message and time.monotonic() > self._until:
            self.message = ""
            self.redraw()

    def pressed(self, action: str) -> None:
        """Run the action of the clicked key."""
        self.screen.call_later(self.screen.run_action, action)

    def body(self, width: int, height: int) -> list[Line]:
        """Return the line, with as many keys as fit."""
        del height
        if self.message:
            return [clip([Span(f" {self.message}", "strong")], width)]
        line: Line = []
        for action, key, word in self._keys:
            more = [Span(f" {key}", "key", action), Span(f" {word} ", "text", action)]
            if line_width([*line, *more]) <= width:
                line += more
        return [line]

"""ASCII mode: only characters below 0x80 reach the terminal.

Panes choose ASCII glyphs themselves where that reads better. This filter converts the
rest (names from servers, dialog frames, scroll bars, toasts) once a line is drawn,
keeping its width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from tui.ui.style.ascii import to_ascii

if TYPE_CHECKING:
    from textual.color import Color


class AsciiFilter(LineFilter):
    """Converts every drawn line to ASCII; Textual applies it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        del background
        return [
            segment
            if segment.text.isascii()
            else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]

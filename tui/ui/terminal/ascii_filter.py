"""ASCII mode: whatever draws, only characters below 0x80 reach the terminal.

The panes choose ASCII glyphs themselves where that reads better; this takes care of
the rest (names from servers, frames of dialogs, scroll bars, toasts) after everything
is drawn, in as many cells.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from tui.ui.style.format import cells

if TYPE_CHECKING:
    from textual.color import Color

_FORMS = str.maketrans(
    {
        **dict.fromkeys("─━═╌┄┈╸╺╴╶‾▔▁⎺⎽–—−", "-"),
        **dict.fromkeys("│┃║╎┆┊▏▕▌▐❙‖", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬", "+"),
        **dict.fromkeys("█▓▆▇▅", "#"),
        **dict.fromkeys("▒▄▃", "="),
        **dict.fromkeys("░▂▀", ":"),
        **dict.fromkeys("·•∙", "."),
        **dict.fromkeys("▸▶→⇒›»❯", ">"),
        **dict.fromkeys("◂◀←⇐‹«", "<"),
        **dict.fromkeys("↑▴▲", "^"),
        **dict.fromkeys("↓▾▼", "v"),
        **dict.fromkeys("●◉✱", "*"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’‚", "'"),
        "…": "~",
        "✓": "+",
        "✗": "x",
        "×": "x",
        "⊘": "-",
        "↻": "r",
        "≡": "=",
        "◌": "~",
        "µ": "u",
        "\N{NO-BREAK SPACE}": " ",
    }
)


@lru_cache(4096)
def ascii_form(text: str) -> str:
    """Return ``text`` below 0x80, in as many cells; ``?`` for what has no likeness."""
    if text.isascii():
        return text
    text = text.translate(_FORMS)
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else "?" * cells(char)  # a combining mark takes none
        for char in text
    )


class AsciiFilter(LineFilter):
    """Draws every finished line with ASCII; Textual hands it each one."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        del background
        return [
            segment
            if segment.text.isascii()
            else Segment(ascii_form(segment.text), segment.style, segment.control)
            for segment in segments
        ]

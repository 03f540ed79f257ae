"""ASCII mode: only characters below 0x80 reach the terminal.

Panes choose ASCII glyphs themselves where that reads better. This filter converts the
rest (names from servers, dialog frames, scroll bars, toasts) once a line is drawn,
keeping its width.
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
    """Return ``text`` in ASCII, as wide; ``?`` where no similar character exists."""
    if text.isascii():
        return text
    text = text.translate(_FORMS)
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else "?" * cells(char)  # a combining mark is 0 wide
        for char in text
    )


class AsciiFilter(LineFilter):
    """Converts every drawn line to ASCII; Textual applies it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        del background
        return [
            segment
            if segment.text.isascii()
            else Segment(ascii_form(segment.text), segment.style, segment.control)
            for segment in segments
        ]

"""Characters below 0x80 in place of others, as wide as these."""

from __future__ import annotations

from functools import lru_cache

from tui.ui.style.format import cells

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
def to_ascii(text: str) -> str:
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

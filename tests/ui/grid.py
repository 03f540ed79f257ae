"""A terminal emulator for the sequences that Textual writes."""

from __future__ import annotations

import re

from rich.cells import cell_len

_PART = re.compile(
    r"\x1b\[([?<>=]?)([\d;:]*)([ -/]*[@-~])"  # CSI (ECMA-48, 5.4)
    r"|\x1b[\]P^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, PM, APC
    r"|\x1b[()][A-Z0-9]|\x1b[=>78c]"
    r"|[\r\n]|[^\x1b\r\n]+"
)
_GAP = 4
"""Unchanged cells that are written again rather than leapt over."""

Cell = tuple[str, str]
"""Character and style (the parameters of its SGR)."""


class Grid:
    """The cells, the cursor and the current style."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = self._blank()
        self._told = self._blank()
        self._x = self._y = 0
        self._style = ("", "", "")

    def _blank(self) -> list[list[Cell]]:
        return [[(" ", "")] * self.width for _ in range(self.height)]

    @property
    def lines(self) -> list[str]:
        """The text of each line."""
        return ["".join(char for char, _ in row) for row in self._cells]

    @property
    def styles(self) -> list[list[str]]:
        """The style of each cell."""
        return [[style for _, style in row] for row in self._cells]

    def feed(self, text: str) -> None:
        """Apply the output of a program."""
        for match in _PART.finditer(text):
            part = match[0]
            if part[0] != "\x1b":
                self._write(part)
            elif match[3] is not None and not match[1]:
                self._control(match[2], match[3])
            elif match[1] == "?" and match[2] == "1049":
                self._cells = self._blank()

    def _write(self, text: str) -> None:
        if text == "\r":
            self._x = 0
        elif text == "\n":
            self._y = min(self.height - 1, self._y + 1)
        else:
            style = ";".join(part for part in self._style if part)
            for char in text:
                size = cell_len(char)
                for place in range(self._x, min(self.width, self._x + size)):
                    self._cells[self._y][place] = (
                        char if place == self._x else "",
                        style,
                    )
                self._x += size

    def _control(self, parameters: str, final: str) -> None:
        numbers = [
            int(number or 0) for number in parameters.split(";") if ":" not in number
        ]
        if final in "Hf":
            numbers += [1] * (2 - len(numbers))
            self._y = min(self.height, max(1, numbers[0])) - 1
            self._x = min(self.width, max(1, numbers[1])) - 1
        elif final == "m":
            self._style = styled(self._style, parameters)
        elif final == "J" and parameters == "2":
            self._cells = self._blank()
        elif final in "ABCD":
            by = max(1, numbers[0]) if numbers else 1
            self._x += {"C": by, "D": -by}.get(final, 0)
            self._y += {"B": by, "A": -by}.get(final, 0)

    def changes(self) -> str:
        """Return output that draws the difference to the last call."""
        drawn: list[str] = []
        style: str | None = None
        for y, (row, told) in enumerate(zip(self._cells, self._told, strict=True)):
            for start, end in _runs(row, told):
                drawn.append(f"\x1b[{y + 1};{start + 1}H")
                for char, wanted in row[start:end]:
                    if wanted != style:
                        style = wanted
                        drawn.append(f"\x1b[0;{wanted}m" if wanted else "\x1b[m")
                    drawn.append(char)
        self._told = [list(row) for row in self._cells]
        return "".join(drawn)


def _runs(row: list[Cell], told: list[Cell]) -> list[tuple[int, int]]:
    """Return spans that differ, joining those that are close to each other."""
    runs: list[tuple[int, int]] = []
    for at, (cell, old) in enumerate(zip(row, told, strict=True)):
        if cell == old:
            continue
        if runs and at - runs[-1][1] <= _GAP:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at - (cell[0] == ""), at + 1))
    return runs


def styled(style: tuple[str, str, str], codes: str) -> tuple[str, str, str]:
    """Return background, color and flags after an SGR sequence (ECMA-48, 8.3.117)."""
    ground, colour, others = style
    left = (codes or "0").split(";")
    while left:
        code = left.pop(0) or "0"
        if code in ("38", "48") and left:
            count = 4 if left[0] == "2" else 2
            code = ";".join([code, *left[:count]])
            del left[:count]
        number = int(code.partition(";")[0])
        if number == 0:
            ground = colour = others = ""
        elif number in (48, 49) or 40 <= number <= 47 or 100 <= number <= 107:
            ground = "" if number == 49 else code
        elif 30 <= number <= 39 or 90 <= number <= 97:
            colour = "" if number == 39 else code
        else:
            others = f"{others};{code}" if others else code
    return ground, colour, others

"""An animated SVG of the recording, for the README.

``python -m tests.ui.animation`` makes ``pictures/demo.svg`` from ``demo.cast``.
Each line of the screen is drawn once and shown while the recording shows it, so a
minute of dashboard takes no more space than a few screenshots. Players that do not
animate SVG show the first frame.
"""

from __future__ import annotations

import argparse
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from tests.ui.grid import Grid
from tests.ui.recording import HEIGHT, RECORDING, WIDTH, load

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = RECORDING.with_suffix(".svg")
STEP_S = 0.5
"""Time between two frames."""
END_S = 1.5
"""How long the last frame stays before the animation starts again."""
CELL_W, CELL_H, MARGIN = 8.4, 17, 12
FONT = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
DEFAULT_BACKGROUND = "#101216"

Row = tuple[tuple[str, str], ...]
"""Characters and SGR style of one line."""


class Look(NamedTuple):
    """Colors and weight of a run of cells."""

    foreground: str
    background: str
    is_bold: bool
    is_dim: bool


def frames(events: list[tuple[float, str]]) -> list[tuple[float, list[Row]]]:
    """Return the screen at each step of ``STEP_S`` seconds at which it changed."""
    grid = Grid(WIDTH, HEIGHT)
    shown: list[tuple[float, list[Row]]] = []
    for step, group in groupby(events, key=lambda event: int(event[0] / STEP_S)):
        for _, text in group:
            grid.feed(text)
        rows = [
            tuple(zip(line, styles, strict=True))
            for line, styles in zip(cells_of(grid), grid.styles, strict=True)
        ]
        if any(char.strip() for row in rows for char, _ in row):
            shown.append((step * STEP_S, rows))
    start = shown[0][0]
    return [(at - start, rows) for at, rows in shown]


def cells_of(grid: Grid) -> list[list[str]]:
    """Return the characters of each line, one per cell; a wide one takes two."""
    lines = []
    for line in grid.lines:
        cells: list[str] = []
        for char in line:
            cells += [char, ""][: cell_len(char)] if cell_len(char) else []
        lines.append(cells)
    return lines


def _css(shown: Look) -> str:
    css = f"fill:{shown.foreground}"
    css += ";font-weight:700" if shown.is_bold else ""
    return css + (";opacity:.6" if shown.is_dim else "")


@cache
def look(style: str) -> Look:
    """Return what an SGR style looks like; only the codes that Textual writes."""
    foreground, background = "#e0e0e0", ""
    is_bold = is_dim = is_reverse = False
    codes = style.split(";") if style else []
    while codes:
        code = codes.pop(0)
        if code in ("38", "48") and codes[:1] == ["2"]:
            color = "#{:02x}{:02x}{:02x}".format(*map(int, codes[1:4]))
            del codes[:4]
            if code == "38":
                foreground = color
            else:
                background = color
        elif code in ("38", "48") and codes[:1] == ["5"]:
            color = indexed(int(codes[1]))
            del codes[:2]
            if code == "38":
                foreground = color
            else:
                background = color
        elif code == "1":
            is_bold = True
        elif code == "2":
            is_dim = True
        elif code == "7":
            is_reverse = True
    if is_reverse:
        foreground, background = background or DEFAULT_BACKGROUND, foreground
    return Look(foreground, background, is_bold, is_dim)


def indexed(number: int) -> str:
    """Return a color of the cube and the gray ramp of 256-color terminals."""
    if number >= 232:
        gray = 8 + 10 * (number - 232)
        return f"#{gray:02x}{gray:02x}{gray:02x}"
    levels = (0, 95, 135, 175, 215, 255)
    cube = max(0, number - 16)
    red, green, blue = cube // 36, cube // 6 % 6, cube % 6
    return f"#{levels[red]:02x}{levels[green]:02x}{levels[blue]:02x}"


class Drawing:
    """The lines drawn so far, and the style classes they use."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def line(self, row: Row) -> str:
        """Return one line of the screen as SVG, at the top of its group."""
        cells = [(char, look(style)) for char, style in row]
        out = []
        at = 0
        for background, group in groupby(cells, key=lambda cell: cell[1].background):
            count = len(list(group))
            if background:
                out.append(
                    f'<rect x="{at * CELL_W:g}" width="{count * CELL_W:g}"'
                    f' height="{CELL_H}" class="{self._class(f"fill:{background}")}"/>'
                )
            at += count
        text = "".join(self._runs(cells))
        return "".join(out) + (f'<text y="13">{text}</text>' if text else "")

    def _runs(self, cells: list[tuple[str, Look]]) -> Iterator[str]:
        """Yield the text in runs of one style.

        A single blank belongs to any style. Two of them end a run, because not every
        program that shows SVG keeps blanks.
        """
        runs: list[tuple[int, str, str]] = []
        for at, (char, shown) in enumerate(cells):
            css = _css(shown)
            is_new = not runs or css != runs[-1][1] or runs[-1][2].endswith("  ")
            if runs and (not is_new or not char.strip()):
                runs[-1] = (*runs[-1][:2], runs[-1][2] + char)
            elif char.strip():
                runs.append((at, css, char))
        for start, css, text in runs:
            yield (
                f'<tspan x="{start * CELL_W:g}" class="{self._class(css)}">'
                f"{escape(text.rstrip())}</tspan>"
            )

    def _class(self, css: str) -> str:
        return self._classes.setdefault(css, f"c{len(self._classes)}")

    @property
    def styles(self) -> str:
        """Style sheet for all classes in use."""
        return "".join(f".{name}{{{css}}}" for css, name in self._classes.items())


def spans(shown: list[tuple[float, list[Row]]], y: int) -> dict[Row, list[float]]:
    """Return when each content of line ``y`` appears and disappears, in pairs."""
    end = shown[-1][0] + END_S
    found: dict[Row, list[float]] = {}
    previous: Row | None = None
    for at, rows in shown:
        if rows[y] != previous:
            if previous is not None:
                found[previous].append(at)
            found.setdefault(rows[y], []).append(at)
            previous = rows[y]
    assert previous is not None
    found[previous].append(end)
    return found


def animate(times: list[float], end: float) -> str:
    """Return the SVG animation of a line that is visible between pairs of times."""
    if times == [0.0, end]:
        return ""
    keys = times if times[0] == 0 else [0.0, *times]
    first = 1 if times[0] == 0 else 0
    values = [("none", "inline")[(first + number) % 2] for number in range(len(keys))]
    if keys[-1] >= end:
        keys, values = keys[:-1], values[:-1]
    moments = ";".join(f"{key / end:.4f}".rstrip("0").rstrip(".") for key in keys)
    return (
        f'<animate attributeName="display" values="{";".join(values)}"'
        f' keyTimes="{moments or 0}" dur="{end:.1f}s" calcMode="discrete"'
        ' repeatCount="indefinite"/>'
    )


def picture(events: list[tuple[float, str]]) -> str:
    """Return the animated SVG of a recording."""
    shown = frames(events)
    end = shown[-1][0] + END_S
    drawing = Drawing()
    body = []
    for y in range(HEIGHT):
        top = MARGIN + y * CELL_H
        for row, times in spans(shown, y).items():
            drawn = drawing.line(row)
            if not drawn:
                continue
            hidden = "" if times[0] == 0 else ' display="none"'
            body.append(
                f'<g transform="translate({MARGIN} {top})"{hidden}>'
                f"{animate(times, end)}{drawn}</g>"
            )
    width = WIDTH * CELL_W + 2 * MARGIN
    height = HEIGHT * CELL_H + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        ' xml:space="preserve">'
        f"<style>text{{font:14px {FONT};white-space:pre}}{drawing.styles}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="{DEFAULT_BACKGROUND}"/>'
        f"{''.join(body)}</svg>\n"
    )


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", default=PICTURE)
    file: Path = parser.parse_args().file
    file.write_text(picture(load(RECORDING)), "utf-8")
    print(f"{file.stat().st_size / 1000:.0f} KB: {file}")


if __name__ == "__main__":
    main()

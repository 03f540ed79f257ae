"""Whole screens as text, with the style of every cell: ``python -m tests.ui.snapshot``.

The command replaces the files in ``snapshots``; review the diff. Each file has the
lines of the screen, then the styles of each line by letter and length, then a legend.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from string import ascii_letters, digits
from typing import NamedTuple

from tests.ui.sample_state import sample_events, sample_service
from tui.config.precedence import DashboardSettings
from tui.ui.app import DashboardApp
from tui.ui.style.theme import DARK, LIGHT

SNAPSHOTS = Path(__file__).parent / "snapshots"


class Shot(NamedTuple):
    """One screen."""

    size: tuple[int, int]
    theme: str = DARK.name
    is_ascii: bool = False
    has_colour: bool = True
    keys: tuple[str, ...] = ("down",)


SHOTS = {
    "dark-200x60": Shot((200, 60)),
    "dark-120x36": Shot((120, 36)),
    "dark-80x24": Shot((80, 24)),
    "dark-60x15": Shot((60, 15)),
    "dark-39x9": Shot((39, 9)),
    "light-80x24": Shot((80, 24), theme=LIGHT.name),
    "ascii-80x24": Shot((80, 24), is_ascii=True),
    "no-colour-80x24": Shot((80, 24), has_colour=False),
    "failed-80x24": Shot((80, 24), keys=("5", "g", "j")),
}


async def dump(shot: Shot) -> str:
    """Return a screen as text with its styles."""
    os.environ.pop("NO_COLOR", None)
    if not shot.has_colour:
        os.environ["NO_COLOR"] = "1"
    service = sample_service()
    chosen = DashboardSettings(theme=shot.theme, ascii=shot.is_ascii, motion=False)
    app = DashboardApp(service, source_title="mirror-2026.txt", chosen=chosen)
    # The graph of the queue then has one column, however long the start takes.
    app.main.disk._monotonic = lambda: 0.0
    # The message stays, however long the rest takes.
    app.main.messages._monotonic = lambda: 0.0
    async with app.run_test(size=shot.size) as pilot:
        sample_events(service)
        app.main.tick()
        await pilot.press(*shot.keys)
        await pilot.pause()
        app.main.refresh_scheduler.refresh_all()
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
    letters: dict[str, str] = {}
    lines, styles = [], []
    for strip in strips:
        lines.append("".join(segment.text for segment in strip).rstrip())
        runs: list[tuple[str, int]] = []
        for segment in strip:
            style = str(segment.style or "")
            letter = letters.setdefault(style, (ascii_letters + digits)[len(letters)])
            length = segment.cell_length
            if runs and runs[-1][0] == letter:
                length += runs.pop()[1]
            runs.append((letter, length))
        styles.append(" ".join(f"{letter}{length}" for letter, length in runs))
    legend = [f"{letter} = {style}" for style, letter in letters.items()]
    return "\n".join([*lines, "", *styles, "", *legend]) + "\n"


def main() -> None:
    """Write all snapshots."""
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, shot in SHOTS.items():
        (SNAPSHOTS / f"{name}.txt").write_text(asyncio.run(dump(shot)), "utf-8")


if __name__ == "__main__":
    main()

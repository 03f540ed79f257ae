"""Pictures of the dashboard in a fixed state: ``python -m tests.ui.screenshot DIR``.

Without a folder it replaces the pictures of the README. With one it writes every scene
at every size there, for review.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.ui.sample_state import sample_events, sample_service, sample_work
from tui.config.precedence import DashboardSettings
from tui.ui.app import DashboardApp
from tui.ui.style.theme import LIGHT

PICTURES = Path(__file__).parent / "pictures"
_WORK_S = 3.0
SIZES = ((120, 36), (80, 24), (60, 15), (40, 10), (200, 60), (39, 9))


class Scene(NamedTuple):
    """Steps that lead to a picture."""

    keys: tuple[str, ...] = ()
    paste: str = ""
    theme: str = ""
    is_ascii: bool = False


_PASTED = """\
https://releases.example.org/ubuntu-26.04-desktop-amd64.iso
https://data.example.org/tiles/tile-{00..11}.png
  dir=tiles
not a URL
"""
SCENES = {
    "dashboard": Scene(("down",)),
    "failed": Scene(("5", "g", "j")),
    "details": Scene(("down", "enter")),
    "marks": Scene(("down", "space", "space", "j", "space", "p")),
    "filter": Scene(("slash", *"size", "colon", "greater_than_sign", "1", "G")),
    "add": Scene(("a",), paste=_PASTED),
    "settings": Scene(("comma", "down")),
    "help": Scene(("question_mark",)),
    "palette": Scene(("ctrl+p",)),
    "theme": Scene(("T", "down")),
    "hosts": Scene(("H",)),
    "disk": Scene(("d", "d", "z")),
    "log": Scene(("L",)),
    "question": Scene(("X",)),
    "quit": Scene(("q",)),
    "light": Scene(("down",), theme=LIGHT.name),
    "ascii": Scene(("down",), is_ascii=True),
}
SHOWN = {
    "dashboard": (120, 36),
    "failed": (100, 30),
    "details": (100, 30),
    "add": (100, 30),
    "settings": (100, 30),
    "help": (100, 30),
    "disk": (100, 30),
    "light": (80, 24),
}
"""The README's pictures and their sizes."""


async def picture(scene: Scene, width: int, height: int) -> str:
    """Return the dashboard at a size as SVG."""
    service = sample_service()
    app = DashboardApp(
        service,
        source_title="mirror-2026.txt",
        chosen=DashboardSettings(theme=scene.theme, ascii=scene.is_ascii),
    )
    clock_s = 0.0
    app.main.disk._monotonic = lambda: clock_s
    async with app.run_test(size=(width, height)) as pilot:
        # Shares of the time are known once some has passed.
        clock_s = _WORK_S
        sample_work(service, _WORK_S)
        sample_events(service)
        app.main.tick()
        await pilot.press(*scene.keys)
        if scene.paste:
            app.screen.query_one("UrlArea").insert(scene.paste)  # type: ignore[attr-defined]
        await app.workers.wait_for_complete()
        await pilot.pause(0.4 if scene.paste else 0.05)
        return app.export_screenshot(title="fetchtui")


def _draw(name: str, width: int, height: int) -> str:
    with tempfile.NamedTemporaryFile(suffix=".toml") as settings:
        os.environ["FETCHTUI_CONFIG"] = settings.name
        svg = asyncio.run(picture(SCENES[name], width, height))
        return svg.replace(settings.name, "~/.config/fetchtui/config.toml")


def main() -> None:
    """Write the pictures."""
    if len(sys.argv) < 2:
        PICTURES.mkdir(exist_ok=True)
        for name, size in SHOWN.items():
            (PICTURES / f"{name}.svg").write_text(_draw(name, *size), "utf-8")
        return
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCENES:
        for width, height in SIZES:
            svg = _draw(name, width, height)
            (folder / f"{name}-{width}x{height}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()

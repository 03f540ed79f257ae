"""Pictures of the dashboard in one fixed moment: ``python -m tests.ui.screenshot DIR``.

Without a folder it makes the README's picture anew.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.ui.lively import lively_events, lively_service
from tui.ui.app import DashboardApp

PICTURES = Path(__file__).parent / "pictures"
SIZES = ((120, 36), (80, 24), (60, 15), (40, 10), (200, 60))
SCENES = {
    "dashboard": ("down",),
    "marks": ("down", "space", "space", "j", "space", "p"),
    "failed": ("5", "g", "j"),
    "question": ("X",),
    "theme": ("T", "down"),
    "filter": ("slash", "s", "i", "z", "e", "colon", "greater_than_sign"),
}
"""Keys that lead to each picture."""


async def picture(width: int, height: int, *keys: str) -> str:
    """Return the dashboard at a size as SVG, after some keys."""
    service = lively_service()
    app = DashboardApp(service, source_title="mirror-2026.txt")
    async with app.run_test(size=(width, height)) as pilot:
        lively_events(service)
        app.main.tick()
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title="fetchtui")


def main() -> None:
    """Write the pictures."""
    if len(sys.argv) < 2:
        PICTURES.mkdir(exist_ok=True)
        svg = asyncio.run(picture(*SIZES[0], *SCENES["dashboard"]))
        (PICTURES / "dashboard.svg").write_text(svg, "utf-8")
        return
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for scene, keys in SCENES.items():
        for width, height in SIZES:
            svg = asyncio.run(picture(width, height, *keys))
            (folder / f"{scene}-{width}x{height}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()

"""The real dashboard on a fake engine, as a program for tests with a real terminal.

``python -m tests.ui.fake_run FILE`` ends with the dashboard's exit status and writes
to FILE the longest time in which the event loop was blocked, in seconds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tests.ui.sample_state import sample_service
from tui.ui.app import run_dashboard


def _replace(report: Path, text: str) -> None:
    """Replace the file atomically, so that a reader never sees half of it."""
    aside = report.with_suffix(".new")
    aside.write_text(text)
    aside.replace(report)


async def _watch(report: Path) -> None:
    worst = 0.0
    last = time.monotonic()
    started = last
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        if now - started > 1.0:  # opening the dashboard is not what is measured
            worst = max(worst, now - last)
            _replace(report, str(worst))
        last = now


async def main() -> int:
    """Run until the dashboard ends."""
    service = sample_service()
    watch = asyncio.create_task(_watch(Path(sys.argv[1])))
    move = asyncio.create_task(_move(service))
    status = await run_dashboard(
        service, requests=[], source_title="list.txt", exit_when_done=False
    )
    watch.cancel()
    move.cancel()
    return status


async def _move(service: object) -> None:
    while True:
        await asyncio.sleep(0.05)
        service.advance(0.05)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

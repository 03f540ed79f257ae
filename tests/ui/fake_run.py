"""The real dashboard on a fake engine, as a program for tests with a real terminal.

``python -m tests.ui.fake_run FILE`` ends with the dashboard's exit status and writes
to FILE, in seconds, the longest time in which the event loop was blocked, and the most
processor time in such a time, which does not depend on the load of the machine.
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
    blocked = busy = 0.0
    started = last = time.monotonic()
    last_busy = time.thread_time()
    while True:
        await asyncio.sleep(0.01)
        now, now_busy = time.monotonic(), time.thread_time()
        if now - started > 1.0:  # opening the dashboard is not what is measured
            blocked = max(blocked, now - last)
            busy = max(busy, now_busy - last_busy)
            _replace(report, f"{blocked} {busy}")
        last, last_busy = now, now_busy


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

"""Following for as long as a face runs, and what is left to do when it has ended."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tui.postprocess.pipeline import follow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tui.core.service import DownloadService
    from tui.core.settings import Settings
    from tui.postprocess.pipeline import Pipeline

INTERRUPTED = 130


@asynccontextmanager
async def following(
    service: DownloadService, settings: Settings
) -> AsyncIterator[Pipeline | None]:
    """Follow downloads for as long as the block lasts; ``None`` if nothing is wanted.

    Enter it before anything is added, and leave it before the engine is closed.
    """
    follower = follow(service, settings)
    try:
        yield follower
    finally:
        if follower is not None:
            await follower.close()


async def part(
    follower: Pipeline | None, status: int, say: Callable[[str], None]
) -> int:
    """Wait for what follows the downloads, unless the run was interrupted.

    Args:
        follower: ``None`` where nothing follows.
        status: the face's exit status.
        say: shows a line.

    Returns:
        The exit status: 1 where only something that follows went wrong.
    """
    if follower is None:
        return status
    if status != INTERRUPTED:
        if sys.stderr is not None and sys.stderr.isatty():
            follower.use_terminal(_write_to_stderr)
        if left := follower.waiting_for():
            say(f"waiting for {left} to end; ctrl+c ends them")
        await follower.settle()
    for line in follower.summary():
        say(line)
    return 1 if status == 0 and follower.failures else status


def _write_to_stderr(sequence: str) -> None:
    sys.stderr.write(sequence)
    sys.stderr.flush()

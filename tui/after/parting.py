"""What is left to do when a face has ended, and what that makes of the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.after.follower import Follower

INTERRUPTED = 130


async def part(
    follower: Follower | None, status: int, say: Callable[[str], None]
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
        if left := follower.waiting_for():
            say(f"waiting for {left} to end; ctrl+c ends them")
        await follower.settle()
    for line in follower.summary():
        say(line)
    return 1 if status == 0 and follower.failures else status

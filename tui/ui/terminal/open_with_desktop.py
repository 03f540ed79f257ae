"""Opens a finished file or its folder with the desktop's default program."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys

_TIMEOUT_S = 5.0


def _opener() -> str | None:
    """Return the desktop's open command; ``None`` without a desktop, as over SSH."""
    if os.environ.get("SSH_CONNECTION"):
        return None
    if sys.platform == "darwin":
        return shutil.which("open")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None


async def open_path(path: str) -> bool:
    """Open a file or a folder.

    Args:
        path: an absolute path, so that it cannot be mistaken for an option.

    Returns:
        True if the desktop accepted it.
    """
    command = _opener()
    if command is None:
        return False
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            command, path, stdin=quiet, stdout=quiet, stderr=quiet
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), _TIMEOUT_S) == 0
    except TimeoutError:
        return True  # some openers run until the opened program exits

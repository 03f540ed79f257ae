"""Opening a finished file, or its folder, with the desktop's program for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys

_WAIT_S = 5.0


def _command() -> str | None:
    """Return the desktop's opener; ``None`` where nobody would see what it opens."""
    if os.environ.get("SSH_CONNECTION"):
        return None
    if sys.platform == "darwin":
        return shutil.which("open")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None


async def open_path(path: str) -> bool:
    """Open a file or a folder; tell whether a program took it.

    Args:
        path: an absolute path, so that it cannot be read as an option.
    """
    command = _command()
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
        return await asyncio.wait_for(process.wait(), _WAIT_S) == 0
    except TimeoutError:
        return True  # some openers stay as long as their program does

"""Opens a finished file, or its folder in the file manager, with the desktop's program.

Programs are never opened: what happens to a file that a server named is decided by its
suffix, and a suffix must not be enough to run it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys

_TIMEOUT_S = 5.0
_SUFFIXES = """
.app .appimage .bat .cmd .com .command .cpl .csh .desktop .elf .exe .hta .jar .js
.jse .ksh .lnk .msc .msi .php .pif .pl .ps1 .py .rb .reg .run .scpt .scr .sh .tool
.url .vb .vbe .vbs .webloc .workflow .wsf .zsh
"""
_RUNNABLE = frozenset(_SUFFIXES.split())


def is_runnable(path: str) -> bool:
    """Return True if a desktop might run the file instead of showing it."""
    return os.path.splitext(path)[1].lower() in _RUNNABLE or os.access(path, os.X_OK)


def _opener() -> tuple[str, str]:
    """Return the desktop's open command, or else why there is none."""
    if os.environ.get("SSH_CONNECTION"):
        return "", "this is a session over ssh"
    name = "open" if sys.platform == "darwin" else "xdg-open"
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform != "darwin" and not has_display:
        return "", "there is no desktop here"
    command = shutil.which(name)
    return command or "", "" if command else f"{name} is not installed"


async def open_path(path: str) -> str:
    """Open a document or a folder.

    Args:
        path: an absolute path, so that it cannot be mistaken for an option.

    Returns:
        Why it could not be opened; "" if the desktop accepted it.
    """
    command, reason = _opener()
    if not command:
        return reason
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            command, path, stdin=quiet, stdout=quiet, stderr=quiet
        )
    except OSError as error:
        return f"{os.path.basename(command)}: {error.strerror}"
    try:
        status = await asyncio.wait_for(process.wait(), _TIMEOUT_S)
    except TimeoutError:
        return ""  # some openers run until the opened program exits
    return f"{os.path.basename(command)} failed" if status else ""

"""Notify the user when all is done: with a desktop program, or else the terminal.

No library is used: those that support every desktop need an event loop or a D-Bus
stack, for one line of text. The text never contains anything from a server.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.units import format_elapsed, format_size
from tui.postprocess.hooks import CommandError, Commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.snapshot import EngineSnapshot

TITLE = "fetchtui"
_TIMEOUT_S = 5.0
_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)


def words(now: EngineSnapshot) -> str:
    """Return the text of the notification: counts, size and time."""
    counts = now.counts
    parts = [f"{counts[DownloadState.DONE]:,} done"]
    others = (DownloadState.FAILED, DownloadState.CANCELLED)
    parts += [f"{counts[state]:,} {state.word}" for state in others if counts[state]]
    size, took = format_size(now.fetched), format_elapsed(now.elapsed_s)
    return f"{', '.join(parts)}: {size} in {took}"


def desktop_command(text: str, environment: Mapping[str, str]) -> list[str] | None:
    """Return the command that shows ``text`` on the user's desktop.

    Returns ``None`` without a desktop. Over SSH the desktop is on the other machine,
    and only the terminal reaches it.
    """
    if environment.get("SSH_CONNECTION"):
        return None
    if sys.platform == "darwin":
        program = shutil.which("osascript")
        script = [word for line in _SCRIPT for word in ("-e", line)]
        return [program, *script, TITLE, text] if program else None
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        program = shutil.which("notify-send")
        return [program, "--app-name", TITLE, "--", TITLE, text] if program else None
    return None


def terminal_sequence(text: str, environment: Mapping[str, str]) -> str:
    """Return the terminal's notification sequence, or a bell if it has none.

    OSC 777 comes from rxvt and works in foot, Ghostty, WezTerm and VTE; OSC 9 comes
    from iTerm2 and works in kitty. Other terminals may print unknown sequences, and
    multiplexers do not pass them through, so those get a bell.
    """
    program = environment.get("TERM_PROGRAM", "")
    term = environment.get("TERM", "")
    if environment.get("TMUX") or environment.get("STY"):
        return "\a"
    if program == "iTerm.app" or environment.get("KITTY_WINDOW_ID"):
        return f"\x1b]9;{TITLE}: {text}\x1b\\"
    if (
        program in ("ghostty", "WezTerm")
        or term.startswith(("foot", "rxvt"))
        or environment.get("VTE_VERSION")
    ):
        return f"\x1b]777;notify;{TITLE};{text}\x1b\\"
    return "\a"


async def notify(text: str, write: Callable[[str], None] | None) -> bool:
    """Show a notification; failures are ignored.

    Args:
        text: one short line.
        write: writes to the terminal; ``None`` if there is none.

    Returns:
        False if neither the desktop nor a terminal could take it.
    """
    command = desktop_command(text, os.environ)
    if command is not None:
        try:
            await Commands().run(command, {}, _TIMEOUT_S)
        except CommandError:
            command = None  # the desktop does not accept notifications
    if command is None and write is not None:
        write(terminal_sequence(text, os.environ))
    return command is not None or write is not None

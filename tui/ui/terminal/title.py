"""What the terminal's own frame tells: its title, and progress on tab or task bar.

Title by OSC 2, saved and given back by the window's title stack (xterm's CSI 22/23 t).
Progress by OSC 9;4 (ConEmu's; Windows Terminal, Ghostty, WezTerm, Konsole, iTerm2 from
3.6.6 on), only where it is known to be understood: older iTerm2 shows OSC 9 as a
notification. Ghostty forgets progress after 15 s, so it is repeated.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.units import format_rate
from tui.ui.terminal.ascii_filter import ascii_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.snapshot import EngineSnapshot

_S = DownloadState
EVERY_S = 1.0
REPEAT_S = 10.0
SAVE_TITLE = "\x1b[22;2t"
CLEAR_TITLE = "\x1b]2;\x1b\\\x1b[23;2t"
"""Empty it, then give the saved one back: whoever lacks the stack has no stale one."""
CLEAR_PROGRESS = "\x1b]9;4;0;0\x1b\\"
_NORMAL, _ERROR, _UNKNOWN, _PAUSED = 1, 2, 3, 4


def takes_title(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal understands a title; consoles without a frame do not."""
    term = environment.get("TERM", "")
    is_bare = term in ("", "dumb", "linux", "ansi") or term.startswith(("vt", "eterm"))
    # GNU screen has a sequence of its own; tmux calls itself screen, too.
    is_gnu_screen = term.startswith("screen") and "TMUX" not in environment
    return not (is_bare or is_gnu_screen)


def takes_progress(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal is one that shows progress by OSC 9;4."""
    if "TMUX" in environment or environment.get("TERM", "").startswith("screen"):
        return False  # they keep it to themselves
    if environment.get("WT_SESSION") or environment.get("ConEmuPID"):
        return True
    if _number(environment.get("KONSOLE_VERSION", "")) >= (240800,):
        return True
    program = environment.get("TERM_PROGRAM", "")
    if program == "iTerm.app":
        return _number(environment.get("TERM_PROGRAM_VERSION", "")) >= (3, 6, 6)
    return program in ("ghostty", "WezTerm")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


class TerminalTitle:
    """Keeps title and progress true, at most once a second."""

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        has_title: bool,
        has_progress: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where control sequences go, and which of them are understood."""
        self._write = write
        self._has_title = has_title
        self._has_progress = has_progress
        self._monotonic = monotonic
        self._next_at_s = 0.0
        self._repeat_at_s = 0.0
        self._title = ""
        self._progress = ""

    @property
    def opening(self) -> str:
        """What to write before the first title."""
        return SAVE_TITLE if self._has_title else ""

    @property
    def closing(self) -> str:
        """What to write at the end, so that nothing of ours stays."""
        progress = CLEAR_PROGRESS if self._has_progress else ""
        return progress + (CLEAR_TITLE if self._has_title else "")

    def forget(self) -> None:
        """Tell all of it again: the terminal was another program's meanwhile."""
        self._title = self._progress = ""
        self._next_at_s = 0.0

    def tell(self, now: EngineSnapshot, part: float | None) -> None:
        """Tell how far it is, if it is time to and if that changed.

        Args:
            now: the run.
            part: how much of it is there, 0 to 1; ``None`` while nobody can tell.
        """
        if not (self._has_title or self._has_progress):
            return
        at = self._monotonic()
        if at < self._next_at_s:
            return
        self._next_at_s = at + EVERY_S
        title = title_text(now, part)
        if self._has_title and title != self._title:
            self._title = title
            self._write(f"\x1b]2;{title}\x1b\\")
        progress = progress_code(now, part)
        if self._has_progress and (
            progress != self._progress or (progress and at >= self._repeat_at_s)
        ):
            self._progress = progress
            self._repeat_at_s = at + REPEAT_S
            self._write(progress or CLEAR_PROGRESS)


def title_text(now: EngineSnapshot, part: float | None) -> str:
    """Return the title: percent first, since tabs cut the end off."""
    if _is_ended(now):
        failed = now.counts[_S.FAILED]
        words = f"{failed} failed" if failed else "done" if now.total else ""
    elif now.is_held:
        words = "paused"
    else:
        words = format_rate(now.speed)
    if part is not None and not _is_ended(now):
        words = f"{part:.0%} {words}"
    return ascii_form(f"{words} - fetchtui" if words else "fetchtui")


def progress_code(now: EngineSnapshot, part: float | None) -> str:
    """Return the OSC 9;4 for a moment of the run; "" for no progress at all."""
    if not now.total or _is_ended(now):
        return ""
    if now.is_held:
        state = _PAUSED
    elif now.counts[_S.FAILED]:
        state = _ERROR
    else:
        state = _NORMAL if part is not None else _UNKNOWN
    return f"\x1b]9;4;{state};{round((part or 0.0) * 100)}\x1b\\"


def _is_ended(now: EngineSnapshot) -> bool:
    ended = sum(now.counts[s] for s in (_S.DONE, _S.FAILED, _S.CANCELLED))
    return ended == now.total

"""Sets the terminal's window title, and progress on its tab or task bar.

The title is set with OSC 2, saved and restored with xterm's title stack (CSI 22/23 t).
Progress is sent as OSC 9;4 (ConEmu, Windows Terminal, Ghostty, WezTerm, Konsole, iTerm2
from 3.6.6 on), and only to terminals known to support it: older iTerm2 shows OSC 9 as a
notification. Ghostty clears progress after 15 s, so it is repeated.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.units import format_rate
from tui.ui.style.ascii import to_ascii

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.snapshot import EngineSnapshot

_S = DownloadState
EVERY_S = 1.0
REPEAT_S = 10.0
SAVE_TITLE = "\x1b[22;2t"
CLEAR_TITLE = "\x1b]2;\x1b\\\x1b[23;2t"
"""Clear the title, then restore the saved one: a terminal without the stack keeps no
stale title."""
CLEAR_PROGRESS = "\x1b]9;4;0;0\x1b\\"
_NORMAL, _ERROR, _UNKNOWN, _PAUSED = 1, 2, 3, 4


def supports_title(environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if the terminal supports a title; bare consoles do not."""
    term = environment.get("TERM", "")
    is_bare = term in ("", "dumb", "linux", "ansi") or term.startswith(("vt", "eterm"))
    # GNU screen uses another sequence; tmux also sets TERM to screen.
    is_gnu_screen = term.startswith("screen") and "TMUX" not in environment
    return not (is_bare or is_gnu_screen)


def supports_progress(environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if the terminal is known to show OSC 9;4 progress."""
    if "TMUX" in environment or environment.get("TERM", "").startswith("screen"):
        return False  # multiplexers do not pass it on
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
    """Updates title and progress, at most once a second."""

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        has_title: bool,
        has_progress: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write control sequences with ``write``, those that the terminal supports."""
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
        """Sequence to write before the first title."""
        return SAVE_TITLE if self._has_title else ""

    @property
    def closing(self) -> str:
        """Sequence that removes progress and restores the title."""
        progress = CLEAR_PROGRESS if self._has_progress else ""
        return progress + (CLEAR_TITLE if self._has_title else "")

    def invalidate(self) -> None:
        """Send everything again: another program used the terminal meanwhile."""
        self._title = self._progress = ""
        self._next_at_s = 0.0

    def update(self, now: EngineSnapshot, part: float | None) -> None:
        """Send title and progress if they changed and a second has passed.

        Args:
            now: the run.
            part: fraction done, 0 to 1; ``None`` while it is unknown.
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
    """Return the title, percent first, since tabs cut off the end."""
    if _has_ended(now):
        failed = now.counts[_S.FAILED]
        words = f"{failed} failed" if failed else "done" if now.total else ""
    elif now.is_queue_paused:
        words = "paused"
    else:
        words = format_rate(now.speed)
    if part is not None and not _has_ended(now):
        words = f"{part:.0%} {words}"
    return to_ascii(f"{words} - fetchtui" if words else "fetchtui")


def progress_code(now: EngineSnapshot, part: float | None) -> str:
    """Return the OSC 9;4 sequence for a snapshot; "" to show no progress."""
    if not now.total or _has_ended(now):
        return ""
    if now.is_queue_paused:
        state = _PAUSED
    elif now.counts[_S.FAILED]:
        state = _ERROR
    else:
        state = _NORMAL if part is not None else _UNKNOWN
    return f"\x1b]9;4;{state};{round((part or 0.0) * 100)}\x1b\\"


def _has_ended(now: EngineSnapshot) -> bool:
    ended = sum(now.counts[s] for s in (_S.DONE, _S.FAILED, _S.CANCELLED))
    return ended == now.total

"""Before leaving: what is going on, and that all of it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tui.core.download import ACTIVE, DownloadState
from tui.core.text.units import format_size
from tui.ui.dialogs.dialog import Dialog
from tui.ui.style.format import count

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.core.snapshot import EngineSnapshot

QUIT = "quit"
FINISH = "finish"


class QuitScreen(Dialog[str | None]):
    """Leaves with ``quit`` (keep all), ``finish`` (what runs, then quit) or ``None``.

    Enter takes the safe and usual one: everything is kept and nobody waits.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "quit.tcss"]
    TITLE_TEXT = "Quit"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q,y", "choose('quit')", show=False),
        Binding("f", "choose('finish')", show=False),
        Binding("s,n", "close", show=False),
        Binding("down,j", "app.focus_next", show=False),
        Binding("up,k", "app.focus_previous", show=False),
    ]

    def __init__(self, snapshot: EngineSnapshot, resume_hint: str = "") -> None:
        """Say what this snapshot tells about what is going on, and how to go on."""
        super().__init__()
        self._resume_hint = resume_hint
        self._snapshot = snapshot

    def compose_box(self) -> ComposeResult:
        """What is going on, and three ways to go."""
        for text in quit_summary(self._snapshot, self._resume_hint):
            yield Static(text, markup=False)
        with Vertical(classes="choices"):
            yield _choice("q", "Quit and keep everything", "quit")
            if _active(self._snapshot):
                yield _choice("f", "Finish what runs, then quit", "finish")
            yield _choice("esc", "Stay", "stay")

    def on_mount(self) -> None:
        """Stand on the default."""
        self.query_one("#quit", Button).focus()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Take a click, or enter."""
        event.stop()
        self.action_choose(event.button.id or "stay")

    def action_choose(self, choice: str) -> None:
        """Leave with a choice; finishing needs something to finish."""
        if choice == FINISH and not _active(self._snapshot):
            choice = QUIT
        self.dismiss(choice if choice in (QUIT, FINISH) else None)


def _choice(key: str, label: str, name: str) -> Button:
    return Button(Content(f"{key:>3}  {label:<28}"), id=name, compact=True)


def _active(snapshot: EngineSnapshot) -> int:
    return sum(snapshot.counts[state] for state in ACTIVE)


def quit_summary(snapshot: EngineSnapshot, resume_hint: str = "") -> list[str]:
    """Say in two or three lines what leaving now means."""
    counts = snapshot.counts
    active = _active(snapshot)
    waiting = counts[DownloadState.QUEUED] + counts[DownloadState.WAITING]
    paused = counts[DownloadState.PAUSED]
    parts = [
        f"{count(number)} {word}"
        for number, word in (
            (active, "active"),
            (waiting, "queued"),
            (paused, "paused"),
        )
        if number
    ]
    if not parts:
        done = counts[DownloadState.DONE]
        lines = [f"Nothing is running; {count(done)} done."]
        failed = counts[DownloadState.FAILED]
        if failed:
            lines.append(f"{count(failed)} failed; what they have on disk is kept.")
        return lines
    left = max(0, snapshot.known_size - snapshot.known_received)
    sizes = [format_size(left)] if left else []
    if snapshot.unknown:
        sizes.append(f"{count(snapshot.unknown)} of unknown size")
    togo = f", {' and '.join(sizes)} to go" if sizes else ""
    return [
        f"{', '.join(parts)}{togo}.",
        resume_hint or "Every byte on disk is kept.",
    ]

"""Asks how to quit while downloads are running."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Static

from tui.core.download import ACTIVE, DownloadState
from tui.core.text.units import format_size
from tui.ui.dialogs.dialog import Dialog, choice_button
from tui.ui.style.format import count

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.core.snapshot import EngineSnapshot

QUIT = "quit"
FINISH = "finish"


class QuitScreen(Dialog[str | None]):
    """Returns ``quit``, ``finish`` (running downloads, then quit) or ``None``.

    Enter quits: all progress is saved and there is nothing to wait for.
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
        """Create the dialog.

        Args:
            snapshot: the run as it is now.
            resume_hint: how to resume it, as a sentence.
        """
        super().__init__()
        self._snapshot = snapshot
        self._resume_hint = resume_hint

    def compose_box(self) -> ComposeResult:
        """Lay out a summary of the run and three choices."""
        for text in quit_summary(self._snapshot, self._resume_hint):
            yield Static(text, markup=False)
        with Vertical(classes="choices"):
            yield choice_button("q", "Save progress and quit", "quit", width=28)
            if _active(self._snapshot):
                label = "Finish active, then quit"
                yield choice_button("f", label, "finish", width=28)
            yield choice_button("esc", "Cancel", "stay", width=28)

    def on_mount(self) -> None:
        """Focus the default."""
        self.query_one("#quit", Button).focus()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Handle a click or Enter."""
        event.stop()
        self.action_choose(event.button.id or "stay")

    def action_choose(self, choice: str) -> None:
        """Return a choice; without running downloads, ``finish`` means ``quit``."""
        if choice == FINISH and not _active(self._snapshot):
            choice = QUIT
        self.dismiss(choice if choice in (QUIT, FINISH) else None)


def _active(snapshot: EngineSnapshot) -> int:
    return sum(snapshot.counts[state] for state in ACTIVE)


def quit_summary(snapshot: EngineSnapshot, resume_hint: str = "") -> list[str]:
    """Return two or three lines on what quitting now means."""
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
        lines = [f"Nothing is running. {count(done)} done."]
        failed = counts[DownloadState.FAILED]
        if failed:
            lines.append(f"{count(failed)} failed; their partial files are kept.")
        return lines
    left = max(0, snapshot.known_size - snapshot.known_received)
    sizes = [format_size(left)] if left else []
    if snapshot.unknown:
        sizes.append(f"{count(snapshot.unknown)} of unknown size")
    remaining = f", {' and '.join(sizes)} left" if sizes else ""
    return [
        f"{', '.join(parts)}{remaining}.",
        resume_hint or "Progress is saved.",
    ]

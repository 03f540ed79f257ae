"""Dialogs that ask before many downloads are changed and before quitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tui.core.download import ACTIVE, DownloadState
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_size
from tui.ui.dialogs.dialog import Dialog
from tui.ui.style.format import count

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.core.snapshot import EngineSnapshot


QUIT = "quit"
FINISH = "finish"
DETACH = "detach"


class ConfirmScreen(Dialog[bool | None]):
    """Returns ``True`` if the user confirmed; Enter alone picks the safe choice."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "quit.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", show=False),
        Binding("n,q", "close", show=False),
        Binding("down,j", "app.focus_next", show=False),
        Binding("up,k", "app.focus_previous", show=False),
    ]

    def __init__(self, title: str, effect: str, yes: str, no: str) -> None:
        """Create the dialog.

        Args:
            title: the action with the count, such as ``Cancel 37 downloads``.
            effect: what it means, in a sentence or two.
            yes: label of the button that confirms.
            no: label of the button that changes nothing.
        """
        super().__init__()
        self._title = sanitize(title)
        self._effect = effect
        self._yes = yes
        self._no = no

    def title_text(self) -> str:
        """Return the action that would be performed."""
        return self._title

    def compose_box(self) -> ComposeResult:
        """Lay out the effect and two buttons, the safe one first."""
        yield Static(self._effect, markup=False)
        with Vertical(classes="choices"):
            yield _choice("n", self._no, "no", width=32)
            yield _choice("y", self._yes, "yes", width=32)

    def on_mount(self) -> None:
        """Focus the safe choice."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Handle a click or Enter."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_agree(self) -> None:
        """Confirm."""
        self.dismiss(True)


class QuitScreen(Dialog[str | None]):
    """Returns ``quit``, ``finish``, ``detach`` or ``None``.

    ``finish`` quits when the running downloads have ended; ``detach`` quits and lets a
    background process continue them. Enter quits: all progress that can be saved is,
    and there is nothing to wait for.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "quit.tcss"]
    TITLE_TEXT = "Quit"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q,y", "choose('quit')", show=False),
        Binding("f", "choose('finish')", show=False),
        Binding("b,Q", "choose('detach')", show=False),
        Binding("s,n", "close", show=False),
        Binding("down,j", "app.focus_next", show=False),
        Binding("up,k", "app.focus_previous", show=False),
    ]

    def __init__(
        self,
        snapshot: EngineSnapshot,
        resume_hint: str = "",
        *,
        is_saved: bool = True,
        can_detach: bool = False,
    ) -> None:
        """Create the dialog.

        Args:
            snapshot: the run as it is now.
            resume_hint: how to resume it, as a sentence.
            is_saved: whether quitting saves the progress.
            can_detach: whether the downloads can continue in the background.
        """
        super().__init__()
        self._can_detach = can_detach
        self._snapshot = snapshot
        self._resume_hint = resume_hint
        self._quit_label = "Save progress and quit" if is_saved else "Quit"

    def compose_box(self) -> ComposeResult:
        """Lay out a summary of the run and the choices."""
        for text in quit_summary(self._snapshot, self._resume_hint):
            yield Static(text, markup=False)
        with Vertical(classes="choices"):
            yield _choice("q", self._quit_label, "quit", width=28)
            if _active(self._snapshot):
                label = "Finish active, then quit"
                yield _choice("f", label, "finish", width=28)
            if self._can_detach:
                label = "Continue in the background"
                yield _choice("b", label, "detach", width=28)
            yield _choice("esc", "Cancel", "stay", width=28)

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
        if choice == DETACH and not self._can_detach:
            return
        self.dismiss(choice if choice in (QUIT, FINISH, DETACH) else None)


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


def _choice(key: str, label: str, id: str, *, width: int) -> Button:
    """Return a button that shows its key before a label of ``width`` cells."""
    return Button(Content(f"{key:>3}  {label:<{width}}"), id=id, compact=True)

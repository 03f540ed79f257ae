"""Dialogs that ask before many downloads are changed and before quitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tui.core.download import ACTIVE, UNFINISHED, DownloadState
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
        keeps_files: bool = True,
        can_detach: bool = False,
    ) -> None:
        """Create the dialog.

        Args:
            snapshot: the run as it is now.
            resume_hint: how to resume it, as a sentence.
            is_saved: whether quitting saves the progress.
            keeps_files: whether partial files stay on disk; those of the demo do not.
            can_detach: whether the downloads can continue in the background, if any
                are left.
        """
        super().__init__()
        self._keeps_files = keeps_files
        self._can_detach = can_detach and bool(_unfinished(snapshot))
        self._snapshot = snapshot
        self._resume_hint = resume_hint
        has_progress = is_saved and bool(_unfinished(snapshot))
        self._quit_label = "Save progress and quit" if has_progress else "Quit"

    def compose_box(self) -> ComposeResult:
        """Lay out a summary of the run and the choices."""
        for text in quit_summary(
            self._snapshot, self._resume_hint, keeps_files=self._keeps_files
        ):
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


def _unfinished(snapshot: EngineSnapshot) -> int:
    return sum(snapshot.counts[state] for state in UNFINISHED)


def quit_summary(
    snapshot: EngineSnapshot, resume_hint: str = "", *, keeps_files: bool = True
) -> list[str]:
    """Return one or two lines on what quitting now means."""
    counts = snapshot.counts
    if not _unfinished(snapshot):
        return _ended_summary(snapshot, keeps_files=keeps_files)
    active = _active(snapshot)
    waiting = counts[DownloadState.QUEUED] + counts[DownloadState.WAITING]
    paused = counts[DownloadState.PAUSED]
    parts = _counted((active, "active"), (waiting, "queued"), (paused, "paused"))
    left = max(0, snapshot.known_size - snapshot.known_received)
    sizes = [format_size(left)] if left else []
    if snapshot.unknown:
        sizes.append(f"{count(snapshot.unknown)} of unknown size")
    remaining = f", {' and '.join(sizes)} left" if sizes else ""
    return [
        f"{parts}{remaining}.",
        resume_hint or "Progress is saved.",
    ]


def _ended_summary(snapshot: EngineSnapshot, *, keeps_files: bool) -> list[str]:
    counts = snapshot.counts
    failed, cancelled = counts[DownloadState.FAILED], counts[DownloadState.CANCELLED]
    parts = _counted(
        (counts[DownloadState.DONE], "done"),
        (failed, "failed"),
        (cancelled, "cancelled"),
    )
    lines = [f"Nothing is running. {parts}." if parts else "Nothing is running."]
    if (failed or cancelled) and keeps_files:
        lines.append("Partial files are kept, where there are any.")
    return lines


def _counted(*numbers: tuple[int, str]) -> str:
    """Return ``3 active, 5 queued`` without what there is none of."""
    return ", ".join(f"{count(number)} {word}" for number, word in numbers if number)


def _choice(key: str, label: str, id: str, *, width: int) -> Button:
    """Return a button that shows its key before a label of ``width`` cells."""
    return Button(Content(f"{key:>3}  {label:<{width}}"), id=id, compact=True)

"""Add downloads: type or paste as many URLs as you like, see what they are, add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Button, Static, TextArea

from tui.core.plain_text import plain
from tui.core.request import DownloadRequest
from tui.ui.format import count
from tui.ui.screens.dialog import Dialog
from tui.ui.screens.draft import Draft, draft_lines, read_draft
from tui.ui.widgets.canvas import Canvas, Line, Span

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.types import CSSPathType

MAX_EDITED_LINES = 10_000
"""Longer pastes stay out of the editor, which needs half a second for 100,000 lines
and would hold up every download meanwhile."""
_SETTLE_S = 0.08
"""Typing pauses at least this long before the text is read again."""


def disarm(text: str) -> str:
    """Return ``text`` without characters that act on a terminal; lines and tabs stay.

    The editor draws what it holds as it is, an ESC as well. ``plain`` alone would cut
    long lines and normalise what may be part of a URL.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        char if char in "\n\t" or char.isprintable() else plain(char) for char in text
    )


def end_line(text: str) -> str:
    """End pasted URLs with a line end: what comes next is another URL.

    It also leaves the cursor in the first column, so that the URLs show from their
    start where the terminal is narrower than they are.
    """
    is_open = "://" in text and not text.endswith("\n")
    return text + "\n" if is_open else text


class UrlArea(TextArea):
    """The editor; hands pastes that are too long for it to the screen."""

    class TooLong(Message):
        """A paste that the editor did not take."""

        def __init__(self, text: str) -> None:
            """Carry the text."""
            super().__init__()
            self.text = text

    async def on_paste(self, event: events.Paste) -> None:
        """Keep what is too long out of the editor, and disarm the rest."""
        event.text = end_line(disarm(event.text))
        if event.text.count("\n") + self.document.line_count > MAX_EDITED_LINES:
            event.stop()
            event.prevent_default()
            self.post_message(self.TooLong(event.text))


class DraftPreview(Canvas):
    """What the text would add."""

    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Start with an empty draft."""
        super().__init__(**options)
        self._draft = Draft()

    def show(self, draft: Draft) -> None:
        """Tell about this draft."""
        self._draft = draft
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Counts first, then lines that are wrong with their reasons."""
        del width
        return draft_lines(self._draft, height, self.is_ascii)

    def folded(self, width: int) -> Line:
        """The counts."""
        del width
        return [Span(" "), *draft_lines(self._draft, 1, self.is_ascii)[0]]


class AddScreen(Dialog[list[DownloadRequest] | None]):
    """A text to edit with a live preview; leaves with the requests to add."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "add.tcss"]
    TITLE_TEXT = "Add downloads"
    KEYS = (("ctrl+s", "add"), ("esc", "close"), ("tab", "to the buttons"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "add", show=False, priority=True),
    ]

    def __init__(self, text: str = "", output_dir: str = "") -> None:
        """Open with ``text``, say from a paste, to add to ``output_dir``."""
        super().__init__()
        self._text = text
        self._output_dir = plain(output_dir)
        self._long: list[str] = []
        """Pastes that are too long for the editor."""
        self._settling: Timer | None = None

    def compose_box(self) -> ComposeResult:
        """Editor, preview, buttons."""
        yield Static(
            "One URL a line; indented out= dir= checksum= below it.",
            classes="hint",
            markup=False,
        )
        yield UrlArea(soft_wrap=False, show_line_numbers=True, compact=True)
        yield Static("", id="long", classes="hint", markup=False)
        yield DraftPreview()
        with Horizontal(classes="buttons"):
            yield Button("Add", id="add", variant="primary", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            into = f"into {self._output_dir}" if self._output_dir else ""
            yield Static(into, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Take the keys and the text that came along."""
        area = self.query_one(UrlArea)
        area.focus()
        self.query_one("#long").display = False
        self.query_one("#add", Button).disabled = True
        self._text = disarm(self._text)
        if self._text.count("\n") >= MAX_EDITED_LINES:
            self._keep_long(self._text)
        elif self._text:
            area.insert(end_line(self._text))
        self._text = ""

    @on(TextArea.Changed)
    def settle(self, event: TextArea.Changed) -> None:
        """Read the text when typing pauses."""
        event.stop()
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(_SETTLE_S, self._start_reading)

    @on(UrlArea.TooLong)
    def take_long(self, message: UrlArea.TooLong) -> None:
        """Keep a long paste beside the editor."""
        message.stop()
        self._keep_long(message.text)

    def _keep_long(self, text: str) -> None:
        self._long.append(text)
        lines = sum(part.rstrip("\n").count("\n") + 1 for part in self._long)
        note = self.query_one("#long", Static)
        note.update(f"+ {count(lines)} pasted lines, too many to edit here")
        note.display = True
        self._start_reading()

    def _start_reading(self) -> None:
        self.run_worker(self._read(), group="draft", exclusive=True)

    async def _read(self) -> Draft:
        draft = await read_draft([*self._long, self.query_one(UrlArea).text])
        self.query_one(DraftPreview).show(draft)
        total = len(draft.requests)
        button = self.query_one("#add", Button)
        button.label = f"Add {count(total)}" if total else "Add"
        button.disabled = not total
        return draft

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Take a click on a button."""
        event.stop()
        if event.button.id == "add":
            self.action_add()
        else:
            self.dismiss(None)

    def action_add(self) -> None:
        """Read the text as it is now, and leave with what it asks for."""
        self.run_worker(self._add(), group="draft", exclusive=True)

    async def _add(self) -> None:
        draft = await self._read()
        if draft.requests:
            self.dismiss(draft.requests)

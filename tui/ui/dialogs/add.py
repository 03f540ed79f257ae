"""Add downloads: type or paste as many URLs as you like, see what they are, add."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Button, Static, TextArea

from tui.core.request import DownloadRequest
from tui.core.text.plain_text import plain
from tui.ui.dialogs.add_preview import AddPreview, AddPreviewPane, read_preview
from tui.ui.dialogs.dialog import Dialog
from tui.ui.dialogs.path_completion import dropped_paths
from tui.ui.dialogs.pick import Picked, PickScreen
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.types import CSSPathType

MAX_EDITED_LINES = 10_000
"""Longer pastes stay out of the editor, which needs half a second for 100,000 lines
and would hold up every download meanwhile."""
_DEBOUNCE_S = 0.08
"""Typing pauses at least this long before the text is read again."""


def sanitize_multiline(text: str) -> str:
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

    class Dropped(Message):
        """Files whose paths were pasted, as terminals do when one is dropped."""

        def __init__(self, paths: list[str]) -> None:
            """Carry the paths."""
            super().__init__()
            self.paths = paths

    async def on_paste(self, event: events.Paste) -> None:
        """Keep files and what is too long out of the editor, and disarm the rest."""
        paths = await asyncio.to_thread(dropped_paths, event.text)
        if paths:
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped(paths))
            return
        event.text = end_line(sanitize_multiline(event.text))
        if event.text.count("\n") + self.document.line_count > MAX_EDITED_LINES:
            event.stop()
            event.prevent_default()
            self.post_message(self.TooLong(event.text))


class AddScreen(Dialog[list[DownloadRequest] | None]):
    """A text to edit with a live preview; leaves with the requests to add."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "add.tcss"]
    TITLE_TEXT = "Add downloads"
    KEYS = (
        ("ctrl+s", "add"),
        ("ctrl+o", "open a list"),
        ("esc", "close"),
        ("tab", "to the buttons"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "add", show=False, priority=True),
        Binding("ctrl+o", "open", show=False, priority=True),
    ]

    def __init__(
        self,
        text: str = "",
        output_dir: str = "",
        files: Sequence[str] = (),
        known: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Open with what is there already.

        Args:
            text: what the editor starts with, say from a paste.
            output_dir: where it will be added to.
            files: paths of lists that are to be added as well.
            known: what the dashboard's list has already, as ``read_preview`` takes it.
        """
        super().__init__()
        self._text = text
        self._output_dir = plain(output_dir)
        self._files = list(files)
        self._known = known
        self._long: list[str] = []
        """Pastes that are too long for the editor."""
        self._debounce_timer: Timer | None = None
        self._has_text = asyncio.Event()
        """What it was opened with is in the editor."""

    def compose_box(self) -> ComposeResult:
        """Editor, preview, buttons."""
        yield Static(
            "URLs, a list of any kind, curl and wget commands, or a file dropped here.",
            classes="hint",
            markup=False,
        )
        yield UrlArea(soft_wrap=False, show_line_numbers=True, compact=True)
        yield Static("", id="beside", classes="hint", markup=False)
        yield AddPreviewPane()
        with Horizontal(classes="buttons"):
            yield Button("Add", id="add", variant="primary", compact=True)
            yield Button("Open a list", id="open", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            into = f"into {self._output_dir}" if self._output_dir else ""
            yield Static(into, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Take the keys and the text that came along."""
        self.query_one(UrlArea).focus()
        self.query_one("#add", Button).disabled = True
        self._show_beside()
        if self._files:
            self._start_reading()
        self.run_worker(self._take_text(), group="text")

    async def _take_text(self) -> None:
        text, self._text = self._text, ""
        paths = await asyncio.to_thread(dropped_paths, text) if text else []
        text = sanitize_multiline(text)
        if paths:
            self._take_files(paths)
        elif text.count("\n") >= MAX_EDITED_LINES:
            self._keep_long(text)
        elif text:
            self.query_one(UrlArea).insert(end_line(text))
        self._has_text.set()

    @on(TextArea.Changed)
    def debounce(self, event: TextArea.Changed) -> None:
        """Read the text when typing pauses."""
        event.stop()
        if self._debounce_timer is not None:
            self._debounce_timer.stop()
        self._debounce_timer = self.set_timer(_DEBOUNCE_S, self._start_reading)

    @on(UrlArea.TooLong)
    def take_long(self, message: UrlArea.TooLong) -> None:
        """Keep a long paste beside the editor."""
        message.stop()
        self._keep_long(message.text)

    @on(UrlArea.Dropped)
    def take_dropped(self, message: UrlArea.Dropped) -> None:
        """Take files that were dropped on the editor."""
        message.stop()
        self._take_files(message.paths)

    def _take_files(self, paths: Sequence[str]) -> None:
        self._files += [path for path in paths if path not in self._files]
        self._show_beside()
        self._start_reading()

    def _keep_long(self, text: str) -> None:
        self._long.append(text)
        self._show_beside()
        self._start_reading()

    def _show_beside(self) -> None:
        """Name what is added besides the text in the editor."""
        told = [plain(os.path.basename(path), 60) for path in self._files]
        if len(told) > 3:
            told[2:] = [f"{count(len(told) - 2)} more lists"]
        lines = sum(part.rstrip("\n").count("\n") + 1 for part in self._long)
        if lines:
            told.append(f"{count(lines)} pasted lines, too many to edit here")
        beside = self.query_one("#beside", Static)
        beside.update("+ " + ", ".join(told))
        beside.display = bool(told)

    def _start_reading(self) -> None:
        self.run_worker(self._read(), group="draft", exclusive=True)

    async def _read(self) -> AddPreview:
        texts = [*self._long, self.query_one(UrlArea).text]
        preview = await read_preview(texts, self._files, self._known)
        self.query_one(AddPreviewPane).show(preview)
        total = len(preview.requests)
        button = self.query_one("#add", Button)
        button.label = f"Add {count(total)}" if total else "Add"
        button.disabled = not total
        return preview

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Take a click on a button."""
        event.stop()
        if event.button.id == "add":
            self.action_add()
        elif event.button.id == "open":
            self.action_open()
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """Choose a list to add."""

        def take(picked: Picked | None) -> None:
            if picked is not None:
                self._take_files([picked.path])

        self.app.push_screen(PickScreen(self._known), take)

    def action_add(self) -> None:
        """Read the text as it is now, and leave with what it asks for."""
        # A group of its own: a preview that starts a moment later must not end it.
        self.run_worker(self._add(), group="add", exclusive=True)

    async def _add(self) -> None:
        await self._has_text.wait()
        preview = await self._read()
        if preview.requests:
            self.dismiss(preview.requests)

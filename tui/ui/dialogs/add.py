"""The dialog that adds downloads: an editor for URLs with a live preview."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Button, Static, TextArea

from tui.core.request import DownloadRequest
from tui.core.text.sanitize import sanitize
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
"""Longer pastes stay out of the editor: 100,000 lines would block the event loop, and
every download with it, for half a second."""
MAX_EDITED_CHARS = 500_000
MAX_EDITED_LINE = 4096
"""Characters of a line in the editor: it draws and measures whole lines, and ten of
65,000 letters made every key take seconds."""
_PROGRESS_S = 0.25
"""Interval at which the progress of parsing is shown, if it takes that long."""
_DEBOUNCE_S = 0.08
"""Pause in typing after which the text is parsed again."""


def sanitize_multiline(text: str) -> str:
    """Return ``text`` without terminal control characters, keeping lines and tabs.

    The editor draws its content unchanged, even an ESC. ``sanitize`` would also cut
    long lines and normalize characters that may be part of a URL.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        char if char in "\n\t" or char.isprintable() else sanitize(char)
        for char in text
    )


def prepare_paste(text: str) -> tuple[list[str], str, bool]:
    """Return the paths of dropped files, or the text, and if it is too long to edit.

    To be called in a thread: it takes seconds for megabytes of unusual characters.
    """
    paths = dropped_paths(text)
    if paths:
        return paths, "", False
    text = end_line(sanitize_multiline(text))
    is_long = (
        len(text) > MAX_EDITED_CHARS
        or text.count("\n") > MAX_EDITED_LINES
        or (len(text) > MAX_EDITED_LINE and _has_long_line(text))
    )
    return [], text, is_long


def _has_long_line(text: str) -> bool:
    return any(len(line) > MAX_EDITED_LINE for line in text.split("\n"))


def end_line(text: str) -> str:
    """Add a newline after pasted URLs, so that the next one starts on its own line.

    This also leaves the cursor in the first column, so that long URLs are shown from
    their start.
    """
    is_open = "://" in text and not text.endswith("\n")
    return text + "\n" if is_open else text


class UrlArea(TextArea):
    """The editor; passes pastes that are too long for it to the screen."""

    class TooLong(Message):
        """A paste that is too long for the editor."""

        def __init__(self, text: str) -> None:
            """Store the text."""
            super().__init__()
            self.text = text

    class Dropped(Message):
        """Paths of files were pasted, as terminals do when files are dropped."""

        def __init__(self, paths: list[str]) -> None:
            """Store the paths."""
            super().__init__()
            self.paths = paths

    async def on_paste(self, event: events.Paste) -> None:
        """Sanitize a paste; keep file paths and long texts out of the editor."""
        paths, text, is_long = await asyncio.to_thread(prepare_paste, event.text)
        event.text = text
        lines = text.count("\n") + self.document.line_count
        size = len(text) + len(self.document.text)
        if not paths and not is_long:
            is_long = lines > MAX_EDITED_LINES or size > MAX_EDITED_CHARS
        if paths or is_long:
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped(paths) if paths else self.TooLong(text))


class AddScreen(Dialog[list[DownloadRequest] | None]):
    """An editor with a live preview; returns the requests to add."""

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
        """Create the dialog.

        Args:
            text: initial text of the editor, such as a paste.
            output_dir: where the files will be saved.
            files: paths of lists to add as well.
            known: downloads in the dashboard's list, as for ``read_preview``.
        """
        super().__init__()
        self._text = text
        self._output_dir = sanitize(output_dir)
        self._files = list(files)
        self._known = known
        self._long: list[str] = []
        """Pastes that are too long for the editor."""
        self._debounce_timer: Timer | None = None
        self._pending = 0
        """Texts that have still to be put into the editor."""
        self._has_text = asyncio.Event()
        """Set while there are none."""
        self._reading: AddPreview | None = None
        """What is being parsed."""
        self._is_slow = False
        """Whether the progress is shown."""

    def compose_box(self) -> ComposeResult:
        """Lay out editor, preview and buttons."""
        yield Static(
            "Paste URLs, any kind of list, or curl and wget commands; or drop a file.",
            classes="hint",
            markup=False,
        )
        yield UrlArea(soft_wrap=False, show_line_numbers=True, compact=True)
        yield Static("", id="extra", classes="hint", markup=False)
        yield AddPreviewPane()
        with Horizontal(classes="buttons"):
            yield Button("Add", id="add", variant="primary", compact=True)
            yield Button("Open a list", id="open", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            folder = f"to {self._output_dir}" if self._output_dir else ""
            yield Static(folder, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Focus the editor and insert the initial text."""
        self.query_one(UrlArea).focus()
        self.query_one("#add", Button).disabled = True
        self._show_extra()
        if self._files:
            self._start_reading()
        self.set_interval(_PROGRESS_S, self._show_progress)
        self._take_text(self._text)
        self._text = ""

    def on_paste(self, event: events.Paste) -> None:
        """Take a paste while a button has the focus, or nothing has it yet."""
        event.stop()
        self._take_text(event.text)

    def _take_text(self, text: str) -> None:
        self._pending += 1
        self._has_text.clear()
        self.start(partial(self._insert_text, text), "text")

    async def _insert_text(self, text: str) -> None:
        paths, text, is_long = await asyncio.to_thread(prepare_paste, text)
        if paths:
            self._add_files(paths)
        elif is_long:
            self._keep_long(text)
        elif text:
            self.query_one(UrlArea).insert(text)
        self._pending -= 1
        if not self._pending:
            self._has_text.set()

    @on(TextArea.Changed)
    def debounce(self, event: TextArea.Changed) -> None:
        """Parse the text when typing pauses."""
        event.stop()
        if self._debounce_timer is not None:
            self._debounce_timer.stop()
        self._debounce_timer = self.set_timer(_DEBOUNCE_S, self._start_reading)

    @on(UrlArea.TooLong)
    def keep_long_paste(self, message: UrlArea.TooLong) -> None:
        """Keep a long paste outside the editor."""
        message.stop()
        self._keep_long(message.text)

    @on(UrlArea.Dropped)
    def add_dropped(self, message: UrlArea.Dropped) -> None:
        """Add files that were dropped on the editor."""
        message.stop()
        self._add_files(message.paths)

    def _add_files(self, paths: Sequence[str]) -> None:
        self._files += [path for path in paths if path not in self._files]
        self._show_extra()
        self._start_reading()

    def _keep_long(self, text: str) -> None:
        self._long.append(text)
        self._show_extra()
        self._start_reading()

    def _show_extra(self) -> None:
        """Show what will be added besides the text in the editor."""
        parts = [sanitize(os.path.basename(path), 60) for path in self._files]
        if len(parts) > 3:
            parts[2:] = [f"{count(len(parts) - 2)} more lists"]
        lines = sum(part.rstrip("\n").count("\n") + 1 for part in self._long)
        if lines:
            parts.append(f"{count(lines)} pasted lines, too many to edit here")
        extra = self.query_one("#extra", Static)
        extra.update("+ " + ", ".join(parts))
        extra.display = bool(parts)

    def _start_reading(self) -> None:
        self.start(self._read, "preview", is_exclusive=True)

    async def _read(self) -> AddPreview:
        preview = self._reading = AddPreview()
        texts = [*self._long, self.query_one(UrlArea).text]
        try:
            await read_preview(texts, self._files, self._known, preview)
        finally:
            if self._reading is preview:
                self._reading = None
        self._is_slow = False
        self.query_one(AddPreviewPane).show(preview)
        total = len(preview.requests)
        button = self.query_one("#add", Button)
        button.label = f"Add {count(total)}" if total else "Add"
        button.disabled = not total
        return preview

    def _show_progress(self) -> None:
        """Show how much has been parsed, if it is not done at once."""
        preview = self._reading
        if preview is None or not self.is_whole:
            return
        if self._is_slow:
            number = count(preview.seen)
            pane = self.query_one(AddPreviewPane)
            pane.show_message(f"Reading: {number} entries so far; esc stops")
        self._is_slow = True

    def action_close(self) -> None:
        """Stop parsing if it takes long; else close without a result."""
        if self._reading is None or not self._is_slow:
            super().action_close()
            return
        for group in ("preview", "add"):
            self.workers.cancel_group(self, group)
        self._reading, self._is_slow = None, False
        button = self.query_one("#add", Button)
        button.label, button.disabled = "Add", False
        self.query_one(AddPreviewPane).show_message(
            "Stopped. ctrl+s reads all of it and adds it; esc closes."
        )

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        """Handle a click on a button."""
        event.stop()
        if event.button.id == "add":
            self.action_add()
        elif event.button.id == "open":
            self.action_open()
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """Let the user choose a list to add."""

        def add_picked(picked: Picked | None) -> None:
            if picked is not None:
                self._add_files([picked.path])

        self.app.push_screen(PickScreen(self._known), add_picked)

    def action_add(self) -> None:
        """Parse the current text and return its requests."""
        # A separate group: a preview that starts a moment later must not cancel it.
        self.start(self._add, "add", is_exclusive=True)

    async def _add(self) -> None:
        await self._has_text.wait()
        preview = await self._read()
        if preview.requests:
            self.dismiss(preview.requests)

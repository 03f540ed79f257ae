"""Choose a list file: type its path or go through folders; see what is in it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text.plain_text import plain
from tui.core.text.units import format_size
from tui.ui.dialogs.add_preview import AddPreview, AddPreviewPane, read_preview
from tui.ui.dialogs.dialog import PRINTABLE, Dialog
from tui.ui.dialogs.path_completion import Entry, FolderListing, complete, list_folder
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.types import CSSPathType

_DEBOUNCE_S = 0.08
"""The cursor rests at least this long before a file is read."""


class Picked(NamedTuple):
    """A file and what is in it."""

    path: str
    preview: AddPreview


class PathInput(Input):
    """A path; tab completes it, and the arrows walk through what it begins."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("up", "walk(-1)", show=False),
        Binding("down", "walk(1)", show=False),
        Binding("pageup", "walk(-8)", show=False),
        Binding("pagedown", "walk(8)", show=False),
    ]

    class Complete(Message):
        """Tab was pressed."""

    class Walk(Message):
        """An arrow was pressed."""

        def __init__(self, by: int) -> None:
            """Carry how far."""
            super().__init__()
            self.by = by

    def action_complete(self) -> None:
        """Ask for the rest of the path."""
        self.post_message(self.Complete())

    def action_walk(self, by: int) -> None:
        """Ask for another entry."""
        self.post_message(self.Walk(by))


class PickScreen(Dialog[Picked | None]):
    """Leaves with a file and its draft."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "pick.tcss"]
    TITLE_TEXT = "Open a list"
    KEYS = (
        ("enter", "open"),
        ("tab", "complete"),
        ("arrows", "choose"),
        ("esc", "close"),
    )

    def __init__(
        self, known: Mapping[str, tuple[str, str]] | None = None, folder: str = ""
    ) -> None:
        """Begin in ``folder``; ``known`` is what ``read_preview`` takes."""
        super().__init__()
        self._known = known
        self._start = os.path.join(folder or os.getcwd(), "")
        self._seen = FolderListing()
        self._seen_for = ""
        """The path that ``_seen`` belongs to: typing is faster than some disks."""
        self._debounce_timer: Timer | None = None

    def compose_box(self) -> ComposeResult:
        """Path, entries, what is in the file."""
        yield PathInput(restrict=PRINTABLE, compact=True, select_on_focus=False)
        yield OptionList(compact=True)
        yield Static("", classes="hint", id="more", markup=False)
        yield AddPreviewPane("Choose a list to see what is in it.")

    def on_mount(self) -> None:
        """Take the keys, and show the folder."""
        typed = self.query_one(PathInput)
        typed.focus()
        typed.value = self._start if self._start.isprintable() else "./"
        typed.cursor_position = len(typed.value)
        self.query_one(OptionList).can_focus = False

    @on(Input.Changed)
    def follow(self, event: Input.Changed) -> None:
        """Show what begins with the path."""
        event.stop()
        self.run_worker(self._look(event.value), group="look", exclusive=True)

    async def _look(self, typed: str) -> None:
        seen = await asyncio.to_thread(list_folder, typed)
        self._seen, self._seen_for = seen, typed
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_label(entry)) for entry in seen.entries])
        told = plain(seen.trouble)
        if seen.more:
            told = f"and {count(seen.more)} more: type some letters"
        elif not told and not seen.entries:
            told = "Nothing here begins with that."
        more = self.query_one("#more", Static)
        more.update(told)
        more.display = bool(told)
        if seen.entries:
            options.highlighted = 0
        else:
            self.query_one(AddPreviewPane).show(AddPreview())

    @on(PathInput.Walk)
    def walk(self, message: PathInput.Walk) -> None:
        """Go through the entries."""
        message.stop()
        options = self.query_one(OptionList)
        if options.option_count:
            at = (options.highlighted or 0) + message.by
            options.highlighted = max(0, min(options.option_count - 1, at))

    @on(PathInput.Complete)
    def complete_path(self, message: PathInput.Complete) -> None:
        """Write what the entries have in common."""
        message.stop()
        self.run_worker(self._complete(), group="look", exclusive=True)

    async def _complete(self) -> None:
        typed = self.query_one(PathInput).value
        if typed != self._seen_for:
            await self._look(typed)
        self._write(complete(typed, self._seen))

    @on(OptionList.OptionHighlighted)
    def preview(self, event: OptionList.OptionHighlighted) -> None:
        """Read the file under the cursor when it rests there."""
        event.stop()
        if self._debounce_timer is not None:
            self._debounce_timer.stop()
        self._debounce_timer = self.set_timer(_DEBOUNCE_S, self._start_reading)

    def _start_reading(self) -> None:
        entry = self._entry()
        if entry is None or entry.is_folder:
            self.workers.cancel_group(self, "read")
            self.query_one(AddPreviewPane).show(AddPreview())
        else:
            self.run_worker(self._read(entry.path), group="read", exclusive=True)

    async def _read(self, path: str) -> AddPreview:
        preview = await read_preview([], [path], self._known)
        self.query_one(AddPreviewPane).show(preview)
        return preview

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def submit(self, event: OptionList.OptionSelected | Input.Submitted) -> None:
        """Open what is under the cursor."""
        event.stop()
        self.run_worker(self._open(), group="look", exclusive=True)

    async def _open(self) -> None:
        typed = self.query_one(PathInput).value
        if typed != self._seen_for:
            await self._look(typed)
        entry = self._entry()
        if entry is None:
            return
        if entry.is_folder:
            folder, _ = os.path.split(typed)
            self._write(os.path.join(folder, entry.name, ""))
        else:
            # A group of its own: a preview that starts late must not end it.
            self.run_worker(self._leave(entry.path), group="leave", exclusive=True)

    async def _leave(self, path: str) -> None:
        preview = await self._read(path)
        if preview.requests or preview.bad_count:
            self.dismiss(Picked(path, preview))

    def _entry(self) -> Entry | None:
        at = self.query_one(OptionList).highlighted
        entries = self._seen.entries
        return entries[at] if at is not None and at < len(entries) else None

    def _write(self, path: str) -> None:
        typed = self.query_one(PathInput)
        typed.value = path
        typed.cursor_position = len(path)


def _label(entry: Entry) -> Content:
    name = plain(entry.name)
    if entry.is_folder:
        return Content(f"{name}/")
    return Content(f"{name}  ") + Content.styled(format_size(entry.size), "dim")

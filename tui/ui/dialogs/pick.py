"""Chooses a list file by path or by browsing folders, with a preview."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_size
from tui.ui.dialogs.add_preview import AddPreview, AddPreviewPane, read_preview
from tui.ui.dialogs.dialog import PRINTABLE, Dialog, Field, Options
from tui.ui.dialogs.path_completion import Entry, FolderListing, complete, list_folder
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.types import CSSPathType

_DEBOUNCE_S = 0.08
"""Time without a cursor movement after which a file is parsed."""


class Picked(NamedTuple):
    """A file and its content."""

    path: str
    preview: AddPreview


class PathInput(Field):
    """A path; Tab completes it, and the arrow keys move through the entries."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("up", "walk(-1)", show=False),
        Binding("down", "walk(1)", show=False),
        Binding("pageup", "walk(-8)", show=False),
        Binding("pagedown", "walk(8)", show=False),
    ]

    class Complete(Message):
        """The user pressed Tab."""

    class Walk(Message):
        """The user pressed an arrow key."""

        def __init__(self, by: int) -> None:
            """Store the number of entries to move."""
            super().__init__()
            self.by = by

    def action_complete(self) -> None:
        """Ask to complete the path."""
        self.post_message(self.Complete())

    def action_walk(self, by: int) -> None:
        """Ask to move through the entries."""
        self.post_message(self.Walk(by))


class PickScreen(Dialog[Picked | None]):
    """Returns a file and the preview of its content."""

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
        """Create the dialog.

        Args:
            known: downloads in the dashboard's list, as for ``read_preview``.
            folder: where to start; "" for the working directory.
        """
        super().__init__()
        self._known = known
        self._start = os.path.join(folder or _working_directory(), "")
        self._listing = FolderListing()
        self._listed_path = ""
        """The path that ``_listing`` belongs to: typing is faster than some disks."""
        self._debounce_timer: Timer | None = None

    def compose_box(self) -> ComposeResult:
        """Lay out path, entries and preview."""
        yield PathInput(restrict=PRINTABLE, compact=True, select_on_focus=False)
        yield Options(compact=True)
        yield Static("", classes="hint", id="more", markup=False)
        yield AddPreviewPane("Choose a list to preview it.")

    def on_mount(self) -> None:
        """Focus the path and list the folder."""
        typed = self.query_one(PathInput)
        typed.focus()
        typed.value = self._start if self._start.isprintable() else "./"
        typed.cursor_position = len(typed.value)
        self.query_one(OptionList).can_focus = False

    @on(Input.Changed)
    def follow(self, event: Input.Changed) -> None:
        """List the entries that start with the path."""
        event.stop()
        self.start(partial(self._list, event.value), "list", is_exclusive=True)

    async def _list(self, typed: str) -> None:
        listing = await asyncio.to_thread(list_folder, typed)
        self._listing, self._listed_path = listing, typed
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_label(entry)) for entry in listing.entries])
        note = sanitize(listing.error)
        if listing.more:
            note = f"{count(listing.more)} more; type more letters"
        elif not note and not listing.entries:
            note = "No matching files."
        more = self.query_one("#more", Static)
        more.update(note)
        more.display = bool(note)
        if listing.entries:
            options.highlighted = 0
        else:
            self.query_one(AddPreviewPane).show(AddPreview())

    @on(PathInput.Walk)
    def walk(self, message: PathInput.Walk) -> None:
        """Move through the entries."""
        message.stop()
        options = self.query_one(OptionList)
        if options.option_count:
            index = (options.highlighted or 0) + message.by
            options.highlighted = max(0, min(options.option_count - 1, index))

    @on(PathInput.Complete)
    def complete_path(self, message: PathInput.Complete) -> None:
        """Complete the path with what the entries have in common."""
        message.stop()
        self.start(self._complete, "list", is_exclusive=True)

    async def _complete(self) -> None:
        typed = self.query_one(PathInput).value
        if typed != self._listed_path:
            await self._list(typed)
        self._set_path(complete(typed, self._listing))

    @on(OptionList.OptionHighlighted)
    def preview(self, event: OptionList.OptionHighlighted) -> None:
        """Parse the file under the cursor once the cursor stops moving."""
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
            self.start(partial(self._read, entry.path), "read", is_exclusive=True)

    async def _read(self, path: str) -> AddPreview:
        preview = await read_preview([], [path], self._known)
        self.query_one(AddPreviewPane).show(preview)
        return preview

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def submit(self, event: OptionList.OptionSelected | Input.Submitted) -> None:
        """Open the file or folder under the cursor."""
        event.stop()
        self.start(self._open, "list", is_exclusive=True)

    async def _open(self) -> None:
        typed = self.query_one(PathInput).value
        if typed != self._listed_path:
            await self._list(typed)
        entry = self._entry()
        if entry is None:
            return
        if entry.is_folder:
            folder, _ = os.path.split(typed)
            self._set_path(os.path.join(folder, entry.name, ""))
        else:
            # A separate group: a preview that starts late must not cancel it.
            self.start(partial(self._choose, entry.path), "choose", is_exclusive=True)

    async def _choose(self, path: str) -> None:
        preview = await self._read(path)
        if preview.requests or preview.bad_count:
            self.dismiss(Picked(path, preview))

    def _entry(self) -> Entry | None:
        index = self.query_one(OptionList).highlighted
        entries = self._listing.entries
        return entries[index] if index is not None and index < len(entries) else None

    def _set_path(self, path: str) -> None:
        typed = self.query_one(PathInput)
        typed.value = path
        typed.cursor_position = len(path)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was removed
        return os.sep


def _label(entry: Entry) -> Content:
    name = sanitize(entry.name)
    if entry.is_folder:
        return Content(f"{name}/")
    return Content(f"{name}  ") + Content.styled(format_size(entry.size), "dim")

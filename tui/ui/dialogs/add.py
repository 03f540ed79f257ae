"""The dialog that adds downloads: an editor for URLs with a live preview."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Button, Input, Static, TextArea

from tui.core.request import Checksum, DownloadRequest
from tui.core.text.sanitize import sanitize
from tui.core.text.units import editable_size, parse_size, plural
from tui.sources.values import parse_folder, parse_header, parse_output_path
from tui.ui.dialogs.add_preview import AddPreview, AddPreviewPane, read_preview
from tui.ui.dialogs.dialog import PRINTABLE, Dialog, Field
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
_HINT = (
    "Paste URLs, any kind of list, or curl and wget commands; or drop a file. Enter on"
    " an empty line adds them."
)
_SHORT_HINT = "Paste URLs or a list. Enter on an empty line adds them."
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

    class Ended(Message):
        """Enter was pressed on an empty last line."""

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

    def on_key(self, event: events.Key) -> None:
        """Take enter on an empty last line as the end, as after a pasted URL."""
        row, _ = self.cursor_location
        document = self.document
        is_last = 0 < row == document.line_count - 1
        if event.key == "enter" and is_last and not document.get_line(row).strip():
            event.stop()
            event.prevent_default()
            self.post_message(self.Ended())

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


@dataclass
class AddOptions:
    """What applies to all downloads that a dialog adds."""

    directory: str = ""
    """Below the output directory; "" for that itself."""
    name: str = ""
    """For a single download; "" for the name from the list, the server or the URL."""
    headers: tuple[tuple[str, str], ...] = ()
    checksum: Checksum | None = None
    """For a single download."""
    rate_limit: int | None = None
    """Bytes per second of each download, or ``None``."""

    def problem(self, total: int) -> str:
        """Return why the options do not fit ``total`` downloads; "" if they do."""
        single = "name" if self.name else "checksum" if self.checksum else ""
        if single and total > 1:
            return f"The {single} is for one download, not for {count(total)}"
        return ""

    def apply(self, requests: list[DownloadRequest]) -> list[DownloadRequest]:
        """Return the requests with the options; what a list sets takes precedence.

        A directory in the list is below the one in the options.
        """
        if not (self.directory or self.name or self.headers or self.checksum):
            return requests
        return [self._applied(request) for request in requests]

    def _applied(self, request: DownloadRequest) -> DownloadRequest:
        own = {name.lower() for name, _ in request.headers}
        added = tuple(pair for pair in self.headers if pair[0].lower() not in own)
        parts = (self.directory, request.directory)
        return request._replace(
            directory="/".join(part for part in parts if part) or None,
            name=self.name or request.name,
            headers=request.headers + added,
            checksum=self.checksum or request.checksum,
        )

    def summary(self, output_dir: str) -> str:
        """Return the options in one line: ``to /data/isos, 2 headers, limit 2M``."""
        parts = []
        if output_dir or self.directory:
            folder = os.path.join(output_dir, self.directory)
            parts.append(f"to {sanitize(folder)}")
        if self.name:
            parts.append(f"as {sanitize(self.name)}")
        if self.headers:
            parts.append(plural(len(self.headers), "header"))
        if self.checksum:
            parts.append(self.checksum.algorithm)
        if self.rate_limit:
            parts.append(f"limit {editable_size(self.rate_limit)}")
        return ", ".join(parts)


def parse_directory(text: str, output_dir: str) -> str:
    """Return a directory below the output directory; "" for that itself.

    Args:
        text: relative, or the absolute path of such a directory.
        output_dir: absolute.

    Raises:
        ValueError: it is elsewhere, hidden or not a valid name.
    """
    path = os.path.expanduser(text)
    if os.path.isabs(path):
        if output_dir and not f"{path.rstrip('/')}/".startswith(f"{output_dir}/"):
            raise ValueError(
                f"the directory must be below {sanitize(output_dir)}; start fetchtui -o"
                " DIR for another one"
            )
        path = os.path.relpath(path, output_dir or "/")
    return parse_folder(path, "the directory") or ""


class AddOptionsScreen(Dialog[AddOptions | None]):
    """A field for each option; returns the options, or ``None`` if cancelled."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "add.tcss"]
    TITLE_TEXT = "Options for these downloads"
    KEYS = (("enter", "apply"), ("tab", "next field"), ("esc", "cancel"))

    def __init__(self, options: AddOptions, output_dir: str) -> None:
        """Edit ``options``; ``output_dir`` is the absolute output directory."""
        super().__init__()
        self._options = options
        self._output_dir = output_dir

    def compose_box(self) -> ComposeResult:
        """Lay out a line for each option."""
        now = self._options
        checksum = str(now.checksum) if now.checksum else ""
        limit = editable_size(now.rate_limit) if now.rate_limit else ""
        below = sanitize(self._output_dir) or "the output directory"
        headers = "\n".join(f"{name}: {value}" for name, value in now.headers)
        for id, label, value, hint in (
            ("directory", "Directory", now.directory, f"below {below}"),
            ("name", "Name", now.name, "for a single download"),
            ("checksum", "Checksum", checksum, "sha-256=HEX, for a single download"),
            ("limit", "Limit", limit, "for each download, such as 500k or 2M"),
        ):
            with Horizontal(classes="field"):
                yield Static(label, classes="label", markup=False)
                yield Field(
                    value, placeholder=hint, restrict=PRINTABLE, compact=True, id=id
                )
        with Horizontal(classes="field headers"):
            yield Static("Headers", classes="label", markup=False)
            yield HeaderArea(
                headers,
                compact=True,
                soft_wrap=False,
                tab_behavior="focus",
                placeholder="Name: value, one per line",
            )
        yield Static("", classes="error", id="error", markup=False)

    def on_mount(self) -> None:
        """Focus the first field."""
        self.query_one("#directory", Input).focus()
        self.query_one("#error").display = False

    @on(Input.Submitted)
    def apply(self, event: Input.Submitted) -> None:
        """Return the options if all are valid, else focus the first invalid one."""
        event.stop()
        options = AddOptions()
        for id, parse in (
            ("directory", self._parse_directory),
            ("name", self._parse_name),
            ("checksum", self._parse_checksum),
            ("limit", self._parse_limit),
        ):
            field = self.query_one(f"#{id}", Input)
            text = field.value.strip()
            try:
                if text:
                    parse(options, text)
            except ValueError as error:
                self._reject(field, str(error))
                return
        area = self.query_one(HeaderArea)
        try:
            lines = (line.strip() for line in area.text.splitlines())
            options.headers = tuple(parse_header(line) for line in lines if line)
        except ValueError as error:
            self._reject(area, str(error))
            return
        self.dismiss(options)

    def _reject(self, field: Input | TextArea, reason: str) -> None:
        error = self.query_one("#error", Static)
        error.update(sanitize(reason))
        error.display = True
        field.focus()

    def _parse_directory(self, options: AddOptions, text: str) -> None:
        options.directory = parse_directory(text, self._output_dir)

    def _parse_name(self, options: AddOptions, text: str) -> None:
        folder, options.name = parse_output_path(text, "the name")
        if folder is not None:
            raise ValueError("the name must not contain a slash; use the directory")

    def _parse_checksum(self, options: AddOptions, text: str) -> None:
        options.checksum = Checksum.parse(text)

    def _parse_limit(self, options: AddOptions, text: str) -> None:
        options.rate_limit = parse_size(text, "rate") or None


class HeaderArea(TextArea):
    """The lines with headers; pastes lose their control characters."""

    async def on_paste(self, event: events.Paste) -> None:
        """Sanitize a paste, and keep what is too long out."""
        event.text = sanitize_multiline(event.text)[:MAX_EDITED_LINE]


class AddScreen(Dialog[list[DownloadRequest] | None]):
    """An editor with a live preview; returns the requests to add."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "add.tcss"]
    TITLE_TEXT = "Add downloads"
    KEYS = (
        ("ctrl+s", "add"),
        ("ctrl+o", "open a list"),
        ("ctrl+e", "options"),
        ("esc", "close"),
        ("tab", "to the buttons"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "add", show=False, priority=True),
        Binding("ctrl+o", "open", show=False, priority=True),
        Binding("ctrl+e", "edit_options", show=False, priority=True),
    ]

    def __init__(
        self,
        text: str = "",
        output_dir: str = "",
        files: Sequence[str] = (),
        known: Mapping[str, tuple[str, str]] | None = None,
        options: AddOptions | None = None,
    ) -> None:
        """Create the dialog.

        Args:
            text: initial text of the editor, such as a paste.
            output_dir: where the files will be saved.
            files: paths of lists to add as well.
            known: downloads in the dashboard's list, as for ``read_preview``.
            options: receives the rate limit; the other options are in the result.
        """
        super().__init__()
        self._text = text
        self._output_dir = output_dir
        self._options = options or AddOptions()
        self._files = list(files)
        self._known = known
        self._long: list[str] = []
        """Pastes that are too long for the editor."""
        self.left_out = ""
        """What of the text is not in the result, in a few words."""
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
        yield Static(_HINT, classes="hint", id="hint", markup=False)
        yield UrlArea(soft_wrap=False, show_line_numbers=True, compact=True)
        yield Static("", id="extra", classes="hint", markup=False)
        yield AddPreviewPane()
        with Horizontal(classes="buttons"):
            yield Button("Add", id="add", variant="primary", compact=True)
            yield Button("Open a list", id="open", compact=True)
            yield Button("Options", id="options", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            summary = self._options.summary(self._output_dir)
            yield Static(summary, classes="hint", id="summary", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Show a hint that fits."""
        super().on_resize(event)
        hint = _SHORT_HINT if self.has_class("-small") else _HINT
        self.query_one("#hint", Static).update(hint)

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

    @on(UrlArea.Ended)
    def end(self, message: UrlArea.Ended) -> None:
        """Add what there is."""
        message.stop()
        self.action_add()

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
        self._share_height()
        total = len(preview.requests)
        button = self.query_one("#add", Button)
        button.label = f"Add {count(total)}" if total else "Add"
        button.disabled = not total
        return preview

    def _share_height(self) -> None:
        """Give the preview the lines that it wants and the editor does not need."""
        pane, area = self.query_one(AddPreviewPane), self.query_one(UrlArea)
        both = area.size.height + pane.size.height
        spare = both - area.document.line_count - 1
        least = 3 if self.has_class("-small") else 5
        pane.styles.height = max(least, min(pane.lines_wanted(), spare))

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
        elif event.button.id == "options":
            self.action_edit_options()
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """Let the user choose a list to add."""

        def add_picked(picked: Picked | None) -> None:
            if picked is not None:
                self._add_files([picked.path])

        self.app.push_screen(PickScreen(self._known), add_picked)

    def action_edit_options(self) -> None:
        """Edit what applies to all of these downloads."""

        def take(options: AddOptions | None) -> None:
            if options is not None:
                # In place: the caller of the dialog reads the rate limit.
                vars(self._options).update(vars(options))
                summary = self._options.summary(self._output_dir)
                self.query_one("#summary", Static).update(summary)

        screen = AddOptionsScreen(self._options, self._output_dir)
        self.app.push_screen(screen, take)

    def action_add(self) -> None:
        """Parse the current text and return its requests."""
        # A separate group: a preview that starts a moment later must not cancel it.
        self.start(self._add, "add", is_exclusive=True)

    async def _add(self) -> None:
        await self._has_text.wait()
        preview = await self._read()
        problem = self._options.problem(len(preview.requests))
        if problem:
            self.query_one(AddPreviewPane).show_message(problem)
        elif preview.requests:
            self.left_out = preview.left_out
            self.dismiss(self._options.apply(preview.requests))

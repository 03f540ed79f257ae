"""The preview of what pasted text and list files would add."""

from __future__ import annotations

import asyncio
import gc
import io
import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from tui.core.request import BadRequestLine, DownloadRequest, origin_of
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_size
from tui.sources.list_file import load_file, load_stream
from tui.sources.load import ITEM_LIMIT, Key, key_of
from tui.sources.options import ReadOptions
from tui.ui.panes.pane import Line, Pane, Span, clip
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WHERE = "paste"
_SLICE = 500
"""Entries parsed in one executor call: about 3 ms."""
_BAD_KEPT = 100


@dataclass
class AddPreview:
    """The requests to add, and what was skipped."""

    requests: list[DownloadRequest] = field(default_factory=list)
    duplicates: int = 0
    """Entries that repeat a URL under the same name."""
    listed: int = 0
    """Entries that are in the dashboard's list already."""
    bad: list[BadRequestLine] = field(default_factory=list)
    """The first 100 invalid lines."""
    bad_count: int = 0
    notes: list[str] = field(default_factory=list)
    """Notes on what the readers ignored."""
    hosts: Counter[str] = field(default_factory=Counter)
    size: int = 0
    """Total bytes of the entries whose size the list contains."""
    sized: int = 0
    """Number of these entries."""
    _seen: set[Key] = field(default_factory=set)

    @property
    def seen(self) -> int:
        """Number of entries so far."""
        return len(self._seen) + self.bad_count + self.duplicates

    @property
    def left_out(self) -> str:
        """Return what is not added, in a few words; "" if everything is."""
        return ", ".join(
            words
            for number, words in (
                (self.duplicates, _duplicates(self.duplicates)),
                (self.listed, f"{count(self.listed)} already listed"),
                (self.bad_count, _invalid_lines(self.bad_count)),
            )
            if number
        )

    @property
    def is_empty(self) -> bool:
        """True if no entry was found, valid or not."""
        return not (self.requests or self.bad_count or self.duplicates or self.listed)

    def add(
        self,
        item: DownloadRequest | BadRequestLine,
        known: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Add an entry, valid or not."""
        if isinstance(item, BadRequestLine):
            self.bad_count += 1
            if len(self.bad) < _BAD_KEPT:
                self.bad.append(item)
            return
        key = key_of(item)
        if key in self._seen:
            self.duplicates += 1
            return
        self._seen.add(key)
        if known and _is_listed(item, known):
            self.listed += 1
            return
        self.hosts[origin_of(item.url).partition("://")[2]] += 1
        if item.size is not None:
            self.size += item.size
            self.sized += 1
        self.requests.append(item)


def _is_listed(request: DownloadRequest, known: Mapping[str, tuple[str, str]]) -> bool:
    target = known.get(request.url)
    if target is None:
        return False
    folder, name = target
    return request.name in (None, name) and request.directory in (None, folder)


async def read_preview(
    texts: Sequence[str],
    files: Sequence[str] = (),
    known: Mapping[str, tuple[str, str]] | None = None,
    preview: AddPreview | None = None,
) -> AddPreview:
    """Parse list files and texts, 500 entries at a time in a thread.

    Args:
        texts: typed or pasted text, in any list format that standard input accepts.
        files: paths of lists.
        known: URL -> folder and name of the downloads in the dashboard's list.
        preview: filled meanwhile, to show the progress; a new one by default.
    """
    preview = AddPreview() if preview is None else preview
    read_options = ReadOptions(preview.notes)
    for path in files:
        await _add_all(preview, load_file(path, read_options), known)
    for text in texts:
        if text.strip():
            data = await asyncio.to_thread(text.encode, errors="replace")
            stream = io.BytesIO(data)
            items = load_stream(stream, WHERE, read_options._replace(adds_https=True))
            await _add_all(preview, items, known)
    return preview


async def _add_all(
    preview: AddPreview,
    items: Iterator[DownloadRequest | BadRequestLine],
    known: Mapping[str, tuple[str, str]] | None,
) -> None:
    def add_slice() -> bool:
        number = 0
        for item in islice(items, _SLICE):
            preview.add(item, known)
            number += 1
        return number == _SLICE

    try:
        while await asyncio.to_thread(add_slice):
            # Repeated collections over everything parsed so far would block the loop
            # for longer than parsing does.
            gc.disable()
            if len(preview.requests) + preview.bad_count >= ITEM_LIMIT:
                reason = f"more than {count(ITEM_LIMIT)} downloads; split the list"
                preview.add(BadRequestLine(WHERE, reason))
                return
    finally:
        gc.enable()


def preview_lines(
    preview: AddPreview, height: int, is_ascii: bool = False
) -> list[Line]:
    """Return up to ``height`` lines on what would be added or skipped, and why."""
    good, bad = ("+", "x") if is_ascii else ("✓", "✗")
    if preview.is_empty:
        return [[Span("Nothing to add yet. Type or paste URLs above.", "dim")]]
    total = len(preview.requests)
    head: Line = [Span(f"{good} {count(total)} to add", "done")]
    if not total:
        head = [Span("0 to add", "dim")]
    if preview.sized:
        size = format_size(preview.size)
        if preview.sized != total:
            size = f"{size} in {count(preview.sized)} of them"
        head.append(Span(f"   {size}", "text"))
    if preview.duplicates:
        head.append(Span(f"   {_duplicates(preview.duplicates)} skipped", "waiting"))
    if preview.listed:
        head.append(Span(f"   {count(preview.listed)} already listed", "waiting"))
    if preview.bad_count:
        head.append(Span(f"   {_invalid_lines(preview.bad_count)}", "failed"))
    lines = [head]
    # In little space, reasons are more useful than hosts.
    if preview.hosts and height > (3 if preview.bad else 1):
        top = [
            f"{sanitize(host)} {count(n)}" for host, n in preview.hosts.most_common(3)
        ]
        if len(preview.hosts) > 3:
            top.append(
                "1 more host"
                if len(preview.hosts) == 4
                else f"{count(len(preview.hosts) - 3)} more hosts"
            )
        lines.append([Span("  from " + ", ".join(top), "dim")])
    lines += _bad_lines(preview, height - len(lines), bad, is_ascii)
    notes = preview.notes[: max(0, height - len(lines))]
    lines += [[Span(f"  {sanitize(note)}", "dim")] for note in notes]
    return lines


def _duplicates(number: int) -> str:
    return "1 duplicate" if number == 1 else f"{count(number)} duplicates"


def _invalid_lines(number: int) -> str:
    return "1 invalid line" if number == 1 else f"{count(number)} invalid lines"


def _bad_lines(preview: AddPreview, room: int, sign: str, is_ascii: bool) -> list[Line]:
    shown = preview.bad[: room if preview.bad_count <= room else max(0, room - 1)]
    lines: list[Line] = [
        [Span(f"{sign} {_location(line)}  ", "failed"), Span(sanitize(line.reason))]
        for line in shown
    ]
    rest = preview.bad_count - len(shown)
    if rest and len(lines) < room:
        more = "..." if is_ascii else "…"
        lines.append([Span(f"  {more} {count(rest)} more invalid", "dim")])
    return lines


def _location(line: BadRequestLine) -> str:
    """Return the line number in the text, or the name of a file and the line."""
    name, _, number = line.where.rpartition(":")
    if name == WHERE:
        return f"line {number}"
    return sanitize(os.path.basename(line.where) or "text")


class AddPreviewPane(Pane):
    """Shows an ``AddPreview``."""

    has_frame = False

    def __init__(self, empty: str = "", **options: Any) -> None:
        """Create an empty pane, showing ``empty`` until there are entries."""
        super().__init__(**options)
        self._preview = AddPreview()
        self._empty = empty
        self._message = ""

    def show(self, preview: AddPreview) -> None:
        """Show a preview."""
        self._preview = preview
        self._message = ""
        self.redraw()

    def show_message(self, message: str) -> None:
        """Show a line instead, until the next preview."""
        self._message = message
        self.redraw()

    def lines_wanted(self) -> int:
        """Return the number of lines that show every invalid line and note."""
        return len(preview_lines(self._preview, _BAD_KEPT, self.is_ascii))

    def body(self, width: int, height: int) -> list[Line]:
        """Return the counts, then invalid lines with their reasons."""
        if self._message:
            return [clip([Span(self._message, "dim")], width)]
        if self._empty and self._preview.is_empty:
            return [[Span(self._empty, "dim")]]
        return preview_lines(self._preview, height, self.is_ascii)

    def folded(self, width: int) -> Line:
        """Return the counts."""
        del width
        return [Span(" "), *preview_lines(self._preview, 1, self.is_ascii)[0]]

"""The widget that shows a draft."""

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
from tui.core.text.plain_text import plain
from tui.core.text.units import format_size
from tui.sources.duplicates import Key, key_of
from tui.sources.list_file import Reading, load_file, load_stream
from tui.sources.load import ITEM_LIMIT
from tui.ui.panes.pane import Line, Pane, Span
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WHERE = "paste"
_SLICE = 500
"""Entries read before the loop gets its turn: about 3 ms."""
_BAD_KEPT = 100


@dataclass
class AddPreview:
    """Requests, and what is left out of them."""

    requests: list[DownloadRequest] = field(default_factory=list)
    duplicates: int = 0
    """Entries that ask for the same URL under the same name once more."""
    listed: int = 0
    """Entries that the dashboard's list has already."""
    bad: list[BadRequestLine] = field(default_factory=list)
    """The first 100 lines that cannot be fetched."""
    bad_count: int = 0
    notes: list[str] = field(default_factory=list)
    """What is ignored, in words."""
    hosts: Counter[str] = field(default_factory=Counter)
    size: int = 0
    """Bytes of those whose size the list tells."""
    sized: int = 0
    """How many these are."""
    _seen: set[Key] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found, neither right nor wrong."""
        return not (self.requests or self.bad_count or self.duplicates or self.listed)

    def take(
        self,
        item: DownloadRequest | BadRequestLine,
        known: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Count one entry of the text."""
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
    place = known.get(request.url)
    if place is None:
        return False
    folder, name = place
    return request.name in (None, name) and request.directory in (None, folder)


async def read_preview(
    texts: Sequence[str],
    files: Sequence[str] = (),
    known: Mapping[str, tuple[str, str]] | None = None,
) -> AddPreview:
    """Read list files and texts, 500 entries at a time in a thread.

    Args:
        texts: what was typed or pasted: any kind of list that standard input may be.
        files: paths of lists.
        known: folder and name by URL, of what the dashboard's list has already.
    """
    preview = AddPreview()
    reading = Reading(preview.notes)
    for path in files:
        await _take_all(preview, load_file(path, reading), known)
    for text in texts:
        if text.strip():
            stream = io.BytesIO(text.encode(errors="replace"))
            await _take_all(preview, load_stream(stream, WHERE, reading), known)
    return preview


async def _take_all(
    preview: AddPreview,
    items: Iterator[DownloadRequest | BadRequestLine],
    known: Mapping[str, tuple[str, str]] | None,
) -> None:
    def take_slice() -> bool:
        number = 0
        for item in islice(items, _SLICE):
            preview.take(item, known)
            number += 1
        return number == _SLICE

    try:
        while await asyncio.to_thread(take_slice):
            # Walking over all that was read, again and again, stops the loop for longer
            # than the reading does.
            gc.disable()
            if len(preview.requests) + preview.bad_count >= ITEM_LIMIT:
                reason = f"more than {count(ITEM_LIMIT)} downloads; split the list"
                preview.take(BadRequestLine(WHERE, reason))
                return
    finally:
        gc.enable()


def preview_lines(
    preview: AddPreview, height: int, is_ascii: bool = False
) -> list[Line]:
    """Tell in ``height`` lines what would be added and what not, with the reasons."""
    good, bad = ("+", "x") if is_ascii else ("✓", "✗")
    if preview.is_empty:
        return [[Span("Nothing to add yet: type or paste URLs above.", "dim")]]
    total = len(preview.requests)
    head: Line = [Span(f"{good} {count(total)} to add", "done" if total else "dim")]
    if preview.sized:
        told = format_size(preview.size)
        among = "" if preview.sized == total else f" in {count(preview.sized)} of them"
        head.append(Span(f"   {told}{among}", "text"))
    if preview.duplicates:
        word = "duplicate" if preview.duplicates == 1 else "duplicates"
        head.append(Span(f"   {count(preview.duplicates)} {word} left out", "waiting"))
    if preview.listed:
        head.append(Span(f"   {count(preview.listed)} listed already", "waiting"))
    if preview.bad_count:
        word = "line" if preview.bad_count == 1 else "lines"
        head.append(Span(f"   {count(preview.bad_count)} wrong {word}", "failed"))
    lines = [head]
    # Where there is little room, reasons are worth more than hosts.
    if preview.hosts and height > (3 if preview.bad else 1):
        top = [f"{plain(host)} {count(n)}" for host, n in preview.hosts.most_common(3)]
        if len(preview.hosts) > 3:
            top.append(
                "1 more host"
                if len(preview.hosts) == 4
                else f"{count(len(preview.hosts) - 3)} more hosts"
            )
        lines.append([Span("  from " + ", ".join(top), "dim")])
    lines += _bad_lines(preview, height - len(lines), bad, is_ascii)
    notes = preview.notes[: max(0, height - len(lines))]
    lines += [[Span(f"  {plain(note)}", "dim")] for note in notes]
    return lines


def _bad_lines(preview: AddPreview, room: int, sign: str, is_ascii: bool) -> list[Line]:
    shown = preview.bad[: room if preview.bad_count <= room else max(0, room - 1)]
    lines: list[Line] = [
        [Span(f"{sign} {_place(wrong)}  ", "failed"), Span(plain(wrong.reason), "text")]
        for wrong in shown
    ]
    rest = preview.bad_count - len(shown)
    if rest and len(lines) < room:
        more = "..." if is_ascii else "…"
        lines.append([Span(f"  {more} {count(rest)} more wrong", "dim")])
    return lines


def _place(wrong: BadRequestLine) -> str:
    """Return where it is: a line of the text, or a file's own name and line."""
    name, _, number = wrong.where.rpartition(":")
    if name == WHERE:
        return f"line {number}"
    return plain(os.path.basename(wrong.where) or "text")


class AddPreviewPane(Pane):
    """What the text or the list would add."""

    has_frame = False

    def __init__(self, empty: str = "", **options: Any) -> None:
        """Start with an empty draft; ``empty`` is said while there is nothing."""
        super().__init__(**options)
        self._preview = AddPreview()
        self._empty = empty

    def show(self, preview: AddPreview) -> None:
        """Tell about this draft."""
        self._preview = preview
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Counts first, then lines that are wrong with their reasons."""
        del width
        if self._empty and self._preview.is_empty:
            return [[Span(self._empty, "dim")]]
        return preview_lines(self._preview, height, self.is_ascii)

    def folded(self, width: int) -> Line:
        """The counts."""
        del width
        return [Span(" "), *preview_lines(self._preview, 1, self.is_ascii)[0]]

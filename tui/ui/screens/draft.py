"""What a pasted text would add: read in slices, told in a few lines."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.core.plain_text import plain
from tui.core.request import BadRequestLine, DownloadRequest, origin_of
from tui.sources.text_list import parse_text
from tui.ui.format import count
from tui.ui.widgets.canvas import Line, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

WHERE = "paste"
_SLICE = 500
"""Entries read before the loop gets its turn: about 3 ms."""
_BAD_KEPT = 100


@dataclass
class Draft:
    """Requests, and what is left out of them."""

    requests: list[DownloadRequest] = field(default_factory=list)
    duplicates: int = 0
    """Entries that ask for the same URL under the same name once more."""
    bad: list[BadRequestLine] = field(default_factory=list)
    """The first 100 lines that cannot be fetched."""
    bad_count: int = 0
    hosts: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[str, str | None, str | None]] = field(default_factory=set)

    def take(self, item: DownloadRequest | BadRequestLine) -> None:
        """Count one entry of the text."""
        if isinstance(item, BadRequestLine):
            self.bad_count += 1
            if len(self.bad) < _BAD_KEPT:
                self.bad.append(item)
            return
        key = (item.url, item.directory, item.name)
        if key in self._seen:
            self.duplicates += 1
            return
        self._seen.add(key)
        self.hosts[origin_of(item.url).partition("://")[2]] += 1
        self.requests.append(item)


async def read_draft(texts: Sequence[str]) -> Draft:
    """Read texts as lists of URLs, giving way to the loop every 500 entries."""
    draft = Draft()
    for text in texts:
        for number, item in enumerate(parse_text(text.split("\n"), WHERE), 1):
            draft.take(item)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
    return draft


def draft_lines(draft: Draft, height: int, is_ascii: bool = False) -> list[Line]:
    """Tell in ``height`` lines what would be added and what not, with the reasons."""
    good, bad = ("+", "x") if is_ascii else ("✓", "✗")
    if not draft.requests and not draft.bad_count:
        return [[Span("Nothing to add yet: type or paste URLs above.", "dim")]]
    total = len(draft.requests)
    head: Line = [Span(f"{good} {count(total)} to add", "done" if total else "dim")]
    if draft.duplicates:
        word = "duplicate" if draft.duplicates == 1 else "duplicates"
        head.append(Span(f"   {count(draft.duplicates)} {word} left out", "waiting"))
    if draft.bad_count:
        word = "line" if draft.bad_count == 1 else "lines"
        head.append(Span(f"   {count(draft.bad_count)} wrong {word}", "failed"))
    lines = [head]
    # Where there is little room, reasons are worth more than hosts.
    if draft.hosts and height > (3 if draft.bad else 1):
        top = [f"{plain(host)} {count(n)}" for host, n in draft.hosts.most_common(3)]
        if len(draft.hosts) > 3:
            top.append(f"{count(len(draft.hosts) - 3)} more hosts")
        lines.append([Span("  from " + ", ".join(top), "dim")])
    room = height - len(lines)
    shown = draft.bad[: room if draft.bad_count <= room else max(0, room - 1)]
    for wrong in shown:
        number = wrong.where.rpartition(":")[2]
        lines.append(
            [
                Span(f"{bad} line {number}  ", "failed"),
                Span(plain(wrong.reason), "text"),
            ]
        )
    rest = draft.bad_count - len(shown)
    if rest and len(lines) < height:
        more = "..." if is_ascii else "…"
        lines.append([Span(f"  {more} {count(rest)} more wrong", "dim")])
    return lines

"""The detail pane: one download with its map, figures, addresses and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_rate, format_size, plural
from tui.ui.keys.keymap import key_of
from tui.ui.panes.detail_lines import pane_lines
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.panes.segment_map import map_lines
from tui.ui.style.format import (
    appearance_of_row,
    done_fraction,
    middle_ellipsis,
    percent,
)

if TYPE_CHECKING:
    from tui.core.snapshot import DetailSnapshot


def empty_lines() -> list[str]:
    """Return the text of the pane while there is no download under the cursor."""
    return [
        "No download under the cursor.",
        "Up and down move the cursor.",
        f"{key_of('details')} opens all details.",
        f"{key_of('add')} adds URLs.",
    ]


class DetailPane(Pane):
    """The download under the cursor."""

    class OpenRequested(Message):
        """The user clicked the pane to open all details."""

    def __init__(self, **options: Any) -> None:
        """Create an empty pane."""
        super().__init__(**options)
        self._detail: DetailSnapshot | None = None

    def show(self, detail: DetailSnapshot | None) -> None:
        """Draw a download; ``None`` explains the empty pane."""
        self._detail = detail
        self.redraw()

    def title(self) -> Line:
        """Return the file's name and the pane's key."""
        if self._detail is None:
            return [
                Span("Details ", "title"),
                Span(f"[{key_of('details')}]", "key", "open"),
            ]
        corner = line_width(self.corner())
        room = max(6, self.size.width - 18 - (corner + 2 if corner else 0))
        name = middle_ellipsis(sanitize(self._detail.row.name), room)
        return [
            Span(f"{name} ", "title"),
            Span(f"[{key_of('details')}]", "key", "open"),
        ]

    def corner(self) -> Line:
        """Return the number of ranges in flight."""
        if self._detail is None or not self._detail.segments:
            return []
        ranges = len(self._detail.segments)
        return [Span(plural(ranges, "range"), "dim")]

    def body(self, width: int, height: int) -> list[Line]:
        """Return what fits, most important first."""
        if self._detail is None:
            return [[Span(text, "dim")] for text in empty_lines()]
        return pane_lines(self._detail, width, height, self.is_ascii)

    def folded(self, width: int) -> Line:
        """Return a short map, the name, and sizes."""
        if self._detail is None:
            return [
                Span(" sel  ", "title"),
                Span("no download under the cursor", "dim"),
            ]
        row = self._detail.row
        appearance = appearance_of_row(row)
        glyph = appearance.ascii_glyph if self.is_ascii else appearance.glyph
        left = [Span(" sel  ", "title")]
        if row.size:
            cells = min(40, max(8, width // 3))
            drawn = map_lines(self._detail, cells, 1, is_ascii=self.is_ascii)[0]
            if line_width(drawn) == cells:  # otherwise words instead of a map
                left += [*drawn, Span(" ")]
        left.append(Span(f"{glyph} ", appearance.style))
        right = [Span(f"  {percent(done_fraction(row))} of {format_size(row.size)}")]
        if row.size is None:
            size = f"{format_size(row.received)} so far" if row.received else ""
            right = [Span(f"  {size or appearance.word}")]
        if row.error:
            right = [Span(f"  {appearance.word}", appearance.style)]
        elif row.speed > 0:
            right.append(Span(f"  {format_rate(row.speed)}", "strong"))
        right.append(Span(" "))
        room = width - line_width(left) - line_width(right)
        words = sanitize(row.error or row.name)
        left.append(Span(middle_ellipsis(words, max(0, room))))
        return justify(left, right, width)

    def pressed(self, action: str) -> None:
        """Ask to open all details."""
        del action
        self.post_message(self.OpenRequested())

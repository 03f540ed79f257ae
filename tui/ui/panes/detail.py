"""One download in full: its map, its figures, and why it is where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.core.text.plain_text import plain
from tui.core.text.units import format_rate, format_size
from tui.ui.keys.keymap import key_of
from tui.ui.panes.detail_lines import pane_lines, sheet_lines
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.panes.segment_map import map_lines
from tui.ui.style.format import appearance_of, done_fraction, middle_ellipsis, percent

if TYPE_CHECKING:
    from tui.core.snapshot import DetailSnapshot


def empty_lines() -> list[str]:
    """Return what the pane says while there is no download under the cursor."""
    return [
        "No download under the cursor.",
        "Move with up and down; here you see",
        "its map, speed, address and errors.",
        f"{key_of('details')} opens all of it, {key_of('add')} adds URLs.",
    ]


class DetailPane(Pane):
    """The download under the cursor."""

    class OpenRequested(Message):
        """A click on the pane: a wish to see everything about the download."""

    def __init__(self, **options: Any) -> None:
        """Start empty."""
        super().__init__(**options)
        self._detail: DetailSnapshot | None = None

    def show(self, detail: DetailSnapshot | None) -> None:
        """Draw one download, or say what would be here."""
        self._detail = detail
        self.redraw()

    def title(self) -> Line:
        """The file's name and the pane's key."""
        if self._detail is None:
            return [
                Span("Details ", "title"),
                Span(f"[{key_of('details')}]", "key", "open"),
            ]
        corner = line_width(self.corner())
        room = max(6, self.size.width - 18 - (corner + 2 if corner else 0))
        name = middle_ellipsis(plain(self._detail.row.name), room)
        return [
            Span(f"{name} ", "title"),
            Span(f"[{key_of('details')}]", "key", "open"),
        ]

    def corner(self) -> Line:
        """How many connections it has."""
        if self._detail is None or not self._detail.segments:
            return []
        ranges = len(self._detail.segments)
        return [Span(f"{ranges} range{'s' if ranges != 1 else ''}", "dim")]

    def body(self, width: int, height: int) -> list[Line]:
        """What fits, most wanted first."""
        if self._detail is None:
            return [[Span(text, "dim")] for text in empty_lines()]
        return pane_lines(self._detail, width, height, self.is_ascii)

    def folded(self, width: int) -> Line:
        """A short map, sizes and name."""
        if self._detail is None:
            return [
                Span(" sel  ", "title"),
                Span("no download under the cursor", "dim"),
            ]
        row = self._detail.row
        appearance = appearance_of(row.state)
        glyph = appearance.ascii_glyph if self.is_ascii else appearance.glyph
        left = [Span(" sel  ", "title")]
        if row.size:
            cells = min(40, max(8, width // 3))
            left += map_lines(self._detail, cells, 1, is_ascii=self.is_ascii)[0]
            left.append(Span(" "))
        left.append(Span(f"{glyph} ", appearance.style))
        right = [Span(f"  {percent(done_fraction(row))} of {format_size(row.size)}")]
        if row.error:
            right = [Span(f"  {appearance.word}", appearance.style)]
        elif row.speed > 0:
            right.append(Span(f"  {format_rate(row.speed)}", "strong"))
        right.append(Span(" "))
        room = width - line_width(left) - line_width(right)
        words = plain(row.error or row.name)
        left.append(Span(middle_ellipsis(words, max(0, room))))
        return justify(left, right, width)

    def pressed(self, action: str) -> None:
        """Ask for the full screen."""
        del action
        self.post_message(self.OpenRequested())


class DetailSheet(Pane):
    """All facts without a frame, as high as they are; made to be scrolled."""

    DEFAULT_CSS = "DetailSheet { height: auto; }"
    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Start empty."""
        super().__init__(**options)
        self._detail: DetailSnapshot | None = None

    def show(self, detail: DetailSnapshot) -> None:
        """Draw one download and grow or shrink to what there is to say."""
        self._detail = detail
        height = len(sheet_lines(detail, self.size.width or 80, self.is_ascii))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.redraw()

    def on_resize(self) -> None:
        """Longer lines wrap less, so the height follows the width."""
        if self._detail is not None:
            self.show(self._detail)

    def body(self, width: int, height: int) -> list[Line]:
        """All lines."""
        del height
        if self._detail is None:
            return []
        return sheet_lines(self._detail, width, self.is_ascii)

"""The base class of all panes: lines of styled text, repainted only where they changed.

A subclass returns its lines (``body`` and ``folded``, functions of what it was last
given to show). ``Pane`` frames them, clips them to the cell, maps style names to the
theme, finds out what was clicked, and asks Textual to repaint the lines whose text
changed. One widget per pane: a widget per line costs four times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from rich.segment import Segment
from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.core.quick.named_tuple import NamedTuple
from tui.ui.style.ascii import to_ascii
from tui.ui.style.format import cells, fit, spinner_frame
from tui.ui.style.theme import palette_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.style import Style
    from textual import events


class Span(NamedTuple):
    """A run of text in one style."""

    text: str
    """One line without control characters, any width."""
    style: str = "text"
    """Name of a field of ``theme.Palette``."""
    action: str = ""
    """Action that a click on it triggers in the pane; "" for none."""


Line: TypeAlias = list[Span]

_FRAME = "╭─╮│╰╯"
_ASCII_FRAME = "+-+|++"


def line_width(line: Iterable[Span]) -> int:
    """Return the width of a line in cells."""
    return sum(cells(span.text) for span in line)


def clip(line: Iterable[Span], width: int) -> Line:
    """Cut a line to ``width`` cells, ending in an ellipsis if anything was cut."""
    kept: Line = []
    left = width
    spans = list(line)
    if line_width(spans) <= width:
        return spans
    for span in spans:
        if left <= 0:
            break
        size = cells(span.text)
        # If more follows, the last span that fits loses a cell to the ellipsis.
        if size >= left:
            kept.append(span._replace(text=fit(span.text + "  ", left)))
            break
        kept.append(span)
        left -= size
    return kept


def justify(left: Iterable[Span], right: Iterable[Span], width: int) -> Line:
    """Return a line of exactly ``width`` cells with text at both ends.

    If they do not fit, the left part is cut: figures are on the right.
    """
    right = clip(right, width)
    room = width - line_width(right)
    needs_gap = bool(right) and not right[0].text.startswith(" ")
    left = clip(left, max(0, room - needs_gap))
    return [*left, Span(" " * (room - line_width(left))), *right]


class _Line(Strip):
    """A strip that is freed as soon as nothing shows it.

    Textual keeps what a cut at its end gives, which is the strip itself, in the strip
    (8.2.8). Each line that was ever drawn would stay in memory until a garbage
    collection, and these collections block the loop.
    """

    __slots__ = ()

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Return the parts between cuts."""
        cuts = list(cuts)
        return [self] if cuts == [self.cell_length] else super().divide(cuts)


def drawn_line(segments: Iterable[Segment], width: int, style: Style) -> Strip:
    """Return a line of ``width`` cells; spaces that it lacks are in ``style``."""
    line = _Line(segments)
    if line.cell_length != width:
        line = _Line(line.adjust_cell_length(width, style), width)
    return line


def bare_lines(widget: Widget, crop: Region, strips: list[Strip]) -> list[Strip]:
    """Return what a widget draws, for one without border, padding, opacity and tint.

    Textual passes each line through a cache of these, which takes as long as drawing
    all of our lines (8.2.8).

    Args:
        widget: draws the lines.
        crop: the part of the widget that is asked for.
        strips: its lines, in colors of ``theme.Palette``.
    """
    for line_filter in widget.get_line_filters():
        # A palette has only true colors, or else Textual turns this filter off.
        if not isinstance(line_filter, ANSIToTruecolor):
            background = widget.background_colors[1]
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
    if crop.column_span != (0, widget.size.width):
        strips = [strip.crop(*crop.column_span) for strip in strips]
    return strips


class Pane(Widget):
    """A framed widget that draws lines; a single unframed line when folded."""

    DEFAULT_CSS = """
    Pane { width: 1fr; height: 1fr; background: transparent; }
    Pane.-folded { height: 1; }
    """
    ALLOW_SELECT = False
    is_folded: reactive[bool] = reactive(False, init=False)
    """Show one line without a frame, for small terminals."""
    has_frame: ClassVar[bool] = True

    def __init__(self, **options: Any) -> None:
        """Accept the options of any Textual widget (``id``, ``classes``)."""
        super().__init__(**options)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._fitted = Size(0, 0)
        """The size that the lines were composed for."""
        self._hovered = ""
        self.ticks = 0
        """Counts frames; drives spinners."""

    # -- content: what subclasses override -------------------------------------------

    def title(self) -> Line:
        """Return the pane's name and key, for the upper left of the frame."""
        return []

    def corner(self) -> Line:
        """Return the text in the upper right of the frame."""
        return []

    def foot(self) -> Line:
        """Return the text in the lower left of the frame."""
        return []

    def body(self, width: int, height: int) -> list[Line]:
        """Return the lines inside the frame; at most ``height`` are drawn."""
        raise NotImplementedError

    def folded(self, width: int) -> Line:
        """Return the single line that is shown when folded."""
        raise NotImplementedError

    def pressed(self, action: str) -> None:
        """Handle a click on a span that has an action."""

    # -- drawing ---------------------------------------------------------------------

    @property
    def is_ascii(self) -> bool:
        """Whether the dashboard is drawn with characters below 0x80 only."""
        return bool(getattr(self.app, "is_ascii", False))

    def spinner(self) -> str:
        """Return the spinner's current frame, the first one if motion is off."""
        is_still = self.app.animation_level == "none"
        return spinner_frame(0 if is_still else self.ticks, is_ascii=self.is_ascii)

    def redraw(self) -> None:
        """Rebuild the lines and repaint those that changed."""
        width, height = self.size
        if not self.is_attached or not width or not height:
            self._fitted = Size(0, 0)  # what it has to show has changed
            return
        if self._fitted != self.size:
            self._forget_lines()
        lines = self._compose_lines(width, height)
        if len(lines) != len(self._lines):
            changed = list(range(max(len(lines), len(self._lines))))
        else:
            changed = [y for y, line in enumerate(lines) if line != self._lines[y]]
        self._lines = lines
        if not changed:
            return
        for y in changed:
            self._strips.pop(y, None)
        self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _compose_lines(self, width: int, height: int) -> list[Line]:
        if self.is_folded:
            return [clip(self.folded(width), width)]
        if not self.has_frame:
            return [clip(line, width) for line in self.body(width, height)[:height]]
        frame = _ASCII_FRAME if self.is_ascii else _FRAME
        if width < 8 or height < 3:
            return [clip(self.folded(width), width)]
        style = "active" if self.has_focus else "faint"
        side = Span(frame[3], style)
        lines = [self._rule(frame[0], frame[2], self.title(), self.corner(), width)]
        body = self.body(width - 4, height - 2)[: height - 2]
        body += [[] for _ in range(height - 2 - len(body))]
        space = Span(" ")
        lines += [
            [side, space, *justify(line, (), width - 4), space, side] for line in body
        ]
        lines.append(self._rule(frame[4], frame[5], self.foot(), [], width))
        return lines

    def _rule(self, start: str, end: str, left: Line, right: Line, width: int) -> Line:
        """Draw an edge of the frame: ``╭─ left ───── right ─╮``."""
        style = "active" if self.has_focus else "faint"
        dash = "-" if self.is_ascii else "─"
        room = width - 4
        if right:
            right = [Span(" "), *clip(right, room - 4), Span(" ")]
        room -= line_width(right)
        if left:
            left = [Span(" "), *clip(left, max(0, room - 3)), Span(" ")]
        gap = dash * (room - line_width(left))
        return [
            Span(start + dash, style),
            *left,
            Span(gap, style),
            *right,
            Span(dash + end, style),
        ]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines; panes draw their frames themselves and must not be styled."""
        self._fit_lines()
        strips = self._strips
        if not all(y in strips for y in crop.line_range):
            self._make_strips(crop.bottom - 1)
        return bare_lines(self, crop, [strips[y] for y in crop.line_range])

    def render_line(self, y: int) -> Strip:
        """Return one line as a strip, cached until its text changes."""
        self._fit_lines()
        if y not in self._strips:
            self._make_strips(y)
        return self._strips[y]

    def _fit_lines(self) -> None:
        """Compose the lines for a new size.

        Textual draws a new size first and sends the event afterwards: without this,
        every pane would be empty for one frame.
        """
        if self._fitted != self.size:
            self._forget_lines()
            self._lines = self._compose_lines(*self.size)

    def _make_strips(self, last: int) -> None:
        """Make all strips that are missing: their common styles are found only once."""
        palette = palette_of(self.app)
        # With the line API, Textual leaves the background to the strips.
        background = self.rich_style
        is_ascii = self.is_ascii
        width = self.size.width
        for y in range(max(last + 1, len(self._lines))):
            if y in self._strips:
                continue
            line = self._lines[y] if y < len(self._lines) else []
            segments = []
            for text, style, action in line:
                combined = background + palette[style]
                if action and action == self._hovered:
                    combined = combined + palette.cursor
                segments.append(Segment(to_ascii(text) if is_ascii else text, combined))
            self._strips[y] = drawn_line(segments, width, background)

    # -- Textual's events ------------------------------------------------------------

    def on_mount(self) -> None:
        """Repaint when the theme changes: strips contain its colors."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self._repaint_all())

    def on_resize(self) -> None:
        """Redraw for the new size, unless it was drawn already."""
        if self._fitted != self.size:
            self.redraw()

    def on_focus(self) -> None:
        """Highlight the frame."""
        self.redraw()

    def on_blur(self) -> None:
        """Dim the frame."""
        self.redraw()

    def watch_is_folded(self, is_folded: bool) -> None:
        """Remove the frame, or restore it."""
        self.set_class(is_folded, "-folded")
        self._repaint_all()

    def _repaint_all(self) -> None:
        self._forget_lines()
        self.redraw()

    def _forget_lines(self) -> None:
        self._strips.clear()
        self._lines = []
        self._fitted = self.size

    def action_at(self, x: int, y: int) -> str:
        """Return the action of the span at a cell of the pane, or ""."""
        if not 0 <= y < len(self._lines):
            return ""
        at = 0
        for span in self._lines[y]:
            at += cells(span.text)
            if x < at:
                return span.action
        return ""

    def on_click(self, event: events.Click) -> None:
        """Pass a click on a span with an action to ``pressed``."""
        action = self.action_at(event.x, event.y)
        if action:
            event.stop()
            self.pressed(action)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the action under the mouse."""
        self._hover(self.action_at(event.x, event.y))

    def on_leave(self) -> None:
        """Remove the highlight."""
        self._hover("")

    def _hover(self, action: str) -> None:
        if action == self._hovered:
            return
        touched = {action, self._hovered} - {""}
        self._hovered = action
        for y, line in enumerate(self._lines):
            if any(span.action in touched for span in line):
                self._strips.pop(y, None)
                self.refresh(Region(0, y, self.size.width, 1))

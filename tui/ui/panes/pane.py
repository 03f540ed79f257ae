"""The base of all panes: lines of styled text, repainted only where they changed.

A pane says what its lines are (``body`` and ``folded``, plain functions of what it was
last shown); the canvas frames them, cuts them to the cell, maps style names to the
theme, tells clicks apart and asks Textual to repaint the lines whose text differs
from the last time. One widget a pane: a widget a line costs four times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from rich.segment import Segment
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.ui.style.format import cells, fit, spinner_frame
from tui.ui.style.theme import palette_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events


class Span(NamedTuple):
    """A run of text in one style."""

    text: str
    """One line without control characters, any width."""
    style: str = "text"
    """Name of a field of ``theme.Palette``."""
    action: str = ""
    """What a click on it means to the pane; "" for nothing."""


Line: TypeAlias = list[Span]

_FRAME = "╭─╮│╰╯"
_ASCII_FRAME = "+-+|++"
_ASCII_FORMS = {"…": "~", "—": "-", "→": ">", "·": "."}


def line_width(line: Iterable[Span]) -> int:
    """Return the cells that a line takes."""
    return sum(cells(span.text) for span in line)


def clip(line: Iterable[Span], width: int) -> Line:
    """Cut a line to ``width`` cells, with an ellipsis where something was cut."""
    kept: Line = []
    left = width
    spans = list(line)
    if line_width(spans) <= width:
        return spans
    for span in spans:
        if left <= 0:
            break
        size = cells(span.text)
        # The last span that fits still loses a cell if more follows: to the ellipsis.
        if size >= left:
            kept.append(span._replace(text=fit(span.text + "  ", left)))
            break
        kept.append(span)
        left -= size
    return kept


def justify(left: Iterable[Span], right: Iterable[Span], width: int) -> Line:
    """Put two halves on one line of exactly ``width`` cells.

    The right one is facts and stays whole; the left one is cut if they collide.
    """
    right = clip(right, width)
    room = width - line_width(right)
    needs_gap = bool(right) and not right[0].text.startswith(" ")
    left = clip(left, max(0, room - needs_gap))
    return [*left, Span(" " * (room - line_width(left))), *right]


def to_ascii(text: str) -> str:
    """Return ``text`` with characters below 0x80 only, in as many cells."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else _ASCII_FORMS.get(char, "?" * cells(char))
        for char in text
    )


class Pane(Widget):
    """A framed pane that draws lines; unframed and one line high when folded."""

    DEFAULT_CSS = """
    Pane { width: 1fr; height: 1fr; background: transparent; }
    Pane.-folded { height: 1; }
    """
    ALLOW_SELECT = False
    is_folded: reactive[bool] = reactive(False, init=False)
    """One line without a frame, for small terminals."""
    has_frame: ClassVar[bool] = True

    def __init__(self, **options: Any) -> None:
        """Take the options of any Textual widget (``id``, ``classes``)."""
        super().__init__(**options)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._hovered = ""
        self.ticks = 0
        """Grows with ``advance``; drives spinners."""

    # -- what a pane says ------------------------------------------------------------

    def title(self) -> Line:
        """Name of the pane and its key, for the frame."""
        return []

    def corner(self) -> Line:
        """What the upper right of the frame says."""
        return []

    def foot(self) -> Line:
        """What the lower left of the frame says."""
        return []

    def body(self, width: int, height: int) -> list[Line]:
        """Lines inside the frame; at most ``height`` are drawn."""
        raise NotImplementedError

    def folded(self, width: int) -> Line:
        """The one line that is left when folded."""
        raise NotImplementedError

    def pressed(self, action: str) -> None:
        """Take a click on a span that has an action."""

    # -- how it is drawn -------------------------------------------------------------

    @property
    def is_ascii(self) -> bool:
        """Whether the dashboard draws with characters below 0x80 only."""
        return bool(getattr(self.app, "is_ascii", False))

    def spinner(self) -> str:
        """The spinner's frame now; a still one where motion is switched off."""
        is_still = self.app.animation_level == "none"
        return spinner_frame(0 if is_still else self.ticks, is_ascii=self.is_ascii)

    def redraw(self) -> None:
        """Compute the lines again and repaint those that differ."""
        width, height = self.size
        if not self.is_attached or not width or not height:
            return
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

    def render_line(self, y: int) -> Strip:
        """Return one line as a strip, made once for as long as its text stays."""
        strip = self._strips.get(y)
        if strip is None:
            palette = palette_of(self.app)
            # Strips bring their own ground: Textual leaves it to the line API.
            ground = self.rich_style
            is_ascii = self.is_ascii
            line = self._lines[y] if y < len(self._lines) else []
            segments = []
            for text, style, action in line:
                combined = ground + palette[style]
                if action and action == self._hovered:
                    combined = combined + palette.cursor
                segments.append(Segment(to_ascii(text) if is_ascii else text, combined))
            strip = Strip(segments).adjust_cell_length(self.size.width, ground)
            self._strips[y] = strip
        return strip

    # -- what Textual tells us -------------------------------------------------------

    def on_mount(self) -> None:
        """Follow the theme: strips hold its colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self._repaint_all())

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._repaint_all()

    def on_focus(self) -> None:
        """Light the frame."""
        self.redraw()

    def on_blur(self) -> None:
        """Dim the frame."""
        self.redraw()

    def watch_is_folded(self, is_folded: bool) -> None:
        """Give up the frame, or take it back."""
        self.set_class(is_folded, "-folded")
        self._repaint_all()

    def _repaint_all(self) -> None:
        self._strips.clear()
        self._lines = []
        self.redraw()

    def action_at(self, x: int, y: int) -> str:
        """Return what a click at a cell of the pane means."""
        if not 0 <= y < len(self._lines):
            return ""
        at = 0
        for span in self._lines[y]:
            at += cells(span.text)
            if x < at:
                return span.action
        return ""

    def on_click(self, event: events.Click) -> None:
        """Hand a click on a button to the pane."""
        action = self.action_at(event.x, event.y)
        if action:
            event.stop()
            self.pressed(action)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show which button the mouse is on."""
        self._hover(self.action_at(event.x, event.y))

    def on_leave(self) -> None:
        """Forget the button."""
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

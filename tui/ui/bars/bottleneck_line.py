"""What limits the run and what automatic concurrency does; at the end, the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.core.download import DownloadState
from tui.core.notices import AutoCode
from tui.messages import auto_text
from tui.ui.bars.end_line import end_line
from tui.ui.bars.header import ActionPressed
from tui.ui.keys.keymap import key_of
from tui.ui.panes.diagnosis import diagnosis_spans
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width

if TYPE_CHECKING:
    from tui.core.snapshot import EngineSnapshot


class BottleneckLine(Pane):
    """One line below the panes, in terminals that are high enough."""

    DEFAULT_CSS = "BottleneckLine { height: 1; }"
    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Create an empty line."""
        super().__init__(**options)
        self._snapshot: EngineSnapshot | None = None
        self._end: EngineSnapshot | None = None

    def show_end(self, snapshot: EngineSnapshot | None) -> None:
        """Show the result of a finished run, or the diagnosis again for ``None``."""
        if snapshot is not self._end:
            self._end = snapshot
            self.redraw()

    def pressed(self, action: str) -> None:
        """Post the action of the clicked key."""
        self.post_message(ActionPressed(action))

    def show(self, snapshot: EngineSnapshot) -> None:
        """Draw the diagnosis of a snapshot."""
        self._snapshot = snapshot
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """Return the line, once there is a snapshot."""
        del height
        return [] if self._snapshot is None else [self.folded(width)]

    def folded(self, width: int) -> Line:
        """Return the diagnosis, and on the right the reason for the limit."""
        if self._end is not None:
            return end_line(self._end, width, is_ascii=self.is_ascii)
        now = self._snapshot
        if now is None:
            return []
        left = [Span(" "), *diagnosis_spans(now)]
        right = self._auto(now)
        if right and line_width(left) + line_width(right) + 2 > width:
            left = [Span(" "), *diagnosis_spans(now, is_short=True)]
        room = width - line_width(left) - 2
        while right and line_width(right) > max(room, width // 2):
            text = right[-1].text
            right[-1] = right[-1]._replace(text=text[: len(text) - 2] + "…")
        return justify(left, [*right, Span(" ")] if right else [], width)

    def _auto(self, now: EngineSnapshot) -> Line:
        auto = now.auto
        if auto.is_pinned:
            words = f"set by hand, {key_of('auto')} for automatic"
            return [Span(words, "dim", "auto")]
        if not auto.is_on:
            return []
        is_trying = auto.reason is not None and auto.reason.code is AutoCode.TRY_MORE
        if is_trying and not now.counts[DownloadState.QUEUED]:
            return []  # without queued downloads nothing more is tried
        return [Span("auto: ", "active", "auto"), Span(auto_text(auto.reason), "dim")]

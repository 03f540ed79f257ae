"""The message line: the result of a key, the end, advice on a row, or the newest event.

A new message replaces the previous one; nothing piles up or covers the list.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tui.core.quick.named_tuple import NamedTuple
from tui.ui.bars.end_line import end_line
from tui.ui.bars.header import ActionPressed
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, clip, justify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import EngineSnapshot
    from tui.ui.panes.event_log import EventLog

Severity: TypeAlias = Literal["information", "warning", "error"]
SHOWN_S = 5.0
"""Seconds for which a message is shown."""
_KEPT_S = 2.0
"""Seconds in which news does not replace the result of a key."""
_STYLES = {"information": "strong", "warning": "warn", "error": "failed"}
_GLYPHS = {"information": "›", "warning": "!", "error": "✗"}
_ASCII_GLYPHS = {"information": ">", "warning": "!", "error": "x"}


class _Message(NamedTuple):
    text: str
    severity: Severity
    at_s: float
    is_news: bool = False


class MessageLine(Pane):
    """Shows a message for a few seconds, else the end, else advice, else the log."""

    DEFAULT_CSS = "MessageLine { height: 1; }"
    has_frame = False

    def __init__(
        self,
        log: EventLog,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        """Show the newest line of ``log`` when there is no message.

        Args:
            log: the pane with all lines.
            monotonic: clock by which messages disappear.
            options: of any Textual widget.
        """
        super().__init__(**options)
        self._monotonic = monotonic
        self._log = log
        self._message: _Message | None = None
        self._advice = ""
        self._end: EngineSnapshot | None = None

    @property
    def message(self) -> str:
        """The current message, or ""."""
        return "" if self._message is None else self._message.text

    def show_message(
        self, text: str, severity: Severity, *, is_news: bool = False
    ) -> bool:
        """Show a message; return False for news while a key's message is fresh."""
        if is_news and self._is_fresh():
            return False
        self._message = _Message(text, severity, self._monotonic(), is_news)
        self._cover_footer()
        self.redraw()
        return True

    def _is_fresh(self) -> bool:
        """Return True while the result of a key must not be replaced yet."""
        message = self._message
        return (
            message is not None
            and not message.is_news
            and self._monotonic() - message.at_s < _KEPT_S
        )

    def show_end(self, snapshot: EngineSnapshot | None) -> None:
        """Show the result of a finished run until it is replaced by ``None``."""
        if snapshot is self._end:
            return
        if self._end is None and not self._is_fresh():
            self._message = None  # it is older than the end
        self._end = snapshot
        self._cover_footer()
        self.redraw()

    def _cover_footer(self) -> None:
        """In small terminals, take the line of the footer while there is a text."""
        has_text = self._message is not None or self._end is not None
        is_covering = has_text and self.screen.has_class("-bare")
        # Restyling a screen is expensive.
        if is_covering != self.screen.has_class("-message"):
            self.screen.set_class(is_covering, "-message")

    def advise(self, advice: str) -> None:
        """Show advice on the row under the cursor; "" for none."""
        if advice != self._advice:
            self._advice = advice
            self.redraw()

    def tick(self) -> None:
        """Remove a message after its time, and follow the log."""
        if self._message and self._monotonic() - self._message.at_s >= SHOWN_S:
            self._message = None
            self._cover_footer()
        self.redraw()

    def pressed(self, action: str) -> None:
        """Post the action of the clicked key."""
        self.post_message(ActionPressed(action))

    def folded(self, width: int) -> Line:
        """Return the line."""
        return self.body(width, 1)[0]

    def body(self, width: int, height: int) -> list[Line]:
        """Return the line, ending in the log's key unless the log is open."""
        del height
        if self._message is not None:
            text, severity, *_ = self._message
            glyphs = _ASCII_GLYPHS if self.is_ascii else _GLYPHS
            glyph = glyphs[severity]
            return [clip([Span(f" {glyph} {text}", _STYLES[severity])], width)]
        if self._end is not None:
            return [end_line(self._end, width, is_ascii=self.is_ascii)]
        key: Line = []
        if width >= 60 and not self._log.display:
            key = [Span(f" {key_of('log')} ", "key", "log"), Span("log ", "dim", "log")]
        if self._advice:
            return [justify([Span(f" {self._advice}", "warn")], key, width)]
        if self._log.display:
            return [[]]
        newest = self._log.newest(width - (9 if key else 1))
        return [justify([Span(" "), *newest], key, width)]

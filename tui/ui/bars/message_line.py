"""The one line that speaks: what a key did, what to do about a row, what happened last.

It stands where the log's newest line is and replaces itself; nothing piles up and
nothing covers what is being watched.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from tui.ui.bars.header import ActionPressed
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, clip, justify

if TYPE_CHECKING:
    from tui.ui.panes.event_log import EventLog

Severity: TypeAlias = Literal["information", "warning", "error"]
SHOWN_S = 5.0
"""Seconds that a message stays if nothing else is said."""
_KEPT_S = 2.0
"""Seconds in which news do not take the place of what a key did."""
_STYLES = {"information": "strong", "warning": "warn", "error": "failed"}
_GLYPHS = {"information": "›", "warning": "!", "error": "✗"}
_ASCII_GLYPHS = {"information": ">", "warning": "!", "error": "x"}


class _Message(NamedTuple):
    text: str
    severity: Severity
    at_s: float


class MessageLine(Pane):
    """A message for a few seconds, else advice on the cursor's row, else the log."""

    DEFAULT_CSS = "MessageLine { height: 1; }"
    has_frame = False

    def __init__(self, log: EventLog, **options: Any) -> None:
        """Take the log whose newest line is shown when there is nothing to say."""
        super().__init__(**options)
        self._log = log
        self._message: _Message | None = None
        self._advice = ""

    @property
    def message(self) -> str:
        """What is being said; "" for nothing."""
        return "" if self._message is None else self._message.text

    def show_message(
        self, text: str, severity: Severity, *, is_news: bool = False
    ) -> bool:
        """Show a message; return False for news while a key's message is fresh."""
        now = time.monotonic()
        if is_news and self._message and now - self._message.at_s < _KEPT_S:
            return False
        self._message = _Message(text, severity, now)
        if self.screen.has_class("-bare"):  # new styles for a screen are dear
            self.screen.add_class("-speaking")
        self.redraw()
        return True

    def advise(self, advice: str) -> None:
        """Say what to do about the row under the cursor; "" for nothing."""
        if advice != self._advice:
            self._advice = advice
            self.redraw()

    def tick(self) -> None:
        """Forget what has been said for long enough, and follow the log."""
        if self._message and time.monotonic() - self._message.at_s >= SHOWN_S:
            self._message = None
            self.screen.remove_class("-speaking")
        self.redraw()

    def pressed(self, action: str) -> None:
        """Tell that the log was asked for."""
        self.post_message(ActionPressed(action))

    def folded(self, width: int) -> Line:
        """The line itself."""
        return self.body(width, 1)[0]

    def body(self, width: int, height: int) -> list[Line]:
        """The line; the log's key at its end where the log is folded."""
        del height
        if self._message is not None:
            text, severity, _ = self._message
            glyphs = _ASCII_GLYPHS if self.is_ascii else _GLYPHS
            glyph = glyphs[severity]
            return [clip([Span(f" {glyph} {text}", _STYLES[severity])], width)]
        key: Line = []
        if width >= 60 and not self._log.display:
            key = [Span(f" {key_of('log')} ", "key", "log"), Span("log ", "dim", "log")]
        if self._advice:
            return [justify([Span(f" {self._advice}", "warn")], key, width)]
        if self._log.display:
            return [[]]
        newest = self._log.newest(width - (9 if key else 1))
        return [justify([Span(" "), *newest], key, width)]

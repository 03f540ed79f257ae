"""What bounds the run now, and what the automatic choice does about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tui.core.text.plain_text import plain
from tui.ui.keys.keymap import key_of
from tui.ui.keys.registry import BY_ID
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width

if TYPE_CHECKING:
    from tui.core.snapshot import AutoSnapshot, EngineSnapshot

_ACTION = re.compile(r"\{(\w{1,40})\}")


def verdict_spans(snapshot: EngineSnapshot, *, is_short: bool = False) -> Line:
    """The verdict, its first words brighter; nothing where there is none."""
    short, colon, proof = with_keys(snapshot.verdict).partition(":")
    line = [Span(short, "strong")] if short else []
    if proof and not is_short:
        line.append(Span(colon + proof, "dim"))
    if snapshot.waiting_for and not is_short:
        line.append(Span(("   " if line else "") + plain(snapshot.waiting_for), "warn"))
    return line


def auto_word(auto: AutoSnapshot) -> Span | None:
    """``auto`` or ``pinned``, for beside the number; ``None`` where it never was."""
    if auto.is_on:
        return Span("auto", "active", "auto")
    return Span("pinned", "warn", "auto") if auto.is_pinned else None


def with_keys(words: str) -> str:
    """Put the keys of actions where an engine's words name them, ``{more}``."""
    return _ACTION.sub(lambda found: _key(found[1]), plain(words))


def _key(id: str) -> str:
    return key_of(id) if id in BY_ID else id


class BottleneckLine(Pane):
    """One line below the panes, where there is room for one."""

    DEFAULT_CSS = "BottleneckLine { height: 1; }"
    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Start empty."""
        super().__init__(**options)
        self._snapshot: EngineSnapshot | None = None

    def show(self, snapshot: EngineSnapshot) -> None:
        """Draw this snapshot's verdict."""
        self._snapshot = snapshot
        self.redraw()

    def body(self, width: int, height: int) -> list[Line]:
        """The verdict on the left, why the number is what it is on the right."""
        del height
        return [] if self._snapshot is None else [self.folded(width)]

    def folded(self, width: int) -> Line:
        """The line."""
        now = self._snapshot
        if now is None:
            return []
        left = [Span(" "), *verdict_spans(now)]
        right = self._auto(now.auto)
        if right and line_width(left) + line_width(right) + 2 > width:
            left = [Span(" "), *verdict_spans(now, is_short=True)]
        room = width - line_width(left) - 2
        while right and line_width(right) > max(room, width // 2):
            text = right[-1].text
            right[-1] = right[-1]._replace(text=text[: len(text) - 2] + "…")
        return justify(left, [*right, Span(" ")] if right else [], width)

    def _auto(self, auto: AutoSnapshot) -> Line:
        if auto.is_pinned:
            words = f"pinned by hand, {key_of('auto')} is automatic again"
            return [Span(words, "dim", "auto")]
        if not auto.is_on:
            return []
        return [Span("auto: ", "active", "auto"), Span(plain(auto.reason), "dim")]

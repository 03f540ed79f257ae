"""The footer with the most important keys, from the registry of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.ui.bars.header import ActionPressed
from tui.ui.keys.keymap import current
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.ui.keys.conditions import ActionState
    from tui.ui.keys.registry import Action

_RIGHT = ("help", "palette", "quit")


class FooterBar(Pane):
    """One line of keys; in a narrow terminal the least important are dropped."""

    DEFAULT_CSS = "FooterBar { height: 1; }"
    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Accept the options of any Textual widget."""
        super().__init__(**options)
        self._enabled: set[str] | None = None

    def show(self, state: ActionState) -> None:
        """Highlight the keys of enabled actions."""
        enabled = {action.id for action in current().actions if action.can_run(state)}
        if enabled != self._enabled:
            self._enabled = enabled
            self.redraw()

    def pressed(self, action: str) -> None:
        """Post the action of the clicked key."""
        self.post_message(ActionPressed(action))

    def body(self, width: int, height: int) -> list[Line]:
        """Return the line with as many keys as fit, by rank."""
        del height
        shown = [action for action in current().actions if action.rank]
        for rank in sorted({action.rank for action in shown}, reverse=True):
            kept = [action for action in shown if action.rank <= rank]
            left = self._keys(action for action in kept if action.id not in _RIGHT)
            right = self._keys(action for action in kept if action.id in _RIGHT)
            if line_width(left) + line_width(right) <= width:
                break
        return [justify(left, right, width)]

    def _keys(self, actions: Iterable[Action]) -> Line:
        line: Line = []
        for action in sorted(actions, key=lambda action: action.rank):
            is_on = self._enabled is None or action.id in self._enabled
            keys = [action.id, *([action.pair] if action.pair else [])]
            line.append(Span(" "))
            for id in keys:
                key = current().by_id[id].shown_key
                line.append(Span(key, "key" if is_on else "faint", id))
            style = "text" if is_on else "faint"
            line.append(Span(f" {action.label} ", style, action.id))
        return line

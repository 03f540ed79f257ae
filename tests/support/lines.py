"""Reading what panes draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.ui.panes.pane import Span


def line_text(line: Iterable[Span]) -> str:
    """What a line says, without its styles."""
    return "".join(span.text for span in line)

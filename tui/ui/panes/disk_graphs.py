"""The past of loop lag and queue drawn large, for a disk pane with room to spare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.ui.keys.keymap import key_of
from tui.ui.panes.axis_graph import axis_graph
from tui.ui.panes.detail_lines import wrap
from tui.ui.panes.disk_lines import queue_top
from tui.ui.panes.pane import Line, Span
from tui.ui.panes.plot import milliseconds, step_above
from tui.ui.panes.throughput import LAG_WARN_S
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Sequence


def explanation() -> str:
    """What one is looking at, and the key that shows the opposite."""
    key = key_of("inline_writes")
    return (
        "Writes run in threads through run_in_executor, so the event loop stays free"
        f" for keys and sockets. Press {key} to write inline and watch the lag;"
        f" {key} again ends it."
    )


def graph_lines(
    lags_s: Sequence[float],
    queue: Sequence[int],
    width: int,
    height: int,
    is_ascii: bool = False,
) -> list[Line]:
    """Loop lag above, the queue below it, and what one is looking at.

    Args:
        lags_s: worst lag of each past half second, oldest first.
        queue: operations that waited in each past half second, oldest first.
        width: cells.
        height: lines to fill, 9 at least; the queue's graph needs 14.
        is_ascii: only characters below 0x80.
    """
    words: list[Line] = [[Span(text, "dim")] for text in wrap(explanation(), width)]
    room = height - len(words) - 2
    has_queue = room >= 10
    rows = (room - 4) // 2 if has_queue else room - 1
    lag_top = max(LAG_WARN_S, step_above(max(lags_s, default=0.0) * 1000) / 1000)
    is_late = any(lag >= LAG_WARN_S for lag in lags_s)
    lines: list[Line] = [
        [],
        [Span("Loop lag ", "title"), Span("worst of each half second", "dim")],
        *axis_graph(
            lags_s,
            width,
            rows,
            lag_top,
            milliseconds,
            style="warn" if is_late else "verifying",
            is_ascii=is_ascii,
        ),
    ]
    if has_queue:
        lines += [
            [],
            [Span("Queue ", "title"), Span("operations waiting for a writer", "dim")],
            *axis_graph(
                queue,
                width,
                rows,
                step_above(queue_top(queue)),
                lambda value: count(round(value)),
                is_ascii=is_ascii,
            ),
        ]
    return [*lines, [], *words]

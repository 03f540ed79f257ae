"""The words that stay on the screen once all downloads have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.units import format_duration, format_size
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Span, line_width
from tui.ui.style.format import count

if TYPE_CHECKING:
    from tui.core.snapshot import EngineSnapshot

_S = DownloadState


def end_line(now: EngineSnapshot, width: int, *, is_ascii: bool = False) -> Line:
    """Return the result of a finished run and the keys for what comes next.

    Args:
        now: the run; all of its downloads have ended.
        width: cells; explanations are shortened first, then dropped.
        is_ascii: use only characters below 0x80.
    """
    has_failed = bool(now.counts[_S.FAILED])
    glyph = ("x" if is_ascii else "✗") if has_failed else ("+" if is_ascii else "✓")
    style = "failed" if has_failed else "done"
    mark, result = Span(f" {glyph} ", style), _result(now)
    long, short = _keys(now, is_short=False), _keys(now, is_short=True)
    line: Line = []
    brief = result.removeprefix("Finished: ")
    for words, keys in ((result, long), (result, short), (brief, short)):
        line = [mark, Span(f"{words} ", "strong"), *keys]
        if line_width(line) <= width:
            break
    return line


def _result(now: EngineSnapshot) -> str:
    done, failed, cancelled = (
        now.counts[state] for state in (_S.DONE, _S.FAILED, _S.CANCELLED)
    )
    if failed or cancelled:
        parts = [f"Finished: {count(done)} of {count(now.total)}"]
        parts += [f"{count(failed)} failed"] if failed else []
        parts += [f"{count(cancelled)} cancelled"] if cancelled else []
        return f"{', '.join(parts)}."
    elapsed = format_duration(int(now.elapsed_s))  # cut off, as in the header's clock
    if not now.fetched:
        return f"All done in {elapsed}, nothing to download."
    return f"All done in {elapsed}, {format_size(now.fetched)} downloaded."


def _keys(now: EngineSnapshot, *, is_short: bool) -> Line:
    """Return ``5 shows them, R retries, E saves the list``; each can be clicked."""
    has_cancelled = bool(now.counts[_S.CANCELLED])
    if now.counts[_S.FAILED]:
        views = [("view_failed", "shows", "shows them")]
        if has_cancelled:
            views = [
                ("view_failed", "failed", "shows failed"),
                ("view_cancelled", "cancelled", "cancelled"),
            ]
        steps = [
            *views,
            ("retry_failed", "retries", "retries"),
            ("export_failed", "saves", "saves the list"),
        ]
    elif has_cancelled:
        steps = [
            ("view_cancelled", "shows", "shows them"),
            ("add", "adds", "adds more"),
            ("quit", "quits", "quits"),
        ]
    else:
        steps = [("add", "adds", "adds more"), ("quit", "quits", "quits")]
    line: Line = []
    for action, short, long in steps:
        line += [Span(", ", "dim")] if line else []
        line.append(Span(key_of(action), "key", action))
        line.append(Span(f" {short if is_short else long}", "dim", action))
    return line

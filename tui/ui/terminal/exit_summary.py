"""The summary printed when the dashboard has closed; fits 80 columns."""

from __future__ import annotations

import sys
from threading import Thread
from typing import TYPE_CHECKING

from tui.core.download import UNFINISHED, DownloadState
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import format_elapsed, format_rate, format_size
from tui.messages import failure_title, remedy
from tui.ui.style.format import cells, count, fit, middle_ellipsis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tui.core.listing.query import FailureGroup
    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot

COLUMNS = 80
_CAUSES = 3
_NAMED = 3
"""Failed downloads listed for each cause."""
_WRITE_TIMEOUT_S = 0.5

_S = DownloadState


def summary_lines(
    snapshot: EngineSnapshot,
    causes: list[FailureGroup],
    rows: Callable[[list[int]], list[DownloadSnapshot]],
    saved: Path | None,
    hint: str,
    width: int = COLUMNS,
) -> list[str]:
    """Return the result of the run and how to continue.

    Args:
        snapshot: the last snapshot of the run.
        causes: failed downloads by cause, most frequent first.
        rows: returns the rows of downloads, to list some of them.
        saved: the list of failed downloads, if it was saved.
        hint: how to resume, as a sentence.
        width: cells of the terminal.

    Returns:
        Lines of at most ``width`` cells; empty if there were no downloads.
    """
    if not snapshot.total:
        return []
    counts = snapshot.counts
    unfinished = sum(counts[state] for state in UNFINISHED)
    parts = [f"{count(counts[_S.DONE])} done"]
    parts += [
        f"{count(number)} {word}"
        for number, word in (
            (counts[_S.FAILED], "failed"),
            (counts[_S.CANCELLED], "cancelled"),
            (unfinished, "unfinished"),
        )
        if number
    ]
    lines = [
        f"{', '.join(parts)} · {format_size(snapshot.fetched)}"
        f" in {format_elapsed(snapshot.elapsed_s)} ({format_rate(snapshot.average)})"
    ]
    failures = [group for group in causes if group.kind]
    lines += _failure_lines(failures, rows, width)
    if saved is not None and failures:
        path = middle_ellipsis(sanitize(str(saved)), width - 13)
        lines.append(f"failed list: {path}")
    if (unfinished or failures) and hint:
        lines.append(sanitize(hint))
    return [line if cells(line) <= width else fit(line, width) for line in lines]


def _failure_lines(
    failures: list[FailureGroup],
    rows: Callable[[list[int]], list[DownloadSnapshot]],
    width: int,
) -> list[str]:
    """Return each cause with advice and some URLs."""
    lines = []
    # With one cause too many, naming it takes as little space as counting it.
    shown = len(failures) if len(failures) == _CAUSES + 1 else _CAUSES
    for group in failures[:shown]:
        name = failure_title(group.kind, group.status)
        advice = remedy(group.kind, group.status)
        lines.append(f"  {count(len(group.ids))} × {name}: {advice}")
        lines += [
            f"      {middle_ellipsis(display_url(row.url), width - 6)}"
            for row in rows(group.ids[:_NAMED])
        ]
        if len(group.ids) > _NAMED:
            lines.append(f"      … and {count(len(group.ids) - _NAMED)} more")
    rest = sum(len(group.ids) for group in failures[shown:])
    if rest:
        lines.append(f"  {count(rest)} for other reasons")
    return lines


def print_summary(lines: list[str]) -> None:
    """Print lines to stderr; give up on a terminal that does not read."""
    if not lines or sys.__stderr__ is None:
        return
    stream = sys.__stderr__

    def write() -> None:
        try:
            stream.write("\n".join(lines) + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass  # the terminal is gone

    thread = Thread(target=write, daemon=True, name="exit-summary")
    thread.start()
    thread.join(_WRITE_TIMEOUT_S)

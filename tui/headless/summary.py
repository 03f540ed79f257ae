"""How far a run is and how it went, in words that fit 80 columns; no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.units import (
    format_duration,
    format_elapsed,
    format_rate,
    format_size,
)
from tui.messages import hold_text, remedy

if TYPE_CHECKING:
    from tui.core.snapshot import EngineSnapshot
    from tui.headless.renderers.base import RunResult

COLUMNS = 80


def advice(kind: str) -> str:
    """Return `; what to do next` for a cause, or "" where nothing helps."""
    hint = remedy(kind)
    return f"; {hint}" if hint else ""


def progress_line(snapshot: EngineSnapshot) -> str:
    """Say in one line how far the whole run is."""
    done = snapshot.counts[DownloadState.DONE]
    failed = snapshot.counts[DownloadState.FAILED]
    parts = [f"{done:,} of {snapshot.total:,} done"]
    if failed:
        parts.append(f"{failed:,} failed")
    parts.append(f"{snapshot.active:,} active")
    waiting = snapshot.counts[DownloadState.WAITING]
    if waiting:
        parts.append(f"{waiting:,} waiting")
    parts.append(format_size(snapshot.received))
    parts.append(format_rate(snapshot.speed))
    if snapshot.eta_s is not None:
        parts.append(f"{format_duration(snapshot.eta_s)} to go")
    return _fit(" · ".join(parts))


def summary_lines(ending: RunResult, resume_hint: str) -> list[str]:
    """Say how it went: results, bytes, mean speed, and the causes, commonest first."""
    snapshot = ending.snapshot
    counts = snapshot.counts
    parts = [f"{counts[DownloadState.DONE]:,} done"]
    if ending.already_here:
        parts[0] += f" ({ending.already_here:,} already present)"
    others = (DownloadState.FAILED, DownloadState.CANCELLED)
    parts += [f"{counts[state]:,} {state.word}" for state in others if counts[state]]
    if ending.unfinished:
        parts.append(f"{ending.unfinished:,} unfinished")
    if ending.interruption:
        parts[0] = f"interrupted: {parts[0]}"
    lines = [
        f"{', '.join(parts)} · {format_size(snapshot.fetched)}"
        f" in {format_elapsed(snapshot.elapsed_s)}"
        f" ({format_rate(snapshot.average)})"
    ]
    causes = sorted(snapshot.by_cause.items(), key=lambda item: (-item[1], item[0]))
    lines += [f"  {count:,} {kind}{advice(kind)}" for kind, count in causes]
    if ending.hold_reason:
        lines.append(f"stopped: {hold_text(ending.hold_reason)}")
    if ending.unfinished:
        lines.append(resume_hint)
    # Reasons are worth a long line: nothing else may have told them.
    return [*map(_fit, lines), *ending.aftermath]


def _fit(line: str) -> str:
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"

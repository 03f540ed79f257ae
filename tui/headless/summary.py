"""The result of a run, its progress and its summary in lines; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.download import UNFINISHED, DownloadState
from tui.core.rules.exit_status import INTERRUPTED
from tui.core.text.units import (
    format_duration,
    format_elapsed,
    format_rate,
    format_size,
)
from tui.messages import failure_title, pause_text, remedy

if TYPE_CHECKING:
    from tui.core.listing.query import FailureGroup
    from tui.core.notices import PauseReason
    from tui.core.snapshot import EngineSnapshot

BROKEN_PIPE = "broken pipe"
"""The value of ``interruption`` if the reader of stdout went away."""

RESUME_HINT = "Unfinished files are kept; run the same command to resume"


@dataclass(slots=True)
class RunResult:
    """The result of a run."""

    snapshot: EngineSnapshot
    interruption: str = ""
    """Name of the signal, or ``BROKEN_PIPE``; "" if the run was not interrupted."""
    pause_reason: PauseReason | None = None
    """The error that paused the queue, if one did."""
    causes: tuple[FailureGroup, ...] = ()
    """Failed downloads by cause, the most common first."""
    already_present: int = 0
    """Downloads that are done because the file already existed."""
    post_processing: tuple[str, ...] = ()
    """Summary lines about failed or unfinished post-processing."""
    post_processing_failures: int = 0

    @property
    def unfinished(self) -> int:
        """Return the number of unfinished downloads, which a later run resumes."""
        counts = self.snapshot.counts
        return sum(counts[state] for state in UNFINISHED)

    @property
    def exit_status(self) -> int:
        """Return 0 if all is done, 1 if not, 130 if the run was interrupted."""
        if self.interruption:
            return INTERRUPTED
        if self.post_processing_failures:
            return 1
        return int(self.snapshot.counts[DownloadState.DONE] < self.snapshot.total)


def advice(kind: str) -> str:
    """Return ``; `` and the suggestion for an error kind, or "" if there is none."""
    hint = remedy(kind)
    return f"; {hint}" if hint else ""


def progress_line(snapshot: EngineSnapshot) -> str:
    """Return the progress of the whole run in one line."""
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
    return " · ".join(parts)


def summary_lines(result: RunResult, resume_hint: str) -> list[str]:
    """Return the summary: results, bytes, mean speed, and causes by frequency."""
    snapshot = result.snapshot
    counts = snapshot.counts
    parts = [f"{counts[DownloadState.DONE]:,} done"]
    if result.already_present:
        parts[0] += f" ({result.already_present:,} already present)"
    others = (DownloadState.FAILED, DownloadState.CANCELLED)
    parts += [f"{counts[state]:,} {state.word}" for state in others if counts[state]]
    if result.unfinished:
        parts.append(f"{result.unfinished:,} unfinished")
    if result.interruption:
        parts[0] = f"interrupted: {parts[0]}"
    lines = [
        f"{', '.join(parts)} · {format_size(snapshot.fetched)}"
        f" in {format_elapsed(snapshot.elapsed_s)}"
        f" ({format_rate(snapshot.average)})"
    ]
    for group in result.causes:
        name = failure_title(group.kind, group.status)
        hint = remedy(group.kind, group.status)
        lines.append(f"  {len(group.ids):,} × {name}" + (f": {hint}" if hint else ""))
    if result.pause_reason:
        lines.append(f"stopped: {pause_text(result.pause_reason)}")
    if result.unfinished:
        lines.append(resume_hint)
    return [*lines, *result.post_processing]

"""Errors only: for cron, which mails any output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import (
    Done,
    Event,
    Failed,
    Kinds,
    Queued,
    QueuePaused,
    Retrying,
    Started,
)
from tui.headless.renderers.base import failure_line
from tui.messages import pause_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.headless.output import AsyncOutput
    from tui.headless.renderers.base import Run
    from tui.headless.summary import RunResult


class QuietRenderer:
    """Writes failures to ``stderr``, and the reason if the run stopped early."""

    tick_s = 60.0
    exclude: Kinds = frozenset({Queued, Started, Retrying, Done})

    def __init__(self, run: Run, stderr: AsyncOutput) -> None:
        self._run = run
        self._stderr = stderr

    def on_events(self, events: Sequence[Event]) -> None:
        """Write a line for each download that failed."""
        failed = [event for event in events if isinstance(event, Failed)]
        rows = self._run.service.rows([event.id for event in failed])
        for end, row in zip(failed, rows, strict=True):
            line = failure_line(self._run, row, end.error, end.error_kind)
            self._stderr.write(f"{line}\n")
        for event in events:
            if isinstance(event, QueuePaused) and event.reason:
                self._stderr.write(f"queue paused: {pause_text(event.reason)}\n")

    def tick(self) -> None:
        """Write nothing."""

    def finish(self, result: RunResult) -> None:
        """Write whether downloads are unfinished, and failed post-processing."""
        lines = [self._run.resume_hint] if result.unfinished else []
        for line in (*lines, *result.post_processing):
            self._stderr.write(f"{line}\n")

"""Nothing but what went wrong: for cron, which mails whatever is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import (
    Done,
    Event,
    Failed,
    Kinds,
    Queued,
    QueueHeld,
    Retrying,
    Started,
)
from tui.headless.renderers.base import failure_line
from tui.messages import hold_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.headless.output import AsyncOutput
    from tui.headless.renderers.base import Run, RunResult


class QuietRenderer:
    """Writes failures to ``stderr``, and why the run stopped early if it did."""

    tick_s = 60.0
    exclude: Kinds = frozenset({Queued, Started, Retrying, Done})

    def __init__(self, run: Run, stderr: AsyncOutput) -> None:
        self._run = run
        self._stderr = stderr

    def hear(self, events: Sequence[Event]) -> None:
        """Write a line for each download that failed."""
        failed = [event for event in events if isinstance(event, Failed)]
        rows = self._run.service.rows([event.id for event in failed])
        for end, row in zip(failed, rows, strict=True):
            line = failure_line(self._run, row, end.error, end.error_kind)
            self._stderr.write(f"{line}\n")
        for event in events:
            if isinstance(event, QueueHeld) and event.reason:
                self._stderr.write(f"held    {hold_text(event.reason)}\n")

    def tick(self) -> None:
        """Say nothing."""

    def end(self, ending: RunResult) -> None:
        """Say what is left undone, and what went wrong after the downloads."""
        lines = [self._run.resume_hint] if ending.unfinished else []
        for line in (*lines, *ending.aftermath):
            self._stderr.write(f"{line}\n")

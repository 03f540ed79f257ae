"""Plain lines for logs, cron and pipes: finished downloads, retries and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import (
    Done,
    DownloadNotice,
    Event,
    Failed,
    Kinds,
    Queued,
    QueuePaused,
    Retrying,
    RunNotice,
    Started,
)
from tui.core.notices import NoticeCode
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import format_duration, format_size
from tui.headless.renderers.base import failure_line, shown_name
from tui.headless.summary import progress_line, summary_lines
from tui.messages import notice_text, pause_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.notices import Notice
    from tui.core.snapshot import DownloadSnapshot
    from tui.headless.output import AsyncOutput
    from tui.headless.renderers.base import Run
    from tui.headless.summary import RunResult


class PlainRenderer:
    """Writes lines to ``stderr``, and a progress line after seconds without any."""

    tick_s = 5.0

    def __init__(
        self, run: Run, stderr: AsyncOutput, *, show_starts: bool = False
    ) -> None:
        self._run = run
        self._tells_starts = show_starts
        self.exclude: Kinds = frozenset({Queued} if show_starts else {Queued, Started})
        self._stderr = stderr
        self._lines_since_tick = 0

    def on_events(self, events: Sequence[Event]) -> None:
        """Write a line for each download that finished, failed or is retried."""
        reported = [
            event
            for event in events
            if isinstance(event, (Done, Failed, Retrying))
            or (self._tells_starts and isinstance(event, Started))
            # The line for its end, a moment later, includes this.
            or (isinstance(event, DownloadNotice) and not _is_present(event.notice))
        ]
        rows = self._run.service.rows([event.id for event in reported])
        lines = [
            self._line(event, row) for event, row in zip(reported, rows, strict=True)
        ]
        lines += [
            f"queue paused: {pause_text(event.reason)}\n"
            for event in events
            if isinstance(event, QueuePaused) and event.reason
        ]
        lines += [
            f"note    {notice_text(event.notice)}\n"
            for event in events
            if isinstance(event, RunNotice)
        ]
        self._lines_since_tick += len(lines)
        self._stderr.write("".join(lines))

    def tick(self) -> None:
        """Write a progress line, unless other lines came since the last tick."""
        if self._lines_since_tick:
            self._lines_since_tick = 0
            return
        self._stderr.write(progress_line(self._run.service.snapshot()) + "\n")

    def finish(self, result: RunResult) -> None:
        """Write the summary; failures were written as they happened."""
        lines = summary_lines(result, self._run.resume_hint)
        self._stderr.write("\n".join(lines) + "\n")

    def _line(
        self,
        event: Done | Failed | Retrying | Started | DownloadNotice,
        row: DownloadSnapshot,
    ) -> str:
        name = shown_name(row)
        match event:
            case Started():
                return f"start   {name}  <{display_url(row.url)}>\n"
            case Done():
                how = f", {notice_text(row.note)}" if _is_present(row.note) else ""
                return f"done    {name}  {format_size(row.received)}{how}\n"
            case Failed():
                line = failure_line(self._run, row, event.error, event.error_kind)
                return f"{line}\n"
            case Retrying():
                wait = (
                    format_duration(event.wait_s)
                    if event.wait_s >= 10
                    else (f"{event.wait_s:.1f}s")
                )
                again = f"attempt {event.attempt + 1} of {row.attempts_allowed}"
                return f"retry   {name}: {sanitize(event.error)}; {again} in {wait}\n"
            case DownloadNotice():
                return f"note    {name}: {notice_text(event.notice)}\n"


def _is_present(notice: Notice | None) -> bool:
    return notice is not None and notice.code is NoticeCode.ALREADY_PRESENT

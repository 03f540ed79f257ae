"""Plain lines for logs, cron and pipes: what ended, what is tried again, a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import Done, Failed, Noticed, QueueHeld, Retrying
from tui.core.plain_text import plain
from tui.core.units import format_duration, format_size
from tui.headless.face import shown_name
from tui.headless.summary import advice, progress_line, summary_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.events import Event
    from tui.core.snapshot import DownloadSnapshot
    from tui.headless.face import Ending, Run
    from tui.headless.outlet import Outlet


class PlainFace:
    """Writes to ``stderr``; never more than a progress line every few seconds."""

    tick_s = 5.0

    def __init__(self, run: Run, stderr: Outlet) -> None:
        self._run = run
        self._stderr = stderr
        self._heard = 0

    def hear(self, events: Sequence[Event]) -> None:
        """Write a line for each download that ended or is tried again."""
        told = [e for e in events if isinstance(e, (Done, Failed, Retrying, Noticed))]
        rows = self._run.service.rows([event.id for event in told])
        lines = [self._line(event, row) for event, row in zip(told, rows, strict=True)]
        lines += [
            f"held    {plain(event.reason)}\n"
            for event in events
            if isinstance(event, QueueHeld) and event.reason
        ]
        self._heard += len(lines)
        self._stderr.write("".join(lines))

    def tick(self) -> None:
        """Say how far it is, unless other lines already show that it lives."""
        if self._heard:
            self._heard = 0
            return
        self._stderr.write(progress_line(self._run.service.snapshot()) + "\n")

    def end(self, ending: Ending) -> None:
        """Write the summary; failures were told as they came."""
        lines = summary_lines(ending, self._run.resume_hint)
        self._stderr.write("\n".join(lines) + "\n")

    def _line(
        self, event: Done | Failed | Retrying | Noticed, row: DownloadSnapshot
    ) -> str:
        name = shown_name(row)
        match event:
            case Done():
                return f"done    {name}  {format_size(row.received)}\n"
            case Failed():
                where = self._run.source_of(row.id)
                at = f" ({where})" if where else ""
                reason = plain(event.error) + advice(event.error_kind)
                return f"failed  {name}{at}: {reason}\n"
            case Retrying():
                wait = (
                    format_duration(event.wait_s)
                    if event.wait_s >= 10
                    else (f"{event.wait_s:.1f}s")
                )
                again = f"attempt {event.attempt + 1} of {row.attempts_allowed}"
                return f"retry   {name}: {plain(event.error)}; {again} in {wait}\n"
            case Noticed():
                return f"note    {name}: {plain(event.text)}\n"

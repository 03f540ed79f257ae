"""One JSON object per line, for scripts.

The keys are stable: ``event, id, url, path, bytes, size, error, error_kind``, and
in the last line ``event, done, failed, cancelled, unfinished, bytes, elapsed_s``.
Lines are formatted by hand, because small files produce 15,000 of them per second and
``dumps`` of a dict takes three times as long.
"""

from __future__ import annotations

import json
import os
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.events import (
    Cancelled,
    Done,
    DownloadEvent,
    Event,
    Failed,
    Kinds,
    Queued,
    Retrying,
    Started,
    Verified,
)
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.headless.renderers.base import ActiveIds
from tui.headless.summary import BROKEN_PIPE
from tui.messages import pause_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.snapshot import DownloadSnapshot
    from tui.headless.output import AsyncOutput
    from tui.headless.renderers.base import Run
    from tui.headless.summary import RunResult

_EVENT_NAMES: dict[type[DownloadEvent], str] = {
    Queued: "queued",
    Started: "started",
    Retrying: "retry",
    Verified: "verified",
    Done: "done",
    Failed: "failed",
    Cancelled: "cancelled",
}


class JsonRenderer:
    """Writes events to ``stdout``, and messages for the user to ``stderr``."""

    tick_s = 0.5
    exclude: Kinds = frozenset()

    def __init__(self, run: Run, stdout: AsyncOutput, stderr: AsyncOutput) -> None:
        self._run = run
        self._stdout = stdout
        self._stderr = stderr
        self._active = ActiveIds()
        self._reported: dict[int, int] = {}
        self._output_dir = run.service.snapshot().output_dir

    def on_events(self, events: Sequence[Event]) -> None:
        """Write a line for each event, in one write."""
        self._active.on_events(events)
        facts = [
            (event, _EVENT_NAMES[type(event)])
            for event in events
            if isinstance(event, DownloadEvent) and type(event) in _EVENT_NAMES
        ]
        ids = list(dict.fromkeys(event.id for event, _ in facts))
        rows = dict(zip(ids, self._run.service.rows(ids), strict=True))
        lines = []
        for event, word in facts:
            if isinstance(event, (Retrying, Failed)):
                error, kind = quote(sanitize(event.error)), quote(event.error_kind)
            else:
                error = kind = "null"
            row = rows[event.id]
            if isinstance(event, Queued):
                # The row is as of now; a small file may be done already.
                size = self._run.requests[event.id].size
                row = row._replace(received=0, size=size)
            lines.append(self._line(word, row, error, kind))
        self._stdout.write("".join(lines))

    def tick(self) -> None:
        """Write a progress line for each active download that made progress.

        Skipped while the reader is behind: progress, unlike events, may be dropped.
        """
        if self._stdout.backlog:
            return
        rows = self._run.service.rows(self._active.first())
        moved = [row for row in rows if self._reported.get(row.id) != row.received]
        self._reported = {row.id: row.received for row in rows}
        self._stdout.write("".join(self._line("progress", row) for row in moved))

    def finish(self, result: RunResult) -> None:
        """Write the summary, and the reasons for a non-zero exit status to stderr."""
        snapshot = result.snapshot
        summary = {
            "event": "summary",
            "done": snapshot.counts[DownloadState.DONE],
            "failed": snapshot.counts[DownloadState.FAILED],
            "cancelled": snapshot.counts[DownloadState.CANCELLED],
            "unfinished": result.unfinished,
            "bytes": snapshot.fetched,
            "elapsed_s": round(snapshot.elapsed_s, 3),
        }
        self._stdout.write(json.dumps(summary, separators=(",", ":")) + "\n")
        if result.pause_reason:
            self._stderr.write(f"stopped: {pause_text(result.pause_reason)}\n")
        self._stderr.write("".join(f"{line}\n" for line in result.post_processing))
        if result.unfinished and result.interruption != BROKEN_PIPE:
            self._stderr.write(
                f"{result.unfinished:,} unfinished. {self._run.resume_hint}\n"
            )

    def _line(
        self,
        word: str,
        row: DownloadSnapshot,
        error: str = "null",
        kind: str = "null",
    ) -> str:
        path = os.path.join(self._output_dir, row.directory, row.name)
        size = "null" if row.size is None else row.size
        shown_path = quote(sanitize(path, keep_joiners=True))
        return (
            f'{{"event":"{word}","id":{row.id},"url":{quote(sanitize_url(row.url))},'
            f'"path":{shown_path},"bytes":{row.received},"size":{size},'
            f'"error":{error},"error_kind":{kind}}}\n'
        )

"""One JSON object a line, for scripts.

The keys are a promise: ``event, id, url, path, bytes, size, error, error_kind``, and
in the last line ``event, done, failed, cancelled, bytes, elapsed_s``. Lines are put
together by hand, because 15,000 of them a second come by with small files: ``dumps``
of a dict takes three times as long.
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
from tui.core.text.plain_text import plain, plain_url
from tui.headless.renderers.base import BROKEN_PIPE, ActiveIds
from tui.messages import hold_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.snapshot import DownloadSnapshot
    from tui.headless.output import AsyncOutput
    from tui.headless.renderers.base import Run, RunResult

_WORDS: dict[type[DownloadEvent], str] = {
    Queued: "queued",
    Started: "started",
    Retrying: "retry",
    Verified: "verified",
    Done: "done",
    Failed: "failed",
    Cancelled: "cancelled",
}


class JsonRenderer:
    """Writes events to ``stdout``, and what only people care for to ``stderr``."""

    tick_s = 0.5
    exclude: Kinds = frozenset()

    def __init__(self, run: Run, stdout: AsyncOutput, stderr: AsyncOutput) -> None:
        self._run = run
        self._stdout = stdout
        self._stderr = stderr
        self._active = ActiveIds()
        self._told: dict[int, int] = {}
        self._output_dir = run.service.snapshot().output_dir

    def hear(self, events: Sequence[Event]) -> None:
        """Write a line for each event, all of them at once."""
        self._active.hear(events)
        facts = [
            (event, _WORDS[type(event)])
            for event in events
            if isinstance(event, DownloadEvent) and type(event) in _WORDS
        ]
        ids = list(dict.fromkeys(event.id for event, _ in facts))
        rows = dict(zip(ids, self._run.service.rows(ids), strict=True))
        lines = []
        for event, word in facts:
            if isinstance(event, (Retrying, Failed)):
                error, kind = quote(plain(event.error)), quote(event.error_kind)
            else:
                error = kind = "null"
            lines.append(self._line(word, rows[event.id], error, kind))
        self._stdout.write("".join(lines))

    def tick(self) -> None:
        """Write a progress line for each active download that moved.

        Progress is a picture and not a fact: it is left out while the reader is
        behind.
        """
        if self._stdout.backlog:
            return
        rows = self._run.service.rows(self._active.first())
        moved = [row for row in rows if self._told.get(row.id) != row.received]
        self._told = {row.id: row.received for row in rows}
        self._stdout.write("".join(self._line("progress", row) for row in moved))

    def end(self, ending: RunResult) -> None:
        """Write the summary, and to people what a script learns from the status."""
        snapshot = ending.snapshot
        summary = {
            "event": "summary",
            "done": snapshot.counts[DownloadState.DONE],
            "failed": snapshot.counts[DownloadState.FAILED],
            "cancelled": snapshot.counts[DownloadState.CANCELLED],
            "bytes": snapshot.fetched,
            "elapsed_s": round(snapshot.elapsed_s, 3),
        }
        self._stdout.write(json.dumps(summary, separators=(",", ":")) + "\n")
        if ending.hold_reason:
            self._stderr.write(f"stopped: {hold_text(ending.hold_reason)}\n")
        self._stderr.write("".join(f"{line}\n" for line in ending.aftermath))
        if ending.unfinished and ending.interruption != BROKEN_PIPE:
            self._stderr.write(
                f"{ending.unfinished:,} unfinished. {self._run.resume_hint}\n"
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
        return (
            f'{{"event":"{word}","id":{row.id},"url":{quote(plain_url(row.url))},'
            f'"path":{quote(plain(path))},"bytes":{row.received},"size":{size},'
            f'"error":{error},"error_kind":{kind}}}\n'
        )

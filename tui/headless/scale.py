"""Progress, JSON and summary of ``fetchtui scale`` without a dashboard."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from tui.core.text.sanitize import sanitize
from tui.core.text.units import (
    format_duration,
    format_elapsed,
    format_rate,
    format_size,
    plural,
)
from tui.messages import failure_title
from tui.scale.model import ShardState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.headless.output import AsyncOutput
    from tui.scale.model import JobControl, JobSnapshot

_TICK_S = 5.0
_CAUSES_SHOWN = 8
_OTHER_STAGES = frozenset({"packing", "uploading"})


def progress_line(snapshot: JobSnapshot) -> str:
    """Return the progress of all workers in one line."""
    running = sum(worker.state == "running" for worker in snapshot.workers)
    active = sum(worker.status.active for worker in snapshot.workers)
    parts = [
        f"{snapshot.shards_done:,} of {plural(snapshot.shards, 'shard')}",
        f"{snapshot.rows_done:,} of {snapshot.rows:,} done",
    ]
    if snapshot.rows_failed:
        parts.append(f"{snapshot.rows_failed:,} failed")
    parts += [
        f"{running} worker{'' if running == 1 else 's'}, {active:,} active",
        format_size(snapshot.received),
        format_rate(snapshot.speed),
    ]
    # Downloads rest meanwhile.
    stages = Counter(row.note for row in snapshot.shown if row.note in _OTHER_STAGES)
    parts += [f"{number:,} {stage}" for stage, number in stages.items()]
    if snapshot.eta_s is not None and not (stages and not active):
        parts.append(f"{format_duration(snapshot.eta_s)} to go")
    return " · ".join(parts)


def summary_lines(snapshot: JobSnapshot, is_interrupted: bool) -> list[str]:
    """Return the result of a run, and its failures by cause."""
    start = "interrupted: " if is_interrupted else ""
    lines = [
        f"{start}{snapshot.rows_done:,} done, {snapshot.rows_failed:,} failed"
        f" · {snapshot.shards_done:,} of {plural(snapshot.shards, 'shard')}"
        f" · {format_size(snapshot.received)}"
        f" in {format_elapsed(snapshot.elapsed_s)}"
    ]
    for kind, status, number in snapshot.causes[:_CAUSES_SHOWN]:
        lines.append(f"  {number:,} × {failure_title(kind, status)}")
    for row in snapshot.shown:
        if row.state in (ShardState.FAILED, ShardState.CANCELLED):
            note = f": {sanitize(row.note, 200)}" if row.note else ""
            lines.append(f"  shard {row.id} {row.state.value}{note}")
    for worker in snapshot.workers:
        if worker.note:
            name, note = sanitize(worker.name, 80), sanitize(worker.note, 200)
            # The reason why a worker cannot do the job names it.
            is_named = worker.name in worker.note
            lines.append(
                f"  {note}" if is_named else f"  worker {name} stopped: {note}"
            )
    has_begun = snapshot.shards_done or snapshot.rows_done
    if has_begun and snapshot.shards_done < snapshot.shards:
        lines.append("Finished shards are kept; run the same command to resume")
    return lines


class ScaleReport:
    """Writes events and progress.

    Args:
        stdout: receives JSON Lines, if given.
        stderr: receives text.
        is_quiet: print only what went wrong, and the result.
    """

    def __init__(
        self, stdout: AsyncOutput | None, stderr: AsyncOutput, *, is_quiet: bool = False
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._is_quiet = is_quiet
        self.is_muted = False
        """A dashboard shows events; text would be printed over it."""

    def on_event(self, event: Mapping[str, object]) -> None:
        """Write an event."""
        if self._stdout is not None:
            self._stdout.write(json.dumps(event) + "\n")
            return
        if self.is_muted:
            return
        kind = event["event"]
        if kind == "worker_lost":
            shards = event["shards"]
            assert isinstance(shards, list)
            again = f"; shards {_numbers(shards)} will run again" if shards else ""
            self._say(f"worker {sanitize(str(event['worker']), 80)} was lost{again}")
        elif kind == "shard_failed":
            reason = sanitize(str(event["reason"]), 200)
            if event["runs_again"]:
                self._say(
                    f"shard {event['shard']} will run on another worker: {reason}"
                )
            else:
                self._say(f"shard {event['shard']} failed: {reason}")
        elif kind == "worker_rejected":
            # The reason names the worker.
            self._say(f"not used: {sanitize(str(event['reason']), 200)}")

    def _say(self, text: str) -> None:
        self._stderr.write(f"{text}\n")

    async def follow(self, control: JobControl) -> None:
        """Write the progress now and then, until cancelled."""
        while True:
            await asyncio.sleep(_TICK_S)
            snapshot = control.snapshot()
            if self._stdout is not None:
                self._stdout.write(json.dumps(as_json(snapshot, "progress")) + "\n")
            elif not self._is_quiet:
                self._say(progress_line(snapshot))

    def finish(self, snapshot: JobSnapshot, *, is_interrupted: bool) -> None:
        """Write the result."""
        if self._stdout is not None:
            fields = as_json(snapshot, "summary")
            fields["interrupted"] = is_interrupted
            self._stdout.write(json.dumps(fields) + "\n")
        for line in summary_lines(snapshot, is_interrupted):
            self._say(line)


def as_json(snapshot: JobSnapshot, event: str) -> dict[str, Any]:
    """Return a snapshot as an event; the keys are stable."""
    return {
        "event": event,
        "at": time.time(),
        "shards": snapshot.shards,
        "shards_done": snapshot.shards_done,
        "downloads": snapshot.rows,
        "done": snapshot.rows_done,
        "failed": snapshot.rows_failed,
        "received": snapshot.received,
        "speed": round(snapshot.speed),
        "elapsed_s": round(snapshot.elapsed_s, 3),
        "workers": [
            {
                "name": worker.name,
                "state": worker.state,
                "active": worker.status.active,
                "shards": [progress.shard for progress in worker.status.shards],
                "note": worker.note,
            }
            for worker in snapshot.workers
        ],
        "causes": [
            {"error_kind": kind, "status": status, "count": number}
            for kind, status, number in snapshot.causes
        ],
    }


def show_planning(rows: int, bad: int) -> None:
    """Show the progress of planning on a terminal."""
    if sys.stderr.isatty():
        more = f", {bad:,} bad rows" if bad else ""
        print(f"\rplanning: {rows:,} rows{more}\x1b[K", end="", file=sys.stderr)  # noqa: T201


def _numbers(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)

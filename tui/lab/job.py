"""What a strategy is asked to do, as data that goes over a pipe."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SIZE_LIMIT = 256 << 20
"""Bytes of one file. The strategies hold a whole body in memory before they save it,
as programs do that are written to be read; a larger file counts as an error."""


@dataclass(frozen=True, slots=True)
class Target:
    """One file to fetch."""

    url: str
    name: str
    """Where it goes, in the job's folder; the same for all strategies."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one strategy."""

    strategy: str
    """Name of a module in ``tui.lab.strategies``."""
    targets: tuple[Target, ...]
    folder: Path
    """Exists and is empty; who made it removes it."""
    concurrency: int
    """Downloads at once, at most."""
    timeout_s: float = 30.0
    """To connect, to get an answer, and without a byte."""
    is_local: bool = False
    """The server is on loopback: no proxy that the environment names is between."""
    cancel_after: int = 0
    """Results after which it is cancelled, to see how it takes that; 0 for never."""
    disk_latency_s: float = 0.0
    """What each sync to disk takes at least: a slow disk, to see what waits for it."""

    @property
    def workers(self) -> int:
        """Threads, processes or places in a semaphore: never more than files.

        A pool larger than its work only costs: every thread has a stack, every
        process an interpreter.
        """
        return max(1, min(self.concurrency, len(self.targets)))

    def to_json(self) -> str:
        """Return the job as one line."""
        return json.dumps({**asdict(self), "folder": str(self.folder)})

    @classmethod
    def from_json(cls, line: str) -> Job:
        """Read what ``to_json`` wrote."""
        fields = json.loads(line)
        targets = tuple(
            Target(one["url"], one["name"], tuple(map(tuple, one["headers"])))
            for one in fields.pop("targets")
        )
        return cls(**{**fields, "targets": targets, "folder": Path(fields["folder"])})

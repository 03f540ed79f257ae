"""The job of a strategy, as data that is passed to its process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SIZE_LIMIT = 256 << 20
"""Bytes of one file. For simplicity, the strategies keep a whole body in memory before
they save it; a larger file counts as an error."""


@dataclass(frozen=True, slots=True)
class Target:
    """One file to fetch."""

    url: str
    name: str
    """File name in the job's folder; the same for all strategies."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one strategy."""

    strategy: str
    """Name of a module in ``tui.lab.strategies``."""
    targets: tuple[Target, ...]
    folder: Path
    """Exists and is empty; its creator removes it."""
    concurrency: int
    """The most concurrent downloads."""
    timeout_s: float = 30.0
    """For connecting, for the response and for a stalled transfer."""
    is_local: bool = False
    """The server is on loopback: ignore proxies set in the environment."""
    cancel_after: int = 0
    """Number of results after which to cancel it; 0 for never."""
    disk_latency_s: float = 0.0
    """Delay added to each sync, to simulate a slow disk."""

    @property
    def workers(self) -> int:
        """Threads, processes or semaphore slots: never more than files.

        A pool larger than its work only wastes memory: every thread has a stack, every
        process an interpreter.
        """
        return max(1, min(self.concurrency, len(self.targets)))

    def to_json(self) -> str:
        """Return the job as one line."""
        return json.dumps({**asdict(self), "folder": str(self.folder)})

    @classmethod
    def from_json(cls, line: str) -> Job:
        """Parse what ``to_json`` returned."""
        fields = json.loads(line)
        targets = tuple(
            Target(one["url"], one["name"], tuple(map(tuple, one["headers"])))
            for one in fields.pop("targets")
        )
        return cls(**{**fields, "targets": targets, "folder": Path(fields["folder"])})

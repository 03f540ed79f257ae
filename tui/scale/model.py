"""What front ends see of a run: values without behavior, and the interface to it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol


class ShardState(Enum):
    """State of a shard."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """Its worker could not finish it; downloads that failed do not fail their shard."""
    CANCELLED = "cancelled"


class Limits(NamedTuple):
    """Limits of all workers together."""

    concurrency: int
    """Concurrent downloads."""
    per_host: int
    """Concurrent downloads from one host; 0: no limit but the concurrency."""
    rate: int | None
    """Bytes per second."""


class HostStatus(NamedTuple):
    """One origin as a worker sees it, or as the sum over all workers."""

    origin: str
    active: int = 0
    queued: int = 0
    cap: int = 0
    """Concurrent downloads that are allowed; 0: no limit of its own."""
    done: int = 0
    failed: int = 0
    speed: float = 0.0
    blocked_s: float = 0.0
    """Seconds until the next request (Retry-After)."""
    is_limiting: bool = False
    """It refused requests, and a lower limit was learned from that."""
    workers: int = 1


class ShardProgress(NamedTuple):
    """Progress of a running shard."""

    shard: int
    generation: int
    done: int
    failed: int
    received: int
    """Bytes received."""
    stage: str = "downloading"
    """``downloading``, ``packing``, ``uploading``, ``publishing`` or ``draining``."""


class WorkerStatus(NamedTuple):
    """What a worker reports, about once a second."""

    name: str
    shards: tuple[ShardProgress, ...] = ()
    active: int = 0
    """Running downloads."""
    concurrency: int = 0
    rate: int | None = None
    speed: float = 0.0
    done: int = 0
    failed: int = 0
    received: int = 0
    hosts: tuple[HostStatus, ...] = ()


class WorkerRow(NamedTuple):
    """One worker, for front ends."""

    name: str
    state: str
    """``running``, ``idle``, ``stopped`` (see ``note``) or ``lost``."""
    status: WorkerStatus
    note: str = ""


class ShardRow(NamedTuple):
    """One shard that runs or needs attention."""

    id: int
    state: ShardState
    rows: int
    worker: str = ""
    generation: int = 0
    done: int = 0
    failed: int = 0
    received: int = 0
    note: str = ""


class JobSnapshot(NamedTuple):
    """The whole run at one moment; its size does not depend on the list's."""

    shards: int
    shards_done: int
    rows: int
    rows_done: int
    """Downloads that are complete, in finished and running shards."""
    rows_failed: int
    received: int
    """Bytes received in this run."""
    speed: float
    elapsed_s: float
    limits: Limits
    workers: tuple[WorkerRow, ...] = ()
    shown: tuple[ShardRow, ...] = ()
    """Running shards, then failed and cancelled ones."""
    hosts: tuple[HostStatus, ...] = ()
    """The busiest hosts over all workers."""
    causes: tuple[tuple[str, int, int], ...] = ()
    """(error kind, HTTP status, number of downloads), most common first."""
    is_over: bool = False
    problem: str = ""
    """Why the run cannot continue, or ""."""
    failed_list: str = "failed.parquet"
    """Name of the file that lists failed downloads once all shards have ended."""

    @property
    def eta_s(self) -> float | None:
        """Return the remaining seconds at the mean speed so far, or ``None``."""
        ended = self.rows_done + self.rows_failed
        if not ended or self.elapsed_s < 1 or self.is_over:
            return None
        return (self.rows - ended) * self.elapsed_s / ended


class JobControl(Protocol):
    """A run, as front ends see it. All calls return at once."""

    def snapshot(self) -> JobSnapshot:
        """Return the state of the run."""
        ...

    def set_limits(self, limits: Limits) -> None:
        """Change the limits of all workers together."""
        ...

    def cancel_shard(self, shard: int) -> bool:
        """Cancel a running or waiting shard; False if it has ended."""
        ...

    def retry_shard(self, shard: int) -> bool:
        """Run a failed or cancelled shard again; False if it is neither."""
        ...

"""Pools of workers: the interface, and the worker in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tui.core.text.sanitize import sanitize
from tui.scale.worker import SHARDS_AT_ONCE, ShardResult, ShardWorker, WorkerLimits

if TYPE_CHECKING:
    from tui.scale.model import WorkerStatus
    from tui.scale.worker import JobSpec, Lease


class Ended(NamedTuple):
    """A lease that ended, on a worker that may be gone."""

    worker: str
    lease: Lease
    result: ShardResult | None
    """``None`` if the worker was lost."""


def failed_by_bug(lease: Lease, error: BaseException) -> ShardResult:
    """Return the result of a lease whose worker raised an unexpected error."""
    reason = sanitize(f"{type(error).__name__}: {error}", 200)
    return ShardResult(lease.shard.id, lease.generation, "failed", reason=reason)


class Pool(Protocol):
    """Workers that run leases; used by one coordinator on one event loop."""

    shards_at_once: int
    """Leases that a worker takes at a time."""

    @property
    def rejected(self) -> dict[str, str]:
        """Workers that exist and cannot do the job, with the reasons."""
        ...

    async def start(self) -> None:
        """Connect.

        Raises:
            ScaleError: there is no such scheduler, or its workers cannot do the job.
        """
        ...

    async def workers(self) -> list[str]:
        """Return the names of all workers that exist now.

        Raises:
            ScaleError: the scheduler is gone.
        """
        ...

    def submit(self, worker: str, lease: Lease, limits: WorkerLimits) -> None:
        """Start a lease on a worker; ``ended`` returns its result."""
        ...

    def ended(self) -> list[Ended]:
        """Return the leases that ended since the last call."""
        ...

    def drop(self, worker: str) -> None:
        """Stop waiting for the leases of a worker that is gone."""
        ...

    async def statuses(self) -> dict[str, WorkerStatus]:
        """Return what the workers report; those that do not answer are missing."""
        ...

    def set_limits(self, worker: str, limits: WorkerLimits) -> None:
        """Send a worker its part of the limits."""
        ...

    def slow_down(self, worker: str, origin: str, cap: int, blocked_s: float) -> None:
        """Send a worker what another one learned about a host."""
        ...

    def cancel(self, worker: str, shard: int) -> None:
        """Cancel a shard."""
        ...

    async def close(self) -> None:
        """Stop all leases, and end what ``start`` started."""
        ...


class LocalPool:
    """One worker on the event loop of this process; needs no other package."""

    shards_at_once = SHARDS_AT_ONCE
    rejected: dict[str, str] = {}  # noqa: RUF012  # always empty

    def __init__(self, spec: JobSpec, name: str) -> None:
        """Create the pool.

        Args:
            spec: the job.
            name: name of the worker.
        """
        self._name = name
        self._spec = spec
        self._worker: ShardWorker | None = None
        self._tasks: dict[asyncio.Task[ShardResult], Lease] = {}
        self._ended: list[Ended] = []

    async def start(self) -> None:
        """Do nothing: the worker is created with the first lease."""

    async def workers(self) -> list[str]:
        """Return the one worker."""
        return [self._name]

    def submit(self, worker: str, lease: Lease, limits: WorkerLimits) -> None:
        """Start a lease."""
        if self._worker is None:
            self._worker = ShardWorker(self._spec, worker, limits)
        task = asyncio.create_task(self._worker.run(lease))
        self._tasks[task] = lease
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[ShardResult]) -> None:
        lease = self._tasks.pop(task)
        if task.cancelled():
            return
        error = task.exception()
        # Without a result, the run would wait for this shard for ever.
        result = task.result() if error is None else failed_by_bug(lease, error)
        self._ended.append(Ended(self._name, lease, result))

    def ended(self) -> list[Ended]:
        """Return the leases that ended."""
        ended, self._ended = self._ended, []
        return ended

    def drop(self, worker: str) -> None:
        """Do nothing: this process is never lost."""

    async def statuses(self) -> dict[str, WorkerStatus]:
        """Return the status of the worker."""
        return {} if self._worker is None else {self._name: self._worker.status()}

    def set_limits(self, worker: str, limits: WorkerLimits) -> None:
        """Apply limits."""
        del worker
        if self._worker is not None:
            self._worker.set_limits(limits)

    def slow_down(self, worker: str, origin: str, cap: int, blocked_s: float) -> None:
        """Do nothing: no other worker learns anything."""

    def cancel(self, worker: str, shard: int) -> None:
        """Cancel a shard."""
        del worker
        if self._worker is not None:
            self._worker.cancel(shard)

    async def close(self) -> None:
        """Stop the worker."""
        if self._worker is not None:
            await self._worker.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        for task in list(self._tasks):
            task.cancel()

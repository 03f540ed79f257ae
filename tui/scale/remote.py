"""What runs inside the worker processes of Dask: one thread with an event loop per job.

Dask calls these functions by name, so workers need the same version of fetchtui.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import Future, wait
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tui import __version__
from tui.scale.worker import ShardWorker

if TYPE_CHECKING:
    from tui.scale.model import WorkerStatus
    from tui.scale.worker import JobSpec, Lease, ShardResult, WorkerLimits

_STATUS_TIMEOUT_S = 2.0
_END_TIMEOUT_S = 5.0
"""Time that shards have to end once their worker is closed."""


async def hello(root: str, job: str) -> dict[str, Any]:
    """Return what this worker has, to compare it with what the job needs.

    Shards that an earlier run of the job still has here are stopped, after its command
    was killed: they would use the limits of hosts a second time.

    Args:
        root: the job directory; whether the worker sees the same one is checked.
        job: id of the run.
    """
    for other, thread in list(_threads.items()):
        if thread.root == root and other != job:
            await close(other)
    return await asyncio.to_thread(_describe, root)


def _describe(root: str) -> dict[str, Any]:
    return {
        "version": __version__,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "has_pyarrow": find_spec("pyarrow") is not None,
        "has_obstore": find_spec("obstore") is not None,
        "sees_job": os.path.exists(os.path.join(root, "plan.json")),
        "can_write": os.access(root, os.W_OK),
    }


class _WorkerThread:
    """A ``ShardWorker`` with its event loop, in a thread of this process."""

    def __init__(self, spec: JobSpec, name: str, limits: WorkerLimits) -> None:
        self.root = spec.root
        self._worker = ShardWorker(spec, name, limits)
        self._loop = _new_loop()
        self._is_closed = False
        self._running: set[Future[ShardResult]] = set()
        threading.Thread(
            target=self._loop.run_forever, name="fetchtui-worker", daemon=True
        ).start()

    def run(self, lease: Lease) -> ShardResult:
        """Run a lease; called in a thread of Dask.

        Raises:
            CancelledError: the worker was closed, and did not end in time.
        """
        future = asyncio.run_coroutine_threadsafe(self._worker.run(lease), self._loop)
        self._running.add(future)
        if self._is_closed:  # nothing would run it
            future.cancel()
        try:
            return future.result()
        finally:
            self._running.discard(future)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a method of the worker on its loop, without waiting."""
        method = getattr(self._worker, name)
        self._loop.call_soon_threadsafe(method, *arguments)

    def status(self) -> WorkerStatus:
        """Return the worker's status."""

        async def read() -> WorkerStatus:
            return self._worker.status()

        future = asyncio.run_coroutine_threadsafe(read(), self._loop)
        return future.result(_STATUS_TIMEOUT_S)

    def close(self) -> None:
        """Stop the worker and its loop."""
        future = asyncio.run_coroutine_threadsafe(self._worker.close(), self._loop)
        try:
            future.result(10)
        except TimeoutError:
            future.cancel()
        # The loop has to end the shards first, since threads of Dask wait for them.
        self._is_closed = True
        _, late = wait(tuple(self._running), _END_TIMEOUT_S)
        for each in late:
            each.cancel()
        self._loop.call_soon_threadsafe(self._loop.stop)


def _new_loop() -> asyncio.AbstractEventLoop:
    from uvloop import Loop

    return Loop()


_threads: dict[str, _WorkerThread] = {}
_lock = threading.Lock()


def run_shard(
    spec: JobSpec, name: str, limits: WorkerLimits, lease: Lease
) -> ShardResult:
    """Run a lease in this process; blocks until it ended."""
    with _lock:
        thread = _threads.get(spec.id)
        if thread is None:
            thread = _threads[spec.id] = _WorkerThread(spec, name, limits)
    return thread.run(lease)


async def status(job: str) -> WorkerStatus | None:
    """Return the status of a job's worker; ``None`` before its first lease."""
    thread = _threads.get(job)
    return None if thread is None else await asyncio.to_thread(thread.status)


def call(job: str, method: str, *arguments: Any) -> None:
    """Call ``set_limits``, ``slow_down`` or ``cancel`` of a job's worker."""
    thread = _threads.get(job)
    if thread is not None and method in ("set_limits", "slow_down", "cancel"):
        thread.call(method, *arguments)


async def close(job: str) -> None:
    """Stop a job's worker."""
    with _lock:
        thread = _threads.pop(job, None)
    if thread is not None:
        await asyncio.to_thread(thread.close)

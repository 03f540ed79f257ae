"""The worker pool: runs as many downloads as the limits allow, which may change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.core.download import DownloadId
    from tui.engine.context import EngineContext
    from tui.engine.job import Job


STOPPING_S = 10.0
"""Time for workers to save what they have when the engine closes."""
MOST_IN_USE = 0.75
"""Share of an origin's slots in use up to which an idle connection is passed on."""


class WorkerPool:
    """Worker tasks that take downloads from the queue, one after the other.

    A worker that finds nothing to do ends, and ``wake`` starts new ones, so there is
    never a task per list line and none that only waits.
    """

    def __init__(
        self,
        context: EngineContext,
        run: Callable[[Job], Awaitable[None]],
        on_released: Callable[[Job], None],
        on_idle: Callable[[], None],
    ) -> None:
        """Create a pool without workers.

        Args:
            context: the run's tools.
            run: makes one attempt at a download.
            on_released: called when a worker has finished with a download, whichever
                way.
            on_idle: called when a worker has nothing more to do.
        """
        self._context = context
        self._run = run
        self._on_released = on_released
        self._on_idle = on_idle
        self._jobs: dict[asyncio.Task[None], Job] = {}
        """What each worker is on; a worker between two downloads is not in it."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_paused = False
        """Start nothing new."""
        self._is_closed = False
        context.queue.has_free_slot = self.has_free_slot

    def has_free_slot(self) -> bool:
        """Return True if a download would start now, if there is one that may."""
        is_full = len(self._jobs) >= self._context.limits.concurrency
        return not (is_full or self.is_paused or self._is_closed)

    @property
    def active(self) -> int:
        """Downloads that occupy a slot."""
        return len(self._jobs)

    def ids(self) -> list[DownloadId]:
        """Return the downloads that workers are on."""
        return [job.download.id for job in self._jobs.values()]

    def wake(self) -> None:
        """Start as many downloads as the limits allow, in this loop iteration."""
        while (job := self._take()) is not None:
            task = asyncio.create_task(self._work(job))
            self._assign(task, job)
            self._tasks.add(task)
            task.add_done_callback(self._on_task_done)

    def stop(self, job: Job) -> None:
        """Interrupt the worker on a job, if any; its connection closes at once."""
        if job.task is not None and not job.is_stopping:
            job.is_stopping = True
            job.task.cancel()

    async def close(self) -> None:
        """Interrupt every worker and wait until all have finished."""
        self._is_closed = True
        # Workers that are already stopping are saving what they have: a second
        # cancellation would prevent that.
        stopping = {task for task, job in self._jobs.items() if job.is_stopping}
        for task in self._tasks - stopping:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=STOPPING_S)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _work(self, first: Job) -> None:
        job: Job | None = first
        task = asyncio.current_task()
        assert task is not None
        while job is not None:
            try:
                await self._run(job)
            except asyncio.CancelledError:
                if not job.is_stopping or self._is_closed:
                    self._release(task, job)
                    raise
            # One download was stopped, not this worker: it continues with the next.
            if job.is_stopping:
                task.uncancel()
            self._release(task, job)
            origin = job.slot_origin
            job = self._take()
            if job is not None:
                self._assign(task, job)
            elif not self._is_closed:
                self._pass_connection_on(origin)
        self._on_idle()

    def _pass_connection_on(self, origin: str) -> None:
        """Offer the connection of a download that ended to the one with most to do.

        While the link is full, this gains nothing, and costs the bytes that are on
        their way twice: so not before some of the connections are unused.
        """
        state = self._context.queue.origin_state(origin)
        if state.waiting or state.load > MOST_IN_USE * state.ceiling:
            return
        if state.large_files:
            largest = max(state.large_files, key=lambda file: file.left_for_each())
            largest.use_idle()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Free the slot of a worker that could not free it itself.

        One that is stopped in the iteration that created it never begins to run.
        """
        self._tasks.discard(task)
        job = self._jobs.get(task)
        if job is not None:
            self._release(task, job)
            self.wake()
            self._on_idle()

    def _take(self) -> Job | None:
        """Take the next download from the queue and show at once that it is taken."""
        if not self.has_free_slot():
            return None
        context = self._context
        while True:
            download = context.queue.take(context.clock.monotonic())
            if download is None:
                return None
            job = context.registry.job(download)
            if job.task is None:
                break
            # Moved in the queue while its last worker is still closing the part file:
            # ``on_released`` queues it again.
            context.queue.release(download.origin)
        job.slot_origin = download.origin
        context.registry.move(download, DownloadState.PROBING)
        return job

    def _assign(self, task: asyncio.Task[None], job: Job) -> None:
        self._jobs[task] = job
        job.task = task

    def _release(self, task: asyncio.Task[None], job: Job) -> None:
        """Give the slot back and do what was to follow."""
        del self._jobs[task]
        job.task = None
        job.is_stopping = False
        self._context.queue.release(job.slot_origin)
        self._on_released(job)

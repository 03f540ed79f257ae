"""A queue of jobs that runs a limited number of them concurrently."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

log = logging.getLogger(__name__)


class JobQueue(Generic[T]):
    """Runs jobs in FIFO order, at most ``at_once`` concurrently.

    100,000 files may finish within seconds, so a waiting job is an entry of a deque
    and not a task.
    """

    def __init__(self, at_once: int, run: Callable[[T], Awaitable[None]]) -> None:
        """Take the function that does one job; an exception does not stop others."""
        self._at_once = max(1, at_once)
        self._run = run
        self._waiting: deque[T] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0

    def __len__(self) -> int:
        """Return the number of waiting and running jobs."""
        return len(self._waiting) + self._running

    def push(self, job: T) -> None:
        """Add a job; it starts immediately if a slot is free."""
        self._waiting.append(job)
        if len(self._tasks) < self._at_once:
            task = asyncio.ensure_future(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        try:
            while self._waiting:
                job = self._waiting.popleft()
                self._running += 1
                try:
                    await self._run(job)
                except Exception:
                    log.exception("error in post-processing")
                finally:
                    self._running -= 1
        finally:
            # Now, not in the done callback a moment later: a job pushed in between
            # would wait for a task that does not check the queue again.
            task = asyncio.current_task()
            if task is not None:
                self._tasks.discard(task)

    async def idle(self) -> None:
        """Wait until the queue is empty and no job runs."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Drop waiting jobs, cancel running ones, and wait until they have stopped."""
        self._waiting.clear()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

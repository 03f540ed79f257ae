"""Work that waits for its turn: so much at once, the rest in a queue."""

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
    """Runs jobs in the order of asking, at most ``at_once`` of them together.

    A hundred thousand files may be done within seconds: what waits is an entry of a
    deque and not a task.
    """

    def __init__(self, at_once: int, run: Callable[[T], Awaitable[None]]) -> None:
        """Take what does one job; a fault in it ends no other."""
        self._at_once = max(1, at_once)
        self._run = run
        self._waiting: deque[T] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0

    def __len__(self) -> int:
        """Jobs that wait or run."""
        return len(self._waiting) + self._running

    def push(self, job: T) -> None:
        """Add a job; it starts at once if there is room."""
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
                    log.exception("fault in what follows a download")
                finally:
                    self._running -= 1
        finally:
            # At once, and not with the callback a moment later: what is pushed in
            # between would wait for a task that has looked for the last time.
            task = asyncio.current_task()
            if task is not None:
                self._tasks.discard(task)

    async def idle(self) -> None:
        """Return when nothing waits and nothing runs."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Forget what waits, cancel what runs, and wait until it has obeyed."""
        self._waiting.clear()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

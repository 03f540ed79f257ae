"""The workers: as many as downloads may run at once, grown and drained live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.core.download import Download
    from tui.engine.context import EngineContext


STOPPING_S = 10.0
"""For workers to write down what they have when the engine closes."""


class WorkerPool:
    """Worker tasks that take downloads from the queue, one after the other.

    A worker that finds nothing to do ends, and ``wake`` starts new ones, so there is
    never a task per list line and none that only waits.
    """

    def __init__(
        self,
        context: EngineContext,
        run: Callable[[Download], Awaitable[None]],
        rested: Callable[[], None],
    ) -> None:
        """Wire it to the engine.

        Args:
            context: the run's tools.
            run: makes one attempt at a download.
            rested: called when a worker has nothing more to do.
        """
        self._context = context
        self._run = run
        self._rested = rested
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """Worker tasks by the id of the download they are on."""
        self._all: set[asyncio.Task[None]] = set()
        self._origins: dict[int, str] = {}
        """Whose slots they hold; a download may change its mirror meanwhile."""
        self._stopping: set[int] = set()
        self._afterwards: dict[int, Callable[[], None]] = {}
        self.is_held = False
        """Start nothing new."""
        self._is_closed = False

    @property
    def active(self) -> int:
        """Downloads that hold a slot."""
        return len(self._tasks)

    def ids(self) -> list[int]:
        """Downloads that workers are on."""
        return list(self._tasks)

    def is_on(self, download: Download) -> bool:
        """Whether a worker still has its hands on the download."""
        return download.id in self._tasks

    def wake(self) -> None:
        """Start as many downloads as the limits allow, in this very loop turn."""
        while (download := self._take()) is not None:
            task = asyncio.create_task(self._work(download))
            self._tasks[download.id] = task
            self._all.add(task)
            task.add_done_callback(self._ended)

    def stop(self, download: Download) -> None:
        """Interrupt the worker on ``download``, if any; its connection closes at once.

        ``afterwards`` says what is to follow when the worker has let go of it.
        """
        task = self._tasks.get(download.id)
        if task is not None and download.id not in self._stopping:
            self._stopping.add(download.id)
            task.cancel()

    def afterwards(self, download: Download, then: Callable[[], None] | None) -> None:
        """Change what happens when the worker lets go; ``None`` for nothing."""
        self._afterwards.pop(download.id, None)
        if then is not None:
            self._afterwards[download.id] = then

    async def close(self) -> None:
        """Interrupt every worker and wait until all have let go."""
        self._is_closed = True
        # Those who are stopping already are writing down what they have: a second
        # cancellation would keep them from it.
        stopping = {self._tasks[id] for id in self._stopping if id in self._tasks}
        for task in self._all - stopping:
            task.cancel()
        if self._all:
            await asyncio.wait(list(self._all), timeout=STOPPING_S)
        for task in list(self._all):
            task.cancel()
        if self._all:
            await asyncio.wait(list(self._all))

    async def _work(self, first: Download) -> None:
        download: Download | None = first
        task = asyncio.current_task()
        assert task is not None
        while download is not None:
            try:
                await self._run(download)
            except asyncio.CancelledError:
                if download.id not in self._stopping or self._is_closed:
                    self._let_go(download)
                    raise
            # One download was stopped, not this worker: it goes on.
            if download.id in self._stopping:
                task.uncancel()
            self._let_go(download)
            download = self._take()
            if download is not None:
                self._tasks[download.id] = task
        self._rested()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Take its slot from a worker that could not give it back.

        One that is stopped in the turn in which it was made never begins to run.
        """
        self._all.discard(task)
        lost = [id for id, owner in self._tasks.items() if owner is task]
        for id in lost:
            self._let_go(self._context.registry.downloads[id])
        if lost:
            self.wake()
            self._rested()

    def _take(self) -> Download | None:
        """Take the next download, and show at once that it is taken."""
        if self.is_held or self._is_closed or self.active >= self._context.concurrency:
            return None
        download = self._context.queue.take(self._context.clock.monotonic())
        if download is not None:
            self._origins[download.id] = download.origin
            self._context.registry.move(download, DownloadState.PROBING)
        return download

    def _let_go(self, download: Download) -> None:
        """Give the slot back and do what was to follow."""
        self._tasks.pop(download.id, None)
        self._stopping.discard(download.id)
        self._context.queue.release(self._origins.pop(download.id))
        following = self._afterwards.pop(download.id, None)
        if following is not None and not self._is_closed:
            following()

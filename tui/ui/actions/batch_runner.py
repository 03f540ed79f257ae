"""Running an operation over very many downloads without blocking the event loop.

An operation takes about 5 us per download: on 100,000 at once it would stop keys,
frames and sockets for half a second (measured), so each turn of the loop does one
slice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

from tui.core.listing.slices import run_sliced
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

    from textual.notifications import SeverityLevel

    from tui.core.download import DownloadId

Result = TypeVar("Result")
_PAUSE_S = 0.002
"""Between two slices of a search: keys come first."""
SLICE = 1_000
"""Downloads per turn of the loop: 5 ms."""


async def finish(steps: Generator[None, None, Result]) -> Result:
    """Run the rest of a search or an operation, beside keys and frames."""
    return await run_sliced(steps, asyncio.sleep, _PAUSE_S)


class BackgroundHost(Protocol):
    """Runs work in the background and shows messages."""

    def notify(self, message: str, *, severity: SeverityLevel = "information") -> None:
        """Show a message until the next one, or for a few seconds."""
        ...

    def run_in_background(
        self,
        work: Callable[[], Coroutine[None, None, None]],
        *,
        group: str = "default",
        exclusive: bool = False,
    ) -> object:
        """Run what ``work`` makes; ``exclusive`` cancels others of the same group.

        A coroutine object that never starts, because the dashboard closes, would be
        reported as never awaited.
        """
        ...


class BatchHost(BackgroundHost, Protocol):
    """Shows what has changed as well."""

    def refresh_now(self) -> None:
        """Show changed totals now, without waiting for the next tick."""
        ...


class BatchRunner:
    """Runs operations over downloads, in slices where they are many."""

    def __init__(self, host: BatchHost) -> None:
        """Report progress to ``host``."""
        self._host = host
        self._jobs = 0

    @property
    def is_busy(self) -> bool:
        """Whether a job is still running."""
        return self._jobs > 0

    def run(
        self,
        progress: str,
        ids: Sequence[DownloadId],
        operation: Callable[[Sequence[DownloadId]], list[DownloadId]],
        done: Callable[[list[DownloadId]], object],
    ) -> None:
        """Run now if there are few downloads, else one slice per turn of the loop.

        Args:
            progress: what to show meanwhile, such as ``Cancelling``.
            ids: the downloads, in the order in which they are processed.
            operation: processes some downloads and returns those that it changed.
            done: called at the end with all downloads that were changed.
        """
        if len(ids) <= SLICE and not self.is_busy:
            done(operation(ids))
            return
        self._jobs += 1
        work = list(ids)

        async def job() -> None:  # not a partial: Textual formats all its arguments
            await self._run_slices(progress, work, operation, done)

        self._host.run_in_background(job, group="batch", exclusive=False)

    def run_steps(
        self,
        steps: Generator[None, None, Result],
        done: Callable[[Result], object],
    ) -> None:
        """Run a search or an operation that works in slices; now, if it is short.

        Args:
            steps: does the work between its yields.
            done: called at the end with what ``steps`` returned.
        """
        if not self.is_busy:
            try:
                next(steps)
            except StopIteration as end:
                done(end.value)
                return
        self._jobs += 1

        async def job() -> None:
            try:
                result = await finish(steps)
            finally:
                self._jobs -= 1
            done(result)
            self._host.refresh_now()

        self._host.run_in_background(job, group="batch", exclusive=False)

    async def _run_slices(
        self,
        progress: str,
        ids: list[DownloadId],
        operation: Callable[[Sequence[DownloadId]], list[DownloadId]],
        done: Callable[[list[DownloadId]], object],
    ) -> None:
        changed: list[DownloadId] = []
        try:
            for start in range(0, len(ids), SLICE):
                changed += operation(ids[start : start + SLICE])
                if start % (SLICE * 20) == 0:
                    self._host.notify(
                        f"{progress} {count(start)} of {count(len(ids))}…"
                    )
                await asyncio.sleep(0)
        finally:
            self._jobs -= 1
        done(changed)
        self._host.refresh_now()

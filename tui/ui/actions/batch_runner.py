"""Doing something to very many downloads without stopping the loop meanwhile.

A verb takes about 5 us a download: 100,000 at once would stop keys, frames and sockets
for half a second (measured), so they are done a slice in each turn of the loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.download import DownloadId
    from tui.ui.main_screen import MainScreen

SLICE = 1_000
"""Downloads in one turn of the loop: 5 ms."""


class BatchRunner:
    """Runs verbs over downloads, one job after the other."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen that tells how far it is."""
        self._screen = screen
        self._jobs = 0

    @property
    def is_busy(self) -> bool:
        """Whether a job is still going on."""
        return self._jobs > 0

    def run(
        self,
        words: str,
        ids: Sequence[DownloadId],
        verb: Callable[[Sequence[DownloadId]], list[DownloadId]],
        done: Callable[[list[DownloadId]], object],
    ) -> None:
        """Do it now where they are few, else a slice in each turn.

        Args:
            words: what is being done, such as ``Cancelling``.
            ids: to what, in this order.
            verb: does it to some and returns those that it changed.
            done: hears of all that were changed, when all is done.
        """
        if len(ids) <= SLICE and not self.is_busy:
            done(verb(ids))
            return
        self._jobs += 1
        job = self._work(words, list(ids), verb, done)
        self._screen.run_worker(job, group="bulk", exclusive=False)

    async def _work(
        self,
        words: str,
        ids: list[DownloadId],
        verb: Callable[[Sequence[DownloadId]], list[DownloadId]],
        done: Callable[[list[DownloadId]], object],
    ) -> None:
        changed: list[DownloadId] = []
        try:
            for start in range(0, len(ids), SLICE):
                changed += verb(ids[start : start + SLICE])
                if start % (SLICE * 20) == 0:
                    self._screen.tell(f"{words} {count(start)} of {count(len(ids))}…")
                await asyncio.sleep(0)
        finally:
            self._jobs -= 1
        done(changed)
        self._screen.show_now()

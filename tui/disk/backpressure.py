"""Limit how much data is buffered in memory between the network and the disk."""

from __future__ import annotations

import asyncio
from collections import deque

MAX_SMALL_FILES = 512
"""Small files in flight at once: enough to fill a batch for every writer thread."""


class Backpressure:
    """Count bytes and small files in flight; make whatever does not fit wait.

    Waiters are admitted in order, or a large write would starve among small ones. A
    write larger than the whole limit is admitted alone.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self.in_flight = 0
        """Bytes."""
        self.small_files = 0
        self._waiting: deque[tuple[int, bool, asyncio.Future[None]]] = deque()

    def has_room(self) -> bool:
        """Return True if a small file can be added without waiting."""
        return (
            not self._waiting
            and self.in_flight < self.limit
            and self.small_files < MAX_SMALL_FILES
        )

    def accepts(self, nbytes: int) -> bool:
        """Return True if ``nbytes`` of a large file can be added without waiting."""
        return not self._waiting and self._fits(nbytes, False)

    def add(self, nbytes: int, *, is_small_file: bool = False) -> None:
        """Count data as in flight."""
        self.in_flight += nbytes
        self.small_files += is_small_file

    def remove(self, nbytes: int, small_files: int = 0) -> None:
        """Stop counting data that was written (or failed), and admit waiters."""
        self.in_flight -= nbytes
        self.small_files -= small_files
        if self._waiting:
            self._admit_waiting()

    async def acquire(self, nbytes: int, *, is_small_file: bool = False) -> None:
        """Wait until the data fits, and count it as in flight."""
        if not self._waiting and self._fits(nbytes, is_small_file):
            self.add(nbytes, is_small_file=is_small_file)
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((nbytes, is_small_file, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.remove(nbytes, is_small_file)
            elif self._waiting:
                self._admit_waiting()  # the one behind it may fit
            raise

    async def wait_for_room(self, nbytes: int) -> None:
        """Wait until a small file fits, without counting it.

        The caller must add it before it awaits anything else. If it does not add it
        after all, the next waiters are admitted in the next turn of the loop.
        """
        if not self._waiting and self._fits(nbytes, True):
            return
        await self.acquire(nbytes, is_small_file=True)
        self.in_flight -= nbytes
        self.small_files -= 1
        asyncio.get_running_loop().call_soon(self._admit_waiting)

    def _fits(self, nbytes: int, is_small_file: bool) -> bool:
        if is_small_file and self.small_files >= MAX_SMALL_FILES:
            return False
        return self.in_flight == 0 or self.in_flight + nbytes <= self.limit

    def _admit_waiting(self) -> None:
        while self._waiting:
            nbytes, is_small_file, future = self._waiting[0]
            if future.cancelled():
                self._waiting.popleft()
                continue
            if not self._fits(nbytes, is_small_file):
                return
            self._waiting.popleft()
            self.add(nbytes, is_small_file=is_small_file)
            future.set_result(None)

"""How much may be between wire and disk: the door at which readers wait."""

from __future__ import annotations

import asyncio
from collections import deque

STORES = 512
"""Small files on their way at once: enough to fill the trips of all slots."""


class Backpressure:
    """Counts bytes and small files in flight, and lets waiting ones in by turn.

    What does not fit waits until it does. What is larger than the whole limit goes
    alone. Nobody overtakes, or a large write would starve among small ones.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self.in_flight = 0
        """Bytes."""
        self.stores = 0
        self._waiting: deque[tuple[int, bool, asyncio.Future[None]]] = deque()

    def has_room(self) -> bool:
        """Whether something small may enter at once."""
        return (
            not self._waiting and self.in_flight < self.limit and self.stores < STORES
        )

    def accepts(self, nbytes: int) -> bool:
        """Whether so many bytes of a large file may enter at once."""
        return not self._waiting and self._fits(nbytes, False)

    def enter(self, nbytes: int, *, is_store: bool = False) -> None:
        """Count in what was let in."""
        self.in_flight += nbytes
        self.stores += is_store

    def leave(self, nbytes: int, stores: int = 0) -> None:
        """Count out what is on disk (or failed), and let the next ones in."""
        self.in_flight -= nbytes
        self.stores -= stores
        if self._waiting:
            self._let_in()

    async def pass_through(self, nbytes: int, *, is_store: bool = False) -> None:
        """Wait for a turn and count it in."""
        if not self._waiting and self._fits(nbytes, is_store):
            self.enter(nbytes, is_store=is_store)
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((nbytes, is_store, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave(nbytes, is_store)
            elif self._waiting:
                self._let_in()  # it may have stood before one that fits
            raise

    async def wait_for_room(self, nbytes: int) -> None:
        """Wait for a turn of a small file, without counting it in.

        The caller enters it in the same turn of the loop. If it does not after all,
        the next in line are looked after.
        """
        if not self._waiting and self._fits(nbytes, True):
            return
        await self.pass_through(nbytes, is_store=True)
        self.in_flight -= nbytes
        self.stores -= 1
        asyncio.get_running_loop().call_soon(self._let_in)

    def _fits(self, nbytes: int, is_store: bool) -> bool:
        if is_store and self.stores >= STORES:
            return False
        return self.in_flight == 0 or self.in_flight + nbytes <= self.limit

    def _let_in(self) -> None:
        while self._waiting:
            nbytes, is_store, future = self._waiting[0]
            if future.cancelled():
                self._waiting.popleft()
                continue
            if not self._fits(nbytes, is_store):
                return
            self._waiting.popleft()
            self.enter(nbytes, is_store=is_store)
            future.set_result(None)

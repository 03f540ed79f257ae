"""The door past the loop: a thread takes bytes off a connection and writes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.disk.pour import Pour

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.disk.part_file import PartFile
    from tui.disk.pour import Source
    from tui.disk.slots import Slots


class Pours:
    """Moves bytes from sources into part files through the writer's slots."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    @property
    def are_apart(self) -> bool:
        """Whether they go past the loop: not while all writes are to block it."""
        return not self._slots.is_inline

    async def run(
        self,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: Source,
        landed: Callable[[Pour], None],
    ) -> None:
        """Let a thread move what is there, and little more; return when it has.

        Stopped, it waits for the thread all the same, which ends after the write that
        it is at: nobody else may touch the source before.

        Args:
            part: an open part file (``check_open``).
            offset: of the first byte.
            nbytes: to move at most.
            source: nobody else reads from it meanwhile.
            landed: called on the loop, whatever came of it, before this returns.

        Raises:
            FetchError: a write of this part failed; what was moved before is there.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slots.put(Pour(part, offset, nbytes, source, landed, future))
        is_stopped = False
        while not future.done():
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError:
                is_stopped = True
                if not future.done():
                    source.stop()
        if is_stopped:
            raise asyncio.CancelledError
        if part.error is not None:
            raise part.error

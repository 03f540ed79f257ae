"""The door past the loop: a thread takes bytes off a connection and writes them."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Protocol

from tui.disk.batches import PartWrite
from tui.disk.errors import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.clock import Clock
    from tui.disk.part_file import PartFile
    from tui.disk.scheduler import BatchScheduler

MAX_COPY_BYTES = 4 << 20
"""Most that is moved before others have their turn, and before the loop hears of it."""
MAX_COPY_S = 0.05
"""... and the longest that takes, but for a disk that does not answer."""
LINGER_S = 0.005
"""How long a thread waits for more, if nobody else waits for the thread."""
_BUFFER_BYTES = 1 << 20

_mine = threading.local()


class Source(Protocol):
    """What a thread reads from."""

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        """Read what is there, or wait for it; 0 when nothing came. Never raises."""
        ...

    def stop(self) -> None:
        """Let ``read_into`` return 0 from now on, at once. Called on the loop."""
        ...


class DirectCopy(PartWrite):
    """Up to ``nbytes`` from a source, for one place of a part file."""

    __slots__ = (
        "blocked_s",
        "busy_s",
        "future",
        "landed",
        "linger_s",
        "moved",
        "source",
    )

    def __init__(
        self,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: Source,
        landed: Callable[[DirectCopy], None],
        future: asyncio.Future[None],
    ) -> None:
        """Begin a write of the part.

        Args:
            part: an open part file.
            offset: of the first byte.
            nbytes: to move at most.
            source: nobody else reads from it meanwhile.
            landed: called on the loop when it is back, whatever came of it.
            future: resolved then.
        """
        super().__init__(part, offset, [], nbytes, part.order.begin_write())
        self.source = source
        self.landed = landed
        self.future = future
        self.linger_s = 0.0
        self.moved = 0
        """Bytes that are in the file."""
        self.busy_s = 0.0
        """What all of it took."""
        self.blocked_s = 0.0
        """Of that, waiting for the disk."""

    @property
    def held(self) -> int:
        """Nothing of it is in memory before its turn."""
        return 0

    @property
    def written(self) -> int:
        """Bytes that are in the file."""
        return self.moved

    def run(self, clock: Clock, write_s: list[float]) -> None:
        """Move. Blocks; called in a thread."""
        began_s = clock.monotonic()
        buffer = _buffer()
        try:
            while self.moved < self.nbytes:
                room = buffer[: self.nbytes - self.moved]
                count = self.source.read_into(room, self.linger_s)
                if not count:
                    break
                self._write(buffer[:count], clock, write_s)
                if clock.monotonic() - began_s > MAX_COPY_S:
                    break
        except Exception as error:
            self.error = translate(error, "write", self.part.name)
        finally:
            self.busy_s = clock.monotonic() - began_s

    def _write(self, data: memoryview, clock: Clock, write_s: list[float]) -> None:
        began_s, worked_s = clock.monotonic(), time.thread_time()
        self.part.write([data], self.offset + self.moved, len(data))
        took_s = clock.monotonic() - began_s
        write_s.append(took_s)
        self.blocked_s += max(0.0, took_s - (time.thread_time() - worked_s))
        self.moved += len(data)


def _buffer() -> memoryview:
    """The thread's own."""
    if not hasattr(_mine, "buffer"):
        _mine.buffer = memoryview(bytearray(_BUFFER_BYTES))
    buffer: memoryview = _mine.buffer
    return buffer


class DirectCopier:
    """Moves bytes from sources into part files through the writer's slots."""

    def __init__(self, slots: BatchScheduler) -> None:
        self._slots = slots

    @property
    def is_available(self) -> bool:
        """Whether they go past the loop: not while all writes are to block it."""
        return not self._slots.is_inline

    async def run(
        self,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: Source,
        landed: Callable[[DirectCopy], None],
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
        self._slots.put(DirectCopy(part, offset, nbytes, source, landed, future))
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

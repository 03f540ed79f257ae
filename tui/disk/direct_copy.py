"""Copy data from a connection to a file in a thread, bypassing the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Protocol

from tui.disk.batches import PartWrite
from tui.disk.errors import from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.clock import Clock
    from tui.disk.part_file import PartFile

MAX_COPY_BYTES = 4 << 20
"""Bytes after which a copy ends, so that others get the thread and the loop learns how
far it got."""
MAX_COPY_S = 0.05
"""The same for time, unless a single write to disk takes longer."""
LINGER_S = 0.005
"""How long a thread waits for more data if no other operation needs the thread."""
_BUFFER_BYTES = 1 << 20

_local = threading.local()


class CopySource(Protocol):
    """Where a thread reads from."""

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        """Read available data, waiting up to ``wait_s``; 0 for none. Never raises."""
        ...

    def stop(self) -> None:
        """Make ``read_into`` return 0 immediately from now on. Called on the loop."""
        ...


class CopyQueue(Protocol):
    """Where copies are queued; ``BatchScheduler`` is one."""

    @property
    def is_inline(self) -> bool:
        """True while every operation blocks the loop."""
        ...

    def put(self, operation: DirectCopy) -> None:
        """Queue a copy for a thread."""
        ...


class DirectCopy(PartWrite):
    """A copy of up to ``nbytes`` from a source to one offset of a part file."""

    __slots__ = (
        "blocked_s",
        "busy_s",
        "future",
        "linger_s",
        "moved",
        "on_done",
        "source",
    )

    def __init__(
        self,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: CopySource,
        on_done: Callable[[DirectCopy], None],
        future: asyncio.Future[None],
    ) -> None:
        """Register the copy as a write of the part.

        Args:
            part: an open part file.
            offset: where to write.
            nbytes: the most to copy.
            source: not read by anybody else meanwhile.
            on_done: called on the loop afterwards, whether it succeeded or not.
            future: resolved afterwards.
        """
        super().__init__(part, offset, [], nbytes, part.order.begin_write())
        self.source = source
        self.on_done = on_done
        self.future = future
        self.linger_s = 0.0
        self.moved = 0
        """Bytes that are in the file."""
        self.busy_s = 0.0
        """How long the copy took."""
        self.blocked_s = 0.0
        """How much of that was spent waiting for the disk."""

    @property
    def buffered(self) -> int:
        """Zero: nothing is in memory before it runs."""
        return 0

    @property
    def written(self) -> int:
        """Bytes that are in the file."""
        return self.moved

    def run(self, clock: Clock, write_s: list[float]) -> None:
        """Copy. Blocks; called in a thread."""
        started_s = clock.monotonic()
        buffer = _thread_buffer()
        try:
            while self.moved < self.nbytes:
                space = buffer[: self.nbytes - self.moved]
                count = self.source.read_into(space, self.linger_s)
                if not count:
                    break
                self._write(buffer[:count], clock, write_s)
                if clock.monotonic() - started_s > MAX_COPY_S:
                    break
        except Exception as error:
            self.error = from_os_error(error, "write", self.part.name)
        finally:
            self.busy_s = clock.monotonic() - started_s

    def _write(self, data: memoryview, clock: Clock, write_s: list[float]) -> None:
        started_s, cpu_started_s = clock.monotonic(), time.thread_time()
        self.part.write([data], self.offset + self.moved, len(data))
        took_s = clock.monotonic() - started_s
        write_s.append(took_s)
        self.blocked_s += max(0.0, took_s - (time.thread_time() - cpu_started_s))
        self.moved += len(data)


def _thread_buffer() -> memoryview:
    """Return the buffer of the calling thread."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(_BUFFER_BYTES))
    buffer: memoryview = _local.buffer
    return buffer


class DirectCopier:
    """Copies from sources into part files in the writer's threads."""

    def __init__(self, queue: CopyQueue) -> None:
        self._queue = queue

    @property
    def is_available(self) -> bool:
        """False while all writes are to block the loop."""
        return not self._queue.is_inline

    async def run(
        self,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: CopySource,
        on_done: Callable[[DirectCopy], None],
    ) -> None:
        """Copy the available data in a thread, and return when that is done.

        When cancelled, it still waits for the thread, which stops after its current
        write: nobody else may use the source before.

        Args:
            part: an open part file (``check_open``).
            offset: where to write.
            nbytes: the most to copy.
            source: not read by anybody else meanwhile.
            on_done: called on the loop before this returns, whether the copy succeeded
                or not.

        Raises:
            FetchError: a write of this part failed; ``moved`` bytes are in the file.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(DirectCopy(part, offset, nbytes, source, on_done, future))
        is_cancelled = False
        while not future.done():
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError:
                is_cancelled = True
                if not future.done():
                    source.stop()
        if is_cancelled:
            raise asyncio.CancelledError
        if part.error is not None:
            raise part.error

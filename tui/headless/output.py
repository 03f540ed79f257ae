"""Text to a pipe or terminal that may be slow, stopped or gone.

A write to a full pipe or to a terminal that was stopped with ctrl+s blocks for as
long as the reader likes; on the loop that would stop the downloads. So every stream
gets a thread, and the loop only appends to its queue.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import threading
from queue import Empty, SimpleQueue

_BATCH = 1 << 20
"""Bytes joined for one write at most."""


class AsyncOutput:
    """One file descriptor and the thread that writes to it; belongs to one loop.

    Facts are never dropped: what was not read yet waits in memory. Whoever sends
    pictures instead of facts looks at ``backlog`` first.
    """

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self._encoding = encoding
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._finished = asyncio.Event()
        self.broken = asyncio.Event()
        """Set when nothing can be written any more; later text is dropped."""
        self.fault: OSError | None = None
        """Why it is broken, unless its reader just went away (EPIPE, EIO)."""
        self.backlog = 0
        """Texts handed over and not yet written."""
        # A daemon: a reader that never reads must not keep the process alive.
        self._thread = threading.Thread(
            target=self._run, name=f"outlet-{fd}", daemon=True
        )
        self._thread.start()

    def write(self, text: str) -> None:
        """Hand text over; never waits."""
        if text and not self.broken.is_set():
            self.backlog += 1
            self._queue.put(text)

    async def close(self, timeout_s: float | None = None) -> None:
        """Wait until everything is written, the reader is gone, or time is up.

        Args:
            timeout_s: seconds; ``None`` leaves it to the reader, as for any program
                at the head of a pipe.
        """
        self._queue.put(None)
        try:
            async with asyncio.timeout(timeout_s):
                await self._finished.wait()
        except TimeoutError:
            return

    def _run(self) -> None:
        is_last = False
        while not is_last:
            texts, is_last = self._take()
            try:
                self._write_all("".join(texts).encode(self._encoding, "replace"))
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.EIO):
                    self.fault = error
                self._tell(self.broken.set)
                break
            self._tell(self._subtract, len(texts))
        self._tell(self._finished.set)

    def _take(self) -> tuple[list[str], bool]:
        """Wait for one text, then take what else is there."""
        texts: list[str] = []
        size = 0
        text = self._queue.get()
        while text is not None:
            texts.append(text)
            size += len(text)
            if size > _BATCH:
                return texts, False
            try:
                text = self._queue.get_nowait()
            except Empty:
                return texts, False
        return texts, True

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                # Somebody who shares the descriptor made it non-blocking.
                select.select([], [self._fd], [])

    def _subtract(self, count: int) -> None:
        self.backlog -= count

    def _tell(self, call: object, *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)  # type: ignore[arg-type]
        except RuntimeError:
            # The loop is closed: the run ended without waiting for this reader.
            return

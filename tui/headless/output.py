"""Non-blocking text output to a pipe or terminal that may be slow, stopped or gone.

Writing to a full pipe, or to a terminal stopped with Ctrl+S, may block forever; on the
event loop that would stop all downloads. Therefore each stream has a thread, and the
loop only appends to its queue.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import threading
from queue import Empty, SimpleQueue

_BATCH = 1 << 20
"""Maximum characters joined for one write."""


class AsyncOutput:
    """A file descriptor with a thread that writes to it; belongs to one event loop.

    Text is never dropped while the stream works: unwritten text waits in memory. A
    caller that repaints a display should first check ``backlog``.
    """

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self._encoding = encoding
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._finished = asyncio.Event()
        self.broken = asyncio.Event()
        """Set once writing fails; later text is dropped."""
        self.error: OSError | None = None
        """The write error, unless the reader just went away (EPIPE, EIO)."""
        self.backlog = 0
        """Number of texts that are not written yet."""
        # A daemon thread, so that a stuck reader does not keep the process alive.
        self._thread = threading.Thread(
            target=self._run, name=f"outlet-{fd}", daemon=True
        )
        self._thread.start()

    def write(self, text: str) -> None:
        """Queue text for writing; never blocks."""
        if text and not self.broken.is_set():
            self.backlog += 1
            self._queue.put(text)

    async def close(self, timeout_s: float | None = None) -> None:
        """Wait until everything is written, the reader is gone or the time is up.

        Args:
            timeout_s: seconds; ``None`` waits for the reader, as programs in a pipe do.
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
            texts, is_last = self._next_batch()
            try:
                self._write_all("".join(texts).encode(self._encoding, "replace"))
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.EIO):
                    self.error = error
                self._call_on_loop(self.broken.set)
                break
            self._call_on_loop(self._reduce_backlog, len(texts))
        self._call_on_loop(self._finished.set)

    def _next_batch(self) -> tuple[list[str], bool]:
        """Wait for a text, then return it with all others in the queue."""
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
                # Another process that shares the descriptor made it non-blocking.
                select.select([], [self._fd], [])

    def _reduce_backlog(self, count: int) -> None:
        self.backlog -= count

    def _call_on_loop(self, call: object, *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)  # type: ignore[arg-type]
        except RuntimeError:
            # The loop is closed: the run finished without waiting for this reader.
            return

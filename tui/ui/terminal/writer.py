"""A terminal writer that never makes the event loop wait.

Textual writes through a thread with a queue of 30 pieces; a put into the full queue
blocks the event loop, and every download with it. A terminal that was not read (a
stalled SSH session, a stopped pager) blocked it for 4.4 s, one that died for ever
(measured with 8.2.8). Here a write never waits: frames are skipped while the queue is
long, and once the terminal is gone, output is discarded and ``is_dead`` is set.
"""

from __future__ import annotations

from queue import Empty, Full, Queue
from threading import Thread
from typing import TextIO

BACKLOG = 9
"""Queued pieces from which frames are skipped; a frame is three pieces."""
_QUEUE_SIZE = 64
_FINISH_TIMEOUT_S = 0.5


class TerminalWriter(Thread):
    """Writes pieces to the terminal, in order, without making the caller wait."""

    def __init__(self, file: TextIO) -> None:
        """Write to ``file``, the terminal."""
        super().__init__(daemon=True, name="terminal-output")
        self._file = file
        self._queue: Queue[str | None] = Queue(_QUEUE_SIZE)
        self.is_dead = False
        """Writing failed: the terminal is gone."""
        self.has_lost = False
        """A piece was dropped, so the content of the screen is unknown."""

    @property
    def backlog(self) -> int:
        """Number of pieces that the terminal has not accepted yet."""
        return self._queue.qsize()

    def put(self, piece: str) -> None:
        """Queue a piece, or drop it if the queue is full."""
        if self.is_dead:
            return
        try:
            self._queue.put_nowait(piece)
        except Full:
            self.has_lost = True

    def run(self) -> None:
        """Write queued pieces until ``finish`` is called or the terminal is gone."""
        try:
            while (piece := self._queue.get()) is not None:
                self._file.write(piece)
                if self._queue.empty():
                    self._file.flush()
            self._file.flush()
        except (OSError, ValueError):
            self.is_dead = True
            self._drop_all()

    def _drop_all(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            pass

    def finish(self) -> None:
        """Flush the queue, waiting at most half a second for the terminal.

        A terminal that does not read must not keep the process alive; the thread is a
        daemon and ends with the process.
        """
        if not self.is_alive():
            return
        try:
            self._queue.put(None, timeout=_FINISH_TIMEOUT_S)
        except Full:
            return
        self.join(_FINISH_TIMEOUT_S)

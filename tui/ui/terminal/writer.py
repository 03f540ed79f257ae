"""A terminal writer that never makes the event loop wait.

Textual writes through a thread with a queue of 30 pieces; a put into the full queue
blocks the event loop, and every download with it. A terminal that was not read (a
stalled SSH session, a stopped pager) blocked it for 4.4 s, one that died for ever
(measured with 8.2.8). Here a write never waits: frames are skipped while the queue is
long, and once the terminal is gone, output is discarded and ``is_dead`` is set.

What the terminal takes at once does not go through the thread either: while the
processors are busy, it would start late, for up to 130 ms (measured).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from queue import Empty, Full, Queue
from threading import Lock, Thread, get_ident
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKLOG = 3
"""Queued pieces from which frames are skipped; a frame is one piece."""
_QUEUE_SIZE = 64
_FINISH_TIMEOUT_S = 0.5


_PSEUDO_TERMINALS = "/dev/pts/"
"""Devices whose driver only copies what is written. A console draws it, which can take
some milliseconds."""


def open_again(file: TextIO) -> int | None:
    """Open a terminal once more, so that writes to it never wait.

    The other descriptor must stay as it is: programs that share it rely on that.

    Returns:
        A descriptor, or ``None`` if ``file`` is not a pseudo-terminal of Linux.
    """
    try:
        name = os.ttyname(file.fileno())
        if not name.startswith(_PSEUDO_TERMINALS):
            return None
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(name, flags)
    except OSError:
        return None  # not a terminal, or one of another container


class TerminalWriter(Thread):
    """Writes pieces to the terminal, in order, without making the caller wait."""

    def __init__(self, file: TextIO, direct: int | None = None) -> None:
        """Write to ``file``, the terminal.

        Args:
            file: is written to by a thread.
            direct: a descriptor of the same terminal on which writes do not wait, from
                ``open_again``; ``finish`` closes it. ``None`` leaves everything to the
                thread.
        """
        super().__init__(daemon=True, name="terminal-output")
        self._file = file
        self._direct = direct
        self._queue: Queue[str | bytes | None] = Queue(_QUEUE_SIZE)
        self._lock = Lock()
        """Held while a piece is put: keys are read by another thread."""
        self._held: list[str] | None = None
        """Pieces that ``_holder`` is going to write together."""
        self._holder = 0
        self.is_dead = False
        """Writing failed: the terminal is gone."""
        self.has_lost = False
        """A piece was dropped, so the content of the screen is unknown."""

    @property
    def backlog(self) -> int:
        """Number of pieces that the terminal has not accepted yet."""
        return self._queue.qsize()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what this thread puts meanwhile as one piece, at the end.

        Each write wakes the terminal, and Textual makes three of a frame (8.2.8).
        """
        held: list[str] = []
        self._holder, self._held = get_ident(), held
        try:
            yield
        finally:
            self._held = None
            if held:
                self.put("".join(held))

    def put(self, piece: str) -> None:
        """Write a piece or queue it, or drop it if the queue is full."""
        if self.is_dead:
            return
        if self._held is not None and self._holder == get_ident():
            self._held.append(piece)
            return
        with self._lock:
            left = self._write_now(piece)
            try:
                if left:
                    self._queue.put_nowait(left)
            except Full:
                self.has_lost = True

    def _write_now(self, piece: str) -> str | bytes:
        """Write what the terminal takes at once; return what is left for the thread."""
        if self._direct is None or self._queue.unfinished_tasks:
            return piece
        data = piece.encode(self._file.encoding, self._file.errors or "strict")
        try:
            return data[os.write(self._direct, data) :]
        except BlockingIOError:
            return data
        except OSError:
            self.is_dead = True
            return b""

    def run(self) -> None:
        """Write queued pieces until ``finish`` is called or the terminal is gone."""
        try:
            while (piece := self._queue.get()) is not None:
                if isinstance(piece, bytes):
                    self._file.flush()
                    self._file.buffer.write(piece)
                else:
                    self._file.write(piece)
                if self._queue.empty():
                    self._file.flush()
                self._queue.task_done()
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
        with self._lock:
            direct, self._direct = self._direct, None
        if direct is not None:
            with suppress(OSError):
                os.close(direct)
        if not self.is_alive():
            return
        try:
            self._queue.put(None, timeout=_FINISH_TIMEOUT_S)
        except Full:
            return
        self.join(_FINISH_TIMEOUT_S)

"""Archives after their download: a few processes unpack them, this side waits.

Unpacking is Python and zlib at full speed for minutes: in a thread it would take the
interpreter from the dashboard. The processes are started fresh (``spawn``), since a
fork of a process with threads may hang; they start with the first archive and not
before. They stop by themselves when this process is gone, and leave no half folder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from tui.postprocess.unpack.names import UnpackError
from tui.postprocess.unpack.worker_process import begin, unpack_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tui.postprocess.unpack.archive import Unpacked

AT_ONCE = 2
"""Archives at the same time: more would take the processor from the downloads."""
CLOSE_S = 5.0
"""For the processes to clear up; then they are killed."""
_PROGRESS_S = 1.0
_STEM_SHOWN = 40


class UnpackPool:
    """Unpacks archives in processes of its own."""

    def __init__(self, *, is_synced: bool) -> None:
        """Start nothing yet.

        Args:
            is_synced: write everything to the disk before a folder gets its name.
        """
        import multiprocessing

        self._is_synced = is_synced
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._shares = self._context.RawArray("d", AT_ONCE)
        self._slots = list(range(AT_ONCE))
        self._pool: ProcessPoolExecutor | None = None
        self._is_closed = False
        self._opening = threading.Lock()
        """Two archives at once must not open two pools, nor one after the end."""

    async def unpack(
        self, path: str, stem: str, on_progress: Callable[[float], None]
    ) -> Unpacked:
        """Unpack an archive into a folder beside it.

        Args:
            path: the archive.
            stem: name of the folder.
            on_progress: told about once a second which part (0 to 1) was read.

        Raises:
            UnpackError: it is not unpacked, with the reason; nothing is left behind.
        """
        slot = self._slots.pop()
        self._shares[slot] = 0.0
        token = secrets.token_hex(4)
        name = f".{stem[:_STEM_SHOWN]}.unpacking-{token}"
        temporary = os.path.join(os.path.dirname(path), name)
        try:
            return await self._wait(path, stem, temporary, slot, on_progress)
        except BrokenProcessPool:
            await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
            told = "its process was ended from outside (out of memory?)"
            raise UnpackError(told) from None
        finally:
            self._slots.append(slot)

    async def _wait(
        self,
        path: str,
        stem: str,
        temporary: str,
        slot: int,
        on_progress: Callable[[float], None],
    ) -> Unpacked:
        job = await asyncio.to_thread(self._submit, path, stem, temporary, slot)
        future = asyncio.wrap_future(job)
        try:
            while not (await asyncio.wait((future,), timeout=_PROGRESS_S))[0]:
                on_progress(self._shares[slot])
            return future.result()
        finally:
            future.cancel()

    def _submit(
        self, path: str, stem: str, temporary: str, slot: int
    ) -> Future[Unpacked]:
        """Hand a job to a process, which may have to start first. Blocks."""
        job = partial(unpack_here, path, stem, temporary, slot, self._is_synced)
        # A ctrl+c at the terminal goes to all processes; theirs must not see it before
        # they can ignore it. What is blocked in this thread is so in its children.
        blocked = {signal.SIGINT, signal.SIGHUP}
        with self._opening:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
            try:
                try:
                    return self._open().submit(job)
                except BrokenProcessPool:
                    self._pool = None  # its processes are gone: others take over
                    return self._open().submit(job)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _open(self) -> ProcessPoolExecutor:
        if self._is_closed:
            raise UnpackError("it was stopped")
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                AT_ONCE, self._context, begin, (self._stop, self._shares)
            )
        return self._pool

    def _end(self) -> ProcessPoolExecutor | None:
        self._stop.set()
        with self._opening:
            self._is_closed = True
            pool, self._pool = self._pool, None
        return pool

    async def close(self) -> None:
        """Stop all work; no process and no half folder is left."""
        pool = await asyncio.to_thread(self._end)
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        ending = asyncio.ensure_future(
            asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        )
        done, _ = await asyncio.wait((ending,), timeout=CLOSE_S)
        if not done:
            for process in processes:
                with suppress(OSError, ValueError):
                    process.kill()
            await ending

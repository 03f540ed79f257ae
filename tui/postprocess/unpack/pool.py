"""A pool of processes that unpack archives.

Unpacking keeps Python and zlib busy for minutes; in a thread it would block the
dashboard. The processes are started with ``spawn``, because forking a process with
threads may deadlock, and only when the first archive needs them. They exit when this
process is gone, and leave no incomplete folder.
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

from tui.core.rules.child_python import isolate_multiprocessing
from tui.postprocess.unpack.extract_dir import UnpackError
from tui.postprocess.unpack.worker_process import (
    Archive,
    OpenFolder,
    initialize,
    run_job,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tui.postprocess.unpack.archive import Unpacked

AT_ONCE = 2
"""Archives unpacked concurrently; more would take the CPU from the downloads."""
CLOSE_S = 5.0
"""Time for the processes to clean up before they are killed."""
_PROGRESS_S = 1.0
_STEM_SHOWN = 40


class UnpackPool:
    """Unpacks archives in separate processes."""

    def __init__(self, *, is_synced: bool) -> None:
        """Create the pool without starting processes.

        Args:
            is_synced: sync everything to disk before a folder is renamed.
        """
        import multiprocessing

        isolate_multiprocessing()
        self._is_synced = is_synced
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._progress = self._context.RawArray("d", AT_ONCE)
        self._slots = list(range(AT_ONCE))
        self._pool: ProcessPoolExecutor | None = None
        self._is_closed = False
        self._opening = threading.Lock()
        """Ensures that only one pool is opened, and none after closing."""

    async def unpack(
        self,
        path: str,
        folder: int,
        stem: str,
        on_progress: Callable[[float], None],
    ) -> Unpacked:
        """Unpack an archive into a folder next to it.

        Args:
            path: the archive.
            folder: descriptor of the folder that contains it, which is used even if a
                link has replaced it.
            stem: name of the new folder.
            on_progress: called about once a second with the fraction (0 to 1) read.

        Raises:
            UnpackError: unpacking failed, with the reason; nothing is left behind.
        """
        slot = self._slots.pop()
        self._progress[slot] = 0.0
        token = secrets.token_hex(4)
        temporary = f".{stem[:_STEM_SHOWN]}.unpacking-{token}"
        try:
            return await self._wait(path, folder, stem, temporary, slot, on_progress)
        except BrokenProcessPool:
            remove = partial(shutil.rmtree, ignore_errors=True, dir_fd=folder)
            await asyncio.to_thread(remove, temporary)
            reason = "the unpacking process was killed (out of memory?)"
            raise UnpackError(reason) from None
        finally:
            self._slots.append(slot)

    async def _wait(
        self,
        path: str,
        folder: int,
        stem: str,
        temporary: str,
        slot: int,
        on_progress: Callable[[float], None],
    ) -> Unpacked:
        opened = OpenFolder.of(os.path.dirname(path), folder)
        archive = Archive(os.path.basename(path), opened, stem, temporary)
        job = await asyncio.to_thread(self._submit, archive, slot)
        future = asyncio.wrap_future(job)
        try:
            while not (await asyncio.wait((future,), timeout=_PROGRESS_S))[0]:
                on_progress(self._progress[slot])
            return future.result()
        finally:
            future.cancel()

    def _submit(self, archive: Archive, slot: int) -> Future[Unpacked]:
        """Submit a job to a process, which may have to start first; blocks."""
        job = partial(run_job, archive, slot, self._is_synced)
        # Ctrl+C reaches all processes of the terminal, but the new ones must not get it
        # before they can ignore it. They inherit the signals blocked in this thread.
        blocked = {signal.SIGINT, signal.SIGHUP}
        with self._opening:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
            try:
                try:
                    return self._open().submit(job)
                except BrokenProcessPool:
                    self._pool = None  # its processes are gone; start new ones
                    return self._open().submit(job)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _open(self) -> ProcessPoolExecutor:
        if self._is_closed:
            raise UnpackError("unpacking was stopped")
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                AT_ONCE, self._context, initialize, (self._stop, self._progress)
            )
        return self._pool

    def _end(self) -> ProcessPoolExecutor | None:
        self._stop.set()
        with self._opening:
            self._is_closed = True
            pool, self._pool = self._pool, None
        return pool

    async def close(self) -> None:
        """Stop all work; leaves no process and no incomplete folder."""
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

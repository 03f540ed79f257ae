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
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.after.archive_names import UnpackError
from tui.after.unpack_process import begin, unpack_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tui.after.archive import Unpacked

AT_ONCE = 2
"""Archives at the same time: more would take the processor from the downloads."""
CLOSE_S = 5.0
"""For the processes to clear up; then they are killed."""
_PROGRESS_S = 1.0
_STEM_SHOWN = 40


class Unpacker:
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
            job = await asyncio.to_thread(self._submit, path, stem, temporary, slot)
            future = asyncio.wrap_future(job)
            try:
                while not (await asyncio.wait((future,), timeout=_PROGRESS_S))[0]:
                    on_progress(self._shares[slot])
                return future.result()
            except BrokenProcessPool:
                self._pool = None
                await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
                told = "its process was ended from outside (out of memory?)"
                raise UnpackError(told) from None
            finally:
                future.cancel()
        finally:
            self._slots.append(slot)

    def _submit(
        self, path: str, stem: str, temporary: str, slot: int
    ) -> Future[Unpacked]:
        """Hand a job to a process, which may have to start first. Blocks."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                AT_ONCE, self._context, begin, (self._stop, self._shares)
            )
        # A ctrl+c at the terminal goes to all processes; theirs must not see it before
        # they can ignore it. What is blocked in this thread is so in its children.
        blocked = {signal.SIGINT, signal.SIGHUP}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            return self._pool.submit(
                unpack_here, path, stem, temporary, slot, self._is_synced
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    async def close(self) -> None:
        """Stop all work; no process and no half folder is left."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        self._stop.set()
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

"""The last stage of an attempt: verify the bytes, then give the file its final name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tui.core.download import DownloadState
from tui.core.errors import ErrorKind, IntegrityError, LocalError, PermanentError
from tui.core.notices import ALREADY_PRESENT, Notice, NoticeCode
from tui.core.settings import OnExists, Verify
from tui.disk.folders import size_of
from tui.disk.small_files import SmallFile
from tui.engine.download.repair import PieceRepair
from tui.engine.download.verify import Verifier
from tui.engine.job import TargetPath
from tui.engine.metrics.wait_times import Wait
from tui.engine.notices import add_note

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from tui.core.request import Checksum
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.outcome import AttemptOutcome
    from tui.engine.job import Job

    T = TypeVar("T")

REPAIR_ROUNDS = 3
"""Times that corrupt pieces are downloaded again before the file is given up."""
BAD = ".bad"
"""Suffix of files whose bytes are not the expected ones."""


class Finisher:
    """Turns complete bytes into the file that was requested."""

    def __init__(self, context: EngineContext, outcome: AttemptOutcome) -> None:
        self._context = context
        self._outcome = outcome
        self.verifier = Verifier(context, outcome.verified)
        self._repair = PieceRepair(context)

    # -- part files ------------------------------------------------------------------

    async def run(
        self, job: Job, part: PartFile, size: int, server_digest: Checksum | None
    ) -> None:
        """Verify a part file and rename it to its final name.

        Args:
            job: whose part file.
            part: open, with all its bytes.
            size: its bytes.
            server_digest: the digest in the server's headers, if it counts.

        Raises:
            IntegrityError: the digest differs, and the file could not be repaired; the
                bytes are kept under another name and the part file is gone.
            TransientError: corrupt pieces could not be downloaded for now; they are
                missing from the part file.
            FetchError: the disk failed.
        """
        context, download, target = self._context, job.download, job.target
        assert target is not None
        if download.state is not DownloadState.VERIFYING:
            context.registry.move(download, DownloadState.VERIFYING)
        try:
            await self._verify(job, part, size, server_digest)
        except IntegrityError as error:
            if not context.settings.keeps_corrupt:
                try:
                    await _uninterrupted(context.writer.discard(part))
                finally:
                    context.registry.set_received(download, 0)
                raise
            keeping = context.writer.keep_as(part, target.name + BAD)
            try:
                kept = await _uninterrupted(keeping)
            except asyncio.CancelledError:
                # Stopped meanwhile: the part file is gone all the same.
                context.registry.set_received(download, 0)
                raise
            context.registry.set_received(download, 0)
            raise IntegrityError(
                error.kind, f"{error}; the bytes are kept as {kept}"
            ) from None
        # A rename that has begun cannot be undone: finish it, then obey.
        job.is_renaming = True
        try:
            await _uninterrupted(self._rename(job, part, size))
        except asyncio.CancelledError:
            self._outcome.done(job)
            raise
        finally:
            job.is_renaming = False
        self._outcome.done(job)

    async def _verify(
        self, job: Job, part: PartFile, size: int, server_digest: Checksum | None
    ) -> None:
        """Return when the file is correct, repaired if necessary."""
        download = job.download
        expected = await self.verifier.expected_digest(download, server_digest)
        for number in range(REPAIR_ROUNDS + 1):
            corrupt = await self.verifier.find_corrupt(download, part, size, expected)
            if not corrupt:
                return
            nbytes = sum(end - start for start, end in corrupt)
            message = f"{nbytes:,} of {size:,} bytes are in corrupt pieces"
            if number == REPAIR_ROUNDS:
                raise IntegrityError(
                    ErrorKind.CHECKSUM, f"{message} after {REPAIR_ROUNDS} repairs"
                )
            notice = Notice(NoticeCode.PIECES_CORRUPT, (nbytes, size))
            add_note(self._context, download, notice)
            try:
                await self._repair.run(job, part, corrupt, size, number)
            except LocalError:
                raise
            except PermanentError as error:
                raise IntegrityError(
                    ErrorKind.CHECKSUM, f"{message}; {error}"
                ) from None

    async def _rename(self, job: Job, part: PartFile, size: int) -> None:
        context, target = self._context, job.target
        assert target is not None
        overwrite = job.on_exists(context.settings.on_exists).replaces
        try:
            await context.writer.finish(part, target.name, overwrite=overwrite)
        except FileExistsError:
            if await self._is_final_file(job, target, part, size):
                # Another run was faster.
                await context.writer.discard(part)
                add_note(context, job.download, ALREADY_PRESENT)
                return
            # Somebody else made that file during the download: theirs stays, and the
            # bytes are worth more than the name, also to those who want no other one.
            target = job.target = await self._rename_to_free_name(target, part)
            context.registry.set_name(job.download, target.name)
            taken = Notice(NoticeCode.NAME_TAKEN, (target.name,))
            add_note(context, job.download, taken)

    async def _rename_to_free_name(
        self, target: TargetPath, part: PartFile
    ) -> TargetPath:
        """Rename a part file to a free name like its final one.

        If that fails, the target is unchanged, so that the next attempt finds the part
        file.
        """
        folder = target.folder
        while True:
            name = folder.reserve(target.name)
            try:
                await self._context.writer.finish(part, name, overwrite=False)
            except FileExistsError:
                continue  # made after the folder was listed; keep it reserved
            except BaseException:
                folder.release(name)
                raise
            return TargetPath(folder, name, may_exist=False)

    async def _is_final_file(
        self, job: Job, target: TargetPath, part: PartFile, size: int
    ) -> bool:
        """Return True if the final file has the very bytes of a part file."""
        on_exists = job.on_exists(self._context.settings.on_exists)
        if not on_exists.compares and on_exists is not OnExists.SKIP:
            return False
        # Not ``find_existing``: the part file is locked by this very run.
        folder, name = target.folder, target.name
        final_size = await self._context.writer.run("look", name, size_of, folder, name)
        return final_size == size and await self.verifier.is_same_file(
            target, part, size
        )

    # -- small files -----------------------------------------------------------------

    async def store(
        self,
        job: Job,
        buffers: list[Any],
        nbytes: int,
        server_digest: Checksum | None,
    ) -> None:
        """Hand a small complete file to the writer without waiting for it.

        Args:
            job: whose file.
            buffers: all its bytes.
            nbytes: their sum.
            server_digest: the digest in the server's headers, if it counts.
        """
        context, download, target = self._context, job.download, job.target
        assert target is not None
        expected = self.verifier.known_digest(download, server_digest)
        if expected is None and context.settings.verify is Verify.AUTO:
            expected = await self.verifier.expected_digest(download, None)
        if not context.writer.has_room():
            context.waits.begin(Wait.DISK, context.clock.monotonic())
            try:
                await context.writer.wait_for_room(nbytes)
            finally:
                context.waits.end(Wait.DISK, context.clock.monotonic())
        if download.state is not DownloadState.VERIFYING:
            context.registry.move(download, DownloadState.VERIFYING)
        if expected is None:
            checksum, on_done = None, partial(self._outcome.stored, job)
        else:
            checksum = expected.checksum
            on_done = partial(self._on_stored, job, expected.source)
        context.writer.store(
            SmallFile(
                folder=target.folder,
                name=target.name,
                buffers=buffers,
                nbytes=nbytes,
                checksum=checksum,
                overwrite=job.on_exists(context.settings.on_exists).replaces,
                on_done=on_done,
            )
        )

    def _on_stored(
        self, job: Job, source: str, file: SmallFile, error: BaseException | None
    ) -> None:
        """Keep the bytes of a small file that are not the expected ones as ``.bad``."""
        if not isinstance(error, IntegrityError):
            self._outcome.stored(job, file, error)
            return
        if not self._context.settings.keeps_corrupt:
            error = IntegrityError(error.kind, f"{error}{source}")
            self._outcome.stored(job, file, error)
            return
        self._keep(job, file, f"{error}{source}")

    def _keep(self, job: Job, file: SmallFile, message: str) -> None:
        self._context.writer.store(
            SmallFile(
                folder=file.folder,
                name=file.folder.reserve(file.name + BAD),
                buffers=file.buffers,
                nbytes=file.nbytes,
                checksum=None,
                overwrite=False,
                on_done=partial(self._on_kept, job, file, message),
            )
        )

    def _on_kept(
        self,
        job: Job,
        file: SmallFile,
        message: str,
        kept: SmallFile,
        failure: BaseException | None,
    ) -> None:
        if isinstance(failure, FileExistsError):
            # Made after the folder was listed; keep the name reserved.
            self._keep(job, file, message)
            return
        if failure is None:
            message = f"{message}; the bytes are kept as {kept.name}"
        else:
            kept.folder.release(kept.name)
        self._outcome.stored(job, file, IntegrityError(ErrorKind.CHECKSUM, message))


async def _uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Let ``work`` finish however often its caller is cancelled, then raise."""
    task = asyncio.ensure_future(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            is_cancelled = True
        except Exception:
            break  # raised below
    result = task.result()
    if is_cancelled:
        raise asyncio.CancelledError
    return result

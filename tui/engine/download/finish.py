"""The last stage: verify what arrived, then give it its name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tui.core.download import DownloadState
from tui.core.errors import IntegrityError, LocalError, PermanentError
from tui.core.notices import Notice, NoticeCode
from tui.core.settings import OnExists, Verify
from tui.disk.small_files import SmallFile
from tui.engine.download.repair import PieceRepair
from tui.engine.download.verify import Verifier
from tui.engine.metrics.wait_times import Wait

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from tui.core.download import Download
    from tui.core.request import Checksum
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.retry import RetryPolicy
    from tui.engine.download.target import TargetPath, TargetResolver

    T = TypeVar("T")

MENDING_TURNS = 3
"""Times that wrong pieces are fetched again before the file is given up."""
BAD = ".bad"
"""Behind the name of bytes that are not the promised ones."""


class Finisher:
    """Turns what arrived whole into the file that was asked for."""

    def __init__(
        self, context: EngineContext, targets: TargetResolver, retry: RetryPolicy
    ) -> None:
        self._context = context
        self._targets = targets
        self._retry = retry
        self.verifier = Verifier(context, retry)
        self._mender = PieceRepair(context)

    # -- part files ------------------------------------------------------------------

    async def run(
        self,
        download: Download,
        place: TargetPath,
        part: PartFile,
        size: int,
        vouched: Checksum | None = None,
    ) -> None:
        """Verify what is in the part file and give it its name.

        Args:
            download: whose it is.
            place: where it goes.
            part: open, with all its bytes.
            size: its bytes.
            vouched: the digest that the server's headers told, if it counts.

        Raises:
            IntegrityError: the digest is another one, and it could not be mended; the
                bytes are set aside and the part file is gone.
            TransientError: wrong pieces could not be fetched for now; the part file
                misses them.
            FetchError: the disk failed.
        """
        context = self._context
        if download.state is not DownloadState.VERIFYING:
            context.registry.move(download, DownloadState.VERIFYING)
        try:
            await self._verify(download, part, size, vouched)
        except IntegrityError as error:
            kept = await _undisturbed(context.writer.keep_as(part, place.name + BAD))
            context.registry.set_received(download, 0)
            raise IntegrityError(
                error.kind, f"{error}; the bytes are kept as {kept}"
            ) from None
        # A rename that has begun cannot be taken back: finish it, then obey.
        context.naming.add(download.id)
        try:
            await _undisturbed(self._name(download, place, part))
        except asyncio.CancelledError:
            self._retry.done(download)
            raise
        finally:
            context.naming.discard(download.id)
        self._retry.done(download)

    async def _verify(
        self, download: Download, part: PartFile, size: int, vouched: Checksum | None
    ) -> None:
        """Return when the file is right, mended if need be."""
        promise = await self.verifier.promise(download, vouched)
        for turn in range(MENDING_TURNS + 1):
            wrong = await self.verifier.faults(download, part, size, promise)
            if not wrong:
                return
            nbytes = sum(end - start for start, end in wrong)
            told = f"{nbytes:,} of {size:,} bytes are in wrong pieces"
            if turn == MENDING_TURNS:
                raise IntegrityError("checksum", f"{told}, each time they come")
            corrupt = Notice(NoticeCode.PIECES_CORRUPT, (nbytes, size))
            self._context.notice(download, corrupt)
            try:
                await self._mender.mend(download, part, wrong, size, turn)
            except LocalError:
                raise
            except PermanentError as error:
                raise IntegrityError("checksum", f"{told}; {error}") from None

    async def _name(
        self, download: Download, place: TargetPath, part: PartFile
    ) -> None:
        overwrite = self._context.settings.on_exists is OnExists.OVERWRITE
        try:
            await self._context.writer.finish(part, place.name, overwrite=overwrite)
        except FileExistsError:
            # Somebody else made that file while we fetched: theirs stays.
            place = self._targets.rename_free(download)
            self._context.show_name(download, place.name)
            self._context.notice(download, Notice(NoticeCode.NAME_TAKEN, (place.name,)))
            await self._context.writer.finish(part, place.name, overwrite=False)

    # -- small files -----------------------------------------------------------------

    async def store(
        self,
        download: Download,
        place: TargetPath,
        buffers: list[Any],
        nbytes: int,
        vouched: Checksum | None,
    ) -> None:
        """Hand a small whole file to the writer; do not wait for it.

        Args:
            download: whose it is.
            place: where it goes.
            buffers: all its bytes.
            nbytes: their sum.
            vouched: the digest that the server's headers told, if it counts.
        """
        context = self._context
        promise = self.verifier.known(download, vouched)
        if promise is None and context.settings.verify is Verify.AUTO:
            promise = await self.verifier.promise(download, None)
        if not context.writer.has_room():
            context.waits.begin(Wait.DISK, context.clock.monotonic())
            try:
                await context.writer.wait_for_room(nbytes)
            finally:
                context.waits.end(Wait.DISK, context.clock.monotonic())
        if download.state is not DownloadState.VERIFYING:
            context.registry.move(download, DownloadState.VERIFYING)
        on_done = self._retry.stored
        if promise is not None:
            on_done = partial(self._stored, promise.by)
        context.writer.store(
            SmallFile(
                folder=place.folder,
                name=place.name,
                buffers=buffers,
                nbytes=nbytes,
                checksum=None if promise is None else promise.checksum,
                overwrite=context.settings.on_exists is OnExists.OVERWRITE,
                on_done=on_done,
                token=(download, place),
            )
        )

    def _stored(self, by: str, job: SmallFile, error: BaseException | None) -> None:
        """A small file is stored, or was not: keep wrong bytes under another name."""
        if not isinstance(error, IntegrityError):
            self._retry.stored(job, error)
            return
        self._context.writer.store(
            SmallFile(
                folder=job.folder,
                name=job.folder.reserve(job.name + BAD),
                buffers=job.buffers,
                nbytes=job.nbytes,
                checksum=None,
                overwrite=False,
                on_done=partial(self._kept, job, f"{error}{by}"),
            )
        )

    def _kept(
        self, first: SmallFile, told: str, job: SmallFile, failure: BaseException | None
    ) -> None:
        if failure is None:
            told = f"{told}; the bytes are kept as {job.name}"
        else:
            job.folder.release(job.name)
        self._retry.stored(first, IntegrityError("checksum", told))


async def _undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Let ``work`` end although whoever waits for it is cancelled, then obey."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise

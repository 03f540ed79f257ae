"""The last stage: verify what arrived, then give it its name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tui.core.download import DownloadState
from tui.core.errors import IntegrityError, LocalError, PermanentError
from tui.core.settings import OnExists, Verify
from tui.disk.small_files import StoreJob
from tui.engine.download.repair import Mender
from tui.engine.download.verify import Verifier
from tui.engine.metrics.wait_times import Wait

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from tui.core.download import Download
    from tui.core.request import Checksum
    from tui.disk.part_file import PartFile
    from tui.engine.context import Kit
    from tui.engine.download.retry import Outcome
    from tui.engine.download.target import Place, Placing

    T = TypeVar("T")

MENDING_TURNS = 3
"""Times that wrong pieces are fetched again before the file is given up."""
BAD = ".bad"
"""Behind the name of bytes that are not the promised ones."""


class Finisher:
    """Turns what arrived whole into the file that was asked for."""

    def __init__(self, kit: Kit, placing: Placing, outcome: Outcome) -> None:
        self._kit = kit
        self._placing = placing
        self._outcome = outcome
        self.verifier = Verifier(kit, outcome)
        self._mender = Mender(kit)

    # -- part files ------------------------------------------------------------------

    async def run(
        self,
        download: Download,
        place: Place,
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
        kit = self._kit
        if download.state is not DownloadState.VERIFYING:
            kit.ledger.move(download, DownloadState.VERIFYING)
        try:
            await self._verify(download, part, size, vouched)
        except IntegrityError as error:
            kept = await _undisturbed(kit.writer.set_aside(part, place.name + BAD))
            kit.ledger.set_received(download, 0)
            raise IntegrityError(
                error.kind, f"{error}; the bytes are kept as {kept}"
            ) from None
        # A rename that has begun cannot be taken back: finish it, then obey.
        kit.naming.add(download.id)
        try:
            await _undisturbed(self._name(download, place, part))
        except asyncio.CancelledError:
            self._outcome.done(download)
            raise
        finally:
            kit.naming.discard(download.id)
        self._outcome.done(download)

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
            self._kit.notice(download, f"{told}, fetching them again")
            try:
                await self._mender.mend(download, part, wrong, size, turn)
            except LocalError:
                raise
            except PermanentError as error:
                raise IntegrityError("checksum", f"{told}; {error}") from None

    async def _name(self, download: Download, place: Place, part: PartFile) -> None:
        overwrite = self._kit.settings.on_exists is OnExists.OVERWRITE
        try:
            await self._kit.writer.finish(part, place.name, overwrite=overwrite)
        except FileExistsError:
            # Somebody else made that file while we fetched: theirs stays.
            place = self._placing.rename_free(download)
            self._kit.show_name(download, place.name)
            self._kit.notice(download, f"the name was taken, saving as {place.name}")
            await self._kit.writer.finish(part, place.name, overwrite=False)

    # -- small files -----------------------------------------------------------------

    async def store(
        self,
        download: Download,
        place: Place,
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
        kit = self._kit
        promise = self.verifier.known(download, vouched)
        if promise is None and kit.settings.verify is Verify.AUTO:
            promise = await self.verifier.promise(download, None)
        if not kit.writer.has_room():
            kit.waits.begin(Wait.DISK, kit.clock.monotonic())
            try:
                await kit.writer.admit(nbytes)
            finally:
                kit.waits.end(Wait.DISK, kit.clock.monotonic())
        if download.state is not DownloadState.VERIFYING:
            kit.ledger.move(download, DownloadState.VERIFYING)
        on_done = self._outcome.stored
        if promise is not None:
            on_done = partial(self._stored, promise.by)
        kit.writer.store(
            StoreJob(
                folder=place.folder,
                name=place.name,
                buffers=buffers,
                nbytes=nbytes,
                checksum=None if promise is None else promise.checksum,
                overwrite=kit.settings.on_exists is OnExists.OVERWRITE,
                on_done=on_done,
                token=(download, place),
            )
        )

    def _stored(self, by: str, job: StoreJob, error: BaseException | None) -> None:
        """A small file is stored, or was not: keep wrong bytes under another name."""
        if not isinstance(error, IntegrityError):
            self._outcome.stored(job, error)
            return
        self._kit.writer.store(
            StoreJob(
                folder=job.folder,
                name=job.folder.claim(job.name + BAD),
                buffers=job.buffers,
                nbytes=job.nbytes,
                checksum=None,
                overwrite=False,
                on_done=partial(self._kept, job, f"{error}{by}"),
            )
        )

    def _kept(
        self, first: StoreJob, told: str, job: StoreJob, failure: BaseException | None
    ) -> None:
        if failure is None:
            told = f"{told}; the bytes are kept as {job.name}"
        else:
            job.folder.release(job.name)
        self._outcome.stored(first, IntegrityError("checksum", told))


async def _undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Let ``work`` end although whoever waits for it is cancelled, then obey."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise

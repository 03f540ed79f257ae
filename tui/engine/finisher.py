"""The last stage: verify what arrived, then give it its name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import IntegrityError
from tui.core.settings import OnExists

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.part_file import PartFile
    from tui.engine.kit import Kit
    from tui.engine.outcome import Outcome
    from tui.engine.placing import Place, Placing


class Finisher:
    """Turns a complete part file into the file that was asked for."""

    def __init__(self, kit: Kit, placing: Placing, outcome: Outcome) -> None:
        self._kit = kit
        self._placing = placing
        self._outcome = outcome

    async def run(
        self, download: Download, place: Place, part: PartFile, size: int
    ) -> None:
        """Verify what is in the part file and give it its name.

        Raises:
            IntegrityError: the digest is another one; the bytes are set aside.
            FetchError: the disk failed.
        """
        kit = self._kit
        kit.ledger.move(download, DownloadState.VERIFYING)
        checksum = download.request.checksum
        if checksum is not None:
            digest = await kit.writer.digest(part, checksum.algorithm, size)
            if digest != checksum.digest:
                kept = await kit.writer.set_aside(part, place.name)
                raise IntegrityError(
                    "checksum",
                    f"{checksum.algorithm} is {digest}, expected {checksum.digest};"
                    f" the bytes are kept as {kept}",
                )
            self._outcome.verified(download, checksum)
        is_overwriting = kit.settings.on_exists is OnExists.OVERWRITE
        # A rename that has begun cannot be taken back: finish it, then obey.
        finishing = asyncio.ensure_future(
            self._name(download, place, part, is_overwriting)
        )
        try:
            await asyncio.shield(finishing)
        except asyncio.CancelledError:
            await finishing
            self._outcome.done(download)
            raise
        self._outcome.done(download)

    async def _name(
        self, download: Download, place: Place, part: PartFile, overwrite: bool
    ) -> None:
        try:
            await self._kit.writer.finish(part, place.name, overwrite=overwrite)
        except FileExistsError:
            # Somebody else made that file while we fetched: theirs stays.
            place = self._placing.rename_free(download)
            self._kit.show_name(download, place.name)
            self._kit.notice(download, f"the name was taken, saving as {place.name}")
            await self._kit.writer.finish(part, place.name, overwrite=False)

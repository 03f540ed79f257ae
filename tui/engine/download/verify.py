"""What a file is held against, and whether it is right."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import DownloadState
from tui.core.errors import IntegrityError
from tui.core.events import Verified
from tui.core.notices import Notice
from tui.core.segment import RangeSet
from tui.core.settings import Verify
from tui.disk.checksum import hash_file_range, new_hash
from tui.engine.download.checksum_files import ChecksumFiles

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.core.request import Checksum, Pieces
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.download.retry import RetryPolicy
    from tui.engine.download.target import TargetPath

_HASH_SLICE = 64 << 20
"""Bytes of a finished file hashed in one trip, as in ``DiskWriter.digest``."""


class ExpectedDigest(NamedTuple):
    """A digest that the file should have."""

    checksum: Checksum
    by: str
    """Who says so, for messages: `` (told by SHA256SUMS)``; "" for the list."""


class Verifier:
    """Compares files with what was promised; all hashing is done in threads.

    The list's own checksum goes before one in the server's headers, and that before one
    in a file beside it. The last two come from the server that gave the bytes: they
    find broken transfers and stale caches, no ill will.
    """

    def __init__(self, context: EngineContext, retry: RetryPolicy) -> None:
        self._context = context
        self._retry = retry
        self._companions = ChecksumFiles(context)

    def known(
        self, download: Download, vouched: Checksum | None
    ) -> ExpectedDigest | None:
        """Return the promise that needs no request.

        Args:
            download: of what.
            vouched: the digest of the server's headers, if it counts.
        """
        if download.request.checksum is not None:
            return ExpectedDigest(download.request.checksum, "")
        if vouched is not None:
            return ExpectedDigest(vouched, " (told by the server)")
        return None

    async def promise(
        self, download: Download, vouched: Checksum | None
    ) -> ExpectedDigest | None:
        """Return the promise, looking for a file beside the download if wanted."""
        known = self.known(download, vouched)
        if (
            known is not None
            or self._context.settings.verify is not Verify.AUTO
            or download.request.pieces is not None
        ):
            return known
        found = await self._companions.find(download)
        if found.checksum is not None:
            return ExpectedDigest(found.checksum, f" (told by {found.source})")
        if found.missing is not None:
            self._context.notice(download, Notice(found.missing))
        return None

    async def faults(
        self,
        download: Download,
        part: PartFile,
        size: int,
        promise: ExpectedDigest | None,
    ) -> list[tuple[int, int]]:
        """Look for what is wrong in a part file that has all its bytes.

        Returns:
            The half-open ranges of wrong pieces, neighbours joined; nothing for a
            file that is right or that nothing is known about.

        Raises:
            IntegrityError: it is wrong, and no piece of it is worth keeping.
            LocalError: it cannot be read.
        """
        pieces = download.request.pieces
        if pieces is not None and not pieces.covers(size):
            pieces = None
        told = ""
        if promise is not None:
            checksum = promise.checksum
            digest = await self._context.writer.digest(part, checksum.algorithm, size)
            if digest == checksum.digest:
                self._retry.verified(download, checksum)
                return []
            told = (
                f"{checksum.algorithm} is {digest}, expected"
                f" {checksum.digest}{promise.by}"
            )
        if pieces is None:
            if told:
                raise IntegrityError("checksum", told)
            return []
        wrong = await self._wrong_pieces(part, pieces, size)
        if len(wrong) == len(pieces.digests):
            raise IntegrityError("checksum", told or "every piece of it is wrong")
        if wrong:
            return list(RangeSet(pieces.span(index, size) for index in wrong))
        if told:
            raise IntegrityError("checksum", f"{told}, although each piece is right")
        self._tell_pieces(download, pieces)
        return []

    async def agrees(
        self, download: Download, place: TargetPath, size: int, vouched: Checksum | None
    ) -> bool:
        """Whether the file that is there already is the one that was promised.

        Without a promise its size has to do. The state may be VERIFYING afterwards.
        """
        promise = await self.promise(download, vouched)
        if promise is None:
            return True
        context = self._context
        if download.state is not DownloadState.VERIFYING:
            context.registry.move(download, DownloadState.VERIFYING)
        result = new_hash(promise.checksum.algorithm)
        for start in range(0, size, _HASH_SLICE):
            end = min(start + _HASH_SLICE, size)
            read = partial(hash_file_range, place.folder, place.name, result)
            await context.writer.run("hash", place.name, read, start, end)
        if result.hexdigest() != promise.checksum.digest:
            return False
        self._retry.verified(download, promise.checksum)
        return True

    async def _wrong_pieces(
        self, part: PartFile, pieces: Pieces, size: int
    ) -> list[int]:
        wrong = []
        for index, expected in enumerate(pieces.digests):
            start, end = pieces.span(index, size)
            digest = await self._context.writer.digest(
                part, pieces.algorithm, end - start, start
            )
            if digest != expected:
                wrong.append(index)
        return wrong

    def _tell_pieces(self, download: Download, pieces: Pieces) -> None:
        now = self._context.clock.wall()
        told = f"{pieces.algorithm}={len(pieces.digests)} pieces"
        self._context.bus.publish(Verified(download.id, now, told))

"""Finds the expected digests of a file and compares its bytes with them.

A digest may come from the list, from the server's headers, or from a checksum file
(``SHA256SUMS``, ``NAME.sha256``) beside the file on its server.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tui.core.download import DownloadState
from tui.core.errors import (
    ErrorKind,
    FetchError,
    IntegrityError,
    LocalError,
    PermanentError,
    TransientError,
)
from tui.core.events import Verified
from tui.core.notices import Notice, NoticeCode
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import Checksum, origin_of
from tui.core.segment import RangeSet
from tui.core.settings import Verify
from tui.core.text.checksum_list import parse_checksum_list
from tui.disk.checksum import hash_file_range, new_hash
from tui.engine.download.request import request_headers
from tui.engine.notices import add_note
from tui.net.request import GetRequest
from tui.net.resource import check_is_plain, read_resource_info

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.download import Download
    from tui.core.request import Pieces
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.job import Job, TargetPath
    from tui.net.limiter import Limiter

_COMPARED_BY = "sha256"
_HASH_SLICE = 64 << 20
"""Bytes of a finished file hashed per executor call, as in ``DiskWriter.digest``."""
SIZE_LIMIT = 4 << 20
"""Bytes of a checksum file: some fifty thousand names."""
NAMES_KEPT = 500_000
"""Names kept over all directories; some 100 MB. The oldest list is dropped first."""
LIST_TRIES = 3
"""Times that a directory's list is requested while it fails for now."""
LISTS = ("SHA256SUMS", "sha256sum.txt")
"""Names of a directory's list, in the order in which they are requested."""
ENDINGS = (".sha256", ".sha512")
"""Endings of a file's own checksum file, requested if no list has its name."""
_NOT_FILES = (*ENDINGS, ".sha256sum", ".sha512sum", ".sha1", ".md5", ".asc", ".sig")


class ExpectedDigest(NamedTuple):
    """A digest that the file should have."""

    checksum: Checksum
    source: str
    """Where it comes from, for messages: `` (from SHA256SUMS)``; "" for the list."""


class Verifier:
    """Compares files with their expected digests; all hashing is done in threads.

    The list's own checksum takes precedence over one in the server's headers, and that
    over one in a file beside it. The last two come from the server that sent the bytes:
    they detect broken transfers and stale caches, not tampering.
    """

    def __init__(
        self,
        context: EngineContext,
        on_verified: Callable[[Download, Checksum], None],
    ) -> None:
        self._context = context
        self._on_verified = on_verified
        self._checksum_files = ChecksumFiles(context)

    def server_digest(self, digests: Sequence[Checksum]) -> Checksum | None:
        """Return the best digest in a server's headers, if they are to be compared.

        Args:
            digests: of the whole file, best first.
        """
        if not digests or self._context.settings.verify is Verify.OFF:
            return None
        return digests[0]

    def known_digest(
        self, download: Download, server_digest: Checksum | None
    ) -> ExpectedDigest | None:
        """Return the expected digest that needs no request.

        Args:
            download: of what.
            server_digest: the digest in the server's headers, if it counts.
        """
        if download.request.checksum is not None:
            return ExpectedDigest(download.request.checksum, "")
        if server_digest is not None:
            return ExpectedDigest(server_digest, " (from the server's headers)")
        return None

    async def expected_digest(
        self, download: Download, server_digest: Checksum | None
    ) -> ExpectedDigest | None:
        """Return the expected digest, requesting a checksum file if necessary."""
        known = self.known_digest(download, server_digest)
        if (
            known is not None
            or self._context.settings.verify is not Verify.AUTO
            or download.request.pieces is not None
        ):
            return known
        found = await self._checksum_files.find(download)
        if found.checksum is not None:
            return ExpectedDigest(found.checksum, f" (from {found.source})")
        if found.missing is not None:
            add_note(self._context, download, Notice(found.missing))
        return None

    async def find_corrupt(
        self,
        download: Download,
        part: PartFile,
        size: int,
        expected: ExpectedDigest | None,
    ) -> list[tuple[int, int]]:
        """Look for corrupt ranges in a part file that has all its bytes.

        Returns:
            The half-open ranges of corrupt pieces, neighbours joined; nothing for a
            file that is correct or that no digest is known of.

        Raises:
            IntegrityError: it is corrupt, and no piece of it is worth keeping.
            LocalError: it cannot be read.
        """
        pieces = download.request.pieces
        if pieces is not None and not pieces.covers(size):
            pieces = None
        mismatch = ""
        if expected is not None:
            checksum = expected.checksum
            digest = await self._context.writer.digest(part, checksum.algorithm, size)
            if digest == checksum.digest:
                self._on_verified(download, checksum)
                return []
            mismatch = (
                f"{checksum.algorithm} is {digest}, expected"
                f" {checksum.digest}{expected.source}"
            )
        if pieces is None:
            if mismatch:
                raise IntegrityError(ErrorKind.CHECKSUM, mismatch)
            return []
        corrupt = await self._corrupt_pieces(part, pieces, size)
        if len(corrupt) == len(pieces.digests):
            raise IntegrityError(
                ErrorKind.CHECKSUM, mismatch or "every piece of it is corrupt"
            )
        if corrupt:
            return list(RangeSet(pieces.span(index, size) for index in corrupt))
        if mismatch:
            raise IntegrityError(
                ErrorKind.CHECKSUM, f"{mismatch}, although each piece is correct"
            )
        self._publish_pieces(download, pieces)
        return []

    async def matches_file(
        self, job: Job, target: TargetPath, size: int, server_digest: Checksum | None
    ) -> bool:
        """Return True if the final file has the expected digest.

        Without an expected digest, its size suffices. The download may be VERIFYING
        afterwards.
        """
        context, download = self._context, job.download
        expected = await self.expected_digest(download, server_digest)
        if expected is None:
            return True
        if download.state is not DownloadState.VERIFYING:
            context.registry.move(download, DownloadState.VERIFYING)
        digest = await self._hash_file(target, size, expected.checksum.algorithm)
        if digest != expected.checksum.digest:
            return False
        self._on_verified(download, expected.checksum)
        return True

    async def is_same_file(self, target: TargetPath, part: PartFile, size: int) -> bool:
        """Return True if the final file has the same ``size`` bytes as a part file."""
        digest = await self._context.writer.digest(part, _COMPARED_BY, size, 0)
        return digest == await self._hash_file(target, size, _COMPARED_BY)

    async def _hash_file(self, target: TargetPath, size: int, algorithm: str) -> str:
        """Return the digest of a final file."""
        result = new_hash(algorithm)
        for start in range(0, size, _HASH_SLICE):
            end = min(start + _HASH_SLICE, size)
            read = partial(hash_file_range, target.folder, target.name, result)
            await self._context.writer.run("hash", target.name, read, start, end)
        return result.hexdigest()

    async def _corrupt_pieces(
        self, part: PartFile, pieces: Pieces, size: int
    ) -> list[int]:
        corrupt = []
        for index, expected in enumerate(pieces.digests):
            start, end = pieces.span(index, size)
            digest = await self._context.writer.digest(
                part, pieces.algorithm, end - start, start
            )
            if digest != expected:
                corrupt.append(index)
        return corrupt

    def _publish_pieces(self, download: Download, pieces: Pieces) -> None:
        now = self._context.clock.wall()
        checksum = f"{pieces.algorithm}={len(pieces.digests)} pieces"
        self._context.bus.publish(Verified(download.id, now, checksum))


# -- checksum files --------------------------------------------------------------------


class ChecksumFile(NamedTuple):
    """What the checksum files say about one file."""

    checksum: Checksum | None
    source: str = ""
    """Name of the checksum file."""
    missing: NoticeCode | None = None
    """Why there is no checksum; ``None`` where none is expected."""


class _List(NamedTuple):
    """The checksum list of a directory, or why there is none."""

    sums: dict[str, Checksum]
    name: str
    missing: NoticeCode | None = None


_ABSENT = {
    code: _List({}, "", code)
    for code in (NoticeCode.NO_CHECKSUM_FILE, NoticeCode.CHECKSUM_FILE_FAILED)
}


class ChecksumFiles:
    """Finds checksum files beside a file on its server, and caches them.

    Requests are made by the worker that occupies the download's slot, through the same
    session. A directory's list is requested once per run, even if there is none; one
    that fails for now is requested again for a few more files.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lists: dict[str, _List] = {}
        self._absent: dict[str, _List] = {}
        self._failures: Counter[str] = Counter()
        """Times that the list of a directory failed for now."""
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, download: Download) -> ChecksumFile:
        """Look for the checksum of a download beside its URL; never fails."""
        url = download.url.partition("#")[0]
        if "?" in url:
            return ChecksumFile(None, missing=NoticeCode.URL_HAS_QUERY)
        directory, _, last = url.rpartition("/")
        name = unquote(last)
        if not name or directory.count("/") < 2:
            return ChecksumFile(None, missing=NoticeCode.URL_HAS_NO_FILE)
        if name in LISTS or name.lower().endswith(_NOT_FILES):
            return ChecksumFile(None)
        found = await self._list(download, directory)
        if name in found.sums:
            return ChecksumFile(found.sums[name], found.name)
        missing = found.missing or NoticeCode.NO_CHECKSUM_FILE
        for ending in ENDINGS:
            try:
                sums = await self._fetch(download, url + ending)
            except FetchError:
                missing = NoticeCode.CHECKSUM_FILE_FAILED
                continue
            checksum = _single_checksum(sums, name)
            if checksum is not None:
                return ChecksumFile(checksum, name + ending)
        return ChecksumFile(None, missing=missing)

    async def _list(self, download: Download, directory: str) -> _List:
        """Return the list of a directory; concurrent callers share one request."""
        lock = self._locks.setdefault(directory, asyncio.Lock())
        async with lock:
            known = self._lists.get(directory) or self._absent.get(directory)
            if known is not None:
                return known
            found, may_pass = await self._fetch_list(download, directory)
            if may_pass:
                self._failures[directory] += 1
            if found.missing is None:
                self._keep(directory, found)
            elif not may_pass or self._failures[directory] >= LIST_TRIES:
                self._absent[directory] = found
            return found

    async def _fetch_list(
        self, download: Download, directory: str
    ) -> tuple[_List, bool]:
        """Return the list of a directory, and whether it may be another one later."""
        missing, may_pass = NoticeCode.NO_CHECKSUM_FILE, False
        for name in LISTS:
            try:
                sums = await self._fetch(download, f"{directory}/{name}")
            except FetchError as error:
                missing = NoticeCode.CHECKSUM_FILE_FAILED
                may_pass |= isinstance(error, TransientError | LocalError)
                continue
            if sums:
                return _List(sums, name), False
        return _ABSENT[missing], may_pass

    def _keep(self, directory: str, found: _List) -> None:
        self._lists[directory] = found
        while sum(len(kept.sums) for kept in self._lists.values()) > NAMES_KEPT:
            self._lists.pop(next(iter(self._lists)))

    async def _fetch(self, download: Download, url: str) -> dict[str, Checksum]:
        """Return the content of a checksum file; nothing if the server has none.

        Raises:
            FetchError: it cannot be fetched.
        """
        try:
            body = await self._read(download, url)
        except TimeoutError:
            message = "the checksum file takes too long"
            raise TransientError(ErrorKind.STALLED, message) from None
        except FetchError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return {}
            raise
        # In a thread: a long list takes some 100 ms.
        return await asyncio.to_thread(
            parse_checksum_list, body.decode(errors="replace")
        )

    async def _read(self, download: Download, url: str) -> bytes:
        """Return the bytes of a file; none if another server has it.

        Raises:
            FetchError: it cannot be fetched, or is too long.
            TimeoutError: it takes too long, without waits for the rate limit.
        """
        context = self._context
        # With the credentials of the download's own URL, which has the same origin.
        headers = request_headers(context.session, download, download.url)
        request = GetRequest(url, headers)
        body = bytearray()
        async with asyncio.timeout(context.settings.timeout_s) as timeout:
            response = await context.session.open(request)
            try:
                if origin_of(response.url) != origin_of(url):
                    return b""  # another server's word does not count
                info = read_resource_info(response, request)
                check_is_plain(info, response.url)
                limiters = [context.limiter]
                if response.limiter is not None:
                    limiters.append(response.limiter)
                while (chunk := await response.read_unlimited()) is not None:
                    body += chunk
                    if len(body) > SIZE_LIMIT:
                        message = "the checksum file is too long"
                        raise PermanentError(ErrorKind.SIZE, message)
                    for limiter in limiters:
                        if not limiter.is_unlimited:
                            await _throttle(limiter, len(chunk), timeout)
            finally:
                await response.close()
        return bytes(body)


async def _throttle(limiter: Limiter, nbytes: int, timeout: asyncio.Timeout) -> None:
    """Wait for a rate limit; that does not count for ``timeout``."""
    now = asyncio.get_running_loop().time
    ends_at = timeout.when()
    assert ends_at is not None
    left = ends_at - now()
    timeout.reschedule(None)
    await limiter.take(nbytes)
    timeout.reschedule(now() + left)


def _single_checksum(sums: dict[str, Checksum], name: str) -> Checksum | None:
    """Return what a file's own checksum file says about it.

    Such a file is often made elsewhere, with a path before the name or with another
    name; if it contains one digest, that is the one.
    """
    if len(sums) == 1:
        return next(iter(sums.values()))
    return sums.get(name) or sums.get("")

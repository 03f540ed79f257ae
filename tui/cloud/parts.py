"""Upload a large file in parts to S3, and continue where a killed process stopped.

S3 creates the object under its key when the upload is completed, and does so only if no
other object has the key, unless that one is to be replaced. An upload record notes each
part that S3 has received, with its digest. After a kill, a part is sent again only if
S3 no longer lists it or the bytes of the file no longer match its digest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING

from tui.cloud import record
from tui.cloud.errors import AlreadyThereError, S3Error
from tui.cloud.multipart import S3Client
from tui.cloud.record import Origin, Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tui.cloud.address import Address
    from tui.cloud.multipart import Keys
    from tui.cloud.record import UploadRecord

PART = 16 << 20
"""Bytes of each part of a file up to 160 GB."""
PARTS_AT_ONCE = 4
MAX_PARTS = 10_000
"""Maximum number of parts that S3 allows."""
_CHUNK = 1 << 20
_STARTS = 3
"""Attempts to upload a file, each after another program aborted the one before."""


def part_size(size: int) -> int:
    """Return the size of the parts of a file, in bytes."""
    least = -(-size // MAX_PARTS)
    return max(PART, -(-least // _CHUNK) * _CHUNK)


def etag_of(parts: list[Part]) -> str:
    """Return the ETag that S3 gives to an object made of these parts.

    An object that S3 encrypts may have another one.
    """
    try:
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    except ValueError:
        return ""
    return f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"


class PartsUpload:
    """Uploads files in parts.

    Args:
        address: the bucket.
        keys: credentials.
        folder: the directory of upload records.
        etag: returns the ETag of the object with a key; ``None`` if there is no object.
    """

    def __init__(
        self,
        address: Address,
        keys: Keys,
        folder: Path,
        etag: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._address = address
        self._keys = keys
        self._folder = folder
        self._etag = etag

    async def put(self, path: Path, key: str, *, replaces: bool) -> None:
        """Upload a file.

        Args:
            path: the complete local file.
            key: the key of the object.
            replaces: replace an object that exists.

        Raises:
            AlreadyThereError: the key has an object, which must not be replaced.
            S3Error: the store refuses it, or cannot be reached.
            OSError: the file cannot be read.
        """
        found, is_adopted = await asyncio.to_thread(self._open, path, key)
        try:
            async with S3Client(self._address, self._keys) as client:
                upload = _Upload(client, found, path, key, replaces, is_adopted)
                await self._run(upload)
            await asyncio.to_thread(found.remove)
        finally:
            found.close()

    async def discard(self, abandoned: UploadRecord) -> bool:
        """Abort an abandoned upload; return False if S3 has none for the record.

        Raises:
            S3Error: the store refuses it, or cannot be reached.
        """
        assert abandoned.origin is not None
        key = abandoned.origin.key
        async with S3Client(self._address, self._keys) as client:
            if abandoned.upload_id:
                return await client.abort(key, abandoned.upload_id)
            return await _abort_unnoted(client, key)

    def _open(self, path: Path, key: str) -> tuple[UploadRecord, bool]:
        """Continue the record of an abandoned upload of this file, or create one.

        Returns:
            The record, and True if it is of an abandoned upload.
        """
        found = os.stat(path)
        size = found.st_size
        origin = Origin(key, "", str(path), size, found.st_mtime_ns, part_size(size))
        abandoned = record.adopt(self._folder, key)
        if abandoned is not None:
            if abandoned.origin == origin:
                return abandoned, True
            # Of another file, or the file has changed; ``Uploader.clean_up`` removes it
            # later.
            abandoned.close()
        return record.create(self._folder, origin), False

    async def _run(self, upload: _Upload) -> None:
        """Start or continue an upload, and complete it.

        Raises:
            AlreadyThereError: the key has an object, which must not be replaced.
            S3Error: the store refuses it, or cannot be reached.
        """
        for attempt in range(_STARTS):
            found = await self._etag(upload.key)
            if found is not None and found.strip('"') == upload.etag:
                # An earlier process was killed just after it requested the completion,
                # or the response was lost.
                await upload.abort()
                return
            if found is not None and not upload.replaces:
                await upload.abort()
                raise AlreadyThereError(f"{upload.key} exists")
            try:
                await upload.start()
                await upload.send_parts()
                await upload.complete()
            except S3Error as error:
                if error.status == 412:
                    await upload.abort()
                    raise AlreadyThereError(f"{upload.key} exists") from None
                is_gone = error.code == "NoSuchUpload" or error.status == 409
                if not is_gone or attempt == _STARTS - 1:
                    raise
            else:
                return


class _Upload:
    """One file that is being uploaded in parts."""

    def __init__(
        self,
        client: S3Client,
        record: UploadRecord,
        path: Path,
        key: str,
        replaces: bool,
        is_adopted: bool,
    ) -> None:
        assert record.origin is not None
        self._client = client
        self._record = record
        self._path = path
        self._size = record.origin.size
        self._part_size = record.origin.part_size
        self._count = max(1, -(-self._size // self._part_size))
        self._was_completed = False
        self._is_adopted = is_adopted
        self.key = key
        self.replaces = replaces

    @property
    def etag(self) -> str:
        """Return the ETag of the complete object; "" while parts are missing."""
        parts = self._record.parts
        if len(parts) < self._count:
            return ""
        return etag_of([parts[number] for number in range(1, self._count + 1)])

    async def start(self) -> None:
        """Create the upload, or continue one with the parts that S3 has."""
        record = self._record
        if record.upload_id and self._was_completed:
            # The parts of a completed upload cannot be used again.
            await self._client.abort(self.key, record.upload_id)
        elif record.upload_id:
            try:
                sent = await self._client.parts(self.key, record.upload_id)
            except S3Error as error:
                if error.code != "NoSuchUpload":
                    raise
            else:
                for number, part in list(record.parts.items()):
                    known = sent.get(number)
                    if known is None or known.etag.strip('"') != part.etag.strip('"'):
                        del record.parts[number]
                return
        self._was_completed = False
        if self._is_adopted:
            await _abort_unnoted(self._client, self.key)
        before = self._client.repeated
        upload_id = await self._client.create(self.key)
        await asyncio.to_thread(record.set_upload_id, upload_id)
        if self._client.repeated > before:
            # The response to an earlier attempt was lost.
            await _abort_unnoted(self._client, self.key, upload_id)

    async def send_parts(self) -> None:
        """Send the parts that are missing, several at a time."""
        numbers = iter(range(1, self._count + 1))

        async def work() -> None:
            for number in numbers:
                await self._send(number)

        workers = min(PARTS_AT_ONCE, self._count)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _send(self, number: int) -> None:
        record = self._record
        at = (number - 1) * self._part_size
        size = min(self._part_size, self._size - at)
        sha256 = await asyncio.to_thread(_digest_of, self._path, at, size)
        known = record.parts.get(number)
        if known is not None and known.sha256 == sha256:
            return
        etag = await self._client.put_part(
            self.key,
            record.upload_id,
            number,
            lambda: _chunks(self._path, at, size),
            size,
            sha256,
        )
        await asyncio.to_thread(record.add, number, Part(etag, sha256))

    async def complete(self) -> None:
        """Complete the upload, which makes S3 create the object."""
        parts = self._record.parts
        ordered = [parts[number] for number in range(1, self._count + 1)]
        self._was_completed = True
        await self._client.complete(
            self.key,
            self._record.upload_id,
            [(part.etag, part.sha256) for part in ordered],
            replaces=self.replaces,
        )

    async def abort(self) -> None:
        """Abort the upload, and remove its record."""
        if self._record.upload_id:
            await self._client.abort(self.key, self._record.upload_id)
        await asyncio.to_thread(self._record.remove)


async def _abort_unnoted(client: S3Client, key: str, noted: str = "") -> bool:
    """Abort all uploads to a key, except the one whose id is ``noted``.

    These are left by a process that was killed before it noted the id. An upload from
    another machine to the same key looks alike; it is aborted as well and starts again.

    Returns:
        True if there was one.
    """
    aborted = [
        await client.abort(key, id) for id in await client.uploads(key) if id != noted
    ]
    return any(aborted)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _digest_of(path: Path, at: int, size: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(at)
        while size and (chunk := file.read(min(_CHUNK, size))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.hexdigest()


async def _chunks(path: Path, at: int, size: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a part in chunks, to limit the memory that a part takes."""
    end = at + size
    while at < end:
        chunk = await asyncio.to_thread(_read, path, at, min(_CHUNK, end - at))
        if not chunk:
            return  # the file was truncated; S3 refuses the incomplete part
        yield chunk
        at += len(chunk)


def _read(path: Path, at: int, size: int) -> bytes:
    """Read from a file and close it, so that a cancelled upload leaves nothing open."""
    with open(path, "rb") as file:
        file.seek(at)
        return file.read(size)

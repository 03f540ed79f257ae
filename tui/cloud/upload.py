"""Upload complete files, so that objects are complete, and none is replaced.

Small files are sent in one conditional request. A large file is sent in parts. In S3,
an object appears when the last request of such an upload is accepted, under the same
condition (``parts``); elsewhere, parts go to a temporary key, which is copied. A kill
therefore never leaves part of a file under its name. ``clean_up`` removes what a killed
process left, as its upload records say; uploads of living processes are not touched.
What was uploaded is noted in the staging directory, so that the next run does not
download it again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.cloud import record
from tui.cloud.errors import AlreadyThereError, CloudError, S3Error
from tui.cloud.multipart import keys_of
from tui.cloud.parts import PART, PARTS_AT_ONCE, PartsUpload
from tui.cloud.record import Origin
from tui.cloud.store import explained, open_store, s3_options
from tui.core.text.file_name import split_extension
from tui.disk.state.json_lines import append_lines, read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tui.cloud.address import Address
    from tui.cloud.multipart import Keys
    from tui.cloud.record import UploadRecord
    from tui.core.request import DownloadRequest

log = logging.getLogger(__name__)

SMALL = 16 << 20
"""Bytes up to which a file is sent in one request, from memory."""
COPY_LIMIT = 5 << 30
"""Largest object that S3 copies in one request."""
TEMPORARY = ".fetchtui-parts"
"""Folder of temporary keys, below the prefix."""
FOLDER = ".fetchtui-uploads"
"""Folder of upload records and of the ledger, in the staging directory."""
LEDGER = "uploaded.jsonl"
_NUMBERS = 10_000
_SIGNATURES = {"x-amz-signature", "x-goog-signature"}


class Uploaded(NamedTuple):
    """An object that this and earlier runs uploaded."""

    request: str
    """The ``request_digest`` of what was downloaded; a URL may have secrets."""
    name: str
    """Path of the local file below the staging directory."""
    key: str
    size: int


class Uploader:
    """Uploads files to a store.

    Args:
        store: obstore's store.
        address: bucket and prefix.
        staging: the local directory of the run.
        replaces: replace objects that exist (``--on-exists overwrite``).
        keys: credentials for uploads in parts to S3; ``None`` for other stores, or if
            they are not known here.
    """

    def __init__(
        self,
        store: Any,
        address: Address,
        staging: Path,
        *,
        replaces: bool = False,
        keys: Keys | None = None,
    ) -> None:
        self._store = store
        self._address = address
        self._folder = staging / FOLDER
        self._ledger = self._folder / LEDGER
        self._parts = (
            PartsUpload(address, keys, self._folder, self._etag_of) if keys else None
        )
        self.replaces = replaces

    @property
    def address(self) -> Address:
        """Return where files go."""
        return self._address

    async def check(self) -> None:
        """Make sure that the bucket exists and accepts requests.

        Raises:
            CloudError: it does not.
        """
        import obstore

        try:
            async for _ in obstore.list(
                self._store, prefix=self._address.key(TEMPORARY), chunk_size=1
            ):
                break
        except Exception as error:
            raise explained(error, self._address) from None

    async def clean_up(self, *, is_final: bool = False) -> int:
        """Remove what killed processes left unfinished; return the number of uploads.

        Uploads that can be continued are kept, because their files are still here.

        Args:
            is_final: all downloads are uploaded, so nothing will be continued.

        Raises:
            CloudError: the store refuses it.
        """
        number = 0
        found = await asyncio.to_thread(self._abandoned, is_final)
        try:
            for one in found:
                number += await self._discard(one)
        except Exception as error:
            raise explained(error, self._address) from None
        finally:
            for one in found:
                one.close()
        return number

    def _abandoned(self, is_final: bool) -> list[UploadRecord]:
        """Lock and return the records of killed processes that will not continue."""
        found = []
        for one in record.abandoned(self._folder):
            origin = one.origin
            is_parts = origin is not None and not origin.temporary
            if is_parts and self._parts is None:
                # Credentials of a service now, and of a user then; a lifecycle rule of
                # the bucket has to abort it.
                one.close()
            elif is_parts and not is_final and origin is not None and origin.is_current:
                one.close()
            else:
                found.append(one)
        return found

    async def _discard(self, abandoned: UploadRecord) -> bool:
        """Remove an unfinished upload; return False if the store has none."""
        import obstore

        origin = abandoned.origin
        is_there = False
        if origin is not None and origin.temporary:
            is_there = await self._exists(origin.temporary)
            if is_there:
                await obstore.delete_async(self._store, origin.temporary)
        elif origin is not None and self._parts is not None:
            is_there = await self._parts.discard(abandoned)
        await asyncio.to_thread(abandoned.remove)
        return is_there

    async def upload(self, path: Path, name: str) -> str:
        """Upload a file under a name below the prefix, or a numbered form of it.

        The number stands where it does in names of files (``disk.folders.numbered``).
        Unlike those, keys need no shortening, as stores accept 1,024 bytes, and the
        store itself decides whether one is taken.

        Args:
            path: the complete local file.
            name: its path below the staging directory, ``/``-separated.

        Returns:
            The key.

        Raises:
            CloudError: the store refuses it, or cannot be reached.
            OSError: the file cannot be read.
        """
        folder, slash, last = name.rpartition("/")
        stem, extension = split_extension(last)
        for number in range(_NUMBERS):
            numbered = f"{stem} ({number}){extension}" if number else last
            key = self._address.key(f"{folder}{slash}{numbered}")
            try:
                await self.put(path, key)
            except AlreadyThereError:
                # Usually a run that was killed before it noted its upload.
                if not await self._is_same(path, key):
                    continue
            return key
        raise AlreadyThereError(f"{name}: all numbered names are taken")

    async def put_own(self, path: Path, name: str, *, replaces: bool = False) -> str:
        """Upload a file under its name, unless an earlier attempt did so.

        Args:
            path: the complete local file.
            name: its path below the prefix.
            replaces: an object with this name is an earlier form of this one.

        Returns:
            The key.

        Raises:
            AlreadyThereError: there is another object with this name.
            CloudError: the store refuses it, or cannot be reached.
        """
        key = self._address.key(name)
        try:
            await self.put(path, key, replaces=replaces)
        except AlreadyThereError:
            if not await self._is_same(path, key):
                raise
        return key

    async def put(self, path: Path, key: str, *, replaces: bool = False) -> None:
        """Upload a file under a key.

        Args:
            path: the complete local file.
            key: the key.
            replaces: replace an object that exists, as with ``self.replaces``.

        Raises:
            AlreadyThereError: there is an object, and it must not be replaced.
            CloudError: the store refuses it, or cannot be reached.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError

        size = (await asyncio.to_thread(os.stat, path)).st_size
        replaces = replaces or self.replaces
        mode: Any = "overwrite" if replaces else "create"
        try:
            if size <= SMALL:
                # One request with a checksum, after which nothing has to be compared.
                await obstore.put_async(
                    self._store, key, path, mode=mode, use_multipart=False
                )
                return
            if self._parts is not None:
                await self._parts.put(path, key, replaces=replaces)
            else:
                await self._put_large(path, key, size, replaces)
            found = await self._size_of(key)
        except AlreadyExistsError:
            raise AlreadyThereError(f"{key} exists") from None
        except BaseError as error:
            # Some of its errors are also errors of files.
            raise explained(error, self._address) from None
        except S3Error as error:
            raise explained(error, self._address) from None
        except OSError as error:
            # obstore's for a status of 404 has no number of the system.
            if error.errno is None:
                raise explained(error, self._address) from None
            raise
        except CloudError:
            raise
        except Exception as error:
            raise explained(error, self._address) from None
        if found is None:
            raise self._removed()
        if found != size:
            raise CloudError(
                f"{self._address}: an object has {found:,} bytes instead of"
                f" {size:,} after its upload"
            )

    def _removed(self) -> CloudError:
        return CloudError(
            f"{self._address}: an object was removed after its upload; run it again"
        )

    async def _put_large(self, path: Path, key: str, size: int, replaces: bool) -> None:
        import obstore
        from obstore.exceptions import BaseError

        parts: dict[str, Any] = {
            "chunk_size": PART,
            "max_concurrency": PARTS_AT_ONCE,
            "use_multipart": True,
        }
        if not replaces and await self._exists(key):
            raise AlreadyThereError(f"{key} exists")
        if replaces or size > COPY_LIMIT:
            # Complete or not there: parts become an object when all have arrived.
            await obstore.put_async(self._store, key, path, **parts)
            return
        temporary = self._address.key(f"{TEMPORARY}/{os.urandom(8).hex()}")
        origin = Origin(key, temporary, str(path), size, 0)
        noted = await asyncio.to_thread(record.create, self._folder, origin)
        try:
            try:
                await obstore.put_async(self._store, temporary, path, **parts)
            except BaseError:
                # The store may have joined the parts although its answer was late.
                if await self._size_of(temporary) != size:
                    raise
            try:
                await obstore.copy_async(self._store, temporary, key, overwrite=False)
            except FileNotFoundError:
                raise self._removed() from None
        finally:
            try:
                await obstore.delete_async(self._store, temporary)
                await asyncio.to_thread(noted.remove)
            except FileNotFoundError:
                await asyncio.to_thread(noted.remove)
            except Exception:
                # ``clean_up`` of the next run removes it.
                log.debug("a temporary object remains", exc_info=True)
            finally:
                noted.close()

    async def _exists(self, key: str) -> bool:
        return await self._found(key) is not None

    async def _size_of(self, key: str) -> int | None:
        """Return the size of an object in bytes; ``None`` without one."""
        found = await self._found(key)
        return None if found is None else int(found["size"])

    async def _etag_of(self, key: str) -> str | None:
        """Return the ETag of an object; ``None`` without an object."""
        found = await self._found(key)
        return None if found is None else str(found["e_tag"] or "")

    async def _found(self, key: str) -> Any:
        """Return what the store says about an object; ``None`` without one."""
        import obstore

        try:
            return await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return None

    async def _is_same(self, path: Path, key: str) -> bool:
        """Return True if an object has the bytes of a file."""
        import obstore

        try:
            found = await obstore.get_async(self._store, key)
            size = (await asyncio.to_thread(os.stat, path)).st_size
            if found.meta["size"] != size:
                return False
            digest = hashlib.sha256()
            async for chunk in found.stream():
                digest.update(chunk)
        except FileNotFoundError:
            return False
        except Exception as error:
            raise explained(error, self._address) from None
        return digest.hexdigest() == await asyncio.to_thread(_digest_of, path)

    # -- what was uploaded -----------------------------------------------------------

    def note(self, uploaded: Uploaded) -> None:
        """Note an upload; call it before the local file is removed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        append_lines(self._ledger, [uploaded], is_synced=True)

    def noted(self) -> list[Uploaded]:
        """Return all uploads that were noted; damaged lines are skipped."""
        found = []
        with suppress(FileNotFoundError):
            for values in read_lines(self._ledger):
                with suppress(TypeError):  # not an upload
                    found.append(Uploaded(*values))
        return found

    async def still_there(self) -> dict[str, Uploaded]:
        """Return noted uploads whose objects still have their size.

        Returns:
            The uploads by ``request_digest``.

        Raises:
            CloudError: the store cannot be listed.
        """
        import obstore

        noted = await asyncio.to_thread(self.noted)
        if not noted:
            return {}
        sizes: dict[str, int] = {}
        try:
            async for batch in obstore.list(self._store, prefix=self._address.prefix):
                for entry in batch:
                    sizes[entry["path"]] = entry["size"]
        except Exception as error:
            raise explained(error, self._address) from None
        return {one.request: one for one in noted if sizes.get(one.key) == one.size}


def request_digest(request: DownloadRequest) -> str:
    """Return a digest of URL, directory and name, the identity of a request.

    Signatures of URLs do not belong to it: each run of ``s3://`` sources has new ones.
    """
    url = _unsigned(request.url)
    identity = json.dumps([url, request.directory, request.name])
    return hashlib.sha256(identity.encode()).hexdigest()


def _unsigned(url: str) -> str:
    base, _, query = url.partition("?")
    names = {pair.partition("=")[0].lower() for pair in query.split("&")}
    is_signed = names & _SIGNATURES or names >= {"sig", "sv"}
    return base if is_signed else url


def open_uploader(
    address: Address, staging: Path, *, replaces: bool = False
) -> Uploader:
    """Return an uploader with the credentials of the environment.

    Args:
        address: bucket and prefix.
        staging: the local directory of the run.
        replaces: replace objects that exist.

    Raises:
        CloudError: obstore is missing, or the credentials cannot be used.
    """
    store = open_store(address)
    keys = None
    if address.scheme == "s3":
        keys = keys_of(s3_options(os.environ), os.environ)
    return Uploader(store, address, staging, replaces=replaces, keys=keys)


def _digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

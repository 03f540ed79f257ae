"""Upload records: what is known about an unfinished upload, in a file that is locked.

An upload in parts has one record, from before its first request until its object is
there. The process that uploads has the lock of the file, and the system releases it
with the process, however that ends. A record that can be locked is therefore of a
process that is gone: its upload can be continued or removed, and no other process can
do so at the same time.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from tui.disk.state.json_lines import encode_lines, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".upload"
_DIGITS = 16


class Origin(NamedTuple):
    """What is uploaded, and where to; the first line of a record."""

    key: str
    temporary: str
    """Key of the temporary object that is copied to ``key``; "" for an upload in parts
    to the key itself, which can be continued."""
    source: str
    """Path of the local file."""
    size: int
    modified: int
    """Nanoseconds since the epoch."""
    part_size: int = 0

    @property
    def is_current(self) -> bool:
        """Return True if the local file is unchanged."""
        try:
            found = os.stat(self.source)
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.modified)


class Part(NamedTuple):
    """A part that the store has."""

    etag: str
    sha256: str
    """Hexadecimal digest of its bytes."""


class UploadRecord:
    """The record of one upload. Methods that write block."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Use ``create``, ``adopt`` or ``abandoned`` instead."""
        self.path = path
        self._descriptor = descriptor
        self.origin: Origin | None = None
        """``None`` if the process ended before it was written."""
        self.upload_id = ""
        """Id of the upload in S3; "" before it has one."""
        self.parts: dict[int, Part] = {}

    def set_upload_id(self, upload_id: str) -> None:
        """Note the id of an upload, and clear the parts of the one before."""
        self.upload_id = upload_id
        self.parts.clear()
        self._append({"id": upload_id})
        os.fsync(self._descriptor)

    def add(self, number: int, part: Part) -> None:
        """Note a part.

        It is not synced: a part that is lost in a power failure is only sent again.
        """
        self.parts[number] = part
        self._append({"part": number, **part._asdict()})

    def remove(self) -> None:
        """Remove the record; the upload is complete, or nothing is left of it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Release the lock, so that the upload can be continued later."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, values: dict[str, object]) -> None:
        os.write(self._descriptor, encode_lines([values]))

    def _read(self) -> None:
        for values in read_lines(self.path):
            try:
                if "key" in values:
                    self.origin = Origin(**values)
                elif "id" in values:
                    self.upload_id = str(values["id"])
                    self.parts.clear()
                else:
                    part = Part(str(values["etag"]), str(values["sha256"]))
                    self.parts[int(values["part"])] = part
            except (ValueError, TypeError, KeyError):
                continue  # damaged


def create(folder: Path, origin: Origin) -> UploadRecord:
    """Create and lock the record of a new upload; blocks.

    Raises:
        OSError: the disk is full or not writable.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    while True:
        name = f"{_prefix_of(origin.key)}{os.urandom(4).hex()}{_SUFFIX}"
        path = folder / name
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        descriptor = os.open(path, flags, 0o600)
        if not _lock(path, descriptor, is_new=True):
            os.close(descriptor)
            continue  # taken for an abandoned one before it was locked
        record = UploadRecord(path, descriptor)
        try:
            record.origin = origin
            record._append(origin._asdict())
            os.fsync(descriptor)
        except OSError:
            record.remove()
            raise
        return record


def adopt(folder: Path, key: str) -> UploadRecord | None:
    """Lock and return the record of an abandoned upload to a key; blocks."""
    for record in abandoned(folder, _prefix_of(key)):
        if record.origin is not None and record.origin.key == key:
            return record
        record.close()
    return None


def abandoned(folder: Path, prefix: str = "") -> Iterator[UploadRecord]:
    """Lock and yield the records that no living process has; blocks.

    The caller closes or removes each of them. On a file system without locks,
    nothing is yielded.
    """
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        if not (name.endswith(_SUFFIX) and name.startswith(prefix)):
            continue
        path = folder / name
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            continue  # its process removed it meanwhile
        if not _lock(path, descriptor):
            os.close(descriptor)
            continue
        record = UploadRecord(path, descriptor)
        record._read()
        yield record


def _prefix_of(key: str) -> str:
    return f"{hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]}-"


def _lock(path: Path, descriptor: int, *, is_new: bool = False) -> bool:
    """Lock an open file; return False if another process has it, or removed it.

    Args:
        path: its name.
        descriptor: the open file.
        is_new: it was created now, so without locks it is ours all the same.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        is_locked = error.errno in (errno.EWOULDBLOCK, errno.EACCES)
        return is_new and not is_locked
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))

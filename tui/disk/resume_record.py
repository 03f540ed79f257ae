"""The resume record: which bytes of a part file are on disk, and where they came from.

It is stored beside the part file as ``NAME.part.json``, one line of JSON with a digest
of itself, and is replaced atomically, always after the data it describes. It is trusted
only if it is, byte for byte, what this version would write and if the part file is as
long as it claims. Anything else means that the download restarts from zero: a torn
record still says that fetchtui wrote the part file, but no longer what is in it.
Everything but the record class blocks.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import without_login
from tui.disk import platform
from tui.disk.errors import ChangedOnDiskError, in_use
from tui.disk.folders import NEW_RECORD, PART, RECORD
from tui.disk.platform import sync_data, write_at

if TYPE_CHECKING:
    from tui.disk.folders import Folder
    from tui.disk.safe_dir import SafeDir

VERSION = 1
"""Incremented when a field changes its meaning; other versions are ignored."""
_MAX_BYTES = 1 << 20
_HEAD = b'{"fetchtui": {'


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRecord:
    """Which bytes of a part file can be trusted.

    Pass the complete URL. The record stores it without credentials and query, for
    display, and a digest of it with the query, for comparison: the query of a signed
    URL is a secret.
    """

    url: str
    validator: str
    """Strong ETag (with its quotes) or HTTP date; "" if the server sent none."""
    etag: str = ""
    """The ETag, usually a weak one, beside a date as validator; "" for none. Another
    one contradicts the date."""
    size: int | None
    """Bytes of the whole file; ``None`` while unknown."""
    ranges: tuple[tuple[int, int], ...] = ()
    """What is on disk: half-open, sorted, not overlapping."""
    checksum: str = ""
    """The expected checksum, as ``sha256=HEX``, or ""."""
    coding: str = ""
    """Content coding of the bytes, which nobody asked for; "" for none. Some servers
    give a file the same ETag with and without it."""
    saved_at: float = 0.0
    """Wall time."""
    version: int = VERSION
    url_digest: str = ""
    """SHA-256 of the URL with its query and without credentials; made from ``url``."""

    def __post_init__(self) -> None:
        if not self.url_digest:
            bare = without_login(self.url)
            object.__setattr__(
                self, "url_digest", _digest(bare.encode(errors="backslashreplace"))
            )
            object.__setattr__(self, "url", _strip_query(bare))

    def matches_url(self, url: str) -> bool:
        """Return True if the bytes came from exactly this URL."""
        bare = without_login(url).encode(errors="backslashreplace")
        return self.url_digest == _digest(bare)

    def matches_url_without_query(self, url: str) -> bool:
        """Like ``matches_url``, but ignore the query, which changes in signed URLs."""
        return self.url == _strip_query(without_login(url))


class ExistingFiles(NamedTuple):
    """What exists under a name. Sizes in bytes; -1: not a regular file."""

    final_size: int | None
    part_size: int | None
    record: ResumeRecord | None
    is_torn: bool = False
    """Beside the part file there is a record that cannot be trusted: torn, empty,
    damaged, or wrong about the part file. Both belong to fetchtui."""

    def has_same_part(self, other: ExistingFiles) -> bool:
        """Return True if the part file and its record are the same."""
        return self[1:] == other[1:]


def find_existing(folder: Folder, name: str) -> ExistingFiles:
    """Return what exists under a name.

    What a run left that was killed while it renamed the part file is removed: a record
    without a part file, and a part file that is the finished file.

    Raises:
        LocalError: ``in_use``: another process has just begun or is about to end.
        OSError: the folder cannot be read.
    """
    with folder.opened() as directory:
        found = look(directory, name)
        if found.part_size is None:
            _remove_stale_record(directory, name)
        elif found.part_size >= 0 and (
            found.record is None or found.final_size is not None
        ):
            found = _look_again(directory, name)
        return found


def look(directory: SafeDir, name: str) -> ExistingFiles:
    """Return what exists under a name; nothing of it may be true any more.

    Only for the owner of the part file's lock it stays true.
    """
    part_size = directory.size(name + PART)
    record = _load(directory, name, part_size)
    final_size = directory.size(name)
    is_torn = record is None and bool(part_size) and _is_torn(directory, name)
    return ExistingFiles(final_size, part_size, record, is_torn)


def _look_again(directory: SafeDir, name: str) -> ExistingFiles:
    """Return what exists under a name, beside a part file that seems to be left over.

    A part file without a record is somebody else's, unless its owner replaced or
    removed the record at that moment. So look while nobody can.

    Raises:
        LocalError: ``in_use``.
    """
    part_name = name + PART
    fd = directory.open_to_lock(part_name)
    if fd is None:
        return look(directory, name)
    try:
        if not platform.lock(fd):
            raise in_use(part_name)
        if not directory.is_same(part_name, fd):
            raise ChangedOnDiskError(name)
        found = look(directory, name)
        if found.record is not None and directory.is_same(name, fd):
            # Where the system cannot rename without replacing, a file is linked to its
            # final name and then unlinked from the other.
            directory.unlink(part_name)
            _remove_stale_record(directory, name)
            found = look(directory, name)
        return found
    finally:
        os.close(fd)


def load_record(folder: Folder, name: str) -> ResumeRecord | None:
    """Return the record of a part file, or ``None`` if there is none to trust.

    Raises:
        OSError: the folder cannot be read.
    """
    with folder.opened() as directory:
        return _load(directory, name, directory.size(name + PART))


def save_record(
    folder: Folder, name: str, record: ResumeRecord, *, sync: bool = True
) -> None:
    """Replace the record atomically.

    The directory is not synced: after a power failure the previous record is back, and
    what that one claims is still true.

    Args:
        folder: the folder of the part file.
        name: the final name.
        record: what to save.
        sync: make the record survive a power failure.

    Raises:
        OSError: the disk is full, the folder was removed, ...; the previous record
            stays.
    """
    with folder.opened() as directory:
        new_name, fd = _create_new(directory, name)
        try:
            try:
                data = serialize(record)
                write_at(fd, [data], 0, len(data))
                if sync:
                    sync_data(fd)
            finally:
                os.close(fd)
            directory.rename(new_name, name + RECORD, overwrite=True)
        except BaseException:
            directory.unlink(new_name)
            raise


def has_foreign_record(directory: SafeDir, name: str) -> bool:
    """Return True if a file that fetchtui did not write has the record's name."""
    if directory.size(name + RECORD) is None:
        return False
    data = _read(directory, name + RECORD)
    return data is None or not data.startswith(_HEAD)


_FIELDS = tuple(sorted(field.name for field in fields(ResumeRecord)))
_ENCODER = json.JSONEncoder()


def remove_records(directory: SafeDir, name: str) -> None:
    """Remove the record of a part file, and one that a killed run did not finish."""
    directory.unlink(name + RECORD)
    _remove_temporary(directory, name)


def serialize(record: ResumeRecord) -> bytes:
    """Return the record as it is stored."""
    values = {name: getattr(record, name) for name in _FIELDS}
    for name in ("coding", "etag"):
        if not values[name]:
            del values[name]  # almost always; and older versions read the record
    body = _ENCODER.encode(values)
    digest = _digest(body.encode())
    return f'{{"fetchtui": {body}, "sha256": "{digest}"}}\n'.encode()


def parse(data: bytes) -> ResumeRecord | None:
    """Parse what ``serialize`` returned; ``None`` for anything else."""
    try:
        values = json.loads(data)["fetchtui"]
        values["ranges"] = tuple((start, end) for start, end in values["ranges"])
        record = ResumeRecord(**values)
        # Compare with what this version would write: that detects a single changed
        # bit, and covers digest, version, missing fields and changed types alike.
        is_valid = serialize(record) == data and _is_consistent(record)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return None
    return record if is_valid else None


_TYPES: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "validator": (str,),
    "etag": (str,),
    "size": (int, type(None)),
    "checksum": (str,),
    "coding": (str,),
    "saved_at": (int, float),
    "version": (int,),
    "url_digest": (str,),
}


def _is_consistent(record: ResumeRecord) -> bool:
    for field in fields(record):
        value: Any = getattr(record, field.name)
        if field.name in _TYPES and type(value) not in _TYPES[field.name]:
            return False
    if record.version != VERSION or (record.size is not None and record.size < 0):
        return False
    at = 0
    for start, end in record.ranges:
        if type(start) is not int or type(end) is not int or not at <= start < end:
            return False
        at = end
    return record.size is None or at <= record.size


def _load(directory: SafeDir, name: str, part_size: int | None) -> ResumeRecord | None:
    if part_size is None or part_size < 0:
        return None
    data = _read(directory, name + RECORD)
    record = None if data is None else parse(data)
    if record is None or (record.ranges and record.ranges[-1][1] > part_size):
        return None
    return record


def _is_torn(directory: SafeDir, name: str) -> bool:
    """Return True if the file beside a part file is what is left of a record.

    That is everything but a whole JSON document of another program: a crash of the
    system may leave an empty file, half of one, or any bytes.
    """
    data = _read(directory, name + RECORD)
    if data is None:
        return False
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return True
    is_document = isinstance(value, (dict, list)) and bool(value)
    return not is_document or "fetchtui" in value


def _remove_stale_record(directory: SafeDir, name: str) -> None:
    """Remove the record of a part file that is gone.

    Another process may begin with this name at the same moment, and its record must
    stay. So claim the name, as every owner of a part file does.
    """
    if all(directory.size(name + end) is None for end in (RECORD, NEW_RECORD)):
        return
    try:
        fd = directory.create(name + PART)
    except OSError:
        return  # it has an owner now, or the disk is full: there is no hurry
    try:
        if platform.lock(fd):
            if not has_foreign_record(directory, name):
                directory.unlink(name + RECORD)
            _remove_temporary(directory, name)
            directory.unlink(name + PART)
    finally:
        os.close(fd)


def _remove_temporary(directory: SafeDir, name: str) -> None:
    """Remove the temporary file of a record that a killed run left behind."""
    if directory.size(name + NEW_RECORD) is not None:
        data = _read(directory, name + NEW_RECORD)
        if _is_own_temporary(data):
            directory.unlink(name + NEW_RECORD)


def _is_own_temporary(data: bytes | None) -> bool:
    return data is not None and data[: len(_HEAD)] == _HEAD[: len(data)]


def _read(directory: SafeDir, name: str) -> bytes | None:
    """Return the content of a small regular file; ``None`` for anything else."""
    try:
        fd = directory.open_regular(name, os.O_RDONLY)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    return data if len(data) <= _MAX_BYTES else None


def _create_new(directory: SafeDir, name: str) -> tuple[str, int]:
    """Create the temporary file that will become the record.

    One that a killed run left behind is removed; a file that fetchtui did not write is
    left alone, and the temporary file gets another name.
    """
    new_name = name + NEW_RECORD
    try:
        return new_name, directory.create(new_name)
    except FileExistsError:
        if _is_own_temporary(_read(directory, new_name)):
            directory.unlink(new_name)
        else:
            new_name = f"{os.urandom(8).hex()}{NEW_RECORD}"
    return new_name, directory.create(new_name)


def _digest(data: bytes) -> str:
    import hashlib  # late: small files need no record

    return hashlib.sha256(data).hexdigest()


def _strip_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def with_ranges(
    record: ResumeRecord, ranges: tuple[tuple[int, int], ...], saved_at: float
) -> ResumeRecord:
    """Return a copy with the ranges on disk; ``saved_at`` is wall time."""
    return replace(record, ranges=ranges, saved_at=round(saved_at, 3))

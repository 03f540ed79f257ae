"""The resume record: what is safely in a part file, from where, proven with what.

It lies beside the part file as ``NAME.part.json``, one line of JSON that carries a
digest of itself, and is replaced atomically, after the data that it describes. It is
believed only if it is, byte for byte, something that this version writes and if the
part file can hold what it claims; anything odd means a clean start. All but the record
class block.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from tui.disk.folders import NEW_RECORD, PART, RECORD
from tui.disk.platform import sync_data, write_at

if TYPE_CHECKING:
    from tui.disk.folders import Folder
    from tui.disk.safe_dir import SafeDir

VERSION = 1
"""Grows when the meaning of a field changes; other versions are not believed."""
_MAX_BYTES = 1 << 20
_HEAD = b'{"fetchtui": {'


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRecord:
    """Which bytes of a part file can be trusted.

    Hand it the whole URL: it keeps the part without login and query, for people, and
    a digest of the whole, for comparing, since the query of a signed URL is a secret.
    """

    url: str
    validator: str
    """Strong ETag (in its quotes) or HTTP date; "" if the server gave none."""
    size: int | None
    """Bytes of the whole file; ``None`` while unknown."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Half-open, in order, not overlapping: what is on disk."""
    checksum: str = ""
    """Expected, as ``sha256=HEX``, or ""."""
    saved_at: float = 0.0
    """Wall time."""
    version: int = VERSION
    url_digest: str = ""
    """SHA-256 of the URL with its query and without its login; made from ``url``."""

    def __post_init__(self) -> None:
        if not self.url_digest:
            bare = strip_userinfo(self.url)
            object.__setattr__(
                self, "url_digest", _digest(bare.encode(errors="backslashreplace"))
            )
            object.__setattr__(self, "url", _without_query(bare))

    def matches_url(self, url: str) -> bool:
        """Whether it describes bytes that came from this very URL."""
        bare = strip_userinfo(url).encode(errors="backslashreplace")
        return self.url_digest == _digest(bare)

    def matches_url_without_query(self, url: str) -> bool:
        """The same, queries aside: a signed URL has another one each time."""
        return self.url == _without_query(strip_userinfo(url))


class ExistingFiles(NamedTuple):
    """What is already there under a name. Sizes in bytes; -1: no regular file."""

    final_size: int | None
    part_size: int | None
    record: ResumeRecord | None


def find_existing(folder: Folder, name: str) -> ExistingFiles:
    """Look, in one go, at what is there under a name.

    A record of ours beside the finished file is removed: a run was killed between the
    rename and that.

    Raises:
        OSError: the folder cannot be read.
    """
    with folder.opened() as directory:
        part_size = directory.size(name + PART)
        record = _load(directory, name, part_size)
        final_size = directory.size(name)
        if part_size is None and final_size is not None:
            _remove_stale(directory, name)
        return ExistingFiles(final_size, part_size, record)


def load_record(folder: Folder, name: str) -> ResumeRecord | None:
    """Read the record of a part file, or ``None`` if it cannot be believed.

    Raises:
        OSError: the folder cannot be read.
    """
    with folder.opened() as directory:
        return _load(directory, name, directory.size(name + PART))


def save_record(
    folder: Folder, name: str, record: ResumeRecord, *, sync: bool = True
) -> None:
    """Replace the record, atomically; ``sync`` makes it survive a power cut.

    The directory is not synced: should the power go, the record before it is back,
    and what that one claims is still true.

    Raises:
        OSError: the disk is full, the folder is gone, ...; the old record stays.
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


def is_in_the_way(directory: SafeDir, name: str) -> bool:
    """Whether a record's name is taken by something that we did not write."""
    if directory.size(name + RECORD) is None:
        return False
    data = _read(directory, name + RECORD)
    return data is None or parse(data) is None


def serialize(record: ResumeRecord) -> bytes:
    """Return the bytes that go to disk."""
    body = json.dumps(asdict(record), sort_keys=True)
    digest = _digest(body.encode())
    return f'{{"fetchtui": {body}, "sha256": "{digest}"}}\n'.encode()


def parse(data: bytes) -> ResumeRecord | None:
    """Read what ``serialize`` wrote; ``None`` for everything else."""
    try:
        values = json.loads(data)["fetchtui"]
        values["ranges"] = tuple((start, end) for start, end in values["ranges"])
        record = ResumeRecord(**values)
        # What we write is exactly this, so a single other bit shows; that covers
        # the digest, the version, missing fields and changed types alike.
        is_ours = serialize(record) == data and _is_sound(record)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return None
    return record if is_ours else None


_TYPES: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "validator": (str,),
    "size": (int, type(None)),
    "checksum": (str,),
    "saved_at": (int, float),
    "version": (int,),
    "url_digest": (str,),
}


def _is_sound(record: ResumeRecord) -> bool:
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


def _remove_stale(directory: SafeDir, name: str) -> None:
    if not is_in_the_way(directory, name):
        directory.unlink(name + RECORD)


def _read(directory: SafeDir, name: str) -> bytes | None:
    """Read a small regular file; ``None`` for anything else."""
    try:
        fd = directory.open_regular(name, os.O_RDONLY)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    return data if len(data) <= _MAX_BYTES else None


def _create_new(directory: SafeDir, name: str) -> tuple[str, int]:
    """Make the temporary file that will become the record.

    A killed run may have left its own there, which is removed; somebody else's file
    of that name is left alone, and another name is taken.
    """
    new_name = name + NEW_RECORD
    try:
        return new_name, directory.create(new_name)
    except FileExistsError:
        data = _read(directory, new_name)
        if data is not None and (data[: len(_HEAD)] == _HEAD[: len(data)]):
            directory.unlink(new_name)
        else:
            new_name = f"{secrets.token_hex(8)}{NEW_RECORD}"
    return new_name, directory.create(new_name)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def strip_userinfo(url: str) -> str:
    """Return the URL without user name and password."""
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            bare = parts.netloc.rpartition("@")[2]
            return urlunsplit(parts._replace(netloc=bare))
    except ValueError:
        return url.rpartition("@")[2]
    return url


def stamp(
    record: ResumeRecord, ranges: tuple[tuple[int, int], ...], saved_at: float
) -> ResumeRecord:
    """Return the record for what is on disk now; ``saved_at`` in wall time."""
    return replace(record, ranges=ranges, saved_at=round(saved_at, 3))

"""Hashing, done in threads: hashlib releases the GIL for more than 2 KiB."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, IntegrityError, LocalError
from tui.core.text.sanitize import sanitize
from tui.disk.platform import OPEN_SAFELY, read_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from hashlib import _Hash

    from typing_extensions import Buffer

    from tui.core.request import Checksum
    from tui.disk.folders import Folder

BLOCK = 1 << 20
"""Bytes read at a time: a larger block gains nothing, a smaller one costs calls."""


def new_hash(algorithm: str) -> _Hash:
    """Return a new hash object for an algorithm that hashlib knows.

    Old algorithms serve to detect corruption, not for security; builds in FIPS mode
    allow them only with that flag.
    """
    import hashlib  # late: most runs have no checksums

    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(buffers: Iterable[Buffer], algorithm: str) -> str:
    """Return the digest of buffers in memory, in lower-case hexadecimal."""
    result = new_hash(algorithm)
    for buffer in buffers:
        result.update(buffer)
    return result.hexdigest()


def hash_range(fd: int, name: str, digest: _Hash, start: int, end: int) -> None:
    """Feed bytes ``[start, end)`` of an open file to a digest. Blocks.

    Raises:
        LocalError: ``disk``: the file ends before ``end``.
        OSError: the file cannot be read.
    """
    buffer = bytearray(min(BLOCK, max(end - start, 1)))
    view = memoryview(buffer)
    while start < end:
        count = read_at(fd, view[: end - start], start)
        if count == 0:
            raise LocalError(
                ErrorKind.DISK,
                f"{sanitize(name)!r} ends at byte {start}, before byte {end}",
            )
        digest.update(view[:count])
        start += count


def hash_file_range(
    folder: Folder, name: str, digest: _Hash, start: int, end: int
) -> None:
    """Feed bytes ``[start, end)`` of a finished file to a digest. Blocks.

    Raises:
        FileExistsError: the name is a link or not a regular file.
        LocalError: ``disk``: the file ends before ``end``.
        OSError: the file cannot be read.
    """
    with folder.opened() as directory:
        if directory.size(name) == -1:
            raise FileExistsError(errno.EEXIST, "not a regular file", name)
        fd = os.open(name, os.O_RDONLY | OPEN_SAFELY, dir_fd=directory.fd)
    try:
        hash_range(fd, name, digest, start, end)
    finally:
        os.close(fd)


def verify(name: str, expected: Checksum, digest: str) -> None:
    """Compare a computed digest with the expected checksum.

    Raises:
        IntegrityError: ``checksum``; the message contains both.
    """
    if expected.digest != digest:
        raise IntegrityError(
            ErrorKind.CHECKSUM,
            f"{sanitize(name)!r} has {expected.algorithm} {digest},"
            f" expected {expected.digest}",
        )

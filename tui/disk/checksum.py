"""Hashing: in threads, where hashlib lets go of the GIL for anything over 2 KiB."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
from typing import TYPE_CHECKING

from tui.core.errors import IntegrityError, LocalError
from tui.core.text.plain_text import plain
from tui.disk.platform import OPEN_SAFELY, read_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from hashlib import _Hash

    from typing_extensions import Buffer

    from tui.core.request import Checksum
    from tui.disk.folders import Folder

BLOCK = 1 << 20
"""Bytes read at a time: larger gains nothing, smaller costs calls."""


def new_hash(algorithm: str) -> _Hash:
    """Start a digest by the name that hashlib knows.

    Old algorithms are there to find broken bytes, not to resist anybody, which is
    what builds in FIPS mode want to be told.
    """
    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(buffers: Iterable[Buffer], algorithm: str) -> str:
    """Return the digest of what is in memory, in lower-case hexadecimal."""
    result = new_hash(algorithm)
    for buffer in buffers:
        result.update(buffer)
    return result.hexdigest()


def hash_range(fd: int, name: str, into: _Hash, start: int, end: int) -> None:
    """Feed bytes ``[start, end)`` of an open file to a digest. Blocks.

    Raises:
        LocalError: ``disk``: the file ends before ``end``.
        OSError: what the system says.
    """
    buffer = bytearray(min(BLOCK, max(end - start, 1)))
    view = memoryview(buffer)
    while start < end:
        count = read_at(fd, view[: end - start], start)
        if count == 0:
            told = f"{plain(name)!r} ends at byte {start}, before byte {end}"
            raise LocalError("disk", told)
        into.update(view[:count])
        start += count


def hash_file_range(
    folder: Folder, name: str, into: _Hash, start: int, end: int
) -> None:
    """Feed bytes ``[start, end)`` of a finished file to a digest. Blocks.

    Raises:
        FileExistsError: a link or something else that is no file has the name.
        LocalError: ``disk``: the file ends before ``end``.
        OSError: what the system says.
    """
    with folder.opened() as directory:
        if directory.size(name) == -1:
            raise FileExistsError(errno.EEXIST, "not a regular file", name)
        fd = os.open(directory.at(name), os.O_RDONLY | OPEN_SAFELY, dir_fd=directory.fd)
    try:
        hash_range(fd, name, into, start, end)
    finally:
        os.close(fd)


def verify(name: str, expected: Checksum, digest: str) -> None:
    """Compare what was computed with what is expected.

    Raises:
        IntegrityError: ``checksum``; the message says both.
    """
    if not hmac.compare_digest(expected.digest, digest):
        raise IntegrityError(
            "checksum",
            f"{plain(name)!r} has {expected.algorithm} {digest},"
            f" expected {expected.digest}",
        )

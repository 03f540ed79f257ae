"""Work for the processor in pure Python, so that the GIL shows.

zlib and hashlib would do the same a hundred times faster and outside the GIL, which is
why nobody should write it like this, and why it is right for the experiment.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tui.lab.worker.process_stats import peak_memory

if TYPE_CHECKING:
    from pathlib import Path

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = (1 << 64) - 1


class Worked(NamedTuple):
    """What one call found out, and about itself."""

    packed: int
    """Hash of the file."""
    unpacked: int
    """Hash of what is in it."""
    size: int
    """Bytes of the file."""
    pid: int
    peak: int
    """Bytes of memory that its process has had at most."""


def unpack(data: bytes) -> bytearray:
    """Undo PackBits (TIFF 6.0, section 9); any bytes are a valid input."""
    out = bytearray()
    at = 0
    while at < len(data):
        head = data[at]
        if head < 128:
            out += data[at + 1 : at + head + 2]
            at += head + 2
        else:
            if head > 128:
                out += data[at + 1 : at + 2] * (257 - head)
            at += 2
    return out


def fnv1a(data: bytes | bytearray) -> int:
    """Return the 64-bit FNV-1a hash (draft-eastlake-fnv, section 2)."""
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & _MASK
    return value


def hash_and_unpack(path: Path) -> Worked:
    """Read a file, hash it, unpack it, hash what came out.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    packed, unpacked = fnv1a(data), fnv1a(unpack(data))
    return Worked(packed, unpacked, len(data), os.getpid(), peak_memory())

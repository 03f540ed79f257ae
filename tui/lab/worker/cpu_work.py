"""CPU-bound work in pure Python, to make the GIL visible.

zlib and hashlib would do the same a hundred times faster and without the GIL. So never
write real code like this, which is why it suits the experiment.
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
    """The results of one call, and where it ran."""

    packed: int
    """Hash of the file."""
    unpacked: int
    """Hash of the unpacked content."""
    size: int
    """Bytes of the file."""
    pid: int
    peak: int
    """Peak memory of its process, in bytes."""


def unpack(data: bytes) -> bytearray:
    """Unpack PackBits (TIFF 6.0, section 9); any bytes are valid input."""
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
    """Read a file, hash it, unpack it, and hash the unpacked data.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    packed, unpacked = fnv1a(data), fnv1a(unpack(data))
    return Worked(packed, unpacked, len(data), os.getpid(), peak_memory())

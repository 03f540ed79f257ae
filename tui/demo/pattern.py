"""File bodies that look random, need no storage and are known at any offset."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cache

_PERIOD = 1_048_573
"""A prime, so that two offsets that are multiples of a block size (64 KiB, 1 MiB) never
have the same bytes: a segment written to the wrong offset is detected."""
_SHIFT = 611_953
"""Distance of neighbouring seeds in the block; any large prime will do."""
WRITE_SIZE = 64 << 10
"""The most bytes that ``chunk`` returns."""


@cache
def _block() -> memoryview:
    block = random.Random(20_240_229).randbytes(_PERIOD)
    # The start is repeated at the end, so that every chunk is a single slice.
    return memoryview(block + block[:WRITE_SIZE])


@dataclass(frozen=True, slots=True)
class Pattern:
    """A body of ``size`` deterministic bytes, which differ for each ``seed``.

    Nothing is stored per pattern: all patterns share one block of 1 MiB.
    """

    size: int
    seed: int = 0

    def __len__(self) -> int:
        return self.size

    def chunk(self, start: int, limit: int = WRITE_SIZE) -> memoryview:
        """Return at most ``limit`` bytes from ``start``, without copying."""
        length = min(limit, WRITE_SIZE, self.size - start)
        at = (start + self.seed * _SHIFT) % _PERIOD
        return _block()[at : at + max(0, length)]

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes ``[start, end)``."""
        end = self.size if end is None else min(end, self.size)
        parts = []
        while start < end:
            parts.append(self.chunk(start, end - start))
            start += len(parts[-1])
        return b"".join(parts)

    def digest(self, algorithm: str = "sha256") -> str:
        """Return the hexadecimal digest of the whole body."""
        hasher = hashlib.new(algorithm, usedforsecurity=False)
        at = 0
        while at < self.size:
            piece = self.chunk(at)
            hasher.update(piece)
            at += len(piece)
        return hasher.hexdigest()

    def sha256(self) -> str:
        """Return the SHA-256 of the whole body in hexadecimal."""
        return self.digest("sha256")

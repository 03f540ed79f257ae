"""Bytes that look random, cost nothing and are known at any offset."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cache

_PERIOD = 1_048_573
"""A prime, so that no offset that is a multiple of a block size (64 KiB, 1 MiB)
carries the same bytes as another: a segment written to the wrong place shows."""
_SHIFT = 611_953
"""How far two neighbouring seeds are apart in the block; any large prime does."""
WRITE_SIZE = 64 << 10
"""Bytes that ``chunk`` gives at most."""


@cache
def _block() -> memoryview:
    block = random.Random(20_240_229).randbytes(_PERIOD)
    # The head is repeated at the end, so that every chunk is one plain slice.
    return memoryview(block + block[:WRITE_SIZE])


@dataclass(frozen=True, slots=True)
class Pattern:
    """A body of ``size`` deterministic bytes; another ``seed`` gives other bytes.

    Nothing is stored per pattern: all of them look into one block of 1 MiB.
    """

    size: int
    seed: int = 0

    def __len__(self) -> int:
        return self.size

    def chunk(self, start: int, limit: int = WRITE_SIZE) -> memoryview:
        """Return the bytes from ``start`` on, at most ``limit``, without a copy."""
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

"""The works: reproducible data, and the expected output."""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.server import Server

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
_ALIASES = 100
"""Distinct files behind a list of any length; ``server`` maps names to them."""


@dataclass(frozen=True, slots=True)
class Work:
    """One workload that every program gets."""

    name: str
    folder: str
    """Path under which its files are served."""
    count: int
    size: int
    """Bytes of each file."""
    at_once: int
    """Concurrency."""
    is_tls: bool = False
    limit_s: float = 120.0
    """A run that takes longer counts as failed."""

    @property
    def title(self) -> str:
        """Return a description."""
        what = f"{self.count:,} x {_short(self.size)}"
        how = " over TLS" if self.is_tls else ""
        return what + how + (f", {self.at_once} at once" if self.count > 1 else "")

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return self.count * self.size

    @property
    def disk_bytes(self) -> int:
        """Bytes of the output on a file system with 4 KiB pages."""
        return self.count * (self.size + 4 * KIB)

    def names(self) -> list[str]:
        """Names of the files."""
        return [f"{number:06d}.bin" for number in range(self.count)]

    def write_list(self, path: Path, server: Server) -> list[str]:
        """Write one URL per line; return the URLs."""
        urls = [
            server.url(f"{self.folder}/{name}", is_tls=self.is_tls)
            for name in self.names()
        ]
        path.write_text("".join(f"{url}\n" for url in urls))
        return urls


def works(*, is_quick: bool) -> dict[str, Work]:
    """Return the works by name; quick ones only check that everything runs."""
    less = 20 if is_quick else 1
    gib = 64 * MIB if is_quick else GIB
    found = [
        Work("big", "big", 1, gib, 1),
        Work("many", "many", 100 // min(less, 5), 5 * MIB, 16),
        Work("small", "small", 5000 // less, 10 * KIB, 16),
        Work("tls", "big", 1, gib, 1, is_tls=True),
        Work("many-tls", "many", 100 // min(less, 5), 5 * MIB, 16, is_tls=True),
        Work("small-tls", "small", 5000 // less, 10 * KIB, 16, is_tls=True),
        Work("list100k", "list", 100_000 // less, 10 * KIB, 16, limit_s=180),
    ]
    return {work.name: work for work in found}


class Data:
    """The files of all works, in a folder that the caller removes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._digests: dict[tuple[str, int], str] = {}

    def make(self, work: Work) -> None:
        """Write the files of a work unless they are there."""
        folder = "small" if work.folder == "list" else work.folder
        count = _ALIASES if work.folder == "list" else work.count
        (self.root / folder).mkdir(exist_ok=True)
        for number in range(count):
            if (folder, number) in self._digests:
                continue
            path = self.root / folder / f"{number:06d}.bin"
            write_noise(path, number, work.size)
            self._digests[folder, number] = _digest(path)

    def problem(self, work: Work, output: Path) -> str:
        """Compare every output with the served data; return "" if all match."""
        wanted = set(work.names())
        there = set(os.listdir(output))
        if there != wanted:
            odd = sorted(there ^ wanted)
            return f"{len(odd)} files missing or too many, such as {odd[0]}"
        for name in wanted:
            number = int(name.removesuffix(".bin"))
            known = (work.folder, number)
            if work.folder == "list":
                known = ("small", number % _ALIASES)
            if _digest(output / name) != self._digests[known]:
                return f"{name} has other bytes"
        return ""


def write_noise(path: Path, number: int, size: int) -> None:
    """Write a file whose bytes differ from those of other numbers."""
    with path.open("wb") as file:
        for block in _blocks(number, size):
            file.write(block)


def _blocks(number: int, size: int) -> list[bytes]:
    """Return bytes that differ between files and between MiB."""
    noise = _noise()
    blocks = []
    for start in range(0, size, MIB):
        label = b"%08d/%08d" % (number, start // MIB)
        block = label + noise[: min(MIB, size - start) - len(label)]
        blocks.append(block[: size - start])
    return blocks


@cache
def _noise() -> bytes:
    return random.Random(4).randbytes(MIB)


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(size: int) -> str:
    for unit, word in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {word}"
    return f"{size} B"

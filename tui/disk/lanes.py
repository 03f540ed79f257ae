"""Writes that wait for a slot, in line behind their part file.

One slot at a time writes to a part: file systems lock the file for a write anyway
(ext4, XFS and tmpfs do), and four threads at one gigabyte gained no throughput but ten
times the p99 latency and half as much CPU again. Different parts go side by side.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.disk.part_file import PartFile
    from tui.disk.trip import PartWrite


class WriteLane:
    """A line for each part, served in turn; the loop's alone."""

    def __init__(self) -> None:
        self._lines: dict[PartFile, deque[tuple[int, PartWrite]]] = {}
        self._busy: set[PartFile] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, number: int, write: PartWrite) -> None:
        """Queue a write; numbers grow with every operation of the run."""
        self._lines.setdefault(write.part, deque()).append((number, write))
        self._count += 1

    def oldest(self) -> int | None:
        """Return the number of the write that would go next, ``None`` for none."""
        for part, line in self._lines.items():
            if part not in self._busy:
                return line[0][0]
        return None

    def take(self, limit: int) -> tuple[list[PartWrite], int]:
        """Take writes of together ``limit`` bytes (at least one), and their sum."""
        taken: list[PartWrite] = []
        nbytes = 0
        for part in [part for part in self._lines if part not in self._busy]:
            if nbytes >= limit:
                break
            line = self._lines.pop(part)
            while line and (not taken or nbytes + line[0][1].nbytes <= limit):
                write = line.popleft()[1]
                nbytes += write.nbytes
                taken.append(write)
            if line:
                self._lines[part] = line  # at the end: the others come first now
        self._busy.update(write.part for write in taken)
        self._count -= len(taken)
        return taken, nbytes

    def landed(self, writes: Iterable[PartWrite]) -> None:
        """Let the parts of a trip that is back be written again."""
        self._busy.difference_update(write.part for write in writes)

"""Files of JSON lines to which a process appends, and that a kill cannot spoil.

A kill may tear the line that is being written. Every write starts with a line break, so
that it stays the only one that is lost; readers skip it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def encode_lines(values: Iterable[Any]) -> bytes:
    """Return what to append to a file, in one write."""
    return ("".join(f"\n{json.dumps(value)}" for value in values) + "\n").encode()


def append_lines(path: Path, values: Iterable[Any], *, is_synced: bool) -> None:
    """Append values to a file, which is created if needed. Blocks.

    Args:
        path: the file; its folder exists.
        values: one for each line.
        is_synced: return only when they are on the disk.

    Raises:
        OSError: the file cannot be written.
    """
    with open(path, "ab") as file:
        file.write(encode_lines(values))
        if is_synced:
            file.flush()
            os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[Any]:
    """Yield the values of a file; damaged lines are skipped. Blocks.

    Raises:
        OSError: the file cannot be read, or does not exist.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            yield value

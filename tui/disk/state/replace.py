"""Replace a file as a whole: after a crash, it has the old content or the new one.

``creating`` is for files that the user names, which are never replaced.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def creating(path: str | Path, mode: int = 0o600) -> Iterator[TextIO]:
    """Open a new text file, which is removed if the block raises. Blocks.

    Line ends are written as they are, because CSV has its own.

    Args:
        path: the file to create.
        mode: its permissions, without those in the umask.

    Raises:
        FileExistsError: there is a file, which is unchanged.
        OSError: the file cannot be written, and none is left behind.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


@contextmanager
def replacing(
    path: Path, mode: int = 0o600, *, is_synced: bool = True
) -> Iterator[BinaryIO]:
    """Open the new content of a file, which gets its name after the block. Blocks.

    Args:
        path: the file to create or replace, not a symbolic link; its folder exists.
        mode: permissions of the new file, without those in the umask.
        is_synced: sync the content first. Without it, the file may be empty after a
            power failure.

    Raises:
        OSError: the file cannot be written. The old one is unchanged then, as after any
            other exception within the block.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def replace_file(path: Path, data: bytes, *, is_synced: bool = True) -> None:
    """Replace a file that only this user may read, and create its folder. Blocks.

    Raises:
        OSError: the file cannot be written; the old one is unchanged.
    """
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    with replacing(path, is_synced=is_synced) as file:
        file.write(data)

"""A file system with little room: a real one if it may be mounted, else a pretence."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.disk import platform

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class SmallDisk:
    """A directory in which only so many bytes fit."""

    def __init__(self, path: Path, size: int, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._size = size
        self._patch = patch
        self.is_real = False
        path.mkdir()

    def __enter__(self) -> SmallDisk:
        self.is_real = _mount(f"size={self._size}", self.path)
        if not self.is_real:
            real = platform.write_at

            def write_at(
                fd: int, buffers: list[bytes], offset: int, nbytes: int
            ) -> None:
                held = sum(f.stat().st_blocks * 512 for f in self.path.iterdir())
                if held + nbytes > self._size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                real(fd, buffers, offset, nbytes)

            self._patch.setattr(platform, "write_at", write_at)
        return self

    def grow(self, size: int) -> None:
        """Make room."""
        self._size = size
        if self.is_real:
            assert _mount(f"remount,size={size}", self.path)

    def fill(self) -> None:
        """Take all the room that is left."""
        if not self.is_real:
            self._size = 0
            return
        with suppress(OSError), (self.path / "others").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def __exit__(self, *_: object) -> None:
        if self.is_real:
            subprocess.run(["umount", self.path], check=True)


def _mount(options: str, path: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", os.fspath(path)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False

"""A folder that an archive is unpacked into; nothing that is written leaves it.

It is made under a name of its own and gets its real one when it is whole. As long as
files are written there is no symbolic link below it, so that no path can be led
astray: links are remembered and made at the very end. Everything blocks; this runs in
a process of its own.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from tui.core.text.units import format_size
from tui.postprocess.unpack.names import (
    UnpackError,
    check_link,
    parts_of,
    reaches_top,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY_LIMIT = 1_000_000
"""Files, folders and links of one archive; the largest source trees have 100,000."""
FLOOR = 1 << 30
"""Bytes that any archive may unpack to: a bomb of that size harms little."""
RATIO_LIMIT = 100
"""Above ``FLOOR``, bytes unpacked by bytes of the archive. Text packs to a tenth,
rarely to a fiftieth; what packs better is a bomb or an empty disk image."""
RESERVE = 64 << 20
"""Bytes that stay free on the disk: other downloads live there as well."""
_BLOCK = 1 << 20
_LOOK_AFTER = 32 << 20
"""Bytes written between two looks at the free space."""
_CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


class ExtractDir:
    """What has been unpacked so far."""

    def __init__(
        self, root: str, archive_size: int, go_on: Callable[[], None] = lambda: None
    ) -> None:
        """Make the folder.

        Args:
            root: its name for the time being.
            archive_size: bytes; what may come out depends on it.
            go_on: asked often; raises to stop the work.

        Raises:
            OSError: it cannot be made.
        """
        os.mkdir(root, 0o700)
        self._root = root
        self._allowed = max(FLOOR, RATIO_LIMIT * archive_size)
        self._archive_size = archive_size
        self._go_on = go_on
        self._made = {""}
        self._links: list[tuple[str, str, str]] = []
        self._look_at = 0
        self.entries = 0
        self.nbytes = 0
        self.is_one = False
        """Some link in a folder goes by way of the top: only all of it is whole."""

    def folder(self, name: str) -> None:
        """Make a folder, unless it is there.

        Raises:
            UnpackError: its name is refused, or a file is in the way.
        """
        self._folder(parts_of(name))

    def file(
        self, name: str, source: IO[bytes], *, is_program: bool, mtime: float | None
    ) -> None:
        """Write a file.

        Args:
            name: as it stands in the archive.
            source: its bytes, read to their end.
            is_program: whether its owner may execute it.
            mtime: wall time of its last change, or ``None``.

        Raises:
            UnpackError: its name is refused or taken, or it is too much.
        """
        path = self._place(name)
        try:
            fd = os.open(path, _CREATE, 0o777 if is_program else 0o666)
        except FileExistsError:
            raise _twice(name) from None
        try:
            while block := source.read(_BLOCK):
                self.count(len(block))
                view = memoryview(block)
                while view:
                    view = view[os.write(fd, view) :]
            if mtime is not None and mtime > 0:
                # A date that no file system can hold is no reason to refuse a file.
                with suppress(OSError, OverflowError):
                    os.utime(fd, (mtime, mtime))
        finally:
            os.close(fd)

    def same_file(self, name: str, target: str) -> None:
        """Give a file that is there another name (a hard link).

        Raises:
            UnpackError: either name is refused, or there is no such file.
        """
        source = self._path(parts_of(target))
        path = self._place(name)
        try:
            os.link(source, path, follow_symlinks=False)
        except FileExistsError:
            raise _twice(name) from None
        except (FileNotFoundError, PermissionError):
            told = f"the link {shown(name)} in it has no file {shown(target)}"
            raise UnpackError(told) from None

    def link(self, name: str, target: str) -> None:
        """Remember a symbolic link.

        Raises:
            UnpackError: its name is refused, or it leads out.
        """
        parts = parts_of(name)
        check_link(parts, target)
        self.is_one = self.is_one or reaches_top(parts, target)
        self._links.append((name, self._place(name), target))

    def count(self, nbytes: int) -> None:
        """Count bytes that were unpacked, written or not.

        Raises:
            UnpackError: it is a bomb, or the disk is nearly full.
        """
        self._go_on()
        self.nbytes += nbytes
        if self.nbytes > self._allowed:
            raise UnpackError(
                f"it unpacks to more than {format_size(self._allowed)}, far beyond its"
                f" {format_size(self._archive_size)}; unpack it by hand if you trust it"
            )
        if self.nbytes >= self._look_at:
            self._look_at = self.nbytes + _LOOK_AFTER
            if shutil.disk_usage(self._root).free < RESERVE:
                raise UnpackError("the disk is nearly full")

    def finish(self) -> None:
        """Make the links, and let others in as the user's umask wants it.

        Raises:
            UnpackError: a name of a link is taken.
        """
        for name, path, target in self._links:
            try:
                os.symlink(target, path)
            except FileExistsError:
                raise _twice(name) from None
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._root, 0o777 & ~umask)

    def _place(self, name: str) -> str:
        """Return the path of a new file, and make the folders on the way."""
        parts = parts_of(name)
        if not parts:
            raise UnpackError(f"{shown(name)} in it is no name of a file")
        self._count_entry()
        self._folder(parts[:-1])
        return self._path(parts)

    def _path(self, parts: list[str]) -> str:
        return os.path.join(self._root, *parts)

    def _folder(self, parts: list[str]) -> None:
        path = "/".join(parts)
        if path in self._made:
            return
        self._folder(parts[:-1])
        self._count_entry()
        try:
            os.mkdir(self._path(parts))
        except FileExistsError:
            raise _twice(path) from None
        self._made.add(path)

    def _count_entry(self) -> None:
        self._go_on()
        self.entries += 1
        if self.entries > ENTRY_LIMIT:
            raise UnpackError(f"it holds more than {ENTRY_LIMIT:,} files")


def _twice(name: str) -> UnpackError:
    # Or two names that are one on this file system.
    return UnpackError(f"{shown(name)} is in it twice")

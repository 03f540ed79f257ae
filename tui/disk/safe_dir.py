"""Open directories: every name below the output directory is resolved against one.

A path is walked once, component by component, and no component may be a link. From
then on files are opened relative to the descriptor, so nothing that is planted on the
way later leads a write elsewhere. Descriptors are few and lists are long, so the ones
not in use are closed and opened again, the least recently used first.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.text.plain_text import plain
from tui.disk import platform

if TYPE_CHECKING:
    from collections.abc import Callable

_OPEN = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_BELOW = _OPEN | platform.OPEN_SAFELY
_ODD_HERE = frozenset("\\:") if sys.platform == "win32" else frozenset[str]()


class SafeDir:
    """One open directory. All methods block."""

    __slots__ = ("_is_in_memory", "fd", "path")

    def __init__(self, path: str, fd: int | None) -> None:
        self.path = path
        self.fd = fd
        """``None`` where the system only knows paths."""
        self._is_in_memory: bool | None = None

    def at(self, name: str) -> str:
        """What to hand to ``os`` together with ``dir_fd=self.fd``."""
        return name if self.fd is not None else os.path.join(self.path, name)

    def create(self, name: str) -> int:
        """Make a file that was not there and open it for reading and writing.

        Raises:
            FileExistsError: something has that name, be it a link.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | platform.OPEN_SAFELY
        return os.open(self.at(name), flags, 0o666, dir_fd=self.fd)

    def link(self, fd: int, name: str) -> None:
        """Give a file of ``system.open_unnamed`` its name.

        Raises:
            FileExistsError: something has that name, be it a link.
        """
        assert self.fd is not None
        platform.link_unnamed(fd, name, self.fd)

    def open_regular(self, name: str, flags: int = os.O_RDWR) -> int:
        """Open a regular file that has no other name.

        Raises:
            FileNotFoundError: nothing has that name.
            FileExistsError: a link, a directory or a device has.
        """
        # Looked at before it is opened: opening a device or a pipe may do things.
        before = self.lstat(name)
        if not stat.S_ISREG(before.st_mode):
            raise FileExistsError(errno.EEXIST, "not a regular file", name)
        fd = os.open(self.at(name), flags | platform.OPEN_SAFELY, dir_fd=self.fd)
        after = os.fstat(fd)
        # A second hard link would let our writes change a file elsewhere.
        if not os.path.samestat(before, after) or after.st_nlink > 1:
            os.close(fd)
            raise FileExistsError(errno.EEXIST, "not a file of its own", name)
        return fd

    def lstat(self, name: str) -> os.stat_result:
        """Look at a name without following it."""
        return os.stat(self.at(name), dir_fd=self.fd, follow_symlinks=False)

    def size(self, name: str) -> int | None:
        """Bytes of a regular file, -1 for anything else, ``None`` for nothing."""
        try:
            found = self.lstat(name)
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    def unlink(self, name: str) -> None:
        """Remove a file; it may be gone already."""
        try:
            os.unlink(self.at(name), dir_fd=self.fd)
        except FileNotFoundError:
            return

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        """Rename.

        Raises:
            FileExistsError: ``new`` is taken, and not to be overwritten.
        """
        if not overwrite:
            platform.rename_new(self.at(old), self.at(new), self.fd)
        elif self.fd is None:
            os.replace(self.at(old), self.at(new))
        else:
            os.replace(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def sync(self) -> None:
        """Return when the names in it are on disk, where the system can tell."""
        if self.fd is None:
            return
        try:
            os.fsync(self.fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise

    def is_in_memory(self) -> bool:
        """Whether nothing in it survives a power cut anyway."""
        if self._is_in_memory is None:
            self._is_in_memory = self.fd is not None and platform.is_in_memory(self.fd)
        return self._is_in_memory

    def is_gone(self) -> bool:
        """Whether the directory itself was removed."""
        if self.fd is None:
            return not os.path.isdir(self.path)
        return os.fstat(self.fd).st_nlink == 0

    def close(self) -> None:
        """Give the descriptor back."""
        if self.fd is not None:
            os.close(self.fd)


def check_component(name: str) -> str:
    """Return ``name`` if it is one plain component of a path.

    Names were made safe where they came in; this is the last lock before the disk.

    Raises:
        LocalError: ``name``.
    """
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise LocalError("name", f"{plain(name)!r} is no file name")
    if _ODD_HERE and not _ODD_HERE.isdisjoint(name):
        raise LocalError("name", f"{plain(name)!r} is no file name on this system")
    return name


def components(directory: str) -> list[str]:
    """Split a folder below the output directory; "" is the directory itself.

    Raises:
        LocalError: ``name``: absolute, with ``..``, or otherwise no plain folder.
    """
    if not directory:
        return []
    return [check_component(part) for part in directory.removesuffix("/").split("/")]


def open_directory(root: str, parts: list[str], *, create: bool, sync: bool) -> SafeDir:
    """Walk from the output directory to a folder below it.

    The output directory itself may be a link, since the user named it; below it no
    component may be.

    Args:
        root: the output directory.
        parts: folders below it.
        create: make what is missing.
        sync: make sure that what was made survives a power cut.

    Raises:
        OSError: what the system says.
    """
    if create:
        os.makedirs(root, exist_ok=True)
    if not platform.HAS_DIR_FD:
        return _open_by_path(root, parts, create)
    here = SafeDir(root, os.open(root, _OPEN))
    try:
        for part in parts:
            below = SafeDir(os.path.join(here.path, part), None)
            below.fd = _open_below(here, part, create, sync)
            here.close()
            here = below
    except BaseException:
        here.close()
        raise
    return here


def _open_below(here: SafeDir, part: str, create: bool, sync: bool) -> int:
    try:
        return os.open(part, _OPEN_BELOW, dir_fd=here.fd)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(part, dir_fd=here.fd)
    except FileExistsError:
        pass  # another process was as quick; the open below judges what it made
    else:
        if sync:
            here.sync()
    return os.open(part, _OPEN_BELOW, dir_fd=here.fd)


def _open_by_path(root: str, parts: list[str], create: bool) -> SafeDir:
    path = root
    for part in parts:
        path = os.path.join(path, part)
        if create and not os.path.lexists(path):
            os.mkdir(path)
        if os.path.islink(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    if not os.path.isdir(path):
        code = errno.ENOTDIR if os.path.lexists(path) else errno.ENOENT
        raise OSError(code, os.strerror(code), path)
    return SafeDir(path, None)


class _Entry:
    __slots__ = ("directory", "is_stale", "users")

    def __init__(self, directory: SafeDir) -> None:
        self.directory = directory
        self.users = 0
        self.is_stale = False


class OpenDirs:
    """The descriptors that are open at the moment, shared by all threads."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def enter(self, key: str, reopen: Callable[[], SafeDir]) -> _Entry:
        """Return the open directory of ``key``, opened again if it has to be."""
        with self._lock:
            # Taken out and put back at the end: the order tells who was used last.
            entry = self._entries.pop(key, None)
            if entry is None:
                entry = _Entry(reopen())
            self._entries[key] = entry
            entry.users += 1
            return entry

    def leave(self, key: str, entry: _Entry, *, is_stale: bool = False) -> None:
        """Undo one ``enter``; a stale directory is opened anew the next time."""
        with self._lock:
            entry.users -= 1
            if is_stale and not entry.is_stale:
                entry.is_stale = True
                if self._entries.get(key) is entry:
                    del self._entries[key]
            if entry.is_stale and entry.users == 0:
                entry.directory.close()
            if len(self._entries) > self._limit:
                self._close_idle()

    def _close_idle(self) -> None:
        for key, entry in list(self._entries.items()):
            if len(self._entries) <= self._limit:
                return
            if entry.users == 0:
                del self._entries[key]
                entry.directory.close()

    def close(self) -> None:
        """Close all that nobody uses."""
        with self._lock:
            for key, entry in list(self._entries.items()):
                if entry.users == 0:
                    del self._entries[key]
                    entry.directory.close()

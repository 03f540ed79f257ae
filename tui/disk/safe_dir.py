"""Open directories, against which every name below the output directory is resolved.

A path is walked once, component by component, and no component may be a link. From then
on files are opened relative to the descriptor, so a link planted in the path later
cannot redirect a write. Lists may name many folders and descriptors are limited, so
unused ones are closed, least recently used first, and reopened when needed.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.text.sanitize import sanitize
from tui.disk import platform

if TYPE_CHECKING:
    from collections.abc import Callable

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_BELOW = _OPEN | platform.OPEN_SAFELY


class SafeDir:
    """One open directory. All methods block."""

    __slots__ = ("_is_in_memory", "fd", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self._is_in_memory: bool | None = None

    def create(self, name: str) -> int:
        """Create a new file and open it for reading and writing.

        Raises:
            FileExistsError: the name exists, if only as a link.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | platform.OPEN_SAFELY
        return os.open(name, flags, 0o666, dir_fd=self.fd)

    def link(self, fd: int, name: str) -> None:
        """Give a file from ``platform.open_unnamed`` its name.

        Raises:
            FileExistsError: the name exists, if only as a link.
        """
        platform.link_unnamed(fd, name, self.fd)

    def open_regular(self, name: str, flags: int = os.O_RDWR) -> int:
        """Open a regular file that has no other hard link.

        Raises:
            FileNotFoundError: the name does not exist.
            FileExistsError: the name is a link, a directory or a device.
        """
        # Check before opening: to open a device or a pipe may have side effects.
        before = self.lstat(name)
        if not stat.S_ISREG(before.st_mode):
            raise FileExistsError(errno.EEXIST, "not a regular file", name)
        fd = os.open(name, flags | platform.OPEN_SAFELY, dir_fd=self.fd)
        after = os.fstat(fd)
        # Writing through a second hard link would change a file elsewhere.
        if not os.path.samestat(before, after) or after.st_nlink > 1:
            os.close(fd)
            raise FileExistsError(errno.EEXIST, "file has other hard links", name)
        return fd

    def open_to_lock(self, name: str) -> int | None:
        """Open a file only to lock it or to see who has the lock.

        Returns:
            ``None`` if it is missing, not a regular file, or not readable.
        """
        try:
            if not stat.S_ISREG(self.lstat(name).st_mode):
                return None
            flags = os.O_RDONLY | os.O_NONBLOCK | platform.OPEN_SAFELY
            return os.open(name, flags, dir_fd=self.fd)
        except OSError:
            return None

    def is_locked(self, name: str) -> bool:
        """Return True if another process has locked a file."""
        fd = self.open_to_lock(name)
        if fd is None:
            return False
        try:
            return not platform.lock(fd)
        finally:
            os.close(fd)

    def is_same(self, name: str, fd: int) -> bool:
        """Return True if a name refers to an open file."""
        try:
            return os.path.samestat(self.lstat(name), os.fstat(fd))
        except FileNotFoundError:
            return False

    def lstat(self, name: str) -> os.stat_result:
        """Return the status of a name, without following a link."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def size(self, name: str) -> int | None:
        """Return the bytes of a regular file, -1 for anything else, None if missing."""
        try:
            status = self.lstat(name)
        except FileNotFoundError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else -1

    def unlink(self, name: str) -> None:
        """Remove a file, if it exists."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        """Rename a file.

        Raises:
            FileExistsError: ``new`` exists and ``overwrite`` is false.
        """
        if overwrite:
            os.replace(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        else:
            platform.rename_new(old, new, self.fd)

    def sync(self) -> None:
        """Flush the directory entries to disk, if the file system supports it."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise

    def is_in_memory(self) -> bool:
        """Return True if nothing in it would survive a power failure anyway."""
        if self._is_in_memory is None:
            self._is_in_memory = platform.is_in_memory(self.fd)
        return self._is_in_memory

    def is_deleted(self) -> bool:
        """Return True if the directory itself was removed."""
        return os.fstat(self.fd).st_nlink == 0

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


def check_component(name: str) -> str:
    """Return ``name`` if it is a single, plain path component.

    Names are sanitized where they enter the program; this is the last check before
    they reach the disk.

    Raises:
        LocalError: ``name``.
    """
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise LocalError(ErrorKind.NAME, f"{sanitize(name)!r} is not a valid file name")
    return name


def components(directory: str) -> list[str]:
    """Split a folder path below the output directory; "" is that directory itself.

    Raises:
        LocalError: ``name``: the path is absolute, contains ``..``, or is not a plain
            folder for another reason.
    """
    if not directory:
        return []
    return [check_component(part) for part in directory.removesuffix("/").split("/")]


def open_directory(root: str, parts: list[str], *, create: bool, sync: bool) -> SafeDir:
    """Walk from the output directory to a folder below it, and open that.

    Neither the output directory nor a component below it may be a link: resolve a link
    that the user named once, at the start.

    Args:
        root: the output directory.
        parts: path components below it.
        create: create missing directories.
        sync: make created directories survive a power failure.

    Raises:
        OSError: a directory cannot be created or opened, or is a link.
    """
    if create:
        os.makedirs(root, exist_ok=True)
    directory = SafeDir(root, os.open(root, _OPEN_BELOW))
    try:
        for part in parts:
            fd = _open_below(directory, part, create, sync)
            below = SafeDir(os.path.join(directory.path, part), fd)
            directory.close()
            directory = below
    except BaseException:
        directory.close()
        raise
    return directory


def _open_below(directory: SafeDir, part: str, create: bool, sync: bool) -> int:
    try:
        return os.open(part, _OPEN_BELOW, dir_fd=directory.fd)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(part, dir_fd=directory.fd)
    except FileExistsError:
        pass  # another process was faster; the open below checks what it made
    else:
        if sync:
            directory.sync()
    return os.open(part, _OPEN_BELOW, dir_fd=directory.fd)


class _Entry:
    __slots__ = ("directory", "is_stale", "users")

    def __init__(self, directory: SafeDir) -> None:
        self.directory = directory
        self.users = 0
        self.is_stale = False


class OpenDirs:
    """Cache of open directory descriptors, shared by all threads."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def acquire(self, key: str, reopen: Callable[[], SafeDir]) -> _Entry:
        """Return the open directory for ``key``, reopened if necessary."""
        with self._lock:
            # Remove and insert at the end: the dict's order is the order of last use.
            entry = self._entries.pop(key, None)
            if entry is None:
                entry = _Entry(reopen())
            self._entries[key] = entry
            entry.users += 1
            return entry

    def release(self, key: str, entry: _Entry, *, is_stale: bool = False) -> None:
        """Undo one ``acquire``; a stale directory is reopened at the next one."""
        with self._lock:
            entry.users -= 1
            if is_stale and not entry.is_stale:
                entry.is_stale = True
                if self._entries.get(key) is entry:
                    del self._entries[key]
            if entry.is_stale and entry.users == 0:
                entry.directory.close()
            if len(self._entries) > self._limit:
                self._close_unused()

    def _close_unused(self) -> None:
        for key, entry in list(self._entries.items()):
            if len(self._entries) <= self._limit:
                return
            if entry.users == 0:
                del self._entries[key]
                entry.directory.close()

    def close(self) -> None:
        """Close every directory that nobody uses."""
        with self._lock:
            for key, entry in list(self._entries.items()):
                if entry.users == 0:
                    del self._entries[key]
                    entry.directory.close()

"""System calls that differ between Linux and macOS, each with its fallback.

Linux has everything; macOS lacks ``fallocate``, ``renameat2`` and files without a name.
Some file systems lack more. Every function does the same wherever it runs, with what is
available there. All of them block: call them in a thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from typing_extensions import Buffer

#: Flags for every open: do not follow a link, do not inherit, do not adopt a terminal.
OPEN_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_BUFFERS_PER_CALL = min(1024, os.sysconf("SC_IOV_MAX"))
_HAS_UNNAMED = hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd")
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_NO_REPLACE = 1  # RENAME_NOREPLACE, linux/fs.h
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_PREALLOCATE_S = 0.05
_PREALLOCATE_STEP = 64 << 20


def _c_function(name: str, argument_types: Sequence[str]) -> Callable[..., int] | None:
    """Return a function of the C library, or ``None`` if it is not available."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        function: Any = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None
    function.argtypes = [getattr(ctypes, f"c_{kind}") for kind in argument_types]

    def call(*args: object) -> int:
        """Return 0, or the errno."""
        return 0 if function(*args) == 0 else ctypes.get_errno()

    return call


# In glibc >= 2.28 and musl; a file system without support returns EINVAL.
_renameat2 = _c_function("renameat2", ["int", "char_p", "int", "char_p", "uint"])
# Not os.posix_fallocate: it changes the file length, and on a file system without
# support glibc emulates it by touching every block.
_fallocate = _c_function("fallocate", ["int", "int", "int64", "int64"])
_fstatfs = _c_function("fstatfs", ["int", "void_p"])
_IN_MEMORY = frozenset({0x01021994, 0x858458F6})  # tmpfs and ramfs, linux/magic.h


def rename_new(old: str, new: str, dir_fd: int) -> None:
    """Rename within a directory, but never replace an existing file.

    Raises:
        FileExistsError: ``new`` exists, if only as a dangling link.
        OSError: any other failure.
    """
    if _renameat2 is not None:
        code = _renameat2(
            dir_fd, os.fsencode(old), dir_fd, os.fsencode(new), _NO_REPLACE
        )
        if code == 0:
            return
        if code not in _UNSUPPORTED:
            raise OSError(code, os.strerror(code), old, None, new)
    try:
        os.link(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _UNSUPPORTED | {errno.EPERM, errno.EMLINK}:
            raise
        _rename_if_free(old, new, dir_fd)
    else:
        os.unlink(old, dir_fd=dir_fd)


def open_unnamed(dir_fd: int) -> int | None:
    """Create a file without a name in a directory; ``None`` if not supported.

    If it is closed, or the process ends, before ``link_unnamed``, nothing remains.

    Raises:
        OSError: the disk is full, the directory was removed, ...
    """
    if not _HAS_UNNAMED:
        return None
    try:
        return os.open(
            ".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666, dir_fd=dir_fd
        )
    except OSError as error:
        # Old kernels ignore the flag and return EISDIR.
        if error.errno in _UNSUPPORTED | {errno.EISDIR}:
            return None
        raise


def link_unnamed(fd: int, name: str, dir_fd: int) -> None:
    """Give a file from ``open_unnamed`` its name, but never replace an existing file.

    Raises:
        FileExistsError: ``name`` exists, if only as a dangling link.
        OSError: any other failure.
    """
    # Through /proc, because AT_EMPTY_PATH needs a capability before Linux 6.10.
    os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=dir_fd, follow_symlinks=True)


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors; those that follow each other in one call.

    Each call is a handover of the interpreter's lock to the loop and back.
    """
    ranges: list[list[int]] = []
    for fd in sorted(fds):
        if ranges and ranges[-1][1] == fd:
            ranges[-1][1] = fd + 1
        else:
            ranges.append([fd, fd + 1])
    # Never an empty range: Python would close all descriptors of the process.
    for start, end in ranges:
        os.closerange(start, end)


def _rename_if_free(old: str, new: str, dir_fd: int) -> None:
    """Check, then rename: slightly racy, for file systems without links (FAT)."""
    try:
        os.stat(new, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


_AMPLE_BYTES = 256 << 20
"""A disk with so much room is not full, whatever one file would need."""


def check_room(fd: int, size: int) -> None:
    """Check that a file of ``size`` bytes fits.

    Raises:
        OSError: ENOSPC: it does not.
    """
    room = os.fstatvfs(fd)
    allocated = os.fstat(fd).st_blocks * 512
    # Network and FUSE file systems may report 0 of 0 blocks, which says nothing.
    if room.f_blocks and room.f_bavail * room.f_frsize + allocated < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def exceeds_disk(fd: int, size: int) -> bool:
    """Return True if a file would not fit even if the disk were empty.

    Only while there is room for others: then nothing that the user could remove helps,
    and nothing is wrong with the disk. Servers may announce any size.

    Args:
        fd: of a file on the disk.
        size: bytes.
    """
    room = os.fstatvfs(fd)
    has_room = room.f_bavail * room.f_frsize >= _AMPLE_BYTES
    return has_room and room.f_blocks * room.f_frsize < size


def preallocate(fd: int, size: int, now: Callable[[], float] = time.monotonic) -> bool:
    """Allocate blocks for ``size`` bytes, without changing the length of the file.

    The length stays the end of the written data, so that a resume record which claims
    more than that is detected, and nobody mistakes a preallocated part file for a
    complete one.

    With extents this takes about a millisecond for any size, but some file systems
    prepare every block while a server waits. So the size is allocated in growing steps,
    and after ``_PREALLOCATE_S`` only the free space is checked.

    Args:
        fd: open for writing.
        size: bytes of the whole file.
        now: a monotonic clock, in seconds.

    Returns:
        True if blocks were allocated, even if not all.

    Raises:
        OSError: ENOSPC or EDQUOT: the file does not fit. Nothing stays allocated.
    """
    check_room(fd, size)
    if _fallocate is None:
        return False
    began_s = now()
    done, step = 0, _PREALLOCATE_STEP
    while done < size and now() - began_s < _PREALLOCATE_S:
        code = _fallocate(fd, _KEEP_SIZE, done, min(step, size - done))
        if code in _UNSUPPORTED:
            return done > 0
        if code not in (0, errno.EINTR):
            # Some file systems keep the blocks they got before they ran out.
            os.ftruncate(fd, os.fstat(fd).st_size)
            raise OSError(code, os.strerror(code))
        if code == 0:
            done += step
            step *= 2
    return done > 0


def write_at(fd: int, buffers: Sequence[Buffer], offset: int, nbytes: int) -> None:
    """Write all buffers at ``offset``, uncopied and in as few calls as possible.

    Raises:
        ValueError: the buffers do not add up to ``nbytes``.
        OSError: the write failed; some bytes may have been written.
    """
    if len(buffers) <= _BUFFERS_PER_CALL:
        written = _write_some(fd, buffers, offset)
        if written == nbytes:
            return
    else:
        written = 0
    # The slow path, after a partial write or with very many buffers.
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    total = sum(len(view) for view in views)
    if total != nbytes:
        raise ValueError(f"buffers have {total} bytes, not {nbytes}")
    index = 0
    skip = written
    while True:
        while index < len(views) and skip >= len(views[index]):
            skip -= len(views[index])
            index += 1
        if index == len(views):
            return
        few = [views[index][skip:], *views[index + 1 : index + _BUFFERS_PER_CALL]]
        count = _write_some(fd, few, offset + written)
        if count == 0:
            raise OSError(errno.EIO, "the system wrote nothing")
        written += count
        skip += count


def _write_some(fd: int, buffers: Sequence[Buffer], offset: int) -> int:
    if not buffers:
        return 0
    if hasattr(os, "pwritev"):
        return os.pwritev(fd, buffers, offset)
    return os.pwrite(fd, buffers[0], offset)  # before macOS 11


def read_at(fd: int, buffer: bytearray | memoryview, offset: int) -> int:
    """Read into ``buffer``; return the bytes read, 0 at the end of the file."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], offset)
    data = os.pread(fd, len(buffer), offset)  # before macOS 11
    buffer[: len(data)] = data
    return len(data)


def sync_data(fd: int) -> None:
    """Flush the data of a file, and the metadata needed to read it, to the disk."""
    if sys.platform == "darwin":
        # On macOS, fsync stops at the drive's cache (see its manual page).
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(fd)
    else:
        os.fdatasync(fd)


def is_in_memory(fd: int) -> bool:
    """Return True if the file system exists only in memory, so that syncs do nothing.

    A sync is cheap there, but each call releases and reacquires the GIL.
    """
    if _fstatfs is None:
        return False
    import ctypes

    # struct statfs is under 256 bytes and begins with f_type, a long.
    answer = (ctypes.c_long * 32)()
    return _fstatfs(fd, answer) == 0 and answer[0] & 0xFFFFFFFF in _IN_MEMORY


def start_sync(fd: int) -> None:
    """Start write-back without waiting, so that later syncs overlap.

    ``POSIX_FADV_DONTNEED`` starts write-back on Linux; for 64 small files on ext4 this
    saves a third of the time of syncing them one by one. It is only a hint.
    """
    if sys.platform == "linux":
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            return


def raise_descriptor_limit(most: int = 65_536) -> int:
    """Raise the soft limit of open files to the hard one.

    The usual soft limit, 1024 or 256, exists for programs that use ``select``.

    Args:
        most: enough for every concurrency; the hard limit may be a billion, which
            makes some programs slow that a hook may start.

    Returns:
        The soft limit from now on, at most ``most``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft == resource.RLIM_INFINITY:
        return most
    if soft >= limit:
        return min(soft, most)
    # macOS accepts no more than OPEN_MAX, whatever the hard limit says.
    for wanted in (limit, 10_240):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        except (OSError, ValueError):
            continue
        return max(soft, wanted)
    return soft


def lock(fd: int) -> bool:
    """Take the exclusive lock of an open file, without waiting.

    The lock ends when the file is closed or the process ends, however that happens.

    Returns:
        False if another process has the lock. On file systems without locks, True.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True


def lock_surely(fd: int) -> bool:
    """Like ``lock``, but False on file systems without locks, too."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def cores() -> int:
    """Return the number of processor cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1

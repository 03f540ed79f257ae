"""What differs between systems: the few calls that Python's ``os`` does not level.

Linux has everything; macOS lacks ``fallocate`` and ``renameat2``; Windows lacks
positioned writes and calls relative to a directory. Each function here does the same
on all of them, with what is there. Everything blocks: threads of ``disk`` only.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Buffer

#: Names are resolved against an open directory where the system can do that.
HAS_DIR_FD = os.open in os.supports_dir_fd
#: Added to every open: never through a link, never a terminal, never text mode.
OPEN_SAFELY = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_BUFFERS_PER_CALL = min(
    1024, os.sysconf("SC_IOV_MAX") if sys.platform != "win32" else 1
)
_HAS_UNNAMED = hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd")
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_NO_REPLACE = 1  # RENAME_NOREPLACE, linux/fs.h
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_RESERVE_S = 0.05
_RESERVE_STEP = 64 << 20
_seeking = threading.Lock()


def _c_function(name: str, argument_types: Sequence[str]) -> Callable[..., int] | None:
    """Find a function of the C library, or ``None`` where there is none."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        function: Any = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None
    function.argtypes = [getattr(ctypes, f"c_{kind}") for kind in argument_types]

    def call(*args: object) -> int:
        """Return 0 or an errno."""
        return 0 if function(*args) == 0 else ctypes.get_errno()

    return call


# glibc >= 2.28 and musl; a file system that cannot do it answers EINVAL.
_renameat2 = _c_function("renameat2", ["int", "char_p", "int", "char_p", "uint"])
# Not os.posix_fallocate: it cannot keep the length, and where the file system has no
# support glibc emulates it by touching every block.
_fallocate = _c_function("fallocate", ["int", "int", "int64", "int64"])
_fstatfs = _c_function("fstatfs", ["int", "void_p"])
_IN_MEMORY = frozenset({0x01021994, 0x858458F6})  # tmpfs and ramfs, linux/magic.h


def rename_new(old: str, new: str, dir_fd: int | None) -> None:
    """Rename without ever replacing.

    Raises:
        FileExistsError: ``new`` is taken, be it by a link that leads nowhere.
        OSError: anything else.
    """
    if _renameat2 is not None and dir_fd is not None:
        code = _renameat2(
            dir_fd, os.fsencode(old), dir_fd, os.fsencode(new), _NO_REPLACE
        )
        if code == 0:
            return
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code), old, None, new)
    if sys.platform == "win32":
        os.rename(old, new)  # Windows itself refuses to replace
        return
    try:
        os.link(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NOT_HERE | {errno.EPERM, errno.EMLINK}:
            raise
        _rename_if_free(old, new, dir_fd)
    else:
        os.unlink(old, dir_fd=dir_fd)


def open_unnamed(dir_fd: int | None) -> int | None:
    """Open a new file in a directory that has no name yet; ``None`` where none can.

    Closing it (or the end of the process) before ``link_unnamed`` leaves nothing.

    Raises:
        OSError: the disk is full, the directory is gone, ...
    """
    if not _HAS_UNNAMED or dir_fd is None:
        return None
    try:
        return os.open(
            ".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666, dir_fd=dir_fd
        )
    except OSError as error:
        # EISDIR is what the file systems of old kernels make of the flag.
        if error.errno in _NOT_HERE | {errno.EISDIR}:
            return None
        raise


def link_unnamed(fd: int, name: str, dir_fd: int) -> None:
    """Give a file of ``open_unnamed`` its name, without ever replacing.

    Raises:
        FileExistsError: ``name`` is taken, be it by a link that leads nowhere.
        OSError: anything else.
    """
    # By way of /proc, since AT_EMPTY_PATH needs a capability before Linux 6.10.
    os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=dir_fd, follow_symlinks=True)


def _rename_if_free(old: str, new: str, dir_fd: int | None) -> None:
    """Rename on a file system without links (FAT): look first, a hair less safe."""
    try:
        os.stat(new, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


def preallocate(fd: int, size: int, now: Callable[[], float] = time.monotonic) -> bool:
    """Set blocks aside for ``size`` bytes, without changing the file's length.

    The length stays honest (the end of what was written), so that a resume record
    which claims more than there is can be caught, and nobody takes a reserved part
    file for a whole one.

    Extents take about a millisecond whatever the size, but tmpfs prepares every page
    (measured: 230 ms for 1 GiB) while a server waits; so it goes in growing steps, and
    after ``_RESERVE_S`` a look at the free space has to do for the rest.

    Args:
        fd: open for writing.
        size: bytes of the whole file.
        now: seconds, monotonic.

    Returns:
        Whether blocks were set aside, even if not all.

    Raises:
        OSError: ENOSPC or EDQUOT: it does not fit. Nothing stays reserved then.
    """
    _check_room(fd, size)
    if _fallocate is None:
        return False
    began_s = now()
    done, step = 0, _RESERVE_STEP
    while done < size and now() - began_s < _RESERVE_S:
        code = _fallocate(fd, _KEEP_SIZE, done, min(step, size - done))
        if code in _NOT_HERE:
            return done > 0
        if code not in (0, errno.EINTR):
            # Some file systems keep the blocks they got before they ran out.
            os.ftruncate(fd, os.fstat(fd).st_size)
            raise OSError(code, os.strerror(code))
        if code == 0:
            done += step
            step *= 2
    return done > 0


def _check_room(fd: int, size: int) -> None:
    if sys.platform == "win32":
        return
    room = os.fstatvfs(fd)
    held = os.fstat(fd).st_blocks * 512
    # Network and FUSE file systems may say 0 of 0: that is no answer.
    if room.f_blocks and room.f_bavail * room.f_frsize + held < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_at(fd: int, buffers: Sequence[Buffer], offset: int, nbytes: int) -> None:
    """Write all the buffers at ``offset``, as they are, in as few calls as possible.

    Raises:
        ValueError: the buffers do not hold ``nbytes``.
        OSError: what the system says; some bytes may have been written.
    """
    if len(buffers) <= _BUFFERS_PER_CALL:
        written = _write_some(fd, buffers, offset)
        if written == nbytes:
            return
    else:
        written = 0
    # The slow way, after a partial write or with very many buffers.
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    total = sum(len(view) for view in views)
    if total != nbytes:
        raise ValueError(f"buffers hold {total} bytes, not {nbytes}")
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
    if sys.platform != "win32" and hasattr(os, "pwritev"):
        return os.pwritev(fd, buffers, offset)
    with _seeking:  # no positioned writes here, so one at a time
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, buffers[0])


def read_at(fd: int, buffer: bytearray | memoryview, offset: int) -> int:
    """Read into ``buffer``; return the bytes read, 0 at the end of the file."""
    if sys.platform != "win32" and hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], offset)
    with _seeking:
        os.lseek(fd, offset, os.SEEK_SET)
        data = os.read(fd, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def sync_data(fd: int) -> None:
    """Return when the file's bytes, and what is needed to find them, are on disk."""
    if sys.platform == "darwin":
        import fcntl

        # fsync on macOS stops at the drive's cache (its manual page says so).
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(fd)
    elif sys.platform == "win32":
        os.fsync(fd)
    else:
        os.fdatasync(fd)


def is_in_memory(fd: int) -> bool:
    """Whether a file system lives in memory only, so that a sync has nothing to do.

    The call is cheap there, but each of them passes the interpreter's lock to and fro.
    """
    if _fstatfs is None:
        return False
    import ctypes

    # struct statfs is under 256 bytes and begins with f_type, a long.
    answer = (ctypes.c_long * 32)()
    return _fstatfs(fd, answer) == 0 and answer[0] & 0xFFFFFFFF in _IN_MEMORY


def start_sync(fd: int) -> None:
    """Ask for write-back to begin, so that the syncs that follow wait together.

    ``POSIX_FADV_DONTNEED`` starts write-back on Linux; with 64 small files on ext4
    it takes a third off the time of syncing them one by one. Only ever advice.
    """
    if sys.platform == "linux":
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            return


def lock(fd: int) -> bool:
    """Take the exclusive lock of an open file, without waiting.

    Closing the file gives it up, as does the end of the process however it comes.

    Returns:
        ``False`` when somebody else holds it. File systems that know no locks count
        as free.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # One byte far behind any data: locks are mandatory there.
            with _seeking:
                os.lseek(fd, 1 << 62, os.SEEK_SET)
                msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True

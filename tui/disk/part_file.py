"""An incomplete download on disk, and the blocking operations on it.

Also here: the order in which operations on one part file may run.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tui.core.errors import ErrorKind, IntegrityError, LocalError, PermanentError
from tui.core.segment import RangeSet
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_size
from tui.disk import platform, resume_record
from tui.disk.checksum import hash_range
from tui.disk.errors import ChangedOnDiskError, from_os_error, in_use
from tui.disk.folders import PART
from tui.disk.safe_dir import check_component

if TYPE_CHECKING:
    from collections.abc import Sequence
    from hashlib import _Hash

    from typing_extensions import Buffer

    from tui.core.errors import FetchError
    from tui.disk.folders import Folder
    from tui.disk.resume_record import ExistingFiles, ResumeRecord
    from tui.disk.safe_dir import SafeDir

CallT = TypeVar("CallT")


class OperationOrder(Generic[CallT]):
    """Run each call only after the writes that were started before it.

    Writes may overlap each other. A call (sync, rename, ...) waits for all writes that
    were handed over before it, and calls run one at a time. Belongs to the loop.
    """

    __slots__ = ("_calls", "_is_calling", "_last", "_writing", "is_closing")

    def __init__(self) -> None:
        self._last = 0
        self._writing: set[int] = set()
        self._calls: deque[tuple[int, CallT]] = deque()
        self._is_calling = False
        self.is_closing = False
        """The last call is queued: no further operation is accepted."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in progress or queued."""
        return not (self._is_calling or self._calls or self._writing)

    def begin_write(self) -> int:
        """Register a write; return its number for ``end_write``."""
        self._last += 1
        self._writing.add(self._last)
        return self._last

    def end_write(self, number: int) -> CallT | None:
        """Unregister a write; return the call that may run now, if any."""
        self._writing.discard(number)
        return self.next_call() if self._calls else None

    def enqueue(self, call: CallT) -> CallT | None:
        """Queue a call behind everything handed over so far; return it if it is due."""
        self._calls.append((self._last, call))
        return self.next_call()

    def end_call(self) -> CallT | None:
        """Note that the running call ended; return the one that may run now, if any."""
        self._is_calling = False
        return self.next_call()

    def next_call(self) -> CallT | None:
        """Remove and return the first call, if nothing before it is in progress."""
        if self._is_calling or not self._calls:
            return None
        barrier, call = self._calls[0]
        if any(number <= barrier for number in self._writing):
            return None
        self._calls.popleft()
        self._is_calling = True
        return call


def open_part_file(
    folder: Folder,
    name: str,
    *,
    size: int | None,
    existing: ExistingFiles | None = None,
    record: ResumeRecord | None = None,
    is_new: bool = False,
) -> PartFile:
    """Create and lock a part file, or open and lock an existing one.

    The process that has the lock on ``NAME.part`` owns that name: it alone writes or
    removes the part file and its record. What another process may have done before the
    lock was taken is checked after it.

    Args:
        folder: the output folder.
        name: the final name, one component.
        size: bytes of the whole file; blocks are allocated for them.
        existing: continue the part file that was seen; ``None`` creates one.
        record: saved beside a new part file before any data is written.
        is_new: there must not be a final file yet; another process may have finished
            it since anybody looked.

    Raises:
        ChangedOnDiskError: there is a part file where none was seen, it is not the one
            that was seen, or the final file exists (and ``is_new`` is true).
        FileExistsError: ``part``: the part file has other hard links, or the record's
            name is used by a file that fetchtui did not write.
        LocalError: ``in_use``, ``disk_full``, ``not_writable``, ``directory_gone``,
            ``name`` or ``disk``.
    """
    check_component(name)
    try:
        with folder.opened() as directory:
            if existing is None:
                part = _create(directory, folder, name, size, is_new=is_new)
                if record is not None:
                    # Not synced: it claims no bytes yet. After a kill the part file
                    # is either empty or identified by this record.
                    _save_first(part, record)
            else:
                part = _open_existing(directory, folder, name, size, existing)
            is_in_memory = directory.is_in_memory()
    except FileExistsError as error:
        raise FileExistsError("part") from error
    except OSError as error:
        raise from_os_error(error, "create", name) from error
    try:
        if size is not None:
            part.preallocate(size, only_check=is_in_memory)
    except BaseException:
        part.remove() if part.created_here else part.close()
        raise
    return part


def _create(
    directory: SafeDir, folder: Folder, name: str, size: int | None, *, is_new: bool
) -> PartFile:
    try:
        fd = directory.create(name + PART)
    except FileExistsError:
        raise ChangedOnDiskError(name) from None
    part = _locked(directory, PartFile(folder, name, fd, size=size, created=True))
    try:
        if resume_record.has_foreign_record(directory, name):
            raise FileExistsError(errno.EEXIST, "not a resume record", name)
        if is_new and directory.size(name) is not None:
            raise ChangedOnDiskError(name)
        # To be overwritten; another run that has just renamed it is about to remove
        # its record, which has the same name as the record of this part file.
        if not is_new and directory.is_locked(name):
            raise in_use(name)
        # A record without its part file would be wrong about the new one. Not before
        # the lock: another run may have begun with this name. If the process dies
        # before this line, the record claims more than the empty file has.
        resume_record.remove_records(directory, name)
    except BaseException:
        directory.unlink(part.part_name)
        part.close()
        raise
    return part


def _save_first(part: PartFile, record: ResumeRecord) -> None:
    try:
        resume_record.save_record(part.folder, part.name, record, sync=False)
    except BaseException:
        part.remove()
        raise


def _open_existing(
    directory: SafeDir,
    folder: Folder,
    name: str,
    size: int | None,
    existing: ExistingFiles,
) -> PartFile:
    try:
        fd = directory.open_regular(name + PART)
    except FileNotFoundError:
        raise ChangedOnDiskError(name) from None
    except FileExistsError:
        # Where files cannot be renamed without replacing, a run that finishes links
        # the part file to its final name for a moment.
        if directory.is_locked(name + PART):
            raise in_use(name + PART) from None
        raise
    part = _locked(directory, PartFile(folder, name, fd, size=size, created=False))
    # Only now nobody else changes it: are these the bytes that the caller saw?
    try:
        seen = resume_record.look(directory, name)
        if not seen.has_same_part(existing):
            raise ChangedOnDiskError(name)
    except BaseException:
        part.close()
        raise
    return part


def _locked(directory: SafeDir, part: PartFile) -> PartFile:
    """Lock a part file that was just opened, and check that it still has its name."""
    try:
        if not platform.lock(part.fd):
            raise in_use(part.part_name)
        # Between open and lock, its owner may have renamed or removed it.
        if not directory.is_same(part.part_name, part.fd):
            raise ChangedOnDiskError(part.name)
    except BaseException:
        part.close()
        raise
    return part


_MIN_PREALLOCATED = 4 << 20
"""Smaller files are written in one or two calls, so they are not fragmented anyway;
allocating 1 MiB costs 0.1 ms of the 1.5 that such a file takes."""
_MIN_CHECKED = 1 << 20
"""For smaller files, not even the free space is checked in advance."""
_CLOSED = -1


class PartFile:
    """An open, locked part file.

    ``flushed``, ``error`` and ``order`` belong to the loop; the methods that do I/O
    block and are called only by the writer's threads.
    """

    __slots__ = (
        "created_here",
        "error",
        "fd",
        "flushed",
        "folder",
        "is_preallocated",
        "name",
        "order",
        "part_name",
        "size",
        "sync_error",
        "synced",
    )

    def __init__(
        self, folder: Folder, name: str, fd: int, *, size: int | None, created: bool
    ) -> None:
        self.folder = folder
        self.name = name
        self.part_name = name + PART
        self.fd = fd
        """-1 once closed."""
        self.size = size
        """Bytes of the whole file, ``None`` while unknown; may be set later."""
        self.flushed = RangeSet()
        """Bytes that were written, in this run or an earlier one. Code that trusts a
        resume record adds its ranges here."""
        self.error: FetchError | None = None
        """Why bytes that were handed over are not in the file, if a write failed."""
        self.created_here = created
        """False: it existed before and is being continued."""
        self.is_preallocated = False
        self.synced: tuple[tuple[int, int], ...] = ()
        """The value of ``flushed`` before the last successful sync."""
        self.sync_error: FetchError | None = None
        self.order: OperationOrder[Any] = OperationOrder()
        """Of the writer's operations on this file."""

    def __repr__(self) -> str:
        state = "closed" if self.fd == _CLOSED else "open"
        wrong = f" {self.error.kind}" if self.error else ""
        return f"<PartFile {self.part_name} {state} {self.flushed!r}{wrong}>"

    @property
    def is_open(self) -> bool:
        """True until it is closed."""
        return self.fd != _CLOSED

    def check_open(self) -> None:
        """Check that data can be written.

        Raises:
            FetchError: an earlier write failed, or the file is closed.
        """
        if self.error is not None:
            raise self.error
        if self.order.is_closing or not self.is_open:
            raise PermanentError(
                ErrorKind.INTERNAL, f"{sanitize(self.part_name)!r} is closed"
            )

    def check_complete(self) -> None:
        """Check that no bytes are missing, before the rename to the final name.

        Raises:
            IntegrityError: ``size``: bytes are missing.
            FetchError: an earlier write failed, or the file is closed.
        """
        if self.error is not None:
            raise self.error
        if not self.is_open:
            raise PermanentError(
                ErrorKind.INTERNAL, f"{sanitize(self.part_name)!r} is closed"
            )
        if self.size is not None:
            missing = sum(end - start for start, end in self.flushed.missing(self.size))
            if missing:
                raise IntegrityError(
                    ErrorKind.SIZE,
                    f"{format_size(missing)} of {sanitize(self.name)!r} are missing",
                )

    def write(self, buffers: Sequence[Buffer], offset: int, nbytes: int) -> None:
        """Write buffers at an offset, without copying them.

        Raises:
            LocalError: the write failed, for example ``disk_full``.
        """
        try:
            platform.write_at(self.fd, buffers, offset, nbytes)
        except (OSError, ValueError) as error:
            raise from_os_error(error, "write", self.name, self._needed()) from error

    def sync(self) -> None:
        """Flush everything written to the disk.

        The system reports a failed sync only once, and the bytes it concerns count as
        lost: their pages are marked clean and are not written again.

        Raises:
            LocalError: the sync failed.
        """
        try:
            platform.sync_data(self.fd)
        except OSError as error:
            self.sync_error = from_os_error(error, "sync", self.name, self._needed())
            raise self.sync_error from error

    def update_hash(self, digest: _Hash, start: int, end: int) -> None:
        """Feed bytes ``[start, end)`` to a digest.

        Raises:
            LocalError: ``disk``: they cannot be read, or the file is shorter.
        """
        hash_range(self.fd, self.part_name, digest, start, end)

    def finalize(self, *, sync: bool) -> None:
        """Set the exact length and, with ``sync``, make the data durable.

        Raises:
            LocalError: the operation failed.
        """
        try:
            length = os.fstat(self.fd).st_size
            if self.size is not None and (length > self.size or self.is_preallocated):
                # Also frees blocks that were preallocated behind the end.
                os.ftruncate(self.fd, self.size)
        except OSError as error:
            raise from_os_error(error, "finish", self.name) from error
        if sync:
            self.sync()

    def rename_and_close(
        self, directory: SafeDir, name: str, *, overwrite: bool
    ) -> None:
        """Rename the part file, remove the resume record, and close.

        If that fails, the part file is unchanged, still open and locked.

        Raises:
            FileExistsError: ``final``: the name exists (and ``overwrite`` is false).
            LocalError: the rename failed, or the part file was moved or removed.
        """
        check_component(name)
        try:
            if not self._is_in(directory):
                raise LocalError(
                    ErrorKind.DISK,
                    f"{sanitize(self.part_name)!r} was moved or removed meanwhile",
                )
            directory.rename(self.part_name, name, overwrite=overwrite)
        except FileExistsError as error:
            raise FileExistsError("final") from error
        except OSError as error:
            raise from_os_error(error, "rename", name) from error
        # After the rename: in the other order, a crash in between loses everything.
        resume_record.remove_records(directory, self.name)
        self.close()

    def keep_as(self, name: str) -> None:
        """Rename to another, free name, remove the resume record, and close.

        Raises:
            FileExistsError: ``final``: the name exists.
            LocalError: the rename failed.
        """
        with self.folder.opened() as directory:
            self.rename_and_close(directory, name, overwrite=False)

    def _is_in(self, directory: SafeDir) -> bool:
        """Return True if the part file's name still refers to the open file."""
        if directory.is_deleted():
            raise FileNotFoundError(errno.ENOENT, "folder removed", self.part_name)
        return directory.is_same(self.part_name, self.fd)

    def remove(self) -> None:
        """Remove part file and resume record, and close.

        The data is truncated first, then the record is removed, which would be wrong
        about a later part file of the same name. So at every moment the part file is
        either identified by its record or empty.

        Raises:
            LocalError: a file cannot be removed; the part file is closed all the same.
        """
        try:
            with self.folder.opened() as directory:
                if self._is_in(directory):
                    os.ftruncate(self.fd, 0)
                    resume_record.remove_records(directory, self.name)
                    directory.unlink(self.part_name)
        except FileNotFoundError:
            return  # the folder was removed, and both files with it
        except OSError as error:
            raise from_os_error(error, "remove", self.part_name) from error
        finally:
            self.close()

    def close(self) -> None:
        """Close and unlock; the file stays."""
        fd, self.fd = self.fd, _CLOSED
        if fd != _CLOSED:
            # Some network file systems report a failed write only here. Whatever
            # relies on the data synced it before.
            try:
                os.close(fd)
            except OSError as error:
                self.error = self.error or from_os_error(error, "close", self.name)

    def preallocate(self, size: int, *, only_check: bool = False) -> None:
        """Allocate blocks, so that a full disk is found before anything is fetched.

        Args:
            size: bytes of the whole file.
            only_check: look at the free space, but allocate nothing: on a tmpfs, which
                would prepare every page twice.

        Raises:
            LocalError: ``disk_full``, with the bytes that are needed; ``too_large``, it
                cannot fit on this disk, but others can.
        """
        if size < _MIN_CHECKED:
            return
        try:
            if only_check or size < _MIN_PREALLOCATED:
                platform.check_room(self.fd, size)
            else:
                self.is_preallocated = platform.preallocate(self.fd, size)
        except OSError as error:
            if platform.exceeds_disk(self.fd, size):
                name = sanitize(self.name)
                message = f"{name!r} has {format_size(size)}, more than the whole disk"
                raise LocalError(ErrorKind.TOO_LARGE, message) from error
            needed = max(size - os.fstat(self.fd).st_blocks * 512, 0)
            raise from_os_error(
                error, "allocate space for", self.name, needed
            ) from error

    def _needed(self) -> int | None:
        """Return the bytes still to be written, as far as a thread can know."""
        if self.size is None:
            return None
        return max(self.size - self.flushed.total, 0)


def save_checkpoint(part: PartFile, record: ResumeRecord, sync: bool) -> None:
    """Sync the data, then save the record that relies on it.

    Does nothing once the part file is closed: a checkpoint may have been queued behind
    the rename to the final name, and its record would stay behind.

    Raises:
        LocalError: the sync failed.
        OSError: the record could not be saved; the previous one stays.
    """
    if not part.is_open:
        return
    if sync:
        part.sync()
    resume_record.save_record(part.folder, part.name, record, sync=sync)


def delete_final(folder: Folder, name: str, size: int, latest: float) -> bool | None:
    """Delete a finished file if it is as the download left it. Blocks.

    Args:
        folder: the folder that it was renamed into.
        name: its name.
        size: bytes of the download.
        latest: wall time after which nothing may have written to it.

    Returns:
        True if it was deleted, ``None`` if there is no such file, and False if a file
        of another size or a later one has the name; that one is kept.

    Raises:
        OSError: it cannot be deleted.
    """
    try:
        with folder.opened() as directory:
            status = directory.lstat(name)
            is_same = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if not is_same or status.st_size != size or status.st_mtime > latest:
                return False
            directory.unlink(name)
            return True
    except FileNotFoundError:
        return None


def delete_part(folder: Folder, name: str) -> bool:
    """Delete a part file and its record. Blocks.

    The caller has checked with ``find_existing`` that they belong to the download.

    Returns:
        False if another process is writing to the part file; it is kept.

    Raises:
        OSError: it cannot be deleted, or is not there.
    """
    with folder.opened() as directory:
        fd = directory.open_regular(name + PART)
        try:
            # Between open and lock, another run may have finished it.
            if not platform.lock(fd) or not directory.is_same(name + PART, fd):
                return False
            # In the order of ``PartFile.remove``, for the same reason.
            os.ftruncate(fd, 0)
            resume_record.remove_records(directory, name)
            directory.unlink(name + PART)
            return True
        finally:
            os.close(fd)

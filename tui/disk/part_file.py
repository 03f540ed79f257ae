"""One file that is not whole yet, and the blocking calls on it that threads make."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import deque
from typing import TYPE_CHECKING

from tui.core.errors import IntegrityError, LocalError, PermanentError
from tui.core.segment import RangeSet
from tui.core.text.plain_text import plain
from tui.core.text.units import format_size
from tui.disk import platform, resume_record
from tui.disk.checksum import hash_range
from tui.disk.errors import translate
from tui.disk.folders import PART, RECORD
from tui.disk.safe_dir import check_component

if TYPE_CHECKING:
    from collections.abc import Sequence
    from hashlib import _Hash

    from typing_extensions import Buffer

    from tui.core.errors import FetchError
    from tui.disk.batches import Call
    from tui.disk.folders import Folder
    from tui.disk.resume_record import ResumeRecord
    from tui.disk.safe_dir import SafeDir


class OperationOrder:
    """The writes under way and the calls in line; the loop's alone."""

    __slots__ = ("_calls", "_is_calling", "_last", "_writing", "is_closing")

    def __init__(self) -> None:
        self._last = 0
        self._writing: set[int] = set()
        self._calls: deque[tuple[int, Call]] = deque()
        self._is_calling = False
        self.is_closing = False
        """Its last call is in line: nothing more is taken."""

    def begin_write(self) -> int:
        """Count a write in; the number is for ``end_write``."""
        self._last += 1
        self._writing.add(self._last)
        return self._last

    def end_write(self, number: int) -> Call | None:
        """Count a write out; return the call that may run now."""
        self._writing.discard(number)
        return self.next_call() if self._calls else None

    def enqueue(self, call: Call) -> Call | None:
        """Put a call behind all that was handed over; return it if it is due."""
        self._calls.append((self._last, call))
        return self.next_call()

    def end_call(self) -> Call | None:
        """Tell that the running call ended; return the one that may run now."""
        self._is_calling = False
        return self.next_call()

    def next_call(self) -> Call | None:
        """Take the first in line if nothing before it is under way."""
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
    resume_it: bool,
    record: ResumeRecord | None = None,
) -> PartFile:
    """Create and lock a part file, or open and lock the one that is there.

    Args:
        folder: where.
        name: the final name, one component.
        size: bytes of the whole file; room is made for them.
        resume_it: continue with a part file that is there.
        record: saved beside a new part file, before anything is in it.

    Raises:
        FileExistsError: ``part``: there is one (and it is not to be continued), it is
            no regular file of its own, or somebody else's file has the record's name.
        LocalError: ``in_use``, ``disk_full``, ``not_writable``, ``directory_gone``,
            ``name`` or ``disk``.
    """
    check_component(name)
    try:
        with folder.opened() as directory:
            part = None
            if resume_it:
                part = _open_existing(directory, folder, name, size)
            if part is None:
                part = _create(directory, folder, name, size)
                if record is not None:
                    # A kill leaves an empty part file or one that is known for ours,
                    # so no sync is needed: it claims no bytes yet.
                    _save_first(part, record)
    except FileExistsError as error:
        raise FileExistsError("part") from error
    except OSError as error:
        raise translate(error, "create", name) from error
    try:
        if size is not None:
            part.preallocate(size)
    except BaseException:
        part.remove() if part.created_here else part.close()
        raise
    return part


def _create(
    directory: SafeDir, folder: Folder, name: str, size: int | None
) -> PartFile:
    if resume_record.is_in_the_way(directory, name):
        raise FileExistsError(errno.EEXIST, "a record of somebody else", name)
    # A record of ours whose part file went would lie about the new one. It goes
    # first, so that no crash leaves both.
    if directory.size(name + PART) is None:
        directory.unlink(name + RECORD)
    fd = directory.create(name + PART)
    return _locked(PartFile(folder, name, fd, size=size, created=True))


def _save_first(part: PartFile, record: ResumeRecord) -> None:
    try:
        resume_record.save_record(part.folder, part.name, record, sync=False)
    except BaseException:
        part.remove()
        raise


def _open_existing(
    directory: SafeDir, folder: Folder, name: str, size: int | None
) -> PartFile | None:
    try:
        fd = directory.open_regular(name + PART)
    except FileNotFoundError:
        return None
    part = PartFile(folder, name, fd, size=size, created=False)
    _locked(part)
    # Between open and lock its writer may have given it the final name.
    try:
        found = directory.lstat(part.part_name)
    except FileNotFoundError:
        part.close()
        return None
    if not stat.S_ISREG(found.st_mode) or not os.path.samestat(found, os.fstat(fd)):
        part.close()
        raise FileExistsError(errno.EEXIST, "it was replaced", part.part_name)
    return part


def _locked(part: PartFile) -> PartFile:
    if platform.lock(part.fd):
        return part
    part.close()
    told = f"another process is writing {plain(part.part_name)!r}"
    raise LocalError("in_use", told)


_RESERVE_FROM = 1 << 20
"""Bytes from which blocks are set aside: below it the call costs more than it saves."""
_CLOSED = -1


class PartFile:
    """An open, locked part file.

    ``flushed`` and ``error`` belong to the loop; the methods block and are called by
    the writer's threads only.
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
        """-1 once it is closed."""
        self.size = size
        """Bytes of the whole file, ``None`` while unknown; may be set later."""
        self.flushed = RangeSet()
        """Bytes that were written, or are believed from an earlier run: whoever
        believes a resume record adds its ranges here."""
        self.error: FetchError | None = None
        """Why bytes that were handed over are not in the file."""
        self.created_here = created
        """``False``: it was there before and is being continued."""
        self.is_preallocated = False
        self.synced: tuple[tuple[int, int], ...] = ()
        """What ``flushed`` held before the last sync that worked."""
        self.sync_error: FetchError | None = None
        self.order = OperationOrder()

    def __repr__(self) -> str:
        state = "closed" if self.fd == _CLOSED else "open"
        wrong = f" {self.error.kind}" if self.error else ""
        return f"<PartFile {self.part_name} {state} {self.flushed!r}{wrong}>"

    @property
    def is_open(self) -> bool:
        """Whether it can be written."""
        return self.fd != _CLOSED

    def check_open(self) -> None:
        """Raise why nothing more can be written, if so.

        Raises:
            FetchError: an earlier write failed, or it is closed.
        """
        if self.error is not None:
            raise self.error
        if self.order.is_closing or not self.is_open:
            raise PermanentError("internal", f"{plain(self.part_name)!r} is closed")

    def check_whole(self) -> None:
        """Let no file get its final name of which bytes are known to be missing.

        Raises:
            IntegrityError: ``size``: some are.
            FetchError: an earlier write failed, or it is closed.
        """
        if self.error is not None:
            raise self.error
        if not self.is_open:
            raise PermanentError("internal", f"{plain(self.part_name)!r} is closed")
        if self.size is not None:
            missing = sum(end - start for start, end in self.flushed.missing(self.size))
            if missing:
                told = f"{format_size(missing)} of {plain(self.name)!r} are missing"
                raise IntegrityError("size", told)

    def write(self, buffers: Sequence[Buffer], offset: int, nbytes: int) -> None:
        """Write buffers at an offset, as they are.

        Raises:
            LocalError: ``disk_full`` and the like.
        """
        try:
            platform.write_at(self.fd, buffers, offset, nbytes)
        except (OSError, ValueError) as error:
            raise translate(error, "write", self.name, self._needed()) from error

    def sync(self) -> None:
        """Return when all that was written is on disk.

        A failed sync is told once, and the bytes it was about count as lost: the
        system marks them clean and will not try again.

        Raises:
            LocalError: ``disk`` and the like.
        """
        try:
            platform.sync_data(self.fd)
        except OSError as error:
            self.sync_error = translate(error, "sync", self.name, self._needed())
            raise self.sync_error from error

    def hash_into(self, into: _Hash, start: int, end: int) -> None:
        """Feed bytes ``[start, end)`` to a digest.

        Raises:
            LocalError: ``disk``: they cannot be read, or are not there.
        """
        hash_range(self.fd, self.part_name, into, start, end)

    def settle(self, *, sync: bool) -> None:
        """Give the file its exact length and make it durable, before the rename.

        Raises:
            LocalError: what the disk says, or the part file is not ours any more.
        """
        try:
            length = os.fstat(self.fd).st_size
            if self.size is not None and (length > self.size or self.is_preallocated):
                # Also gives back blocks that were set aside behind the end.
                os.ftruncate(self.fd, self.size)
        except OSError as error:
            raise translate(error, "finish", self.name) from error
        if sync:
            self.sync()

    def publish(self, directory: SafeDir, name: str, *, overwrite: bool) -> None:
        """Give it its final name, drop the record, and close it.

        When it fails the part file is as it was, still open and locked.

        Raises:
            FileExistsError: the final name is taken (and not to be overwritten).
            LocalError: what the disk says.
        """
        self._move(directory, check_component(name), overwrite=overwrite)
        # After the rename: the other way round, a crash in between loses it all.
        directory.unlink(self.name + RECORD)
        self.close()

    def put_aside(self, name: str) -> None:
        """Keep the bytes under another name that is free, drop the record, close.

        Raises:
            FileExistsError: the name is taken.
            LocalError: what the disk says.
        """
        with self.folder.opened() as directory:
            self.publish(directory, name, overwrite=False)

    def _move(self, directory: SafeDir, name: str, *, overwrite: bool) -> None:
        try:
            if not self._is_in(directory):
                told = f"{plain(self.part_name)!r} was moved or removed by somebody"
                raise LocalError("disk", told)
            if sys.platform == "win32":
                self.close()  # an open file cannot be renamed there
            try:
                directory.rename(self.part_name, name, overwrite=overwrite)
            finally:
                if sys.platform == "win32" and directory.size(self.part_name):
                    self.fd = directory.open_regular(self.part_name)
        except FileExistsError as error:
            raise FileExistsError("final") from error
        except OSError as error:
            raise translate(error, "rename", name) from error

    def _is_in(self, directory: SafeDir) -> bool:
        """Whether the part's name still leads to the file that we wrote."""
        try:
            return os.path.samestat(directory.lstat(self.part_name), os.fstat(self.fd))
        except FileNotFoundError:
            if directory.is_gone():
                raise
            return False

    def remove(self) -> None:
        """Remove part file and record, and close.

        The bytes go first, then the record, which would lie beside a later part file
        of that name: at every moment it is either known for ours or empty.

        Raises:
            LocalError: what the disk says; it is closed all the same.
        """
        try:
            with self.folder.opened() as directory:
                if self._is_in(directory):
                    os.ftruncate(self.fd, 0)
                    if sys.platform == "win32":
                        self.close()  # an open file cannot be removed there
                    directory.unlink(self.name + RECORD)
                    directory.unlink(self.part_name)
        except FileNotFoundError:
            return  # the folder is gone, and they with it
        except OSError as error:
            raise translate(error, "remove", self.part_name) from error
        finally:
            self.close()

    def close(self) -> None:
        """Close and unlock. The file stays."""
        fd, self.fd = self.fd, _CLOSED
        if fd != _CLOSED:
            # Some network file systems report a failed write only here; it was
            # synced before anything relied on it.
            try:
                os.close(fd)
            except OSError as error:
                self.error = self.error or translate(error, "close", self.name)

    def preallocate(self, size: int) -> None:
        """Set blocks aside, so that a full disk is found before anything is fetched.

        Raises:
            LocalError: ``disk_full``, with the bytes that are needed.
        """
        if size < _RESERVE_FROM:
            return
        try:
            self.is_preallocated = platform.preallocate(self.fd, size)
        except OSError as error:
            held = os.fstat(self.fd).st_blocks * 512 if sys.platform != "win32" else 0
            needed = max(size - held, 0)
            raise translate(error, "make room for", self.name, needed) from error

    def _needed(self) -> int | None:
        """Bytes of the file that are not written, as well as a thread can tell."""
        if self.size is None:
            return None
        return max(self.size - self.flushed.total, 0)


def save_checkpoint(part: PartFile, record: ResumeRecord, sync: bool) -> None:
    """Sync the data, then save the record that relies on it.

    Raises:
        LocalError: the sync failed.
        OSError: the record could not be saved; the one before it stays.
    """
    if sync:
        part.sync()
    resume_record.save_record(part.folder, part.name, record, sync=sync)

"""Small files: many of them created, synced and renamed in one batch.

For each file: create one without a name and write it. Then, for the whole batch, sync
all files, give each its name without replacing anything, and sync the folder once. If
anything goes wrong, even a SIGKILL, nothing is left behind: a file without a name is
deleted when its descriptor is closed.

Where the system does not support that, a locked part file is written and renamed, and
removed if anything fails. A small file has no resume record.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import LocalError
from tui.core.text.plain_text import plain
from tui.disk import platform
from tui.disk.batches import Batch
from tui.disk.checksum import digest_of, verify
from tui.disk.errors import from_os_error
from tui.disk.folders import PART
from tui.disk.safe_dir import check_component

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from tui.core.clock import Clock
    from tui.core.request import Checksum
    from tui.disk.batches import WorkerStatus
    from tui.disk.folders import Folder
    from tui.disk.safe_dir import SafeDir

SLOW_SYNC_S = 0.005
"""If syncing a small file takes this long, several threads wait for syncs, within a
batch and with several batches: 35 files, 8 at once, at 20 ms a sync took 0.84 s in one
thread and take 0.24 s in four."""
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_WAIT_FOR_FILES_S = 10.0
"""Longer than the syncs of a full batch take on a slow disk."""


@dataclass(slots=True, eq=False)
class SmallFile:
    """A complete small file to be written in one operation."""

    folder: Folder
    name: str
    """The final name, reserved in the folder."""
    buffers: list[Buffer]
    nbytes: int
    """Sum of the buffers."""
    checksum: Checksum | None
    """Verified before anything is written, if given."""
    overwrite: bool
    """Replace an existing file of that name."""
    on_done: Callable[[SmallFile, BaseException | None], None]
    """Called on the loop. The error is a ``core.errors.FetchError``, or
    ``FileExistsError("final")`` or ``("part")`` if that name exists."""
    token: object = None
    """For the caller's use."""


class _Written(NamedTuple):
    """A file whose data is written, still open."""

    position: int
    """Its index in ``operations``."""
    fd: int
    has_part: bool
    """It is a part file; otherwise it has no name yet."""


class OpenFileBudget:
    """Lets batches wait for file descriptors that other batches will close.

    The descriptor limit is per process, so there is one budget per process.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batches = 0
        """Batches that have files open or are opening their first."""
        self.closed = 0
        """How many times a batch has closed its files."""

    def begin(self) -> None:
        """Register a batch."""
        with self._changed:
            self._batches += 1

    def end(self) -> None:
        """Unregister a batch that has closed its files."""
        with self._changed:
            self._batches -= 1
            self.closed += 1
            self._changed.notify_all()

    def wait(self, closed: int) -> bool:
        """Wait until another batch closes files. Blocks.

        Args:
            closed: the value of ``closed`` before the failed open.

        Returns:
            True if one did; False if there is no other, or after a timeout.
        """
        with self._changed:
            self._batches -= 1
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self.closed != closed or not self._batches, _WAIT_FOR_FILES_S
            )
            self._batches += 1
            return self.closed != closed


_OPEN_FILES = OpenFileBudget()


class SmallFileBatch(Batch):
    """Small files that are written together."""

    label = "store"
    operations: list[SmallFile]

    def __init__(
        self,
        operations: list[SmallFile],
        nbytes: int,
        clock: Clock,
        *,
        fsync: bool,
        sync_threads: int = 1,
        may_wait: bool = True,
    ) -> None:
        super().__init__(operations, nbytes, clock)
        self.fsync = fsync
        self.sync_threads = sync_threads
        """Threads that may wait for its syncs, if they are slow."""
        self.may_wait = may_wait
        """May wait for descriptors of other batches; not allowed on the loop."""
        self.errors: dict[int, BaseException] = {}
        """By index in ``operations``; a file without an error is on disk."""

    def run(self, status: WorkerStatus) -> None:
        """Write all files. Blocks."""
        by_folder: dict[Folder, deque[int]] = {}
        for index, file in enumerate(self.operations):
            by_folder.setdefault(file.folder, deque()).append(index)
        for folder, indices in by_folder.items():
            all_indices = tuple(indices)
            done: set[int] = set()
            try:
                with folder.opened() as directory:
                    while indices:
                        self._write_and_name_some(directory, indices, done, status)
            except Exception as error:
                for index in all_indices:
                    if index not in done:
                        self._fail(index, error)

    def fail(self, error: Exception) -> None:
        """Set an internal error on every file that has no error yet."""
        for index in range(len(self.operations)):
            self._fail(index, error)

    def _write_and_name_some(
        self,
        directory: SafeDir,
        indices: deque[int],
        done: set[int],
        status: WorkerStatus,
    ) -> None:
        """Write as many files as can be open at once."""
        written: list[_Written] = []
        named: list[int] = []
        syncs = self.fsync and not directory.is_in_memory()
        _OPEN_FILES.begin()
        try:
            status.operation = "write"
            self._write_some(directory, indices, written, status)
            if syncs:
                status.operation = "sync"
                self._sync(directory, written)
            status.operation = "rename"
            named += [
                file.position
                for file in written
                if file.position not in self.errors and self._give_name(directory, file)
            ]
            if syncs and named:
                directory.sync()
            done.update(named)
        finally:
            # Not before: closing releases the lock, and until the rename another
            # process could mistake a part file for one to continue.
            for file in written:
                os.close(file.fd)
            _OPEN_FILES.end()

    def _write_some(
        self,
        directory: SafeDir,
        indices: deque[int],
        written: list[_Written],
        status: WorkerStatus,
    ) -> None:
        while indices:
            index = indices[0]
            status.name = self.operations[index].name
            started_s = self.clock.monotonic()
            closed = _OPEN_FILES.closed
            try:
                written.append(self._write(directory, index))
                self.write_s.append(self.clock.monotonic() - started_s)
            except FileNotFoundError as error:
                if directory.is_deleted():
                    raise
                self._fail(index, error)
            except Exception as error:
                code = error.errno if isinstance(error, OSError) else None
                if code in _OUT_OF_FILES:
                    if written:
                        return  # finish these first, which closes some
                    if self.may_wait and _OPEN_FILES.wait(closed):
                        continue
                self._fail(index, error)
            indices.popleft()

    def _write(self, directory: SafeDir, index: int) -> _Written:
        """Write the data of one file, without giving it its name."""
        small = self.operations[index]
        part_name = check_component(small.name) + PART
        if small.checksum is not None:
            digest = digest_of(small.buffers, small.checksum.algorithm)
            verify(small.name, small.checksum, digest)
        # A part file of that name may exist, say of another process that downloads the
        # same. It does not matter: this file never gets the part name, and the final
        # name goes to the first.
        fd = platform.open_unnamed(directory.fd)
        has_part = fd is None
        if fd is None:
            fd = _create_part(directory, part_name)
        try:
            platform.write_at(fd, small.buffers, 0, small.nbytes)
        except BaseException:
            os.close(fd)
            if has_part:
                directory.unlink(part_name)
            raise
        return _Written(index, fd, has_part)

    def _sync(self, directory: SafeDir, written: list[_Written]) -> None:
        if len(written) > 1:
            for file in written:
                platform.start_sync(file.fd)
        left = deque(written)
        is_slow = False
        while left and not is_slow:
            started_s = self.clock.monotonic()
            self._sync_one(directory, left.popleft())
            is_slow = self.clock.monotonic() - started_s >= SLOW_SYNC_S
        # 35 files at 20 ms each take 0.7 s one by one: sync several at a time.
        helpers: list[threading.Thread] = []
        try:
            while len(helpers) < min(self.sync_threads, len(left)) - 1:
                args = (directory, left)
                helper = threading.Thread(target=self._sync_remaining, args=args)
                try:
                    helper.start()
                except RuntimeError:
                    break  # no more threads available: it takes longer
                helpers.append(helper)
            self._sync_remaining(directory, left)
        finally:
            # No file may be named or closed before all are synced.
            for helper in helpers:
                helper.join()

    def _sync_remaining(self, directory: SafeDir, left: deque[_Written]) -> None:
        """Sync files until none are left; several threads share the work."""
        while True:
            try:
                file = left.popleft()
            except IndexError:
                return
            self._sync_one(directory, file)

    def _sync_one(self, directory: SafeDir, file: _Written) -> None:
        started_s = self.clock.monotonic()
        try:
            platform.sync_data(file.fd)
            self.sync_s.append(self.clock.monotonic() - started_s)
        except OSError as error:
            self._fail(file.position, error)
            if file.has_part:
                self._remove_part(directory, file.position)

    def _give_name(self, directory: SafeDir, file: _Written) -> bool:
        small = self.operations[file.position]
        part_name = small.name + PART
        has_part = file.has_part
        try:
            if not has_part:
                try:
                    directory.link(file.fd, small.name)
                except FileExistsError:
                    if not small.overwrite:
                        raise
                    # A link cannot replace a file, but a rename can.
                    directory.link(file.fd, part_name)
                    has_part = True
            if has_part:
                directory.rename(part_name, small.name, overwrite=small.overwrite)
        except FileExistsError:
            self.errors[file.position] = FileExistsError("final")
        except OSError as error:
            self._fail(file.position, error)
        else:
            return True
        if has_part:
            self._remove_part(directory, file.position)
        return False

    def _remove_part(self, directory: SafeDir, index: int) -> None:
        try:
            directory.unlink(self.operations[index].name + PART)
        except OSError as error:
            # The first error is reported; the part file stays.
            self.errors[index].add_note(f"part file not removed: {error}")

    def _fail(self, index: int, error: Exception) -> None:
        small = self.operations[index]
        if not (isinstance(error, FileExistsError) and error.args == ("part",)):
            error = from_os_error(error, "write", small.name, small.nbytes)
        self.errors.setdefault(index, error)


def _create_part(directory: SafeDir, part_name: str) -> int:
    """Create and lock a part file, where files without a name are not supported."""
    try:
        fd = directory.create(part_name)
    except FileExistsError as error:
        raise FileExistsError("part") from error
    if not platform.lock(fd):
        # Another process opened it in between, to continue it.
        os.close(fd)
        raise LocalError("in_use", f"another process is writing {plain(part_name)!r}")
    return fd

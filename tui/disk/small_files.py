"""Small files: many of them created, synced and renamed in one batch.

For each file: create one without a name and write it. Then, for the whole batch, sync
all files, give each its name without replacing anything, and sync the folder once. If
anything goes wrong, even a SIGKILL, nothing is left behind: a file without a name is
deleted when its descriptor is closed.

Where the system does not support that, a locked temporary file is written and renamed,
and removed if anything fails; what a SIGKILL leaves, the next run removes when it opens
the folder. It is not named ``NAME.part``, because a small file has no resume record: a
part file without one could be anybody's, and would have to stay.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.disk import platform
from tui.disk.batches import Batch
from tui.disk.checksum import digest_of, verify
from tui.disk.errors import from_os_error
from tui.disk.folders import PART, TEMPORARY
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
_NAME_TRIES = 10
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
    ``FileExistsError("final")`` if that name exists."""
    token: object = None
    """For the caller's use."""


class _Written(NamedTuple):
    """A file whose data is written, still open."""

    position: int
    """Its index in ``operations``."""
    fd: int
    temporary: str
    """Its name so far; "" if it has none."""


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
            platform.close_all(file.fd for file in written)
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
        check_component(small.name)
        if small.checksum is not None:
            digest = digest_of(small.buffers, small.checksum.algorithm)
            verify(small.name, small.checksum, digest)
        # A part file of that name may exist, say of another process that downloads the
        # same. It does not matter: this file never gets the part name, and the final
        # name goes to the first.
        fd = platform.open_unnamed(directory.fd)
        temporary = ""
        if fd is None:
            fd, temporary = _create_temporary(directory)
        try:
            platform.write_at(fd, small.buffers, 0, small.nbytes)
        except BaseException:
            os.close(fd)
            if temporary:
                directory.unlink(temporary)
            raise
        return _Written(index, fd, temporary)

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
            if file.temporary:
                self._remove(directory, file.position, file.temporary)

    def _give_name(self, directory: SafeDir, file: _Written) -> bool:
        small, temporary = self.operations[file.position], file.temporary
        try:
            if not temporary:
                try:
                    directory.link(file.fd, small.name)
                except FileExistsError:
                    if not small.overwrite:
                        raise
                    # A link cannot replace a file, but a rename can.
                    temporary = _temporary_name()
                    directory.link(file.fd, temporary)
            if temporary:
                directory.rename(temporary, small.name, overwrite=small.overwrite)
        except FileExistsError:
            self.errors[file.position] = FileExistsError("final")
        except OSError as error:
            self._fail(file.position, error)
        else:
            return True
        if temporary:
            self._remove(directory, file.position, temporary)
        return False

    def _remove(self, directory: SafeDir, index: int, temporary: str) -> None:
        try:
            directory.unlink(temporary)
        except OSError as error:
            # The first error is reported; the temporary file stays.
            self.errors[index].add_note(f"temporary file not removed: {error}")

    def _fail(self, index: int, error: Exception) -> None:
        small = self.operations[index]
        failure = from_os_error(error, "write", small.name, small.nbytes)
        self.errors.setdefault(index, failure)


def _temporary_name() -> str:
    return f"{TEMPORARY}{os.urandom(8).hex()}{PART}"


def _create_temporary(directory: SafeDir) -> tuple[int, str]:
    """Create and lock a file, where files without a name are not supported."""
    for _ in range(_NAME_TRIES):
        name = _temporary_name()
        fd = directory.create(name)
        # Until it is locked, another process may take it for abandoned and remove it.
        if platform.lock(fd) and directory.size(name) is not None:
            return fd, name
        os.close(fd)
        directory.unlink(name)
    raise LocalError(
        ErrorKind.IN_USE, "another process locks every new file in the folder"
    )

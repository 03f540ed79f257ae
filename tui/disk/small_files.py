"""Small whole files: many of them made, synced and named in one trip.

Per file: open one without a name, write, then (for the whole batch) sync all, name all
without replacing, and sync the folder once. Whatever goes wrong, and be it a SIGKILL,
leaves nothing behind: a file without a name ends with its descriptor.

Where the system cannot do that it is a part file, locked and renamed; if anything fails
it is removed, since this very operation made it. A small file has no resume record.
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
from tui.disk.errors import translate
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
"""Syncs of small files that take so long each are waited for in several threads at
once, those of one trip and those of several: 35 files, 8 at once, 20 ms a sync took
0.84 s in one slot and take 0.24 s with four."""
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_WAIT_FOR_FILES_S = 10.0
"""Longer than the syncs of a full trip take on a slow disk."""


@dataclass(slots=True, eq=False)
class SmallFile:
    """A small whole file to be put on disk in one operation."""

    folder: Folder
    name: str
    """The final name, claimed in the folder."""
    buffers: list[Buffer]
    nbytes: int
    """Sum of the buffers."""
    checksum: Checksum | None
    """Compared before anything is written; ``None`` for none."""
    overwrite: bool
    """Replace the final name if it is taken."""
    on_done: Callable[[SmallFile, BaseException | None], None]
    """Called on the loop. The error is a ``core.errors.FetchError``, or
    ``FileExistsError("final")`` or ``("part")`` where that name is taken."""
    token: object = None
    """The caller's own."""


class _Written(NamedTuple):
    """A file with all its bytes, still open."""

    number: int
    """Its place in ``operations``."""
    fd: int
    has_part: bool
    """It is a part file; else it has no name yet."""


class OpenFileBudget:
    """Trips that hold files open, or open the first: the limit is the process's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._trips = 0
        self.ended = 0
        """How often one has closed its files; only ever more."""

    def begin(self) -> None:
        """Count a batch in."""
        with self._changed:
            self._trips += 1

    def end(self) -> None:
        """Count a batch out."""
        with self._changed:
            self._trips -= 1
            self.ended += 1
            self._changed.notify_all()

    def wait(self, ended: int) -> bool:
        """Whether another has closed files since there were ``ended``. Blocks."""
        with self._changed:
            self._trips -= 1
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self.ended != ended or not self._trips, _WAIT_FOR_FILES_S
            )
            self._trips += 1
            return self.ended != ended


_HOLDERS = OpenFileBudget()


class SmallFileBatch(Batch):
    """Small files that go together."""

    label = "store"
    operations: list[SmallFile]

    def __init__(
        self,
        operations: list[SmallFile],
        nbytes: int,
        clock: Clock,
        *,
        fsync: bool,
        hands: int = 1,
        may_wait: bool = True,
    ) -> None:
        super().__init__(operations, nbytes, clock)
        self.fsync = fsync
        self.hands = hands
        """Threads that may wait for its syncs, where they are slow."""
        self.may_wait = may_wait
        """For descriptors that other trips hold; not on the loop."""
        self.errors: dict[int, BaseException] = {}
        """By place in ``operations``; whoever is missing is on disk."""

    def run(self, slot: WorkerStatus) -> None:
        """Store them all. Blocks."""
        by_folder: dict[Folder, deque[int]] = {}
        for index, job in enumerate(self.operations):
            by_folder.setdefault(job.folder, deque()).append(index)
        for folder, indices in by_folder.items():
            mine = tuple(indices)
            done: set[int] = set()
            try:
                with folder.opened() as directory:
                    while indices:
                        self._store_some(directory, indices, done, slot)
            except Exception as error:
                for index in mine:
                    if index not in done:
                        self._fail(index, error)

    def abandon(self, error: Exception) -> None:
        """Give every file without a verdict this one: a fault of our own."""
        for index in range(len(self.operations)):
            self._fail(index, error)

    def _store_some(
        self,
        directory: SafeDir,
        indices: deque[int],
        done: set[int],
        slot: WorkerStatus,
    ) -> None:
        """Store as many as can be open at once."""
        written: list[_Written] = []
        published: list[int] = []
        syncs = self.fsync and not directory.is_in_memory()
        _HOLDERS.begin()
        try:
            slot.operation = "write"
            self._write_some(directory, indices, written, slot)
            if syncs:
                slot.operation = "sync"
                self._sync(directory, written)
            slot.operation = "rename"
            published += [
                file.number
                for file in written
                if file.number not in self.errors and self._publish(directory, file)
            ]
            if syncs and published:
                directory.sync()
            done.update(published)
        finally:
            # Only now: closing gives up the lock, and until it has its final name
            # another process could take it for a file to continue.
            for file in written:
                os.close(file.fd)
            _HOLDERS.end()

    def _write_some(
        self,
        directory: SafeDir,
        indices: deque[int],
        written: list[_Written],
        slot: WorkerStatus,
    ) -> None:
        while indices:
            index = indices[0]
            job = self.operations[index]
            slot.name = job.name
            began_s = self.clock.monotonic()
            ended = _HOLDERS.ended
            try:
                written.append(self._write(directory, index))
                self.write_s.append(self.clock.monotonic() - began_s)
            except FileNotFoundError as error:
                if directory.is_gone():
                    raise
                self._fail(index, error)
            except Exception as error:
                code = error.errno if isinstance(error, OSError) else None
                if code in _OUT_OF_FILES:
                    if written:
                        return  # finish these, which frees some
                    if self.may_wait and _HOLDERS.wait(ended):
                        continue
                self._fail(index, error)
            indices.popleft()

    def _write(self, directory: SafeDir, index: int) -> _Written:
        """Put the bytes of one file on disk, without its name."""
        job = self.operations[index]
        part_name = check_component(job.name) + PART
        if job.checksum is not None:
            digest = digest_of(job.buffers, job.checksum.algorithm)
            verify(job.name, job.checksum, digest)
        # A part file of that name may be there, say of somebody who fetches the same:
        # this one never has that name, and the final one goes to who is first.
        fd = platform.open_unnamed(directory.fd)
        has_part = fd is None
        if fd is None:
            fd = _create_part(directory, part_name)
        try:
            platform.write_at(fd, job.buffers, 0, job.nbytes)
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
            began_s = self.clock.monotonic()
            self._sync_one(directory, left.popleft())
            is_slow = self.clock.monotonic() - began_s >= SLOW_SYNC_S
        # 35 files at 20 ms each are 0.7 s one by one: wait for several at a time.
        helpers: list[threading.Thread] = []
        try:
            while len(helpers) < min(self.hands, len(left)) - 1:
                args = (directory, left)
                helper = threading.Thread(target=self._sync_rest, args=args)
                try:
                    helper.start()
                except RuntimeError:
                    break  # no more threads to be had: it takes longer
                helpers.append(helper)
            self._sync_rest(directory, left)
        finally:
            # Nothing is named, and nothing closed, before all of it is synced.
            for helper in helpers:
                helper.join()

    def _sync_rest(self, directory: SafeDir, left: deque[_Written]) -> None:
        """Take what is left, as long as there is any; several threads may."""
        while True:
            try:
                file = left.popleft()
            except IndexError:
                return
            self._sync_one(directory, file)

    def _sync_one(self, directory: SafeDir, file: _Written) -> None:
        began_s = self.clock.monotonic()
        try:
            platform.sync_data(file.fd)
            self.sync_s.append(self.clock.monotonic() - began_s)
        except OSError as error:
            self._fail(file.number, error)
            if file.has_part:
                self._drop_part(directory, file.number)

    def _publish(self, directory: SafeDir, file: _Written) -> bool:
        job = self.operations[file.number]
        part_name = job.name + PART
        has_part = file.has_part
        try:
            if not has_part:
                try:
                    directory.link(file.fd, job.name)
                except FileExistsError:
                    if not job.overwrite:
                        raise
                    # A link cannot replace, a rename can.
                    directory.link(file.fd, part_name)
                    has_part = True
            if has_part:
                directory.rename(part_name, job.name, overwrite=job.overwrite)
        except FileExistsError:
            self.errors[file.number] = FileExistsError("final")
        except OSError as error:
            self._fail(file.number, error)
        else:
            return True
        if has_part:
            self._drop_part(directory, file.number)
        return False

    def _drop_part(self, directory: SafeDir, index: int) -> None:
        try:
            directory.unlink(self.operations[index].name + PART)
        except OSError as error:
            # It stays behind; the reason why is the one already told.
            self.errors[index].add_note(f"its part file stays: {error}")

    def _fail(self, index: int, error: Exception) -> None:
        job = self.operations[index]
        if not (isinstance(error, FileExistsError) and error.args == ("part",)):
            error = translate(error, "store", job.name, job.nbytes)
        self.errors.setdefault(index, error)


def _create_part(directory: SafeDir, part_name: str) -> int:
    """Make a part file where there are only files with names; locked."""
    try:
        fd = directory.create(part_name)
    except FileExistsError as error:
        raise FileExistsError("part") from error
    if not platform.lock(fd):
        # Somebody opened it between two calls of ours, to continue it.
        os.close(fd)
        told = f"another process is writing {plain(part_name)!r}"
        raise LocalError("in_use", told)
    return fd

"""Small whole files: many of them made, synced and named in one trip.

Per file: create the part, lock it, write, then (for the whole batch) sync all, rename
all without replacing, and sync the folder once. A small file has no resume record; if
anything fails its part file is removed, since this very operation made it.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.plain_text import plain
from tui.disk import system
from tui.disk.checksum import digest_of, verify
from tui.disk.destination import PART
from tui.disk.directory import check_component
from tui.disk.faults import translate
from tui.disk.trip import Trip

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from tui.core.clock import Clock
    from tui.core.request import Checksum
    from tui.disk.destination import Folder
    from tui.disk.directory import Directory
    from tui.disk.trip import Slot

_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})


@dataclass(slots=True, eq=False)
class StoreJob:
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
    on_done: Callable[[StoreJob, BaseException | None], None]
    """Called on the loop. The error is a ``core.errors.FetchError``, or
    ``FileExistsError("final")`` or ``("part")`` where that name is taken."""
    token: object = None
    """The caller's own."""


class StoreTrip(Trip):
    """Small files that go together."""

    label = "store"
    operations: list[StoreJob]

    def __init__(
        self, operations: list[StoreJob], nbytes: int, clock: Clock, *, fsync: bool
    ) -> None:
        super().__init__(operations, nbytes, clock)
        self.fsync = fsync
        self.errors: dict[int, BaseException] = {}
        """By place in ``operations``; whoever is missing is on disk."""

    def run(self, slot: Slot) -> None:
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
        self, directory: Directory, indices: deque[int], done: set[int], slot: Slot
    ) -> None:
        """Store as many as can be open at once."""
        written: list[tuple[int, int]] = []
        published: list[int] = []
        try:
            slot.operation = "write"
            self._write_some(directory, indices, written, slot)
            if self.fsync:
                slot.operation = "sync"
                self._sync(directory, written)
            slot.operation = "rename"
            for index, _ in written:
                if index not in self.errors and self._publish(directory, index):
                    published.append(index)
            if self.fsync and published:
                directory.sync()
            done.update(published)
        finally:
            # Only now: closing gives up the lock, and until it has its final name
            # another process could take it for a file to continue.
            for _, fd in written:
                os.close(fd)

    def _write_some(
        self,
        directory: Directory,
        indices: deque[int],
        written: list[tuple[int, int]],
        slot: Slot,
    ) -> None:
        while indices:
            index = indices[0]
            job = self.operations[index]
            slot.name = job.name
            began_s = self.clock.monotonic()
            try:
                written.append((index, self._write(directory, job)))
                self.write_s.append(self.clock.monotonic() - began_s)
            except FileNotFoundError as error:
                if directory.is_gone():
                    raise
                self._fail(index, error)
            except Exception as error:
                code = error.errno if isinstance(error, OSError) else None
                if code in _OUT_OF_FILES and written:
                    return  # finish these, which frees some
                self._fail(index, error)
            indices.popleft()

    def _write(self, directory: Directory, job: StoreJob) -> int:
        """Make one part file; return it open and locked."""
        part_name = check_component(job.name) + PART
        if job.checksum is not None:
            digest = digest_of(job.buffers, job.checksum.algorithm)
            verify(job.name, job.checksum, digest)
        try:
            fd = directory.create(part_name)
        except FileExistsError as error:
            raise FileExistsError("part") from error
        if not system.lock(fd):
            # Somebody opened it between two calls of ours, to continue it.
            os.close(fd)
            told = f"another process is writing {plain(part_name)!r}"
            raise LocalError("in_use", told)
        try:
            system.write_at(fd, job.buffers, 0, job.nbytes)
        except BaseException:
            os.close(fd)
            directory.unlink(part_name)
            raise
        return fd

    def _sync(self, directory: Directory, written: list[tuple[int, int]]) -> None:
        if len(written) > 1:
            for _, fd in written:
                system.start_sync(fd)
        for index, fd in written:
            began_s = self.clock.monotonic()
            try:
                system.sync_data(fd)
                self.sync_s.append(self.clock.monotonic() - began_s)
            except OSError as error:
                self._fail(index, error)
                self._drop_part(directory, index)

    def _publish(self, directory: Directory, index: int) -> bool:
        job = self.operations[index]
        try:
            directory.rename(job.name + PART, job.name, overwrite=job.overwrite)
        except FileExistsError:
            self.errors[index] = FileExistsError("final")
        except OSError as error:
            self._fail(index, error)
        else:
            return True
        self._drop_part(directory, index)
        return False

    def _drop_part(self, directory: Directory, index: int) -> None:
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

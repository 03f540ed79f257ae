"""Operations on part files, and batches of them that share one executor call.

``Batch.run`` is called in a thread (or, for inline writes, on the loop). It never
raises: it stores a result or an error with each operation, and the failure of one does
not affect the others. The writer evaluates them on the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.core.snapshot import WorkerSnapshot
from tui.disk.errors import from_os_error

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from typing_extensions import Buffer

    from tui.core.clock import Clock
    from tui.core.errors import FetchError
    from tui.disk.folders import Folder
    from tui.disk.part_file import PartFile
    from tui.disk.safe_dir import SafeDir


class WorkerStatus:
    """What one writer thread is doing: plain attributes, read without a lock."""

    __slots__ = (
        "busy_s",
        "is_busy",
        "name",
        "nbytes",
        "operation",
        "operations",
        "started_s",
    )

    def __init__(self) -> None:
        self.is_busy = False
        self.operation = "idle"
        self.name = ""
        self.operations = 0
        self.nbytes = 0
        self.started_s = 0.0
        """Monotonic."""
        self.busy_s = 0.0
        """Seconds spent on finished batches."""

    def snapshot(self, now: float) -> WorkerSnapshot:
        """Return an immutable copy; ``now`` is monotonic."""
        elapsed_s = max(now - self.started_s, 0.0) if self.is_busy else 0.0
        return WorkerSnapshot(
            self.operation,
            self.name,
            self.operations,
            self.nbytes,
            elapsed_s,
            self.busy_s + elapsed_s,
        )


class PartWrite:
    """A write of some buffers at one offset of a part file."""

    __slots__ = ("buffers", "error", "nbytes", "number", "offset", "part")

    def __init__(
        self,
        part: PartFile,
        offset: int,
        buffers: list[Buffer],
        nbytes: int,
        number: int,
    ) -> None:
        self.part = part
        self.offset = offset
        self.buffers = buffers
        self.nbytes = nbytes
        self.number = number
        """Assigned by the part's ``OperationOrder``."""
        self.error: FetchError | None = None

    @property
    def buffered(self) -> int:
        """Bytes of it that are in memory."""
        return self.nbytes

    @property
    def written(self) -> int:
        """Bytes that are in the file, once it is done."""
        return 0 if self.error is not None else self.nbytes

    def run(self, clock: Clock, write_s: list[float]) -> None:
        """Write. Blocks; called in a thread.

        Args:
            clock: measures durations.
            write_s: the duration of each write is appended, in seconds.
        """
        started_s = clock.monotonic()
        try:
            self.part.write(self.buffers, self.offset, self.nbytes)
        except Exception as error:
            self.error = from_os_error(error, "write", self.part.name)
        else:
            write_s.append(clock.monotonic() - started_s)


class Call:
    """Any other blocking call, with a future for its result."""

    __slots__ = (
        "args",
        "error",
        "function",
        "future",
        "is_long",
        "must_run",
        "name",
        "on_done",
        "operation",
        "part",
        "prepare",
        "ranges",
        "result",
    )

    def __init__(
        self,
        operation: str,
        name: str,
        function: Callable[..., Any] | None,
        *args: Any,
        part: PartFile | None = None,
    ) -> None:
        self.operation = operation
        """For display and error messages: ``sync``, ``hash``, ..."""
        self.name = name
        self.function = function
        """``None``: only wait for the operations on the part before it."""
        self.args = args
        self.part = part
        self.future: asyncio.Future[Any] | None = None
        self.is_long = False
        """Never shares a batch."""
        self.must_run = False
        """Runs even if nobody waits for it any more."""
        self.prepare: Callable[[Call], None] | None = None
        """Called on the loop when the operations on the part before it are done."""
        self.on_done: Callable[[Call], None] | None = None
        """Called on the loop when it is done and its future is resolved."""
        self.ranges: tuple[tuple[int, int], ...] | None = None
        """What was flushed when it started, and is synced if it succeeds."""
        self.result: Any = None
        self.error: BaseException | None = None

    @property
    def is_unwanted(self) -> bool:
        """True if the caller was cancelled and the call may be skipped."""
        is_cancelled = self.future is not None and self.future.cancelled()
        return is_cancelled and not self.must_run

    def run(self) -> None:
        """Make the call and store its result or error. Blocks."""
        if self.is_unwanted:
            return
        assert self.function is not None
        try:
            self.result = self.function(*self.args)
        except FileExistsError as error:
            self.error = error
        except Exception as error:
            self.error = from_os_error(error, self.operation, self.name)


class Finish(Call):
    """The rename of a part file to its final name; several share their syncs."""

    __slots__ = ("final_name", "overwrite")

    def __init__(self, part: PartFile, final_name: str, *, overwrite: bool) -> None:
        super().__init__("finish", final_name, None, part=part)
        self.final_name = final_name
        self.overwrite = overwrite


class Batch:
    """Operations of one kind that share an executor call."""

    label = "call"

    def __init__(self, operations: list[Any], nbytes: int, clock: Clock) -> None:
        self.operations = operations
        self.nbytes = nbytes
        self.clock = clock
        self.write_s: list[float] = []
        """Duration of each write."""
        self.sync_s: list[float] = []
        """Duration of each sync."""

    @property
    def name(self) -> str:
        """The first file, for display."""
        return str(self.operations[0].name)

    def run(self, status: WorkerStatus) -> None:
        """Run all operations. Blocks."""
        for call in self.operations:
            status.operation = call.operation
            status.name = call.name
            call.run()

    def fail(self, error: Exception) -> None:
        """Set an internal error on every operation that has no result yet."""
        for operation in self.operations:
            operation.error = operation.error or from_os_error(
                error, self.label, self.name
            )


class WriteBatch(Batch):
    """Writes to part files; adjacent ones become one system call."""

    label = "write"
    operations: list[PartWrite]

    @property
    def name(self) -> str:
        """The first file, for display."""
        return self.operations[0].part.name

    def run(self, status: WorkerStatus) -> None:
        """Write. Blocks."""
        for group in _group_adjacent(self.operations):
            status.name = group[0].part.name
            if len(group) > 1 and self._write_together(group):
                continue
            # One by one, so that whatever fits on the disk is counted.
            for write in group:
                write.run(self.clock, self.write_s)

    def _write_together(self, group: list[PartWrite]) -> bool:
        first = group[0]
        buffers = [buffer for write in group for buffer in write.buffers]
        nbytes = sum(write.nbytes for write in group)
        joined = PartWrite(first.part, first.offset, buffers, nbytes, first.number)
        joined.run(self.clock, self.write_s)
        return joined.error is None


def _group_adjacent(writes: list[PartWrite]) -> list[list[PartWrite]]:
    """Group the writes that continue one another in the same file."""
    groups: list[list[PartWrite]] = []
    end = -1
    for write in sorted(writes, key=lambda write: (id(write.part), write.offset)):
        is_next = bool(write.buffered) and write.offset == end
        if groups and is_next and write.part is groups[-1][0].part:
            groups[-1].append(write)
        else:
            groups.append([write])
        end = write.offset + write.nbytes if write.buffered else -1
    return groups


class FinishBatch(Batch):
    """Finishes of part files: sync all files, rename all, then sync each folder."""

    label = "finish"
    operations: list[Finish]

    def __init__(self, operations: list[Finish], clock: Clock, *, fsync: bool) -> None:
        super().__init__(operations, 0, clock)
        self.fsync = fsync

    def run(self, status: WorkerStatus) -> None:
        """Finish all files. Blocks."""
        status.operation = "sync" if self.fsync else "finish"
        by_folder: dict[Folder, list[Finish]] = {}
        for finish in self.operations:
            status.name = finish.name
            if self._finalize(finish):
                assert finish.part is not None
                by_folder.setdefault(finish.part.folder, []).append(finish)
        status.operation = "rename"
        for folder, finishes in by_folder.items():
            try:
                with folder.opened() as directory:
                    for finish in finishes:
                        _rename(finish, directory)
                    if self.fsync:
                        directory.sync()
            except Exception as error:
                for finish in finishes:
                    finish.error = finish.error or from_os_error(
                        error, "finish", finish.name
                    )

    def _finalize(self, finish: Finish) -> bool:
        assert finish.part is not None
        if finish.is_unwanted:
            return False
        started_s = self.clock.monotonic()
        try:
            finish.part.finalize(sync=self.fsync)
        except Exception as error:
            finish.error = from_os_error(error, "finish", finish.name)
            return False
        if self.fsync:
            self.sync_s.append(self.clock.monotonic() - started_s)
        return True


def _rename(finish: Finish, directory: SafeDir) -> None:
    assert finish.part is not None
    try:
        finish.part.rename_and_close(
            directory, finish.final_name, overwrite=finish.overwrite
        )
    except FileExistsError as error:
        finish.error = error
    except Exception as error:
        finish.error = from_os_error(error, "finish", finish.name)

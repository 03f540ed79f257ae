"""One trip to the executor: many operations, one ``run_in_executor`` call.

A trip's ``run`` is called in a thread (or, inline, on the loop), never raises, and
leaves a verdict with each operation; what one operation meets never touches the
others. The writer reads the verdicts on the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.core.snapshot import WorkerSnapshot
from tui.disk.errors import translate

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from typing_extensions import Buffer

    from tui.core.clock import Clock
    from tui.core.errors import FetchError
    from tui.disk.folders import Folder
    from tui.disk.part_file import PartFile


class WorkerStatus:
    """What one writer thread does now: plain attributes, read without a lock."""

    __slots__ = ("is_busy", "name", "nbytes", "operation", "operations", "started_s")

    def __init__(self) -> None:
        self.is_busy = False
        self.operation = "idle"
        self.name = ""
        self.operations = 0
        self.nbytes = 0
        self.started_s = 0.0
        """Monotonic."""

    def snapshot(self, now: float) -> WorkerSnapshot:
        """Tell what it does; ``now`` is monotonic."""
        elapsed_s = max(now - self.started_s, 0.0) if self.is_busy else 0.0
        return WorkerSnapshot(
            self.operation, self.name, self.operations, self.nbytes, elapsed_s
        )


class PartWrite:
    """Some buffers for one place of a part file."""

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
        """The part's own count (``OperationOrder``)."""
        self.error: FetchError | None = None

    @property
    def held(self) -> int:
        """Bytes of it that are in memory."""
        return self.nbytes

    @property
    def written(self) -> int:
        """Bytes that are in the file, once it is back."""
        return 0 if self.error is not None else self.nbytes

    def run(self, clock: Clock, write_s: list[float]) -> None:
        """Write. Blocks; called in a thread.

        Args:
            clock: measures.
            write_s: takes how long each write took, in seconds.
        """
        began_s = clock.monotonic()
        try:
            self.part.write(self.buffers, self.offset, self.nbytes)
        except Exception as error:
            self.error = translate(error, "write", self.part.name)
        else:
            write_s.append(clock.monotonic() - began_s)


class Call:
    """Any other blocking call, with a future for its result."""

    __slots__ = (
        "args",
        "error",
        "function",
        "future",
        "is_long",
        "landed",
        "must_run",
        "name",
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
        """For people: ``sync``, ``hash``, ..."""
        self.name = name
        self.function = function
        """``None`` only waits for its turn on the part."""
        self.args = args
        self.part = part
        self.future: asyncio.Future[Any] | None = None
        self.is_long = False
        """Never shares a trip."""
        self.must_run = False
        """Runs even if nobody waits for it any more."""
        self.prepare: Callable[[Call], None] | None = None
        """Called on the loop when its turn on the part has come."""
        self.landed: Callable[[Call], None] | None = None
        """Called on the loop when it is back and its future is resolved."""
        self.ranges: tuple[tuple[int, int], ...] | None = None
        """What was flushed when its turn came; synced once it worked."""
        self.result: Any = None
        self.error: BaseException | None = None

    @property
    def is_unwanted(self) -> bool:
        """Nobody waits for it any more, and it need not be done."""
        is_cancelled = self.future is not None and self.future.cancelled()
        return is_cancelled and not self.must_run

    def run(self) -> None:
        """Call it, and keep what comes of it."""
        if self.is_unwanted:
            return
        assert self.function is not None
        try:
            self.result = self.function(*self.args)
        except FileExistsError as error:
            self.error = error
        except Exception as error:
            self.error = translate(error, self.operation, self.name)


class Finish(Call):
    """A part file that gets its final name; several share the syncs."""

    __slots__ = ("final_name", "overwrite")

    def __init__(self, part: PartFile, final_name: str, *, overwrite: bool) -> None:
        super().__init__("finish", final_name, None, part=part)
        self.final_name = final_name
        self.overwrite = overwrite


class Batch:
    """Operations of one kind that go together."""

    label = "call"

    def __init__(self, operations: list[Any], nbytes: int, clock: Clock) -> None:
        self.operations = operations
        self.nbytes = nbytes
        self.clock = clock
        self.write_s: list[float] = []
        """Durations of the writes."""
        self.sync_s: list[float] = []

    @property
    def name(self) -> str:
        """The file it begins with."""
        return str(self.operations[0].name)

    def run(self, slot: WorkerStatus) -> None:
        """Do it all. Blocks."""
        for call in self.operations:
            slot.operation = call.operation
            slot.name = call.name
            call.run()

    def abandon(self, error: Exception) -> None:
        """Give every operation without a verdict this one: a fault of our own."""
        for operation in self.operations:
            operation.error = operation.error or translate(error, self.label, self.name)


class WriteBatch(Batch):
    """Writes to part files; neighbours become one call to the system."""

    label = "write"
    operations: list[PartWrite]

    @property
    def name(self) -> str:
        """The file it begins with."""
        return self.operations[0].part.name

    def run(self, slot: WorkerStatus) -> None:
        """Write. Blocks."""
        for group in _neighbours(self.operations):
            slot.name = group[0].part.name
            if len(group) > 1 and self._write_together(group):
                continue
            # One by one, so that what does fit on the disk counts.
            for write in group:
                write.run(self.clock, self.write_s)

    def _write_together(self, group: list[PartWrite]) -> bool:
        first = group[0]
        buffers = [buffer for write in group for buffer in write.buffers]
        nbytes = sum(write.nbytes for write in group)
        whole = PartWrite(first.part, first.offset, buffers, nbytes, first.number)
        whole.run(self.clock, self.write_s)
        return whole.error is None


def _neighbours(writes: list[PartWrite]) -> list[list[PartWrite]]:
    """Group writes that continue one another."""
    groups: list[list[PartWrite]] = []
    end = -1
    for write in sorted(writes, key=lambda write: (id(write.part), write.offset)):
        is_next = bool(write.held) and write.offset == end
        if groups and is_next and write.part is groups[-1][0].part:
            groups[-1].append(write)
        else:
            groups.append([write])
        end = write.offset + write.nbytes if write.held else -1
    return groups


class FinishBatch(Batch):
    """Part files that get their final names: sync all, rename all, sync folders."""

    label = "finish"
    operations: list[Finish]

    def __init__(self, operations: list[Finish], clock: Clock, *, fsync: bool) -> None:
        super().__init__(operations, 0, clock)
        self.fsync = fsync

    def run(self, slot: WorkerStatus) -> None:
        """Finish. Blocks."""
        slot.operation = "sync" if self.fsync else "finish"
        by_folder: dict[Folder, list[Finish]] = {}
        for finish in self.operations:
            slot.name = finish.name
            if self._settle(finish):
                assert finish.part is not None
                by_folder.setdefault(finish.part.folder, []).append(finish)
        slot.operation = "rename"
        for folder, finishes in by_folder.items():
            try:
                with folder.opened() as directory:
                    for finish in finishes:
                        _publish(finish, directory)
                    if self.fsync:
                        directory.sync()
            except Exception as error:
                for finish in finishes:
                    finish.error = finish.error or translate(
                        error, "finish", finish.name
                    )

    def _settle(self, finish: Finish) -> bool:
        assert finish.part is not None
        if finish.is_unwanted:
            return False
        began_s = self.clock.monotonic()
        try:
            finish.part.settle(sync=self.fsync)
        except Exception as error:
            finish.error = translate(error, "finish", finish.name)
            return False
        if self.fsync:
            self.sync_s.append(self.clock.monotonic() - began_s)
        return True


def _publish(finish: Finish, directory: Any) -> None:
    assert finish.part is not None
    try:
        finish.part.publish(directory, finish.final_name, overwrite=finish.overwrite)
    except FileExistsError as error:
        finish.error = error
    except Exception as error:
        finish.error = translate(error, "finish", finish.name)

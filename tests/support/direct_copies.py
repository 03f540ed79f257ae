"""Force direct copies, and act while a thread has the socket."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from tui.disk.direct_copy import DirectCopier
from tui.engine.download.ranges import segment_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tui.disk.direct_copy import CopySource, DirectCopy
    from tui.disk.part_file import PartFile

_WAIT_S = 20.0


class ForcedCopies:
    """Counts direct copies, and makes every download use them.

    Undone with the test's ``monkeypatch``.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Treat every transfer as fast, however slow it is."""
        self.count = 0
        self.moved = 0
        """Total bytes."""
        self._acts: list[tuple[Callable[[], object], Callable[[], bool]]] = []
        self._real = DirectCopier.run
        forced = self

        async def run(self: DirectCopier, *given: Any) -> None:
            await forced._run(self, *given)

        patch.setattr(DirectCopier, "run", run)
        patch.setattr(segment_reader, "FAST_FILL_S", float("inf"))
        patch.setattr(segment_reader, "LEAST_COPY_BYTES", 1)
        patch.setattr(segment_reader, "BUFFER_BYTES", 10_000)
        patch.setattr(segment_reader, "LEAST_BUFFER_BYTES", 10_000)
        patch.setattr(segment_reader, "MAX_COPY_BYTES", 400_000)

    def meanwhile(
        self, act: Callable[[], object], when: Callable[[], bool] = lambda: True
    ) -> None:
        """Call ``act`` on the loop, once, while a thread is about to read.

        Further calls register acts for later copies, one each.

        Args:
            act: what the user or a server does at that moment.
            when: called before each copy; True if this is the right one.
        """
        self._acts.append((act, when))

    async def _run(
        self,
        copier: DirectCopier,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: CopySource,
        on_done: Callable[[DirectCopy], None],
    ) -> None:
        self.count += 1

        def count_moved(copy: DirectCopy) -> None:
            self.moved += copy.moved
            on_done(copy)

        if self._acts and self._acts[0][1]():
            source = _InterruptedSource(source, self._acts.pop(0)[0])
        await self._real(copier, part, offset, nbytes, source, count_moved)


class _InterruptedSource:
    """A source that runs a function on the loop before its first read."""

    def __init__(self, source: CopySource, act: Callable[[], object]) -> None:
        self._source = source
        self._act: Callable[[], object] | None = act
        self._is_done = threading.Event()
        self._loop = asyncio.get_running_loop()

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        if self._act is not None:
            act, self._act = self._act, None
            self._loop.call_soon_threadsafe(self._do, act)
            if not self._is_done.wait(_WAIT_S):
                raise TimeoutError("the loop did not run the function")
        return self._source.read_into(buffer, wait_s)

    def stop(self) -> None:
        self._source.stop()

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            self._is_done.set()

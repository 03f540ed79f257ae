"""Makes every download pour, and lets a test meddle while a thread has the socket."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from tui.disk.direct_copy import DirectCopier
from tui.engine.download import segment_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tui.disk.direct_copy import DirectCopy, Source
    from tui.disk.part_file import PartFile

_WAIT_S = 20.0


class Floods:
    """What was poured since it was made; undone with the test's ``monkeypatch``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Call everything a flood, however slowly it comes."""
        self.pours = 0
        self.moved = 0
        """Bytes, over all of them."""
        self._acts: list[tuple[Callable[[], object], Callable[[], bool]]] = []
        self._real = DirectCopier.run
        floods = self

        async def run(self: DirectCopier, *given: Any) -> None:
            await floods._run(self, *given)

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

        Those given later follow in a later pour each.

        Args:
            act: what a person or a server does just then.
            when: asked before each pour whether this one is right.
        """
        self._acts.append((act, when))

    async def _run(
        self,
        pours: DirectCopier,
        part: PartFile,
        offset: int,
        nbytes: int,
        source: Source,
        landed: Callable[[DirectCopy], None],
    ) -> None:
        self.pours += 1

        def count(pour: DirectCopy) -> None:
            self.moved += pour.moved
            landed(pour)

        if self._acts and self._acts[0][1]():
            source = _Meddled(source, self._acts.pop(0)[0])
        await self._real(pours, part, offset, nbytes, source, count)


class _Meddled:
    """A source that has something done before its first read."""

    def __init__(self, source: Source, act: Callable[[], object]) -> None:
        self._source = source
        self._act: Callable[[], object] | None = act
        self._is_done = threading.Event()
        self._loop = asyncio.get_running_loop()

    def read_into(self, buffer: memoryview, wait_s: float) -> int:
        if self._act is not None:
            act, self._act = self._act, None
            self._loop.call_soon_threadsafe(self._do, act)
            if not self._is_done.wait(_WAIT_S):
                raise TimeoutError("the loop did not come to it")
        return self._source.read_into(buffer, wait_s)

    def stop(self) -> None:
        self._source.stop()

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            self._is_done.set()

"""Fetches parts of a file again that turned out to be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import FetchError, LocalError, PermanentError
from tui.engine.download.segment_reader import Segment, SegmentReader
from tui.net.resource import read_answer
from tui.net.session import GetRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import Download
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.net.response import Response


class PieceRepair:
    """Replaces ranges of a part file.

    No validator is asked for: the digests of the pieces say whether what comes is
    right, from whichever mirror.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def mend(
        self,
        download: Download,
        part: PartFile,
        ranges: Sequence[tuple[int, int]],
        size: int,
        turn: int,
    ) -> None:
        """Fetch ranges of a part file again, over one connection at a time.

        Args:
            download: whose; VERIFYING before and after, DOWNLOADING meanwhile.
            part: open; the ranges count as missing until they are there again.
            ranges: half-open.
            size: bytes of the whole file.
            turn: from 0; each asks the next mirror, as far as there are some.

        Raises:
            FetchError: a range cannot be had.
        """
        context = self._context
        for start, end in ranges:
            part.flushed.remove(start, end)
        context.registry.move(download, DownloadState.DOWNLOADING)
        context.registry.set_received(download, part.flushed.total)
        reader = SegmentReader(context, download, part)
        urls = _in_turn(download, turn)
        for start, end in ranges:
            at = start
            while at < end:
                try:
                    at = await self._fetch(download, reader, urls[0], at, end, size)
                except LocalError:
                    raise
                except FetchError:
                    if len(urls) == 1:
                        raise
                    # What it gave of the range, if anything, is written once more.
                    await context.writer.flush(part, sync=False)
                    del urls[0]
        await context.writer.flush(part, sync=False)
        context.registry.set_received(download, part.flushed.total)
        context.registry.move(download, DownloadState.VERIFYING)

    async def _fetch(
        self,
        download: Download,
        reader: SegmentReader,
        url: str,
        start: int,
        end: int,
        size: int,
    ) -> int:
        """Fetch from ``start``; return how far it got, which is ``end`` as a rule."""
        context = self._context
        target = GetRequest(url, context.headers_for(download, url), start, end)
        reply = await context.session.open(target)
        try:
            stop = _end_of_answer(reply, target, size)
            segment = Segment(start, stop, url, context.clock.monotonic())
            await reader.run(reply, segment)
        finally:
            await reply.close()
        return stop


def _in_turn(download: Download, turn: int) -> list[str]:
    """Return the mirrors in the order in which to ask them."""
    mirrors = list(dict.fromkeys((download.url, *download.request.mirrors)))
    # Begin with another one than that which gave the wrong bytes.
    first = (1 + turn) % len(mirrors)
    return mirrors[first:] + mirrors[:first]


def _end_of_answer(reply: Response, target: GetRequest, size: int) -> int:
    """Return where the range that follows ends."""
    assert target.end is not None
    answer = read_answer(reply, target)
    if answer.start != target.start or answer.size not in (None, size):
        raise PermanentError("bad_reply", "the wrong pieces cannot be fetched alone")
    return target.end if answer.end is None else min(target.end, answer.end)

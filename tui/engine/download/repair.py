"""Downloads corrupt pieces of a part file again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import ErrorKind, FetchError, LocalError, PermanentError
from tui.engine.download.ranges.segment_reader import SegmentReader
from tui.engine.download.ranges.segments import Segment
from tui.engine.download.request import request_headers
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import Download
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.engine.job import Job
    from tui.net.response import Response


class PieceRepair:
    """Replaces corrupt ranges of a part file.

    It does not ask for the same validator: the digests of the pieces prove that the new
    bytes are correct, from whichever mirror they come.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def run(
        self,
        job: Job,
        part: PartFile,
        ranges: Sequence[tuple[int, int]],
        size: int,
        number: int,
    ) -> None:
        """Download ranges of a part file again, over one connection at a time.

        Args:
            job: whose part file; VERIFYING before and after, DOWNLOADING meanwhile.
            part: open; the ranges count as missing until they are downloaded.
            ranges: half-open.
            size: bytes of the whole file.
            number: of the repair, from 0; each starts with the next mirror, if there
                are several.

        Raises:
            FetchError: a range cannot be downloaded.
        """
        context, download = self._context, job.download
        registry = context.registry
        for start, end in ranges:
            part.flushed.remove(start, end)
        registry.move(download, DownloadState.DOWNLOADING)
        registry.set_received(download, part.flushed.total)
        reader = SegmentReader(context, job, part)
        urls = _mirrors_from(download, number)
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
                    # What this mirror sent of the range is overwritten by the next.
                    await context.writer.flush(part, sync=False)
                    del urls[0]
        await context.writer.flush(part, sync=False)
        registry.set_received(download, part.flushed.total)
        registry.move(download, DownloadState.VERIFYING)

    async def _fetch(
        self,
        download: Download,
        reader: SegmentReader,
        url: str,
        start: int,
        end: int,
        size: int,
    ) -> int:
        """Download from ``start``; return the offset reached, usually ``end``."""
        context = self._context
        headers = request_headers(context.session, download, url)
        request = GetRequest(url, headers, start, end)
        response = await context.session.open(request)
        try:
            stop = _end_of_response(response, request, size)
            segment = Segment(start, stop, url, context.clock.monotonic())
            await reader.run(response, segment)
        finally:
            await response.close()
        return stop


def _mirrors_from(download: Download, number: int) -> list[str]:
    """Return the mirrors in the order in which to ask them."""
    mirrors = list(dict.fromkeys((download.url, *download.request.mirrors)))
    # Start with another one than the mirror that sent the corrupt bytes.
    first = (1 + number) % len(mirrors)
    return mirrors[first:] + mirrors[:first]


def _end_of_response(response: Response, request: GetRequest, size: int) -> int:
    """Return the end of the range that the response brings."""
    assert request.end is not None
    info = read_resource_info(response, request)
    if info.start != request.start or info.size not in (None, size):
        raise PermanentError(
            ErrorKind.BAD_REPLY, "the server does not send the corrupt pieces alone"
        )
    return request.end if info.end is None else min(request.end, info.end)

"""Opens further ranges of a file, from its URL or a mirror; checks each response."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, PermanentError
from tui.core.request import origin_of
from tui.engine.download.request import request_headers
from tui.engine.download.resume_policy import (
    ValidatorCheck,
    check_validator,
    may_be_same,
)
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.engine.context import EngineContext
    from tui.engine.download.ranges.segments import Segment
    from tui.engine.job import Job
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response


class Changed(Exception):
    """The file on the server changed: its parts must not be combined."""


class RangeOpener:
    """Requests further ranges of the file that a first response described.

    Every response is checked: it must bring the requested range of the same file.
    """

    def __init__(self, context: EngineContext, job: Job, first: ResourceInfo) -> None:
        self._context = context
        self._job = job
        self._first = first
        self._known = {job.download.url: first}
        """What a response said, by URL: each mirror has its own validator."""
        self._bad = set(job.dead_mirrors or ())

    async def open(self, segment: Segment) -> tuple[Response, ResourceInfo]:
        """Request the rest of a segment and check the response.

        Raises:
            Changed: the server has another file by now.
            PermanentError: it ignores, refuses or garbles ranges.
            FetchError: there is no response.
        """
        url, session = segment.url, self._context.session
        known = self._known.get(url)
        validator = known.validator if known is not None else ""
        headers = request_headers(session, self._job.download, url)
        request = GetRequest(url, headers, segment.at, segment.end, if_range=validator)
        response = await session.open(request)
        origin = self._context.queue.origin_state(origin_of(url))
        try:
            info = read_resource_info(response, request)
            check = check_validator(
                info, validator, known.etag if known is not None else ""
            )
            if known is not None and not validator and not may_be_same(known, info):
                check = ValidatorCheck.OTHER
            if check is ValidatorCheck.OTHER:
                if info.content_type == "text/html" != self._first.content_type:
                    # A login has expired, say: that says nothing about the file.
                    raise PermanentError(
                        ErrorKind.BAD_REPLY, "a web page came instead of a range"
                    )
                raise Changed
            if info.start != segment.at or info.status == 200:
                raise PermanentError(
                    ErrorKind.BAD_REPLY, "the server no longer honors ranges"
                )
            if check is ValidatorCheck.MISSING:
                # The first response is still of one file: it continues alone.
                raise PermanentError(
                    ErrorKind.BAD_REPLY, "the server sent a range without a validator"
                )
            if info.size not in (None, self._first.size):
                raise PermanentError(
                    ErrorKind.BAD_REPLY, "the server now states another size"
                )
            if info.coding != self._first.coding:
                # Its bytes are not those of the first response, whatever its ETag says.
                raise PermanentError(
                    ErrorKind.BAD_REPLY, "the server encodes the range differently"
                )
        except BaseException as error:
            if isinstance(error, PermanentError):
                origin.ranges = "refused"
            await response.close()
            raise
        origin.ranges = "supported"
        origin.accepted += 1
        if not validator:
            self._known[url] = info
        return response, info

    def mirror(self, running: Iterable[Segment]) -> str:
        """Return the URL from which to request the next range.

        Mirrors are used side by side only if a checksum proves at the end that they
        sent the same bytes: their ETags are unrelated.
        """
        download = self._job.download
        mirrors = download.request.mirrors
        if (
            len(mirrors) == 1
            or download.request.checksum is None
            or self._job.single_source
        ):
            return download.url
        load = Counter(segment.url for segment in running)
        return self._context.mirrors.choose(mirrors, self._bad, load) or download.url

    def note_failure(self, url: str) -> None:
        """Request no further range of this file from a mirror."""
        self._bad.add(url)
        self._context.mirrors.note_failure(url)

"""The first stage of an attempt: request the file and read what the server says of it.

The probe is the first GET itself: its response gives size, validator, range support and
name while the body already flows, so a small file costs exactly one request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.errors import PermanentError
from tui.engine.download.request import request_headers
from tui.engine.download.resume_policy import (
    ValidatorCheck,
    check_validator,
    gaps_of,
    is_same_file,
)
from tui.net.backoff import parse_http_date
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.folders import FinalFile
    from tui.disk.resume_record import ResumeRecord
    from tui.engine.context import EngineContext
    from tui.engine.job import Job
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response

SMALL_BYTES = 256 << 10
"""Files up to this size are read whole and stored by one operation of the writer:
open, write, sync and rename of many of them share one executor call."""


_OK = 200
_NOT_MODIFIED = 304


class NotModified(Exception):
    """The file of the server is not newer than the existing one."""


@dataclass(slots=True, eq=False, repr=False)
class Probe:
    """A response whose body has not been read."""

    response: Response
    info: ResourceInfo
    record: ResumeRecord | None
    """The record whose missing bytes the body brings; ``None`` for a body that starts
    at the beginning and fills no gap."""


class Prober:
    """Sends the first request of an attempt."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def probe(
        self,
        job: Job,
        record: ResumeRecord | None,
        unless_newer: FinalFile | None = None,
    ) -> Probe:
        """Request the bytes that a record is missing, or the whole file.

        A server that refuses or garbles the range is asked for the whole file.

        Args:
            job: what to request.
            record: what to continue; ``None`` for the whole file.
            unless_newer: a file that is kept if the server's is not newer.

        Returns:
            The response; close it when done.

        Raises:
            NotModified: ``unless_newer`` is as new as the file of the server.
            FetchError: there is no usable response.
        """
        download = job.download
        if job.whole_only:
            record = None
        request = self._request(download, record)
        if unless_newer is not None:
            date = self._http_date(unless_newer.modified_at)
            request = request._replace(if_modified_since=date)
        origin = self._context.queue.origin_state(download.origin)
        began = 0.0 if origin.accepted else self._context.clock.monotonic()
        response = await self._context.session.open(request)
        try:
            if unless_newer is not None and _is_not_newer(response, unless_newer):
                raise NotModified
            info = _read_info(response, request, record)
            if info is None:
                # The response to the range is of no use; the whole file may be.
                await response.close()
                return await self.probe(job, None)
        except BaseException:
            await response.close()
            raise
        if began and not origin.accepted:
            origin.first_byte_s = self._context.clock.monotonic() - began
        origin.accepted += 1
        origin.protocol = response.http_version
        origin.note_size(info.size)
        if (
            record is not None
            and info.start == 0
            and (request.is_range or not _fills(record, info))
        ):
            record = None
        return Probe(response, info, record)

    def is_range_needed(self, download: Download, record: ResumeRecord) -> bool:
        """Return True if continuing from a record takes a range request."""
        return self._request(download, record).is_range

    def _http_date(self, at: float) -> str:
        """Return a time in seconds since the epoch as the date of a request."""
        from email.utils import formatdate  # late: rarely needed

        # Servers ignore a date that is still to come (RFC 9110 section 13.1.3).
        return formatdate(min(max(0.0, at), self._context.clock.wall()), usegmt=True)

    def _request(self, download: Download, record: ResumeRecord | None) -> GetRequest:
        headers = request_headers(self._context.session, download, download.url)
        gaps = gaps_of(record) if record is not None else []
        if record is None or not gaps or gaps[0][0] == 0:
            return GetRequest(download.url, headers)
        validator = record.validator
        if (
            download.request.checksum is not None
            and not record.matches_url_without_query(download.url)
        ):
            # Another mirror has another ETag for the same bytes; the checksum proves
            # at the end that they are the same.
            validator = ""
        return GetRequest(download.url, headers, start=gaps[0][0], if_range=validator)


def _is_not_newer(response: Response, file: FinalFile) -> bool:
    """Return True if a response shows that the file of the server is not newer.

    Not every server compares dates as RFC 9110 section 13.1.3 asks: by default, nginx
    answers 304 only if the date is exactly that of its file.
    """
    if response.status != _OK:
        return response.status == _NOT_MODIFIED
    date = response.header_map.get("last-modified", "").strip()
    modified_at = parse_http_date(date)
    return modified_at is not None and modified_at <= file.modified_at


def _read_info(
    response: Response, request: GetRequest, record: ResumeRecord | None
) -> ResourceInfo | None:
    """Return what the response says; ``None`` if its range cannot be continued with.

    A 200 (``start`` 0) is as good as a 206, because it gives the whole file. A 206 must
    be of the very file that the record describes.

    Raises:
        FetchError: the response is an error or makes no sense.
    """
    try:
        info = read_resource_info(response, request)
    except PermanentError:
        if not request.is_range:
            raise
        return None
    if record is None or not request.is_range or info.start == 0:
        return info
    if info.size not in (None, record.size) or info.coding != record.coding:
        return None
    if not request.if_range:
        return info._replace(size=record.size)
    check = check_validator(info, request.if_range, record.etag)
    if check is not ValidatorCheck.SAME:
        return None
    # The record that is written from now on must be as good as this one.
    return info._replace(
        size=record.size,
        validator=record.validator,
        etag=record.etag or info.etag,
    )


def _fills(record: ResumeRecord, info: ResourceInfo) -> bool:
    """Return True if a body from the beginning fills the gaps of a record."""
    return (
        bool(gaps_of(record)) and bool(record.validator) and is_same_file(record, info)
    )

"""The first stage: ask for the file, and learn from the answer what to do with it.

The probe is the first GET itself: its answer tells size, validator, range support and
name while the body already flows, so a small file costs exactly one request.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.errors import IntegrityError, PermanentError
from tui.core.notices import Notice, NoticeCode
from tui.core.settings import OnExists
from tui.engine.download.resume_policy import (
    continuable,
    contradicts,
    gaps_of,
    is_ours,
    may_be_ours,
)
from tui.net.backoff import parse_http_date
from tui.net.resource import read_answer
from tui.net.session import GetRequest

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.resume_record import ExistingFiles, ResumeRecord
    from tui.engine.context import EngineContext
    from tui.engine.download.target import TargetPath, TargetResolver
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response


_PAGES = frozenset({"", ".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp"})
"""Names that may well turn out to be web pages."""


@dataclass(slots=True)
class Probed:
    """What the first answer led to; the body waits to be read from ``reply``."""

    place: TargetPath
    found: ExistingFiles | None
    """What is on disk at the place; ``None`` where nothing can be."""
    record: ResumeRecord | None
    """What is continued; ``None`` for a body from its beginning."""
    reply: Response
    answer: ResourceInfo


class Prober:
    """Asks for downloads."""

    def __init__(self, context: EngineContext, targets: TargetResolver) -> None:
        self._context = context
        self._targets = targets

    async def probe(
        self, download: Download, place: TargetPath, found: ExistingFiles | None
    ) -> Probed:
        """Ask for what is missing; close ``reply`` when done with it.

        Raises:
            FetchError: no usable answer.
        """
        if not self._may_touch(found, place, download):
            why = NoticeCode.PART_FILE_FOREIGN
            size = download.request.size
            place, found = await self._aside(download, place.name, why, size)
        record = continuable(found, download.request)
        probed = await self._ask(download, place, found, record)
        try:
            download.status = probed.answer.status
            if self._context.settings.server_time:
                self._note_time(download, probed.answer.last_modified)
            self.check_promise(download, probed.answer.size)
            if self._server_names(download, probed):
                await self._rename(download, probed)
            reason = self._in_the_way(download, probed)
            if reason is not None:
                await self.leave(download, probed, reason)
            self._check_page(probed)
        except BaseException:
            await probed.reply.close()
            raise
        if probed.place.name != download.name:
            # Another download of this run has that name.
            self._context.show_name(download, probed.place.name)
        return probed

    async def leave(
        self, download: Download, probed: Probed, reason: NoticeCode
    ) -> None:
        """Leave what is at the place alone, and go on at another one."""
        old, size = probed.place.name, probed.answer.size
        place, found = await self._aside(download, old, reason, size)
        await self._go_on_at(download, probed, place, found)

    def take_free_name(self, download: Download) -> TargetPath:
        """Go where nothing is at all."""
        place = self._targets.rename_free(download)
        self._context.show_name(download, place.name)
        taken = Notice(NoticeCode.NAME_TAKEN, (place.name,))
        self._context.notice(download, taken)
        return place

    def is_whole(self, found: ExistingFiles | None, size: int | None) -> bool:
        """Whether a file of the final name counts as the file of ``size`` bytes."""
        if found is None or found.final_size is None or found.final_size < 0:
            return False
        on_exists = self._context.settings.on_exists
        return on_exists is OnExists.SKIP or (
            on_exists is OnExists.RESUME and found.final_size == size
        )

    def _note_time(self, download: Download, last_modified: str) -> None:
        at = parse_http_date(last_modified)
        if at is not None:
            self._context.modified[download.id] = at

    def _in_the_way(self, download: Download, probed: Probed) -> NoticeCode | None:
        """Return why what is at the place must not be replaced, if it must not."""
        found = probed.found
        if found is None or self.is_whole(found, probed.answer.size):
            return None
        if found.final_size is not None:
            return NoticeCode.FILE_EXISTS
        if (
            found.part_size is None
            or probed.record is not None
            or probed.place.is_begun
            or is_ours(found, download)
            or continuable(found, download.request, probed.answer) is not None
        ):
            return None
        return NoticeCode.PART_FILE_FOREIGN

    async def _aside(
        self, download: Download, old: str, reason: NoticeCode, size: int | None
    ) -> tuple[TargetPath, ExistingFiles | None]:
        """Leave alone what is at its place; go where an earlier run went, or on."""

        def suits(found: ExistingFiles) -> bool:
            if found.final_size is not None:
                return self.is_whole(found, size)
            return found.part_size is None or is_ours(found, download)

        place, found = await self._targets.step_aside(download, suits)
        self._context.show_name(download, place.name)
        self._context.notice(download, Notice(reason, (old, place.name)))
        return place, found

    async def _ask(
        self,
        download: Download,
        place: TargetPath,
        found: ExistingFiles | None,
        record: ResumeRecord | None,
    ) -> Probed:
        if download.id in self._context.whole_only:
            record = None
        target = self._target(download, record)
        reply = await self._context.session.open(target)
        try:
            try:
                answer = read_answer(reply, target)
            except PermanentError:
                if not target.is_range:
                    raise
                answer = None
            if target.is_range and record is not None:
                answer = _continued(answer, record, target)
                if answer is None:
                    # It refuses, garbles or contradicts; it may still give the whole.
                    await reply.close()
                    return await self._ask(download, place, found, None)
            assert answer is not None
        except BaseException:
            await reply.close()
            raise
        if answer.start == 0 and (target.is_range or not _is_of(record, answer)):
            record = None
        return Probed(place, found, record, reply, answer)

    async def _rename(self, download: Download, probed: Probed) -> None:
        """Take the name that the server gives, and what is there under it."""
        assert probed.answer.suggested_name is not None
        place = await self._targets.rename(download, probed.answer.suggested_name)
        self._context.show_name(download, place.name)
        found = await self._targets.examine(place) if place.may_exist else None
        if not self._may_touch(found, place, download):
            old, size = place.name, probed.answer.size
            reason = NoticeCode.PART_FILE_FOREIGN
            place, found = await self._aside(download, old, reason, size)
        await self._go_on_at(download, probed, place, found)

    async def _go_on_at(
        self,
        download: Download,
        probed: Probed,
        place: TargetPath,
        found: ExistingFiles | None,
    ) -> None:
        """Take another place, and continue what is there if it is the same file."""
        probed.place, probed.found, probed.record = place, found, None
        better = continuable(found, download.request, probed.answer)
        if better is not None and self._target(download, better).is_range:
            await probed.reply.close()
            again = await self._ask(download, place, found, better)
            probed.reply, probed.answer = again.reply, again.answer
            probed.record = again.record
        elif better is not None and gaps_of(better):
            probed.record = better

    def _target(self, download: Download, record: ResumeRecord | None) -> GetRequest:
        headers = self._context.headers_for(download, download.url)
        gaps = gaps_of(record) if record is not None else []
        if record is None or not gaps or gaps[0][0] == 0:
            return GetRequest(download.url, headers)
        validator = record.validator
        if (
            download.request.checksum is not None
            and not record.matches_url_without_query(download.url)
        ):
            # Another mirror has another ETag for the same bytes; that they are the
            # same is proven by the checksum in the end.
            validator = ""
        return GetRequest(download.url, headers, start=gaps[0][0], if_range=validator)

    @staticmethod
    def _may_touch(
        found: ExistingFiles | None, place: TargetPath, download: Download
    ) -> bool:
        """Whether a part file that is there, if any, is worth a try."""
        return (
            found is None
            or found.part_size is None
            or place.is_begun
            or may_be_ours(found, download)
        )

    @staticmethod
    def _check_page(probed: Probed) -> None:
        """Keep what is there if a login page comes instead of the rest."""
        record = probed.found.record if probed.found is not None else None
        if (
            probed.record is None
            and record is not None
            and record.ranges
            and probed.answer.content_type == "text/html"
            and probed.answer.validator != record.validator
            and os.path.splitext(probed.place.name)[1].lower() not in _PAGES
        ):
            raise PermanentError(
                "http_status",
                "a web page came instead of the file (a login?); what is there is kept",
                status=probed.answer.status,
            )

    @staticmethod
    def check_promise(download: Download, size: int | None) -> None:
        """Compare what the server has with the size that the list promises.

        Raises:
            IntegrityError: ``size``.
        """
        promised = download.request.size
        if promised is not None and size not in (None, promised):
            told = f"the server has {size} bytes, the list says {promised}"
            raise IntegrityError("size", told)

    @staticmethod
    def _server_names(download: Download, probed: Probed) -> bool:
        return (
            download.request.name is None
            and bool(probed.answer.suggested_name)
            and probed.answer.suggested_name != download.name
            and not probed.place.is_begun
            and probed.record is None
        )


def _is_of(record: ResumeRecord | None, answer: ResourceInfo) -> bool:
    """Whether a body from the beginning fills the gaps of what a record describes."""
    return (
        record is not None
        and bool(gaps_of(record))
        and bool(record.validator)
        and (record.validator, record.size) == (answer.validator, answer.size)
    )


def _continued(
    answer: ResourceInfo | None, record: ResumeRecord, target: GetRequest
) -> ResourceInfo | None:
    """Return the answer to a range request if it may be continued with.

    A 200 (``start`` 0) is as good: it gives the whole. A 206 must be of the very file
    that the record describes.
    """
    if answer is None or answer.start == 0:
        return answer
    if answer.size not in (None, record.size):
        return None
    if not target.if_range:
        return answer._replace(size=record.size)
    if contradicts(answer, target.if_range):
        return None
    # The record that is written from now on must be as good as this one.
    return answer._replace(size=record.size, validator=record.validator)

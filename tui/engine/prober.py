"""The first stage: ask for the file, and learn from the answer what to do with it.

The probe is the first GET itself: its answer tells size, validator, range support and
name while the body already flows, so a small file costs exactly one request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.errors import IntegrityError, PermanentError
from tui.engine.leftovers import continuable, gaps_of, may_be_ours
from tui.net.probe import read_answer
from tui.net.session import Target

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.resume import Found, ResumeRecord
    from tui.engine.kit import Kit
    from tui.engine.placing import Place, Placing
    from tui.net.byte_stream import Reply
    from tui.net.probe import Answer


@dataclass(slots=True)
class Probed:
    """What the first answer led to; the body waits to be read from ``reply``."""

    place: Place
    found: Found | None
    """What is on disk at the place; ``None`` where nothing can be."""
    record: ResumeRecord | None
    """What is continued; ``None`` for a body from its beginning."""
    reply: Reply
    answer: Answer


class Prober:
    """Asks for downloads."""

    def __init__(self, kit: Kit, placing: Placing) -> None:
        self._kit = kit
        self._placing = placing

    async def probe(
        self, download: Download, place: Place, found: Found | None
    ) -> Probed:
        """Ask for what is missing; close ``reply`` when done with it.

        Raises:
            FetchError: no usable answer.
        """
        if not self._may_touch(found, place, download):
            place = self.step_aside(download, place, f"{place.name}.part is not ours")
            found = None
        record = continuable(found, download.request)
        probed = await self._ask(download, place, found, record)
        try:
            download.status = probed.answer.status
            self._check_promises(download, probed.answer)
            if self._server_names(download, probed):
                await self._rename(download, probed)
        except BaseException:
            await probed.reply.close()
            raise
        return probed

    def step_aside(self, download: Download, place: Place, reason: str) -> Place:
        """Leave what is at ``place`` alone and take a free name."""
        place = self._placing.rename_free(download)
        self._kit.show_name(download, place.name)
        self._kit.notice(download, f"{reason}, saving as {place.name}")
        return place

    async def _ask(
        self,
        download: Download,
        place: Place,
        found: Found | None,
        record: ResumeRecord | None,
    ) -> Probed:
        target = self._target(download, record)
        reply = await self._kit.session.open(target)
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
        if answer.start == 0:
            record = None
        return Probed(place, found, record, reply, answer)

    async def _rename(self, download: Download, probed: Probed) -> None:
        """Take the name that the server gives, and what is there under it."""
        assert probed.answer.suggested_name is not None
        place = self._placing.rename(download, probed.answer.suggested_name)
        self._kit.show_name(download, place.name)
        found = await self._placing.examine(place) if place.may_exist else None
        if not self._may_touch(found, place, download):
            place = self.step_aside(download, place, f"{place.name}.part is not ours")
            found = None
        probed.place, probed.found = place, found
        better = continuable(found, download.request, probed.answer)
        if better is not None and self._target(download, better).is_range:
            await probed.reply.close()
            again = await self._ask(download, place, found, better)
            probed.reply, probed.answer = again.reply, again.answer
            probed.record = again.record

    def _target(self, download: Download, record: ResumeRecord | None) -> Target:
        headers = self._kit.headers_for(download, download.url)
        gaps = gaps_of(record) if record is not None else []
        if record is None or not gaps or gaps[0][0] == 0:
            return Target(download.url, headers)
        validator = record.validator
        if download.request.checksum is not None and not record.is_from(download.url):
            # Another mirror has another ETag for the same bytes; that they are the
            # same is proven by the checksum in the end.
            validator = ""
        return Target(download.url, headers, start=gaps[0][0], if_range=validator)

    @staticmethod
    def _may_touch(found: Found | None, place: Place, download: Download) -> bool:
        """Whether a part file that is there, if any, is worth a try."""
        return (
            found is None
            or found.part_size is None
            or place.is_begun
            or may_be_ours(found, download)
        )

    @staticmethod
    def _check_promises(download: Download, answer: Answer) -> None:
        promised = download.request.size
        if promised is not None and answer.size not in (None, promised):
            raise IntegrityError(
                "size", f"the server has {answer.size} bytes, the list says {promised}"
            )

    @staticmethod
    def _server_names(download: Download, probed: Probed) -> bool:
        return (
            download.request.name is None
            and bool(probed.answer.suggested_name)
            and probed.answer.suggested_name != download.name
            and not probed.place.is_begun
            and probed.record is None
        )


def _continued(
    answer: Answer | None, record: ResumeRecord, target: Target
) -> Answer | None:
    """Return the answer to a range request if it may be continued with.

    A 200 (``start`` 0) is as good: it gives the whole. A 206 must be of the very file
    that the record describes.
    """
    if answer is None or answer.start == 0:
        return answer
    if answer.size not in (None, record.size):
        return None
    if target.if_range and answer.validator not in ("", record.validator):
        return None
    return answer._replace(size=record.size)

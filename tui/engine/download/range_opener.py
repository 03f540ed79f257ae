"""Asks for ranges of one file, from whichever mirror, and believes no answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tui.core.errors import PermanentError
from tui.core.request import origin_of
from tui.engine.download.resume_policy import contradicts
from tui.net.resource import read_answer
from tui.net.session import GetRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.download import Download
    from tui.engine.context import EngineContext
    from tui.engine.download.segment_reader import Segment
    from tui.net.resource import ResourceInfo
    from tui.net.response import Response


class Changed(Exception):
    """The server has another file now: what is there must not be continued."""


class RangeOpener:
    """Opens further ranges of the file that a first answer described."""

    def __init__(
        self, context: EngineContext, download: Download, first: ResourceInfo
    ) -> None:
        self._context = context
        self._download = download
        self._first = first
        self._validators = {download.url: first.validator}
        """By URL: each mirror has its own."""
        self._bad: set[str] = set()

    async def open(self, segment: Segment) -> tuple[Response, ResourceInfo]:
        """Ask for a range and make sure that the answer is that range of our file.

        Raises:
            Changed: the server has another file by now.
            PermanentError: it ignores, refuses or garbles ranges.
            FetchError: it gives no answer.
        """
        url = segment.url
        known = self._validators.get(url)
        headers = self._context.headers_for(self._download, url)
        target = GetRequest(url, headers, segment.at, segment.end, if_range=known or "")
        reply = await self._context.session.open(target)
        lane = self._context.queue.origin_state(origin_of(url))
        try:
            answer = read_answer(reply, target)
            is_other = known is not None and answer.validator != known
            if answer.start != segment.at or answer.status == 200:
                if is_other:
                    raise Changed
                raise PermanentError("bad_reply", "the server ignores ranges by now")
            if (answer.validator and is_other) or contradicts(answer, known or ""):
                raise Changed
            if answer.size not in (None, self._first.size):
                raise PermanentError("bad_reply", "the server disagrees on the size")
        except BaseException as error:
            if isinstance(error, PermanentError):
                lane.ranges = "refused"
            await reply.close()
            raise
        lane.ranges = "honest"
        self._validators[url] = answer.validator
        return reply, answer

    def mirror(self, running: Iterable[Segment]) -> str:
        """Return where the next range is to come from.

        Mirrors are used side by side only where a checksum proves in the end that
        they gave the same bytes: their ETags have nothing to do with one another.
        """
        download = self._download
        mirrors = download.request.mirrors
        if (
            len(mirrors) == 1
            or download.request.checksum is None
            or download.id in self._context.single_source
        ):
            return download.url
        load = Counter(segment.url for segment in running)
        return self._context.mirrors.choose(mirrors, self._bad, load) or download.url

    def note_failure(self, url: str) -> None:
        """Ask this mirror for no further range of this file."""
        self._bad.add(url)
        self._context.mirrors.note_failure(url)

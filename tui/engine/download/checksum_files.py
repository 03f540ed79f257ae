"""Checksum files beside the file: ``SHA256SUMS`` and ``NAME.sha256`` on its server.

Asked for by the worker that holds the download's slot, through the same session. A
directory's list is fetched once in a run, also if it is not there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from tui.core.errors import FetchError
from tui.core.notices import NoticeCode
from tui.core.request import Checksum, origin_of
from tui.core.text.digest_lists import parse_sums
from tui.net.resource import read_answer
from tui.net.session import GetRequest

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.engine.context import EngineContext

SIZE_LIMIT = 4 << 20
"""Bytes of a checksum file: some fifty thousand names."""
NAMES_KEPT = 500_000
"""Over all directories; some 100 MB. The list that came first goes first."""
LISTS = ("SHA256SUMS", "sha256sum.txt")
ENDINGS = (".sha256", ".sha512")
_NOT_FILES = (*ENDINGS, ".sha256sum", ".sha512sum", ".sha1", ".md5", ".asc", ".sig")


class ChecksumFile(NamedTuple):
    """What the checksum files say about one file."""

    checksum: Checksum | None
    source: str = ""
    """Name of the checksum file."""
    missing: NoticeCode | None = None
    """Why there is no checksum; ``None`` where none is expected."""


class _List(NamedTuple):
    sums: dict[str, Checksum]
    name: str


class ChecksumFiles:
    """Finds and remembers checksum files."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lists: dict[str, _List] = {}
        self._absent: set[str] = set()
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, download: Download) -> ChecksumFile:
        """Look for the checksum of a download beside its URL; never fails."""
        url = download.url.partition("#")[0]
        if "?" in url:
            return ChecksumFile(None, missing=NoticeCode.URL_HAS_QUERY)
        directory, _, last = url.rpartition("/")
        name = unquote(last)
        if not name or directory.count("/") < 2:
            return ChecksumFile(None, missing=NoticeCode.URL_HAS_NO_FILE)
        if name in LISTS or name.lower().endswith(_NOT_FILES):
            return ChecksumFile(None)
        found = await self._list(download, directory)
        if found is not None and name in found.sums:
            return ChecksumFile(found.sums[name], found.name)
        for ending in ENDINGS:
            sums = await self._fetch(download, url + ending)
            checksum = _only(sums, name)
            if checksum is not None:
                return ChecksumFile(checksum, name + ending)
        return ChecksumFile(None, missing=NoticeCode.NO_CHECKSUM_FILE)

    async def _list(self, download: Download, directory: str) -> _List | None:
        """Return the list of a directory; two that ask at once share one request."""
        lock = self._locks.setdefault(directory, asyncio.Lock())
        async with lock:
            if directory in self._lists or directory in self._absent:
                return self._lists.get(directory)
            for name in LISTS:
                sums = await self._fetch(download, f"{directory}/{name}")
                if sums:
                    self._keep(directory, _List(sums, name))
                    return self._lists[directory]
            self._absent.add(directory)
            return None

    def _keep(self, directory: str, found: _List) -> None:
        self._lists[directory] = found
        while sum(len(kept.sums) for kept in self._lists.values()) > NAMES_KEPT:
            self._lists.pop(next(iter(self._lists)))

    async def _fetch(self, download: Download, url: str) -> dict[str, Checksum]:
        """Return what a checksum file says; nothing if it cannot be had."""
        context = self._context
        # The login of the download's own URL, which is of the same origin.
        target = GetRequest(url, context.headers_for(download, download.url))
        body = bytearray()
        try:
            async with asyncio.timeout(context.settings.timeout_s):
                reply = await context.session.open(target)
                try:
                    if origin_of(reply.url) != origin_of(url):
                        return {}  # somebody else's word
                    read_answer(reply, target)
                    while (chunk := await reply.read()) is not None:
                        body += chunk
                        if len(body) > SIZE_LIMIT:
                            return {}
                        if not context.limiter.is_unlimited:
                            await context.limiter.take(len(chunk))
                finally:
                    await reply.close()
        except (FetchError, TimeoutError):
            return {}
        # In a thread: a long list takes some 100 ms.
        return await asyncio.to_thread(parse_sums, body.decode(errors="replace"))


def _only(sums: dict[str, Checksum], name: str) -> Checksum | None:
    """Return what a file's own checksum file says about it.

    It is often made elsewhere, with a path in front of the name or another name; if it
    holds one digest, that is the one.
    """
    if len(sums) == 1:
        return next(iter(sums.values()))
    return sums.get(name) or sums.get("")

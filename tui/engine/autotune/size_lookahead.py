"""Learns the sizes of queued files, so that totals and ETA can be trusted early.

A request for the first byte of a file costs a round trip and a few hundred bytes, but
only while the connections to its host are not needed otherwise. So there are few of
them, over connections that the host's limit leaves spare, and none where they may do
harm: to hosts that have refused anything or that answer with whole files, and for URLs
with a query, which may work only once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import ErrorKind, FetchError
from tui.engine.download.request import request_headers
from tui.net.request import GetRequest
from tui.net.resource import RangeNotSatisfiable, read_resource_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import Download
    from tui.engine.context import EngineContext
    from tui.engine.scheduling.queue import OriginState

MOST = 500
"""Requests in a run."""
AT_ONCE = 2
"""Requests at the same time; one per origin."""
_SAMPLES = 3
"""Files of each kind whose sizes are worth asking for, whatever they are."""
_WORTH_BYTES = 1 << 20
"""Mean size of a kind from which the size of each file matters. Smaller files are
downloaded in about the time that the request would take."""
_SCANNED = 500
"""Downloads that are looked at in one tick: about 0.2 ms."""
_KEPT_WAITING = 64
"""Downloads that are looked at again, because their origin was busy."""


class SizeLookahead:
    """Asks for sizes of queued downloads, one request per tick."""

    def __init__(self, context: EngineContext, is_paused: Callable[[], bool]) -> None:
        """Ask nothing yet, and never if the settings do not want it.

        Args:
            context: the run's shared tools.
            is_paused: whether the queue is paused; then nothing is asked.
        """
        self._context = context
        self._is_paused = is_paused
        self._is_on = context.settings.sizes_ahead
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: Counter[int] = Counter()
        """Requests under way, by kind."""
        self._busy: set[str] = set()
        """Origins with a request under way."""
        self._unfit: set[str] = set()
        """Origins that are not asked any more."""
        self._next_id = 0
        self._waiting: deque[int] = deque(maxlen=_KEPT_WAITING)
        self.sent = 0
        """Requests so far."""

    def tick(self) -> None:
        """Send a request if there is something to ask and a connection to spare."""
        if (
            not self._is_on
            or self._is_paused()
            or not self._context.registry.unknown
            or self.sent >= MOST
            or len(self._tasks) >= AT_ONCE
        ):
            return
        download = self._find()
        if download is not None:
            self.sent += 1
            self._busy.add(download.origin)
            self._asked[download.kind] += 1
            task = asyncio.create_task(self._ask(download))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Interrupt requests under way."""
        self._is_on = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what to ask -----------------------------------------------------------------

    def _find(self) -> Download | None:
        downloads = self._context.registry.downloads
        for _ in range(len(self._waiting)):
            id = self._waiting.popleft()
            if self._is_wanted(downloads[id]):
                if self._may_ask(downloads[id]):
                    return downloads[id]
                self._waiting.append(id)
        end = min(len(downloads), self._next_id + _SCANNED)
        while self._next_id < end:
            download = downloads[self._next_id]
            self._next_id += 1
            if self._is_wanted(download):
                if self._may_ask(download):
                    return download
                self._waiting.append(download.id)
        return None

    def _is_wanted(self, download: Download) -> bool:
        """Return True if the size of a download is unknown and matters."""
        if (
            download.state is not DownloadState.QUEUED
            or download.size is not None
            or download.origin in self._unfit
            or "?" in download.url
        ):
            return False
        kind = self._context.registry.kinds.all[download.kind]
        is_new = kind.samples + self._asked[download.kind] < _SAMPLES
        return is_new or kind.mean >= _WORTH_BYTES

    def _may_ask(self, download: Download) -> bool:
        """Return True if a connection to the origin is to spare now."""
        queue = self._context.queue
        state = queue.origin_state(download.origin)
        if download.origin in self._busy or not state.accepted:
            return False
        if state.learned_cap or state.refused or state.blocked_until:
            self._unfit.add(download.origin)
            return False
        cap = queue.cap(state)
        return queue.spare_connections(state) > 0 and not (cap and state.load >= cap)

    # -- asking ----------------------------------------------------------------------

    async def _ask(self, download: Download) -> None:
        queue, registry = self._context.queue, self._context.registry
        origin = download.origin
        state = queue.origin_state(origin)
        queue.open_connection(state, is_extra=True)
        try:
            size = await self._fetch_size(download, state)
        except FetchError as error:
            # The download itself will report the reason.
            if error.kind is not ErrorKind.NOT_FOUND:
                self._unfit.add(origin)
        else:
            is_queued = download.state is DownloadState.QUEUED
            if is_queued and download.size is None and size is not None:
                registry.set_size(download, size)
        finally:
            queue.close_connection(state, is_extra=True)
            self._busy.discard(origin)
            self._asked[download.kind] -= 1

    async def _fetch_size(self, download: Download, state: OriginState) -> int | None:
        """Request the first byte and return the size of the whole file.

        Raises:
            FetchError: the server refuses.
        """
        session = self._context.session
        headers = request_headers(session, download, download.url)
        request = GetRequest(download.url, headers, start=0, end=1)
        response = await session.open(request)
        try:
            info = read_resource_info(response, request)
            if info.status != 206:
                # The connection has to be closed, since a whole file would follow.
                self._unfit.add(state.name)
            else:
                while await response.read() is not None:
                    pass  # to its end, so that the connection can be used again
            return info.size
        except RangeNotSatisfiable as error:
            return error.total
        finally:
            await response.close()

"""Logs what was refused, without letting an attacker fill the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.notices import Notice, NoticeCode
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from tui.core.service import DownloadService

INTERVAL_S = 5.0
"""Refusals of one client for one reason are counted this long before the next line."""
MAX_KINDS = 100
"""Clients and reasons that are counted separately. A client chooses part of the reason,
a Host header for example, so there could be a new one with each request."""
_OTHERS = ("all clients", "other reasons")


class RefusalLog:
    """Publishes refusals as notices of the run."""

    def __init__(self, service: DownloadService) -> None:
        self._service = service
        self._counts: dict[tuple[str, str], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(self, client: str, reason: str) -> None:
        """Note one refusal; the first of its kind is published at once."""
        kind = (sanitize(client, 100), sanitize(reason, 300))
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            kind = _OTHERS
        if kind in self._counts:
            self._counts[kind] += 1
        else:
            self._counts[kind] = 0
            self._publish(kind, 1)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(INTERVAL_S, self.flush)

    def flush(self) -> None:
        """Publish the refusals that were only counted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, {}
        for kind, count in counts.items():
            if count:
                self._publish(kind, count)

    def _publish(self, kind: tuple[str, str], count: int) -> None:
        client, reason = kind
        notice = Notice(NoticeCode.RPC_REFUSED, (count, client, reason))
        self._service.notify(notice)

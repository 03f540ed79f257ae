"""Keeping the cursor on what is being downloaded, as one file after another ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE
from tui.core.listing.query import View

if TYPE_CHECKING:
    from tui.core.service import DownloadService
    from tui.ui.list.widget import DownloadList

_LOOK_S = 0.5
"""Between two searches for an active download: in 100,000 rows one takes 5 ms."""


class FollowMode:
    """Moves the cursor to the first active download when its own is active no more."""

    def __init__(self, list: DownloadList, service: DownloadService) -> None:
        """Take the list and where its rows come from."""
        self._list = list
        self._service = service
        self._next_at_s = 0.0
        self.is_on = False

    def toggle(self) -> bool:
        """Begin or end; tell which."""
        self.is_on = not self.is_on
        self._next_at_s = 0.0
        return self.is_on

    def tick(self) -> None:
        """Move on if it is time to."""
        now = time.monotonic()
        if not self.is_on or now < self._next_at_s:
            return
        row = self._list.cursor_row
        if row is not None and row.state in ACTIVE:
            return
        self._next_at_s = now + _LOOK_S
        model = self._list.model
        query = model.query._replace(view=View.ACTIVE)
        first = next(
            (
                row.id
                for row in self._service.rows(self._service.select(query)[:100])
                if row.state in ACTIVE
            ),
            None,
        )
        if first is not None:
            line = model.line_of(first, -1)
            if line >= 0:
                self._list.put_cursor(line)

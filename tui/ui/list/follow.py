"""Follow mode: the cursor stays on an active download as one after another finishes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from tui.core.download import ACTIVE

if TYPE_CHECKING:
    from tui.core.service import DashboardService
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.list.model import ListModel

_SEARCH_S = 0.5
"""Time between two searches for an active download: 5 ms each in 100,000 rows."""


class CursorList(Protocol):
    """The list whose cursor is moved."""

    model: ListModel

    @property
    def cursor_row(self) -> DownloadSnapshot | None:
        """The download under the cursor."""
        ...

    def lead_cursor(self, index: int) -> None:
        """Move the cursor to a row, in the upper third of the screen."""
        ...


class FollowMode:
    """Moves the cursor to the first active download when its own has finished."""

    def __init__(self, list: CursorList, service: DashboardService) -> None:
        """Move the cursor of ``list``; find active downloads in ``service``."""
        self._list = list
        self._service = service
        self._next_at_s = 0.0
        self.is_on = False

    def toggle(self) -> bool:
        """Turn follow mode on or off; return True if it is on now."""
        self.is_on = not self.is_on
        self._next_at_s = 0.0
        row = self._list.cursor_row
        if self.is_on and row is not None and row.state in ACTIVE:
            self._list.lead_cursor(self._list.model.cursor)
        self.tick()
        return self.is_on

    def tick(self) -> None:
        """Move the cursor if its download is no longer active."""
        now = time.monotonic()
        if not self.is_on or now < self._next_at_s:
            return
        row = self._list.cursor_row
        if row is not None and row.state in ACTIVE:
            return
        self._next_at_s = now + _SEARCH_S
        model = self._list.model
        active = set(self._service.in_states(ACTIVE))
        first = next((id for id in model.ids if id in active), None) if active else None
        if first is not None:
            self._list.lead_cursor(model.ids.index(first))

"""Which downloads an action applies to, and how messages name them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.core.download import UNFINISHED, DownloadState
from tui.core.text.sanitize import sanitize
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DashboardService
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.actions.context import ListView

_FEW = 200


class ActionScope:
    """The marked downloads, or the one under the cursor, or the one in the details."""

    def __init__(self, service: DashboardService, list: ListView) -> None:
        """Read marks and cursor from ``list``."""
        self._service = service
        self._list = list
        self._only: DownloadId | None = None

    @contextmanager
    def only(self, id: DownloadId) -> Iterator[None]:
        """Limit it to one download: that of the open details, for their keys."""
        self._only = id
        try:
            yield
        finally:
            self._only = None

    @property
    def ids(self) -> list[DownloadId]:
        """The marked downloads, else the one under the cursor or those of its group."""
        if self._only is not None:
            return [self._only]
        model = self._list.model
        return model.chosen if self._list.display else model.at_cursor

    @property
    def row(self) -> DownloadSnapshot:
        """The one download under the cursor; call only where the action requires it."""
        row = self._list.cursor_row
        if self._only is not None:
            (row,) = self._service.rows([self._only])
        assert row is not None
        return row

    def in_states(
        self, ids: Sequence[DownloadId], *states: DownloadState
    ) -> list[DownloadId]:
        """Return those of ``ids`` that are in one of ``states``, in their order."""
        return in_states(self._service, ids, states)

    def unfinished(self) -> list[DownloadId]:
        """Return all downloads that have not finished, whatever the list shows."""
        return self._service.in_states(UNFINISHED)

    def failed(self) -> list[DownloadId]:
        """Return all failed downloads, whatever the list shows."""
        return self._service.in_states((DownloadState.FAILED,))

    def describe(self, ids: Sequence[DownloadId]) -> str:
        """Return the name of a single download, or the number of downloads."""
        if len(ids) == 1:
            return sanitize(self._service.rows(ids)[0].name)
        return f"{count(len(ids))} downloads"


def in_states(
    service: DashboardService,
    ids: Sequence[DownloadId],
    states: Iterable[DownloadState],
) -> list[DownloadId]:
    """Return those of ``ids`` that are in one of ``states``, in their order.

    For a few downloads this reads their rows. For 100,000 that would take half a
    second, so for many it looks through all states, which takes 10 ms.
    """
    wanted = frozenset(states)
    if len(ids) <= _FEW:
        return [row.id for row in service.rows(ids) if row.state in wanted]
    found = set(service.in_states(wanted))
    return [id for id in ids if id in found]

"""The rows of downloads that a client has been sent, and which of them it shows.

The process sends changes of the rows that a client shows. Which ones those are follows
from what the dashboard reads: what it has read in the last second is asked for as soon
as there is something new in it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tui.background.attach.codec import decode, decode_fields
from tui.background.attach.placeholders import unknown_row
from tui.background.attach.view import LIVE_FIELDS
from tui.background.protocol import ROWS_LIMIT
from tui.core.download import DownloadState
from tui.core.snapshot import DownloadSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.download import DownloadId

T = TypeVar("T")
ROWS_KEPT: Final = 4_000
_VIEW_S: Final = 1.0
"""A row that was not read for so long is not shown any more."""


class Rows:
    """The rows that a replica knows."""

    def __init__(self, show: Callable[[list[DownloadId]], bool]) -> None:
        """Know no rows.

        Args:
            show: asks the process for the changes of some rows from now on; returns
                False if it cannot be asked.
        """
        self._show = show
        self._rows: dict[DownloadId, DownloadSnapshot] = {}
        self._failures: dict[DownloadId, DownloadSnapshot] = {}
        """Rows of failed downloads that were retried from here."""
        self._read: dict[DownloadId, float] = {}
        """When the dashboard read a row last."""
        self._viewed: frozenset[DownloadId] = frozenset()
        """Rows that the process sends."""
        self._is_view_due = False

    # -- what the process says -------------------------------------------------------

    def take(self, frame: Mapping[str, Any]) -> bool:
        """Keep the rows of a frame; return True if one was only a state before.

        Raises:
            ProtocolError: they are not rows.
        """
        has_awaited = False
        for value in frame.get("rows", ()):
            row = decode(DownloadSnapshot, value)
            has_awaited |= row.id in self._viewed and row.id not in self._rows
            self.keep(row)
        for id, *values in frame.get("live", ()):
            known = self._rows.get(id)
            if known is not None:
                pairs = dict(zip(LIVE_FIELDS, values, strict=False))
                fields = decode_fields(DownloadSnapshot, pairs)
                self._rows[id] = known._replace(**fields)
        return has_awaited

    def keep(self, row: DownloadSnapshot) -> None:
        """Keep a row as the newest one of its download."""
        keep_newest(self._rows, row.id, row)

    def stop(self) -> None:
        """Show no speeds: the connection has ended."""
        for id, row in self._rows.items():
            self._rows[id] = row._replace(speed=0.0, eta_s=None)

    # -- what the dashboard shows ----------------------------------------------------

    def read(self, id: DownloadId, state: DownloadState) -> DownloadSnapshot:
        """Return the row that the dashboard shows of a download.

        Args:
            id: the download.
            state: the state to show, whatever the row had.
        """
        self._read[id] = time.monotonic()
        if id not in self._viewed and not self._is_view_due:
            self._is_view_due = True
            asyncio.get_running_loop().call_soon(self._set_view)
        row = self._rows.get(id)
        if row is None:
            return unknown_row(id, state)
        if row.state is state:
            return row
        if (
            state is DownloadState.PROBING
            and row.state is DownloadState.DOWNLOADING
            and id in self._viewed
        ):
            # A small file whose body arrives is only shown in that state.
            return row
        return _in_state(row, state)

    def _set_view(self) -> None:
        """Ask for the rows that the dashboard has read in the last second."""
        self._is_view_due = False
        oldest_s = time.monotonic() - _VIEW_S
        self._read = {id: at for id, at in self._read.items() if at >= oldest_s}
        ids = list(self._read)[-ROWS_LIMIT:]
        if not self._viewed.issuperset(ids) and self._show(ids):
            self._viewed = frozenset(ids)

    # -- failures that a retry replaces ----------------------------------------------

    def note_failure(self, id: DownloadId) -> None:
        """Remember the row of a failed download that is retried."""
        row = self._rows.get(id)
        if row is not None:
            keep_newest(self._failures, id, row)

    def restore_failure(self, id: DownloadId) -> bool:
        """Show a retried download as it failed; return False if that is not known."""
        failure = self._failures.pop(id, None)
        if failure is not None:
            self._rows[id] = failure
        return failure is not None


def keep_newest(
    known: dict[DownloadId, T], id: DownloadId, value: T, limit: int = ROWS_KEPT
) -> None:
    """Put a value at the end of a cache, and drop the oldest ones above a limit."""
    known.pop(id, None)
    known[id] = value
    while len(known) > limit:
        del known[next(iter(known))]


def _in_state(row: DownloadSnapshot, state: DownloadState) -> DownloadSnapshot:
    """Return a row as it will be in a state that it has not been sent with."""
    stopped = row._replace(
        version=row.version + 1,
        state=state,
        speed=0.0,
        eta_s=None,
        stalled_s=0.0,
        connections=0,
        retry_in_s=None,
    )
    if state is DownloadState.QUEUED:
        return stopped._replace(error="", error_kind="")
    return stopped

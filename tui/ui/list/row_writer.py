"""Writes the visible lines of the list: asks for their rows, puts them into words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, DownloadState
from tui.core.text.units import format_duration, format_rate
from tui.ui.list.causes import cause_pieces
from tui.ui.list.row_text import Piece, columns_for, row_pieces
from tui.ui.style.format import spinner_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.list.model import ListModel

_CALM_TICKS = 5
"""Speeds and ETAs change every fifth frame: digits that flicker cannot be read."""
_TURN_TICKS = 2
"""A row in flight changes on every other frame, its neighbour on those between: five
steps a second look as lively as ten, at half of the work."""


class RowWriter:
    """Turns lines of the model into pieces of text, for one width."""

    def __init__(self, service: DownloadService, model: ListModel) -> None:
        """Take the service that rows come from, and the lines."""
        self._service = service
        self._model = model
        self._calm: dict[int, tuple[str, str]] = {}
        self._kept: dict[int, tuple[tuple[object, ...], tuple[Piece, ...]]] = {}
        """Rows in flight as they were written last, and what they looked like."""
        self.columns = columns_for(80)
        self.ticks = 0
        """Drives the spinners."""
        self.is_still = False
        """Spinners stand still."""
        self.is_ascii = False

    def tick(self, *, is_moving: bool) -> None:
        """Go on by a frame."""
        if is_moving:
            self.ticks += 1
        if self.ticks % _CALM_TICKS == 0 or not is_moving:
            self._calm.clear()
        if not is_moving:
            self._kept.clear()

    def invalidate(self, ids: Iterable[int]) -> None:
        """Let the digits of some downloads change with the next frame."""
        for id in ids:
            self._calm.pop(id, None)
            self._kept.pop(id, None)

    def invalidate_all(self) -> None:
        """Let every row change with the next frame."""
        self._calm.clear()
        self._kept.clear()

    def write(self, lines: Sequence[int]) -> dict[int, tuple[Piece, ...]]:
        """Return what lines say now: rows, and headings of groups."""
        model = self._model
        if len(self._kept) > 8 * len(lines):
            self._kept.clear()
        written = {
            line: cause_pieces(
                model.causes[line],
                self.columns.width - 1,
                is_folded=line in model.folded,
                is_ascii=self.is_ascii,
            )
            for line in lines
            if line in model.causes
        }
        for row in self._service.rows(line for line in lines if line >= 0):
            written[row.id] = self._pieces(row)
        return written

    def _pieces(self, row: DownloadSnapshot) -> tuple[Piece, ...]:
        is_marked = row.id in self._model.marks
        if row.state not in ACTIVE:
            self._kept.pop(row.id, None)
            return self._write_row(row, None, is_marked=is_marked)
        key = (
            *(row.version, row.state, row.connections, row.error, is_marked),
            *(self.columns, self.is_still, self.is_ascii),
        )
        kept = self._kept.get(row.id)
        if kept is not None and kept[0] == key and (self.ticks + row.id) % _TURN_TICKS:
            return kept[1]
        speed = None
        if row.state is DownloadState.DOWNLOADING:
            speed = self._calm.get(row.id)
            if speed is None:
                speed = format_rate(row.speed), format_duration(row.eta_s)
                self._calm[row.id] = speed
        pieces = self._write_row(row, speed, is_marked=is_marked)
        self._kept[row.id] = key, pieces
        return pieces

    def _write_row(
        self, row: DownloadSnapshot, speed: tuple[str, str] | None, *, is_marked: bool
    ) -> tuple[Piece, ...]:
        # Neighbours out of step: a wall of spinners in step looks like a flicker.
        frame = (self.ticks + row.id) // _TURN_TICKS + row.id
        return row_pieces(
            row,
            self.columns,
            spinner=spinner_frame(
                0 if self.is_still else frame, is_ascii=self.is_ascii
            ),
            speed=speed,
            is_marked=is_marked,
            is_ascii=self.is_ascii,
        )

"""The table of a race: a row per strategy with progress and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.core.text.sanitize import sanitize
from tui.lab.catalog import TITLE_WIDTH
from tui.lab.race import State
from tui.lab.report.formatting import NONE, format_digits, format_seconds
from tui.lab.report.table import COLUMNS, HEADINGS, Column
from tui.ui.panes.pane import Line, Pane, Span
from tui.ui.style.format import bar, fit, spinner_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.lab.race import Entrant, Race

_APPEARANCES = {
    State.WAITING: ("·", ".", "queued"),
    State.RUNNING: ("", "", "active"),
    State.STOPPING: ("", "", "waiting"),
    State.DONE: ("✓", "+", "done"),
    State.FAILED: ("✗", "x", "failed"),
    State.CANCELLED: ("⊘", "-", "cancelled"),
}
_BEATS_PER_FRAME = 10
"""Beats of a strategy's event loop per frame of its spinner: ten frames a second."""
_MIN_BAR = 8
"""Minimum cells of the progress bar."""


class RaceTable(Pane):
    """A row per strategy, with a cursor."""

    can_focus = True

    class Chosen(Message):
        """The row under the cursor was clicked: explain its strategy."""

    def __init__(self, race: Race, **options: Any) -> None:
        """Show ``race``."""
        super().__init__(**options)
        self.race = race
        self.cursor = 0
        """Index of an entrant."""
        self.is_dense = False
        """Whether to omit frame and headings, for small terminals."""

    @property
    def entrant(self) -> Entrant:
        """The entrant under the cursor."""
        return self.race.entrants[self.cursor]

    @property
    def rows_wanted(self) -> int:
        """Number of lines needed to show everything."""
        groups = {entrant.entry.is_cpu_bound for entrant in self.race.entrants}
        return 1 + len(self.race.entrants) + (0 if self.is_dense else len(groups) + 2)

    def move(self, step: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(len(self.race.entrants) - 1, self.cursor + step))
        self.redraw()

    def pressed(self, action: str) -> None:
        """Move the cursor to the clicked row; if it is there, explain the strategy."""
        index = int(action)
        if index == self.cursor:
            self.post_message(self.Chosen())
        self.cursor = index
        self.redraw()

    # -- content ---------------------------------------------------------------------

    def title(self) -> Line:
        """Return the name of the pane."""
        return [Span("Race", "title")]

    def corner(self) -> Line:
        """Return what is running, or at the end whether all results agree."""
        race = self.race
        if not race.is_over:
            running = [
                entrant.entry.title for entrant in race.entrants if entrant.process
            ]
            return [Span(f"now {title}", "dim") for title in running]
        if any(entrant.record.rounds for entrant in race.entrants) and race.is_clean:
            return [Span("same counts, same data", "dim")]
        return [Span("some results differ or failed", "warn")]

    def _compose_lines(self, width: int, height: int) -> list[Line]:
        if self.is_dense:
            return self.body(width, height)[:height]
        return super()._compose_lines(width, height)

    def folded(self, width: int) -> Line:
        """Return the row under the cursor."""
        return self._row(self.cursor, self.entrant, width, _fitting(width))

    def body(self, width: int, height: int) -> list[Line]:
        """Return headings and rows, always with the cursor's row."""
        columns = _fitting(width)
        room = width - sum(column.width + 1 for column in columns)
        heads = "".join(f" {column.heading:>{column.width}}" for column in columns)
        lines: list[Line] = [[Span(fit("  strategy", room), "header")]]
        lines[0].append(Span(heads, "header"))
        cursor_y = 0
        group: bool | None = None
        for index, entrant in enumerate(self.race.entrants):
            if entrant.entry.is_cpu_bound != group and not self.is_dense:
                group = entrant.entry.is_cpu_bound
                lines.append([Span(HEADINGS[group], "dim")])
            if index == self.cursor:
                cursor_y = len(lines)
            lines.append(self._row(index, entrant, width, columns))
        if len(lines) > height > 1:
            start = max(1, min(cursor_y - height // 2, len(lines) - height + 1))
            lines = [lines[0], *lines[start : start + height - 1]]
        return lines

    def _row(
        self, index: int, entrant: Entrant, width: int, columns: Sequence[Column]
    ) -> Line:
        room = width - sum(column.width + 1 for column in columns) - 2
        glyph, style = self._glyph(entrant)
        mark = ">" if self.is_ascii else "▌"
        is_chosen = index == self.cursor
        head = mark if is_chosen else " "
        name = "strong" if is_chosen else "text"
        act = str(index)
        title = min(TITLE_WIDTH, room - _MIN_BAR - 2)
        filled, rest = bar(
            self._fraction(entrant), room - title - 2, is_ascii=self.is_ascii
        )
        line = [
            Span(head, "key", act),
            Span(glyph, style, act),
            Span(f" {fit(entrant.entry.title, title)} ", name, act),
            Span(filled, style, act),
            Span(rest, "faint", act),
        ]
        for column in columns:
            text, figure_style = _figure(column, entrant)
            line.append(Span(f" {fit(text, column.width, 'right')}", figure_style, act))
        return line

    def _glyph(self, entrant: Entrant) -> tuple[str, str]:
        """Return the glyph of a row, and its style.

        A strategy's own event loop drives its spinner, so the spinner freezes while the
        loop is blocked.
        """
        glyph, ascii_glyph, style = _APPEARANCES[entrant.state]
        if glyph:
            return (ascii_glyph if self.is_ascii else glyph), style
        beats = entrant.progress.get("beats")
        frame = self.ticks if beats is None else int(beats) // _BEATS_PER_FRAME
        if self.app.animation_level == "none":
            frame = 0
        return spinner_frame(frame, is_ascii=self.is_ascii), style

    def _fraction(self, entrant: Entrant) -> float:
        ended = entrant.progress.get("ended", 0)
        return float(ended) / max(1, self.race.total)


def _fitting(width: int) -> list[Column]:
    """Return the columns that fit, in their order."""
    room = width - TITLE_WIDTH - _MIN_BAR - 4
    kept: list[Column] = []
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if column.width + 1 <= room:
            kept.append(column)
            room -= column.width + 1
        else:
            break
    return [column for column in COLUMNS if column in kept]


def _figure(column: Column, entrant: Entrant) -> tuple[str, str]:
    """Return a cell: the current value while running, or else the median."""
    if entrant.state is State.RUNNING and entrant.progress:
        now = entrant.progress
        elapsed = max(now["elapsed_s"], 1e-6)
        match column.id:
            case "files":
                return format_digits(now["counts"].get("ok", 0) / elapsed), "active"
            case "speed":
                return format_digits(now["received"] / elapsed / 1e6), "active"
            case "wall":
                return format_seconds(elapsed), "active"
            case "lag" if now["lag_max_s"] is not None:
                return format_seconds(now["lag_max_s"]), "active"
    text = column.format(entrant.record)
    if text == NONE:
        return text, "faint"
    return text, "warn" if column.id.startswith("lag") and _is_frozen(
        entrant
    ) else "text"


def _is_frozen(entrant: Entrant) -> bool:
    """Return True if the event loop was blocked for a noticeable time."""
    lag = entrant.record.spread(lambda figures: figures.lag_max_s)
    return lag is not None and lag.median >= 0.05


def round_text(race: Race) -> str:
    """Return the progress of a race as text."""
    if race.is_over:
        rounds = max(
            (len(entrant.record.rounds) for entrant in race.entrants), default=0
        )
        many = "medians of " if rounds > 1 else ""
        return f"finished: {many}{rounds} round{'' if rounds == 1 else 's'}"
    if race.problem:
        return sanitize(race.problem, 80)
    if race.is_cancel_round:
        return "cancelling each strategy"
    return f"round {max(1, race.round)} of {race.plan.rounds}"

"""The pane for the strategy under the cursor, and the chart that compares all."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from tui.core.text.units import format_size
from tui.lab.catalog import describe_stop, explain
from tui.lab.race import State
from tui.lab.report.figures import format_counts
from tui.lab.report.formatting import NONE, format_seconds
from tui.ui.panes.pane import Line, Pane, Span, clip
from tui.ui.style.format import fit

if TYPE_CHECKING:
    from tui.lab.race import Entrant, Race
    from tui.lab.report.figures import Record

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "._-=+*%#"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_MIN_SCALE_S = 0.05
"""Minimum height of a lag graph: shorter lag is not noticeable."""


class EntrantPane(Pane):
    """Shows a strategy's results and its explanation."""

    def __init__(self, **options: Any) -> None:
        """Create an empty pane."""
        super().__init__(**options)
        self._entrant: Entrant | None = None
        self._worst_s = _MIN_SCALE_S
        self.is_dense = False
        """Whether to omit the frame, for small terminals."""

    def show(self, entrant: Entrant, race: Race) -> None:
        """Show an entrant; its graph has the same scale as those of the others."""
        lags = [lag for one in race.entrants for lag in one.lags]
        self._worst_s = max(_MIN_SCALE_S, *lags) if lags else _MIN_SCALE_S
        self._entrant = entrant
        self.redraw()

    def title(self) -> Line:
        """Return the strategy's name."""
        return [Span(self._entrant.entry.title if self._entrant else "", "title")]

    def corner(self) -> Line:
        """Return the key that shows the code."""
        return [Span("enter", "key"), Span(" shows the code", "dim")]

    def folded(self, width: int) -> Line:
        """Return the newest note."""
        del width
        entrant = self._entrant
        if entrant is None:
            return []
        note = entrant.note or explain(entrant.entry.name).headline
        return [Span(f" {note}", _note_style(entrant))]

    def _compose_lines(self, width: int, height: int) -> list[Line]:
        if self.is_dense:
            lines = self.body(width - 2, height)
            return [clip([Span(" "), *line], width) for line in lines]
        return super()._compose_lines(width, height)

    def body(self, width: int, height: int) -> list[Line]:
        """Return facts, then the explanation, as much as fits."""
        entrant = self._entrant
        if entrant is None:
            return []
        explanation = explain(entrant.entry.name)
        style = _note_style(entrant)
        lines: list[Line] = [
            [Span(x, style)] for x in textwrap.wrap(entrant.note, width)
        ]
        lines += self._facts(entrant, width)
        lines.append([])
        for paragraph in (explanation.headline, *explanation.paragraphs):
            lines += _paragraph(paragraph, width)
        return lines if len(lines) <= height else [*lines[: height - 1], [Span("…")]]

    def _facts(self, entrant: Entrant, width: int) -> list[Line]:
        record = entrant.record
        facts: list[tuple[str, str]] = []
        lines = [self._graph(entrant, width)] if entrant.lags else []
        if record.rounds:
            walls = ", ".join(format_seconds(one.wall_s) for one in record.rounds[-8:])
            facts.append(("rounds", walls))
            last = record.rounds[-1]
            if format_counts(last.counts) not in entrant.note:
                facts.append(("counts", format_counts(last.counts)))
            facts.append(("bytes", format_size(last.nbytes)))
        if record.stops:
            stop = describe_stop(entrant.entry, record.stops[-1])
            if stop != entrant.note:
                facts.append(("cancel", stop))
        for name, text in facts:
            parts = textwrap.wrap(text, max(10, width - 8)) or [""]
            lines.append([Span(fit(name, 8), "dim"), Span(parts[0])])
            lines += [[Span(" " * 8), Span(part)] for part in parts[1:]]
        return lines

    def _graph(self, entrant: Entrant, width: int) -> Line:
        """Return the lag of the newest run, a cell per tenth of a second."""
        blocks = _ASCII_BLOCKS if self.is_ascii else _BLOCKS
        top = len(blocks) - 1
        worst = f" up to {format_seconds(max(entrant.lags))}"
        shown = entrant.lags[-max(1, width - 8 - len(worst)) :]
        graph = "".join(
            blocks[min(top, round(lag / self._worst_s * top))] for lag in shown
        )
        style = "warn" if max(entrant.lags) >= _MIN_SCALE_S else "active"
        return [Span(fit("lag", 8), "dim"), Span(graph, style), Span(worst, "dim")]


class ChartPane(Pane):
    """Shows wall times as bars, and how many times faster each strategy is."""

    def __init__(self, race: Race, **options: Any) -> None:
        """Compare the entrants of ``race``."""
        super().__init__(**options)
        self.race = race

    def title(self) -> Line:
        """Return the name of the pane."""
        return [Span("Wall time", "title")]

    def folded(self, width: int) -> Line:
        """Return nothing: the chart is hidden where it would be folded."""
        del width
        return []

    def body(self, width: int, height: int) -> list[Line]:
        """Return a bar per strategy."""
        walls = {entrant: _wall(entrant.record) for entrant in self.race.entrants}
        longest = max((wall for wall in walls.values() if wall), default=0.0)
        lines: list[Line] = []
        group: bool | None = None
        base = None
        for entrant, wall in walls.items():
            if entrant.entry.is_cpu_bound != group:
                if group is not None:
                    lines.append([])
                group = entrant.entry.is_cpu_bound
                base = wall
            lines.append(self._line(entrant, wall, base, longest, width))
        return lines[:height]

    def _line(
        self,
        entrant: Entrant,
        wall: float | None,
        base: float | None,
        longest: float,
        width: int,
    ) -> Line:
        name = Span(fit(entrant.entry.title, 23))
        if wall is None:
            return [name, Span(NONE, "faint")]
        room = max(1, width - 23 - 16)
        eighths = max(1, round(wall / longest * room * 8))
        whole, rest = divmod(eighths, 8)
        if self.is_ascii:
            drawn = "#" * max(1, round(eighths / 8))
        else:
            drawn = "█" * whole + (_EIGHTHS[rest] if rest else "")
        times = f"{base / wall:.1f}x" if base and wall else ""
        style = "done" if entrant.entry.is_cpu_bound else "active"
        return [
            name,
            Span(drawn, style),
            Span(f" {format_seconds(wall)}"),
            Span(f" {times}", "dim"),
        ]


def _wall(record: Record) -> float | None:
    found = record.spread(lambda figures: figures.wall_s)
    return None if found is None else found.median


def _note_style(entrant: Entrant) -> str:
    if entrant.state is State.FAILED:
        return "failed"
    return "warn" if entrant.record.stops and entrant.is_withdrawn else "text"


def _paragraph(text: str, width: int) -> list[Line]:
    name, colon, rest = text.partition(": ")
    lines: list[Line] = [[Span(part)] for part in textwrap.wrap(text, width)]
    if colon and rest and name.startswith("What ") and lines:
        first = lines[0][0].text
        cut = len(name) + 1
        lines[0] = [Span(first[:cut], "strong"), Span(first[cut:])]
    return lines

"""The table of shards, workers or hosts, and the failures by cause."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_duration, format_rate, format_size
from tui.messages import failure_title, remedy
from tui.scale.model import ShardState
from tui.ui.panes.pane import Line, Pane, Span
from tui.ui.style.format import bar, count, fit

if TYPE_CHECKING:
    from tui.scale.model import HostStatus, JobSnapshot, ShardRow, WorkerRow

_APPEARANCES = {
    ShardState.WAITING: ("·", ".", "queued"),
    ShardState.RUNNING: ("", "", "active"),
    ShardState.DONE: ("✓", "+", "done"),
    ShardState.FAILED: ("✗", "x", "failed"),
    ShardState.CANCELLED: ("⊘", "-", "cancelled"),
}
_WIDE = 90
"""Cells from which all columns fit."""
_CAUSES = 4
"""Lines of the pane of failures."""


class View(Enum):
    """What the table shows."""

    SHARDS = "shards"
    WORKERS = "workers"
    HOSTS = "hosts"


class JobTable(Pane):
    """Rows of the chosen kind, with a cursor."""

    can_focus = True

    def __init__(self, snapshot: JobSnapshot, **options: Any) -> None:
        """Show a job's shards at first."""
        super().__init__(**options)
        self.snapshot = snapshot
        self.view = View.SHARDS
        self._cursor = 0
        self._top = 0

    # -- the cursor ------------------------------------------------------------------

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of the view."""
        if self.view is View.SHARDS:
            return self.snapshot.shown
        if self.view is View.WORKERS:
            return self.snapshot.workers
        return self.snapshot.hosts

    @property
    def cursor(self) -> int:
        """The row under the cursor."""
        return max(0, min(self._cursor, len(self.rows) - 1))

    @property
    def shard(self) -> int | None:
        """The shard under the cursor, if the view shows shards."""
        if self.view is not View.SHARDS or not self.rows:
            return None
        row: ShardRow = self.rows[self.cursor]
        return row.id

    def move(self, step: int) -> None:
        """Move the cursor."""
        self._cursor = max(0, min(self.cursor + step, len(self.rows) - 1))
        self.redraw()

    def show_view(self, view: View) -> None:
        """Show other rows."""
        self.view = view
        self._cursor = self._top = 0
        self.redraw()

    def pressed(self, action: str) -> None:
        """Show the clicked view, or move the cursor to the clicked row."""
        if action.isdecimal():
            self._cursor = int(action)
            self.redraw()
        else:
            self.show_view(View(action))

    # -- content ---------------------------------------------------------------------

    def title(self) -> Line:
        """Return the views; the current one is highlighted."""
        line: Line = []
        for number, view in enumerate(View, 1):
            style = "title" if view is self.view else "dim"
            if line:
                line.append(Span("  "))
            line.append(Span(f"{number} {view.value}", style, view.value))
        return line

    def corner(self) -> Line:
        """Return how many rows there are."""
        return [Span(f"{count(len(self.rows))} shown", "dim")]

    def folded(self, width: int) -> Line:
        """Return one line, for tiny terminals."""
        del width
        return [Span(f"{count(len(self.rows))} {self.view.value}")]

    def body(self, width: int, height: int) -> list[Line]:
        """Return headings and rows."""
        rows = self.rows
        room = max(1, height - 1)
        if self.cursor < self._top:
            self._top = self.cursor
        self._top = max(self._top, self.cursor - room + 1)
        self._top = max(0, min(self._top, len(rows) - room))
        lines = [[Span(fit(self._headings(width), width), "header")]]
        for at in range(self._top, min(len(rows), self._top + room)):
            line = self._line(rows[at], width)
            mark = "▌" if at == self.cursor else " "
            if self.is_ascii:
                mark = ">" if at == self.cursor else " "
            spans = [span._replace(action=str(at)) for span in line]
            lines.append([Span(mark, "key", str(at)), *spans])
        if not rows:
            lines.append([Span(f" {self._nothing()}", "dim")])
        return lines

    def _nothing(self) -> str:
        if self.view is View.SHARDS:
            return "No shard runs." if self.snapshot.is_over else "Waiting for workers."
        if self.view is View.WORKERS:
            return "No workers yet."
        return "No host is requested now."

    def _headings(self, width: int) -> str:
        failed = f" {'Failed':>7}" if width >= _WIDE else ""
        if self.view is View.SHARDS:
            return (
                f"   {'Shard':>6}  {'Progress':<{_bar_width(width)}}  {'Ended':>13}"
                f" {'Failed':>6} {'Bytes':>9}  State"
            )
        if self.view is View.WORKERS:
            return (
                f"   {'Worker':<{_worker_width(width)}} {'State':<8} {'Slots':>8}"
                f" {'Shards':>6} {'Done':>8}{failed} {'Speed':>11}"
            )
        return (
            f"   {'Host':<{self._host_width(width)}} {'Active':>7} {'Queued':>8}"
            f" {'Done':>8}{failed} {'Speed':>11}  State"
        )

    @staticmethod
    def _host_width(width: int) -> int:
        return max(16, min(44, width - 68))

    def _line(self, row: Any, width: int) -> Line:
        if self.view is View.SHARDS:
            return self._shard_line(row, width)
        if self.view is View.WORKERS:
            return self._worker_line(row, width)
        return self._host_line(row, width)

    def _shard_line(self, row: ShardRow, width: int) -> Line:
        symbol, plain, style = _APPEARANCES[row.state]
        glyph = plain if self.is_ascii else symbol
        if row.state is ShardState.RUNNING:
            glyph = self.spinner()
        ended = row.done + row.failed
        cells = _bar_width(width)
        filled, empty = bar(
            ended / row.rows if row.rows else 1.0, cells, is_ascii=self.is_ascii
        )
        state = row.note if row.state is ShardState.RUNNING else row.state.value
        if row.state is not ShardState.RUNNING and row.note:
            state = f"{state}: {row.note}"
        elif row.worker:
            state = f"{state} on {_short(row.worker)}"
        if row.generation > 1:
            state = f"{state}, lease {row.generation}"
        return [
            Span(f"{glyph} ", style),
            Span(f"{row.id:>6} "),
            Span(f" {filled}", style),
            Span(empty, "faint"),
            Span(f"  {count(ended):>6}/{count(row.rows):<6}"),
            Span(f" {count(row.failed):>6}", "failed" if row.failed else "dim"),
            Span(f" {format_size(row.received):>9}  "),
            Span(sanitize(state, 200), style),
        ]

    def _worker_line(self, row: WorkerRow, width: int) -> Line:
        style = {"running": "active", "idle": "dim", "lost": "failed"}.get(
            row.state, "warn"
        )
        status = row.status
        glyph = self.spinner() if row.state == "running" else " "
        line = [
            Span(f"{glyph} ", style),
            Span(fit(_short(row.name), _worker_width(width))),
            Span(f" {row.state:<8}", style),
        ]
        if row.note:
            # It does nothing any more, and this is why.
            return [*line, Span(f" {sanitize(row.note, 200)}", "warn")]
        failed = Span(
            f" {count(status.failed):>7}", "failed" if status.failed else "dim"
        )
        return [
            *line,
            Span(f" {f'{status.active}/{status.concurrency}':>8}"),
            Span(f" {len(status.shards):>6}"),
            Span(f" {count(status.done):>8}"),
            *([failed] if width >= _WIDE else []),
            Span(f" {format_rate(status.speed):>11}"),
        ]

    def _host_line(self, row: HostStatus, width: int) -> Line:
        slots = f"{row.active}/{row.cap}" if row.cap else str(row.active)
        state, style = "", "dim"
        if row.blocked_s > 0:
            state, style = f"backing off {format_duration(row.blocked_s)}", "waiting"
        elif row.is_limiting:
            state, style = "limiting", "warn"
        if row.workers > 1:
            state = f"{state}{', ' if state else ''}{row.workers} workers"
        name = row.origin.partition("://")[2]
        failed = Span(f" {count(row.failed):>7}", "failed" if row.failed else "dim")
        return [
            Span("  "),
            Span(fit(sanitize(name, 200), self._host_width(width))),
            Span(f" {slots:>7} {count(row.queued):>8}"),
            Span(f" {count(row.done):>8}"),
            *([failed] if width >= _WIDE else []),
            Span(f" {format_rate(row.speed):>11}  "),
            Span(state, style),
        ]

    def details(self) -> tuple[str, list[tuple[str, str]]] | None:
        """Return a title and names with values for the row under the cursor."""
        if not self.rows:
            return None
        row = self.rows[self.cursor]
        skipped = {"status", "shards", "id"}
        pairs = [
            (name.replace("_", " "), _value(name, value))
            for name, value in row._asdict().items()
            if name not in skipped
        ]
        if self.view is View.SHARDS:
            return f"Shard {row.id}", pairs
        if self.view is View.WORKERS:
            more = row.status._asdict().items()
            pairs += [
                (name.replace("_", " "), _value(name, value))
                for name, value in more
                if name not in ("shards", "hosts", "name")
            ]
            running = ", ".join(str(one.shard) for one in row.status.shards)
            pairs.append(("shards", running or "none"))
            return f"Worker {sanitize(row.name, 60)}", pairs
        return f"Host {sanitize(row.origin, 60)}", pairs


def _value(name: str, value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if name == "received":
        return format_size(value)
    if name in ("speed", "rate"):
        return "no limit" if value is None else format_rate(value)
    if name == "blocked_s":
        return format_duration(value) if value else "no"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    return sanitize(str(value), 500)


def _bar_width(width: int) -> int:
    return max(8, min(40, width - 82))


def _worker_width(width: int) -> int:
    return 24 if width >= _WIDE else 21


def _short(name: str) -> str:
    """Return a worker's address without its scheme."""
    return sanitize(name.partition("://")[2] or name, 80)


class FailurePane(Pane):
    """Failed downloads by cause."""

    DEFAULT_CSS = "FailurePane { height: 6; }"

    def __init__(self, snapshot: JobSnapshot, **options: Any) -> None:
        """Show the failures of a job."""
        super().__init__(**options)
        self.snapshot = snapshot

    def title(self) -> Line:
        """Return the name of the pane."""
        return [Span("Failures", "title")]

    def corner(self) -> Line:
        """Return where they are listed."""
        return [Span(f"listed in {self.snapshot.failed_list} at the end", "dim")]

    def folded(self, width: int) -> Line:
        """Return one line, for tiny terminals."""
        del width
        return [Span(f"{count(self.snapshot.rows_failed)} failed", "failed")]

    def body(self, width: int, height: int) -> list[Line]:
        """Return a line for each cause."""
        del width
        lines = []
        for kind, status, number in self.snapshot.causes[: min(height, _CAUSES)]:
            hint = remedy(kind, status)
            lines.append(
                [
                    Span(f"{count(number):>8} ", "failed"),
                    Span(failure_title(kind, status)),
                    Span(f"  {hint}" if hint else "", "dim"),
                ]
            )
        return lines

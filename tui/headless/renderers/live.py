"""Live progress on a terminal's stderr, drawn with rich."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from rich.console import Console, Group
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from tui.core.events import Event, Failed, Kinds
from tui.core.text.units import format_duration, format_rate, format_size
from tui.headless.renderers.base import ActiveIds, failure_line, shown_name
from tui.headless.summary import progress_line, summary_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot
    from tui.headless.output import AsyncOutput
    from tui.headless.renderers.base import Run
    from tui.headless.summary import RunResult

_MOST_ROWS = 24
_MOST_FAILURES = 10
_BAR_WIDTH = 24
_OTHER_COLUMNS = 60
"""Columns for names and numbers; a download's bar gets what remains."""
_OVERALL_COLUMNS = 70
"""Columns for the text about the whole run; its bar gets what remains."""
_ECHO_WIDTH = 2
"""Columns left free at the right: if the terminal's ``^C`` wrapped, the display would
be a line higher than rich assumes, and part of it would not be erased."""
# Lines left free: the overall line, "and N more", the shell's prompt above it.
_OTHER_LINES = 3


class _OutputFile:
    """The file interface that rich needs, on top of an ``AsyncOutput``."""

    encoding = "utf-8"

    def __init__(self, output: AsyncOutput) -> None:
        self._outlet = output

    def write(self, text: str) -> int:
        self._outlet.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing; the output does not buffer."""

    def isatty(self) -> bool:
        return True


class LiveRenderer:
    """Shows an overall bar and the active downloads, five times per second.

    Args:
        run: the run to show.
        stderr: a terminal.
        size: columns and lines, for tests; ``None`` uses the terminal's.
    """

    tick_s = 0.2
    exclude: Kinds = frozenset()

    def __init__(
        self, run: Run, stderr: AsyncOutput, size: tuple[int, int] | None = None
    ) -> None:
        self._run = run
        self._stderr = stderr
        self._active = ActiveIds()
        self._failures: list[str] = []
        self._failed = 0
        width, height = size or (None, None)
        self._console = Console(
            file=cast("IO[str]", _OutputFile(stderr)),
            force_terminal=True,
            width=width,
            height=height,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def on_events(self, events: Sequence[Event]) -> None:
        """Track active downloads and the first failures; does not repaint."""
        self._active.on_events(events)
        for event in events:
            if isinstance(event, Failed):
                self._failed += 1
                if self._failed <= _MOST_FAILURES:
                    self._failures.append(self._failure(event))

    def tick(self) -> None:
        """Repaint, unless the terminal is still behind."""
        if not self._stderr.backlog:
            width = self._console.width - _ECHO_WIDTH
            self._live.update(Constrain(self._render(), width), refresh=True)

    def finish(self, result: RunResult) -> None:
        """Erase the display; write the failures and the summary."""
        self._live.update(Text(""))
        self._live.stop()
        lines = list(self._failures)
        if self._failed > _MOST_FAILURES:
            lines.append(f"  and {self._failed - _MOST_FAILURES:,} more failures")
        lines += summary_lines(result, self._run.resume_hint)
        self._stderr.write("\n".join(lines) + "\n")

    def _failure(self, event: Failed) -> str:
        (row,) = self._run.service.rows([event.id])
        return failure_line(self._run, row, event.error, event.error_kind)

    def _render(self) -> Group:
        snapshot = self._run.service.snapshot()
        room = max(0, min(_MOST_ROWS, self._console.height - _OTHER_LINES))
        ids = self._active.first(room)
        bar_width = max(1, min(_BAR_WIDTH, self._console.width - _OTHER_COLUMNS))
        # Name, bar, bytes, speed, ETA; fixed widths, so that columns do not move.
        table = Table.grid(
            Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            Column(width=bar_width, no_wrap=True),
            Column(width=15, justify="right", no_wrap=True),
            Column(width=11, justify="right", no_wrap=True),
            Column(width=6, justify="right", no_wrap=True),
            padding=(0, 1, 0, 0),
            expand=True,
        )
        for row in self._run.service.rows(ids):
            table.add_row(*_cells(row))
        overall_width = self._console.width - _OVERALL_COLUMNS
        overall_width = max(1, min(_BAR_WIDTH, overall_width))
        parts: list[Table | Text] = [_overall(snapshot, overall_width), table]
        more = len(self._active) - len(ids)
        if more > 0:
            parts.append(Text(f"and {more:,} more active", style="dim"))
        return Group(*parts)


def _cells(row: DownloadSnapshot) -> tuple[Text | ProgressBar, ...]:
    if row.has_speed:
        speed, left = format_rate(row.speed), format_duration(row.eta_s)
    else:
        speed, left = row.state.word, ""
    total = format_size(row.size) if row.size is not None else "?"
    bar = ProgressBar(
        total=row.size or None,
        completed=row.received,
        complete_style="green",
        pulse_style="green",
    )
    return (
        Text(shown_name(row)),
        bar,
        Text(f"{format_size(row.received)}/{total}"),
        Text(speed),
        Text(left),
    )


def _overall(snapshot: EngineSnapshot, bar_width: int) -> Table:
    line = Table.grid(
        Column(width=bar_width, no_wrap=True),
        Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        padding=(0, 1, 0, 0),
        expand=True,
    )
    part = snapshot.progress or 0.0
    bar = ProgressBar(total=1, completed=part, complete_style="green")
    line.add_row(bar, Text(progress_line(snapshot), style="bold"))
    return line

"""The race screen: table, chart, the strategy under the cursor, and keys."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_elapsed
from tui.lab.race import Race, State, facts
from tui.lab.report.export import report_of, write_beside
from tui.ui.bars.key_footer import KeyFooter
from tui.ui.dialogs.docs import GuideScreen
from tui.ui.lab.entrant_pane import ChartPane, EntrantPane
from tui.ui.lab.explain_dialog import ExplainDialog
from tui.ui.lab.race_table import RaceTable, round_text
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.style.format import cells

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from tui.lab.race import Plan

_TICK_S = 0.1
_KEYS = (
    ("cancel", "x", "cancel"),
    ("explain", "enter", "explain"),
    ("export", "e", "export"),
    ("again", "r", "run again"),
    ("help", "?", "help"),
    ("quit", "q", "quit"),
)


class LabHeader(Pane):
    """One line: the plan of the race, and its progress."""

    DEFAULT_CSS = "LabHeader { height: 1; }"
    has_frame = False

    def __init__(self, race: Race, **options: Any) -> None:
        """Describe ``race``."""
        super().__init__(**options)
        self.race = race

    def body(self, width: int, height: int) -> list[Line]:
        """Return the line."""
        del height
        race = self.race
        elapsed = race.elapsed_s
        if race.started_at and not race.is_over:
            elapsed = time.monotonic() - race.started_at
        left = [Span(" fetchtui lab ", "title")]
        right = [Span(f"{round_text(race)}, {format_elapsed(elapsed)} ", "text")]
        room = width - line_width(left) - line_width(right) - 1
        plan = facts(race.plan)
        while len(plan) > 1 and cells(", ".join(plan)) > room:
            plan.pop()  # whole facts, the least important first
        left.append(Span(", ".join(plan), "dim"))
        return [justify(left, right, width)]


class RaceScreen(Screen[None]):
    """Draws a race and handles its keys; the race itself runs independently."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False, priority=True),
        Binding("down,j", "move(1)", show=False, priority=True),
        Binding("home,g", "move(-99)", show=False, priority=True),
        Binding("end,G", "move(99)", show=False, priority=True),
        Binding("enter", "explain", show=False, priority=True),
        Binding("x", "cancel", show=False, priority=True),
        Binding("e", "export", show=False, priority=True),
        Binding("r", "again", show=False, priority=True),
        Binding("question_mark,f1,h", "help", show=False, priority=True),
        Binding("q,ctrl+c,ctrl+q", "quit", show=False, priority=True),
    ]

    def __init__(self, plan: Plan) -> None:
        """Race by ``plan`` as soon as the screen is shown."""
        super().__init__()
        self.plan = plan
        self.race = Race(plan)
        self.runner: asyncio.Task[None] | None = None
        """The task that runs the race."""
        self.header = LabHeader(self.race)
        self.table = RaceTable(self.race)
        self.chart = ChartPane(self.race)
        self.pane = EntrantPane()
        self.footer = KeyFooter(_KEYS)

    def compose(self) -> ComposeResult:
        """Lay out the widgets."""
        yield self.header
        yield self.table
        with Horizontal():
            yield self.chart
            yield self.pane
        yield self.footer

    def on_mount(self) -> None:
        """Start."""
        self.table.focus()
        self.begin()
        self.set_interval(_TICK_S, self.tick)

    def begin(self) -> None:
        """Run the race."""
        self.runner = asyncio.create_task(self.race.run())
        self.runner.add_done_callback(self._ended)

    def _ended(self, runner: asyncio.Task[None]) -> None:
        error = None if runner.cancelled() else runner.exception()
        if error is not None:
            self.race.problem = sanitize(f"the race failed: {error}", 200)
        if self.is_attached:
            self.footer.show_message(self.race.problem)
            self.tick()

    def tick(self) -> None:
        """Draw what changed."""
        if getattr(self.app, "has_lost_terminal", False):
            self.app.exit()
        if getattr(self.app, "is_terminal_behind", False):
            return
        self.table.ticks += 1
        for pane in (self.header, self.table, self.chart):
            pane.redraw()
        self.pane.show(self.table.entrant, self.race)
        self.footer.tick()

    def on_resize(self, event: events.Resize) -> None:
        """Hide what does not fit."""
        width, height = event.size
        self.table.is_dense = height < 22
        wanted = self.table.rows_wanted
        self.table.styles.height = max(1, min(wanted, height - 3))
        self.pane.is_dense = height - wanted - 2 < 6
        self.set_class(self.pane.is_dense or width < 118, "-narrow")

    # -- keys ------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.table.move(step)
        self.pane.show(self.table.entrant, self.race)

    @on(RaceTable.Chosen)
    def action_explain(self) -> None:
        """Explain the strategy under the cursor."""
        self.app.push_screen(ExplainDialog(self.table.entrant.entry))

    def action_cancel(self) -> None:
        """Cancel the strategy under the cursor."""
        entrant = self.table.entrant
        if self.race.is_over or entrant.is_withdrawn:
            self.footer.show_message("nothing to cancel; r runs the race again")
            return
        was_running = entrant.state is State.RUNNING
        self.race.cancel(entrant)
        verb = "cancelling" if was_running else "no further rounds for"
        self.footer.show_message(f"{verb} {entrant.entry.title}")
        self.tick()

    def action_help(self) -> None:
        """Open the page of the user guide on the lab."""
        self.app.push_screen(GuideScreen("lab"))

    async def action_export(self) -> None:
        """Write the results to the working directory."""
        if not any(entrant.record.rounds for entrant in self.race.entrants):
            self.footer.show_message("no results yet")
            return
        try:
            paths = await asyncio.to_thread(
                write_beside, report_of(self.race), Path.cwd()
            )
        except OSError as error:
            self.footer.show_message(
                sanitize(f"could not write the results: {error.strerror}", 200)
            )
            return
        names = ", ".join(path.suffix for path in paths)
        self.footer.show_message(
            sanitize(f"wrote {paths[0].stem} as {names} into {Path.cwd()}")
        )

    def action_again(self) -> None:
        """Run the race again once it has finished."""
        if self.runner is None or not self.runner.done():
            self.footer.show_message("the race is running; x cancels a row, q quits")
            return
        self.race = Race(self.plan)
        self.header.race = self.table.race = self.chart.race = self.race
        self.begin()
        self.tick()

    def action_quit(self) -> None:
        """Quit, cancelling what is running."""
        self.app.exit()

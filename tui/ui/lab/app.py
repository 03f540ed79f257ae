"""The race screen as an application; ``fetchtui lab`` passes it a plan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from tui.lab.report.export import report_of
from tui.lab.report.table import remarks, text_lines
from tui.ui.lab.screen import RaceScreen
from tui.ui.style.theme import DEFAULT_THEME
from tui.ui.terminal.guarded_app import OneScreenApp
from tui.ui.terminal.signals import StopSignals, detach_dead_streams
from tui.ui.ui_state import load_ui_state, ui_state_path

if TYPE_CHECKING:
    from textual.types import CSSPathType

    from tui.lab.race import Plan, Race


class LabApp(OneScreenApp):
    """The application with the race screen and the themes."""

    TITLE = "fetchtui lab"
    # Textual does not load the style sheet of a default screen.
    CSS_PATH: ClassVar[CSSPathType | None] = "race.tcss"

    def __init__(self, plan: Plan, theme: str = DEFAULT_THEME) -> None:
        """Race by ``plan``, in the dashboard's theme."""
        self.race_screen = RaceScreen(plan)
        super().__init__(self.race_screen, theme)

    async def end_race(self) -> bool:
        """Cancel what is running; return True if the race was complete."""
        runner = self.race_screen.runner
        if runner is None:
            return False
        is_complete = runner.done()
        runner.cancel()
        await asyncio.wait([runner])
        return is_complete


async def run_race_screen(plan: Plan) -> tuple[Race, bool]:
    """Show a race until the user or a signal ends it; then print the results.

    Returns:
        The race, and whether it was complete.
    """
    state, _ = await asyncio.to_thread(load_ui_state, ui_state_path())
    app = LabApp(plan, state.theme)
    with StopSignals(asyncio.get_running_loop(), app.exit):
        try:
            await app.run_async()
        finally:
            is_complete = await app.end_race()
    race = app.race_screen.race
    if not app.has_lost_terminal and any(
        entrant.record.rounds for entrant in race.entrants
    ):
        report = report_of(race)
        lines = [report.caption, "", *text_lines(race.rows), ""]
        print("\n".join([*lines, *report.notes, *remarks(race.rows)]))  # noqa: T201
    detach_dead_streams()
    return race, is_complete

"""The race screen as an application; ``fetchtui lab`` passes it a plan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App

from tui.lab.report.export import report_of
from tui.lab.report.table import remarks, text_lines
from tui.ui.lab.screen import RaceScreen
from tui.ui.style.theme import DARK, DEFAULT_THEME, LIGHT
from tui.ui.terminal.ascii_filter import wants_ascii
from tui.ui.terminal.driver import (
    guarded_driver,
    is_behind,
    is_gone,
    is_too_late,
    take_losses,
)
from tui.ui.terminal.signals import StopSignals, detach_dead_streams
from tui.ui.ui_state import load_ui_state, ui_state_path

if TYPE_CHECKING:
    from textual.events import Event
    from textual.screen import Screen
    from textual.types import CSSPathType

    from tui.lab.race import Plan, Race


class LabApp(App[None]):
    """The application with the race screen and the themes."""

    TITLE = "fetchtui lab"
    # Textual does not load the style sheet of a default screen.
    CSS_PATH: ClassVar[CSSPathType | None] = "race.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, plan: Plan, theme: str = DEFAULT_THEME) -> None:
        """Race by ``plan``, in the dashboard's theme."""
        super().__init__(driver_class=guarded_driver())
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = theme if theme in self.available_themes else DEFAULT_THEME
        self.is_ascii = wants_ascii()
        """Whether to draw with characters below 0x80 only."""
        self.race_screen = RaceScreen(plan)

    def get_default_screen(self) -> Screen[Any]:
        """Return the race screen."""
        return self.race_screen

    async def on_event(self, event: Event) -> None:
        """Drop input that comes too late."""
        if not is_too_late(self, event):
            await super().on_event(event)

    @property
    def has_lost_terminal(self) -> bool:
        """Whether the terminal is gone."""
        return is_gone(self._driver)

    @property
    def is_terminal_behind(self) -> bool:
        """Whether the terminal lags behind; redraws what it lost."""
        if is_behind(self._driver):
            return True
        if take_losses(self._driver):
            self.screen.refresh()
        return False

    def _fatal_error(self) -> None:
        """Show a traceback without local variables: they may contain secrets."""
        from rich.traceback import Traceback

        self._exit_renderables.append(Traceback(show_locals=False, width=None))
        self._close_messages_no_wait()

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

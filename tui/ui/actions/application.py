"""Actions on the dashboard: help, palette, theme, settings, screenshot, quitting."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui.ui.actions.palette import ActionPalette, ActionProvider
from tui.ui.dialogs.choice import ThemeScreen
from tui.ui.dialogs.docs import GuideScreen
from tui.ui.dialogs.help import HelpScreen
from tui.ui.dialogs.settings import SettingsScreen
from tui.ui.keys.keymap import current
from tui.ui.style.theme import THEMES

if TYPE_CHECKING:
    from tui.ui.actions.context import ActionContext


class ApplicationActions:
    """Handlers of ``Group.APP``."""

    def __init__(self, context: ActionContext) -> None:
        """Act on the context's application."""
        self._context = context
        self._application = context.application

    def help(self) -> None:
        """Show all keys and run the chosen action."""

        def run(chosen: str | None) -> None:
            if chosen is not None:
                self._context.perform(chosen)

        self._context.ask(HelpScreen(current().actions), run)

    def guide(self) -> None:
        """Open the user guide."""
        self._context.open(GuideScreen())

    def palette(self) -> None:
        """Open the command palette."""
        palette = ActionPalette(
            providers=[ActionProvider],
            placeholder="Type an action, or a number to set concurrency",
        )
        self._context.open(palette)

    def theme(self) -> None:
        """Choose a theme; each one is shown while it is highlighted."""
        self._context.open(ThemeScreen(THEMES, self._application.theme))

    def settings(self) -> None:
        """Show and change the settings."""
        self._context.open(SettingsScreen(self._application.live_settings()))

    def screenshot(self) -> None:
        """Save the screen as SVG in the output directory."""
        self._context.run_in_background(self._save_screenshot, group="screenshot")

    async def _save_screenshot(self) -> None:
        svg = self._application.export_screenshot(title="fetchtui")
        is_remote, now = self._context.is_remote, self._context.service.snapshot()
        folder = Path.cwd() if is_remote else Path(now.output_dir)
        path = folder / time.strftime("fetchtui-%Y%m%d-%H%M%S.svg")
        try:
            await asyncio.to_thread(path.write_text, svg, "utf-8")
        except OSError as error:
            reason = error.strerror or error
            self._context.notify(
                f"Could not save the screenshot: {reason}", severity="error"
            )
        else:
            self._context.notify(f"Saved {path}")

    def suspend(self) -> None:
        """Return to the shell until ``fg``."""
        if self._application.can_suspend:
            self._application.action_suspend_process()
        else:
            self._context.notify(
                "Cannot suspend: no shell with job control", severity="warning"
            )

    def quit(self) -> None:
        """Quit, after a question if downloads are running."""
        self._context.exit_flow.ask()

    def interrupt(self) -> None:
        """Ask like ``quit``; at once when pressed twice."""
        self._context.exit_flow.interrupt()

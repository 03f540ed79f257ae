"""Actions on the dashboard: help, palette, theme, settings, screenshot, quitting."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_pictures_path

from tui.core.download import ACTIVE
from tui.core.listing.history import SessionSummary
from tui.core.text.sanitize import sanitize
from tui.ui.keys.keymap import current
from tui.ui.style.format import count
from tui.ui.style.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.ui.actions.context import ActionContext
    from tui.ui.history.lines import Row


class ApplicationActions:
    """Handlers of ``Group.APP``."""

    def __init__(
        self, context: ActionContext, open_in_desktop: Callable[[str], None]
    ) -> None:
        """Act on the context's application; ``open_in_desktop`` opens a folder."""
        self._context = context
        self._open_in_desktop = open_in_desktop
        self._application = context.application

    def help(self) -> None:
        """Show all keys and run the chosen action."""
        from tui.ui.dialogs.help import HelpScreen

        def run(chosen: str | None) -> None:
            if chosen is not None:
                self._context.perform(chosen)

        self._context.ask(HelpScreen(current().actions), run)

    def guide(self) -> None:
        """Open the user guide."""
        from tui.ui.dialogs.docs import GuideScreen

        self._context.open(GuideScreen())

    def palette(self) -> None:
        """Open the command palette."""
        from tui.ui.actions.palette import ActionPalette, ActionProvider

        palette = ActionPalette(
            providers=[ActionProvider],
            placeholder="Type an action, or a number to set concurrency",
        )
        self._context.open(palette)

    def theme(self) -> None:
        """Choose a theme; each one is shown while it is highlighted."""
        from tui.ui.dialogs.choice import ThemeScreen

        self._context.open(ThemeScreen(THEMES, self._application.theme))

    def sessions(self) -> None:
        """List earlier sessions and finished downloads, and open one."""
        from tui.ui.history.screen import HistoryScreen

        history = self._application.history
        if history is None:
            self._context.notify(
                "This dashboard has no sessions of its own", severity="warning"
            )
            return

        def chosen(row: Row | None) -> None:
            if isinstance(row, SessionSummary):
                self._open_session(row)
            elif row is not None:
                self._open_in_desktop(os.path.dirname(row.path))

        self._context.ask(HistoryScreen(history), chosen)

    def _open_session(self, session: SessionSummary) -> None:
        """Close this session and open another one, after a question if work stops."""
        from tui.ui.dialogs.confirm import ConfirmScreen

        def answer(is_confirmed: bool | None) -> None:
            if is_confirmed:
                self._application.open_session(session.id)
                self._context.exit_flow.quit()

        counts = self._context.service.snapshot().counts
        running = sum(counts[state] for state in ACTIVE)
        if not running:
            answer(True)
            return
        effect = (
            f"{count(running)} running downloads stop now."
            f" {self._context.exit_flow.hint}"
        )
        title = f"Open {sanitize(session.title) or 'another session'}"
        self._context.ask(ConfirmScreen(title, effect, "Open it", "Stay"), answer)

    def settings(self) -> None:
        """Show and change the settings."""
        from tui.ui.dialogs.settings import SettingsScreen

        self._context.open(SettingsScreen(self._application.live_settings()))

    def screenshot(self) -> None:
        """Save the screen as SVG among the user's pictures."""
        self._context.run_in_background(self._save_screenshot, group="screenshot")

    async def _save_screenshot(self) -> None:
        svg = self._application.export_screenshot(title="fetchtui")
        pictures = user_pictures_path()
        name = time.strftime("fetchtui-%Y%m%d-%H%M%S.svg")
        try:
            folder = pictures if pictures.is_dir() else Path.cwd()
            path = folder / name
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

    def detach(self) -> None:
        """Quit, and let the downloads continue in the background."""
        self._context.exit_flow.detach()

    def interrupt(self) -> None:
        """Ask like ``quit``; at once when pressed twice."""
        self._context.exit_flow.interrupt()

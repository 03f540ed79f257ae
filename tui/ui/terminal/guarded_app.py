"""Applications that survive a slow or lost terminal, in the dashboard's themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import App, ReturnType

from tui.ui.style.theme import DARK, DEFAULT_THEME, LIGHT
from tui.ui.terminal.charset import wants_ascii
from tui.ui.terminal.driver import (
    guarded_driver,
    is_behind,
    is_gone,
    is_too_late,
    take_losses,
)

if TYPE_CHECKING:
    from textual.events import Event
    from textual.screen import Screen


class GuardedApp(App[ReturnType]):
    """Knows whether its terminal is there, and drops input that comes too late."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        """Create the application with the guarded driver and the themes."""
        super().__init__(driver_class=guarded_driver())
        self.register_theme(DARK)
        self.register_theme(LIGHT)

    async def on_event(self, event: Event) -> None:
        """Drop input that comes too late."""
        if not is_too_late(self, event):
            await super().on_event(event)

    @property
    def has_lost_terminal(self) -> bool:
        """Whether the terminal is gone."""
        return is_gone(self._driver)

    def _fatal_error(self) -> None:
        """Show an internal error without local variables, which may contain secrets."""
        # Imported late: this takes a tenth of the time to the first frame.
        from rich.traceback import Traceback

        self._exit_renderables.append(Traceback(show_locals=False, width=None))
        self._close_messages_no_wait()


class OneScreenApp(GuardedApp[None]):
    """An application with a single screen, which redraws itself at intervals."""

    def __init__(self, screen: Screen[None], theme: str = DEFAULT_THEME) -> None:
        """Show a screen in a theme; in the default one if the name is unknown."""
        super().__init__()
        self.theme = theme if theme in self.available_themes else DEFAULT_THEME
        self.is_ascii = wants_ascii()
        """Whether to draw with characters below 0x80 only."""
        self._only_screen = screen

    def get_default_screen(self) -> Screen[Any]:
        """Return the screen."""
        return self._only_screen

    @property
    def is_terminal_behind(self) -> bool:
        """Whether the terminal lags behind; redraws what it lost."""
        if is_behind(self._driver):
            return True
        if take_losses(self._driver):
            self.screen.refresh()
        return False

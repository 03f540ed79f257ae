"""The screen as an application; ``fetchtui scale`` passes it a running job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App

from tui.ui.scale.screen import ScaleScreen
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
    from collections.abc import Awaitable, Callable

    from textual.events import Event
    from textual.screen import Screen
    from textual.types import CSSPathType

    from tui.scale.model import JobControl


class ScaleApp(App[None]):
    """The application with the screen of a job and the themes."""

    TITLE = "fetchtui scale"
    # Textual does not load the style sheet of a default screen.
    CSS_PATH: ClassVar[CSSPathType | None] = "scale.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, control: JobControl, title: str, theme: str = DEFAULT_THEME
    ) -> None:
        """Show a job under a title, in the dashboard's theme."""
        super().__init__(driver_class=guarded_driver())
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = theme if theme in self.available_themes else DEFAULT_THEME
        self.is_ascii = wants_ascii()
        """Whether to draw with characters below 0x80 only."""
        self.scale_screen = ScaleScreen(control, title)

    def get_default_screen(self) -> Screen[Any]:
        """Return the screen of the job."""
        return self.scale_screen

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


async def run_scale_screen(
    control: JobControl,
    run: Callable[[asyncio.Event], Awaitable[bool]],
    title: str,
) -> bool:
    """Show a job while it runs, and after its end until the user quits.

    Args:
        control: the job.
        run: runs it until it ends or the event is set.
        title: its destination.

    Returns:
        True if the user or a signal ended it before its end.

    Raises:
        ScaleError: the job cannot start or continue.
    """
    state, _ = await asyncio.to_thread(load_ui_state, ui_state_path())
    app = ScaleApp(control, title, state.theme)
    stop = asyncio.Event()

    async def run_job() -> bool:
        return await run(stop)

    running = asyncio.create_task(run_job())

    def on_end(task: asyncio.Task[bool]) -> None:
        # A problem is printed after the screen is gone.
        if not task.cancelled() and task.exception() is not None:
            app.exit()

    running.add_done_callback(on_end)
    with StopSignals(asyncio.get_running_loop(), app.exit):
        try:
            await app.run_async()
        finally:
            is_interrupted = not running.done()
            stop.set()
            await asyncio.wait([running])
    detach_dead_streams()
    running.result()
    return is_interrupted

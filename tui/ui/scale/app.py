"""The screen as an application; ``fetchtui scale`` passes it a running job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from tui.ui.scale.screen import ScaleScreen
from tui.ui.style.theme import DEFAULT_THEME
from tui.ui.terminal.guarded_app import OneScreenApp
from tui.ui.terminal.signals import StopSignals, detach_dead_streams
from tui.ui.ui_state import load_ui_state, ui_state_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.types import CSSPathType

    from tui.scale.model import JobControl


class ScaleApp(OneScreenApp):
    """The application with the screen of a job and the themes."""

    TITLE = "fetchtui scale"
    # Textual does not load the style sheet of a default screen.
    CSS_PATH: ClassVar[CSSPathType | None] = "scale.tcss"

    def __init__(
        self, control: JobControl, title: str, theme: str = DEFAULT_THEME
    ) -> None:
        """Show a job under a title, in the dashboard's theme."""
        self.scale_screen = ScaleScreen(control, title)
        super().__init__(self.scale_screen, theme)


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

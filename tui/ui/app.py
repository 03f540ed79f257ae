"""The dashboard as an application on a running loop.

``run_dashboard`` is all that the command line knows of this room.
"""

from __future__ import annotations

import asyncio
import locale
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from tui.config.precedence import DashboardSettings
from tui.core.listing.query import DownloadQuery, View
from tui.core.text.units import format_duration
from tui.ui.bars.header import part_done
from tui.ui.keys.keymap import Keymap, make_current
from tui.ui.main_screen import MainScreen
from tui.ui.poller import exit_status
from tui.ui.style.theme import DARK, LIGHT, THEMES, wrong_theme
from tui.ui.style.theme import DEFAULT_THEME as _DEFAULT
from tui.ui.terminal.ascii_filter import AsciiFilter
from tui.ui.terminal.driver import (
    guarded_driver,
    is_behind,
    is_gone,
    take_losses,
    title_for,
)
from tui.ui.terminal.exit_summary import print_summary, summary_lines
from tui.ui.terminal.signals import StopSignals, detach_dead_streams
from tui.ui.ui_state import UIState, load_looks, looks_path, save_looks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rich.console import RenderableType
    from textual.screen import Screen
    from textual.types import CSSPathType

    from tui.config.precedence import Resolved
    from tui.core.postprocess import Aftermath
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService, Subscription
    from tui.core.snapshot import EngineSnapshot
    from tui.ui.terminal.title import TerminalTitle

_CATCH_UP_S = 0.02
_SHEETS_AFTER_S = 0.5
"""After the first frames there is time for what dialogs need."""
_SHEETS = Path(__file__).with_name("dialogs")
_IS_STILL = os.environ.get("TEXTUAL_ANIMATIONS", "").lower() == "none"


class DashboardApp(App[int]):
    """Holds the main screen, the themes and the guard over the terminal."""

    TITLE = "fetchtui"
    # The style sheet of a default screen is not read by itself.
    CSS_PATH: ClassVar[CSSPathType | None] = "main_screen.tcss"
    ENABLE_COMMAND_PALETTE = False  # the palette is an action like any other
    BINDINGS: ClassVar[list[BindingType]] = [
        # On the application, so that they work over dialogs as well.
        Binding("ctrl+c", "run_named('interrupt')", show=False, priority=True),
        Binding("ctrl+q", "run_named('quit')", show=False, priority=True),
    ]

    def __init__(
        self,
        service: DownloadService,
        requests: Sequence[DownloadRequest] = (),
        source_title: str = "",
        *,
        exit_when_done: bool = False,
        looks: UIState | None = None,
        chosen: DashboardSettings | None = None,
    ) -> None:
        """Take what ``run_dashboard`` takes, and what it shall look like."""
        super().__init__(driver_class=guarded_driver())
        self.keys = Keymap()
        """Which keys do what."""
        chosen = chosen or DashboardSettings()
        self.keys.use(dict(chosen.keys))
        make_current(self.keys)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        looks = looks or UIState()
        self.use_theme(chosen.theme or looks.theme)
        self.trouble = wrong_theme(chosen.theme)
        """What is wrong with the settings that only a dashboard can know; "" mostly."""
        self._asked_theme = (self.theme, looks.theme) if chosen.theme else None
        """What an option or the settings show, and what is kept for a run without."""
        self._ascii_filter = AsciiFilter(enabled=False)
        self._filters.append(self._ascii_filter)
        self.use_ascii(chosen.ascii)
        self.use_motion(is_on=chosen.motion)
        self.main = MainScreen(
            service, requests, source_title, exit_when_done=exit_when_done
        )
        self.main.look_like(looks)
        self.main.trouble = self.trouble
        self._is_stale = False
        self._suspended_at_s = 0.0
        self.given: Resolved | None = None
        """All settings and who said so."""
        self.terminal_title: TerminalTitle | None = None

    @property
    def is_ascii(self) -> bool:
        """Whether to draw with characters below 0x80 only."""
        return self._ascii_filter.enabled

    @is_ascii.setter
    def is_ascii(self, is_on: bool) -> None:
        self._ascii_filter.enabled = is_on
        if self._running:
            self.main.list.invalidate()
            self.refresh_css(animate=False)
            self.main.painter.paint_all()

    def use_ascii(self, is_on: bool | None) -> None:
        """Draw in ASCII or not; ``None`` looks at the terminal."""
        self.is_ascii = wants_ascii() if is_on is None else is_on

    def use_theme(self, name: str) -> None:
        """Show a theme, or the usual one where there is none of that name."""
        self.theme = name if name in THEMES else _DEFAULT
        self.trouble = ""

    def use_keys(self, wishes: Mapping[str, object]) -> None:
        """Give actions other keys, now."""
        self.keys.use(wishes)
        self.main.use_keys()
        self.main.painter.paint_all()

    def use_motion(self, *, is_on: bool) -> None:
        """Let spinners turn, or stand still."""
        self.animation_level = "full" if is_on and not _IS_STILL else "none"

    @property
    def looks(self) -> UIState:
        """What it looks like now."""
        query = self.main.list.model.query
        panes = self.main.board.overrides
        theme = self.theme
        if self._asked_theme is not None and theme == self._asked_theme[0]:
            theme = self._asked_theme[1]  # nobody chose it here
        return UIState(theme, query.sort, query.is_reversed, dict(panes))

    def get_default_screen(self) -> Screen[Any]:
        """The dashboard itself."""
        return self.main

    # -- actions ---------------------------------------------------------------------

    def run_named(self, id: str) -> None:
        """Do an action of the registry, from wherever."""
        self.main.run_named(id)

    def action_run_named(self, id: str) -> None:
        """Do an action of the registry, by key."""
        self.run_named(id)

    def set_concurrency(self, number: int) -> None:
        """Run this many downloads at once."""
        self.main.run.set_concurrency(number)
        self.main.show_now()

    # -- the terminal ----------------------------------------------------------------

    @property
    def is_terminal_behind(self) -> bool:
        """Whether the terminal has not taken the last frames yet."""
        return is_behind(self._driver)

    @property
    def has_lost_terminal(self) -> bool:
        """Whether there is nobody to draw for any more."""
        return is_gone(self._driver)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Leave frames out while the terminal is behind; catch up with a whole one."""
        if self.is_terminal_behind or take_losses(self._driver):
            if not self._is_stale:
                self._is_stale = True
                self.set_timer(_CATCH_UP_S, self._catch_up)
            return
        super()._display(screen, renderable)

    def _catch_up(self) -> None:
        if self.is_terminal_behind:
            self.set_timer(_CATCH_UP_S * 5, self._catch_up)
            return
        self._is_stale = False
        if self.screen_stack:  # none while it closes
            self.screen.refresh()

    def on_mount(self) -> None:
        """Begin to tell title and progress, and again after every suspension."""
        self.terminal_title = title_for(self._driver)
        self.app_suspend_signal.subscribe(self, self._note_suspension, immediate=True)
        self.app_resume_signal.subscribe(self, self._tell_suspension)
        self.set_timer(_SHEETS_AFTER_S, self._read_sheets)

    def _read_sheets(self) -> None:
        """Read the style sheets of the dialogs, one a moment.

        A sheet that is read when its dialog opens makes Textual parse all of them
        anew, which takes 25 ms at a stretch.
        """
        for path in sorted(_SHEETS.glob("*.tcss")):
            if not self.stylesheet.has_source(str(path)):
                self.stylesheet.read(path)
                self.stylesheet.parse()
                self.set_timer(_CATCH_UP_S, self._read_sheets)
                return

    @property
    def can_suspend(self) -> bool:
        """Whether there is a shell with job control behind the terminal."""
        return self._driver is not None and self._driver.can_suspend

    def announce(self, snapshot: EngineSnapshot) -> None:
        """Tell title and progress of the terminal's window."""
        if self.terminal_title is not None and not self.is_terminal_behind:
            self.terminal_title.update(snapshot, part_done(snapshot))

    def _note_suspension(self, _: object) -> None:
        self._suspended_at_s = time.monotonic()

    def _tell_suspension(self, _: object) -> None:
        seconds = time.monotonic() - self._suspended_at_s
        self.main.service.stood_still(seconds)
        if self.terminal_title is not None:
            self.terminal_title.invalidate()
        self.main.tell(
            f"Back after {format_duration(seconds)}; downloads stood still meanwhile "
            "and go on now"
        )
        self.screen.refresh()

    def send(self, sequence: str) -> None:
        """Send the terminal what draws nothing: a bell, a notice for the desktop."""
        if self._driver is not None and not self.has_lost_terminal:
            self._driver.write(sequence)

    def stop(self) -> None:
        """Leave because a signal asks for it; the state is kept."""
        self.exit(130)

    def _fatal_error(self) -> None:
        """Show a fault of ours without local variables: they may hold secrets."""
        # Imported late: it takes a tenth of the time to the first frame.
        from rich.traceback import Traceback

        self._exit_renderables.append(Traceback(show_locals=False, width=None))
        self._close_messages_no_wait()


def wants_ascii() -> bool:
    """Whether glyphs beyond ASCII would not arrive (``FETCHTUI_ASCII=1`` asks too)."""
    if os.environ.get("FETCHTUI_ASCII", "").lower() in ("1", "true", "yes", "on"):
        return True
    if os.environ.get("TERM") in ("linux", "dumb"):
        return True
    return "utf" not in locale.getpreferredencoding(do_setlocale=False).lower()


def _say_farewell(app: DashboardApp, service: DownloadService) -> None:
    causes = service.by_cause(DownloadQuery(View.FAILED))
    saved = app.main.failed_export.path
    hint = app.main.leaving.hint
    now = service.snapshot()
    print_summary(summary_lines(now, causes, service.rows, saved, hint))


async def _run(app: DashboardApp, aftermath: Aftermath | None) -> int | None:
    if aftermath is not None:
        aftermath.use_terminal(app.send)
    with StopSignals(asyncio.get_running_loop(), app.stop):
        status = await app.run_async()
    if aftermath is not None:
        aftermath.use_terminal(None)
    return status


async def run_dashboard(
    service: DownloadService,
    *,
    requests: Sequence[DownloadRequest],
    source_title: str,
    exit_when_done: bool,
    restore: Callable[[], Awaitable[str]] | None = None,
    unsaved: Callable[[], str] | None = None,
    given: Resolved | None = None,
    resume_hint: str = "",
    aftermath: Aftermath | None = None,
    subscription: Subscription | None = None,
) -> int:
    """Show the dashboard until a person, a signal or the end of the work ends it.

    Args:
        service: the engine; it is not closed here.
        requests: what to add once the first frame is painted.
        source_title: what is being downloaded, for the header.
        exit_when_done: leave when the last download has ended.
        restore: brings back what an earlier run left, once the first frame is
            painted; returns what to say about it.
        unsaved: says why this run could not be gone on with later; "" while it could.
        given: all settings and who said so; ``None`` for the usual ones.
        resume_hint: what leaving means and how to go on later, one sentence.
        aftermath: what follows the downloads, if anything; the caller waits for it.
        subscription: has the events of what was added before; ``None`` if nothing was.

    Returns:
        The exit status: 0 all done, 1 at least one failed, 130 unfinished (state kept).
    """
    path = looks_path()
    looks, trouble = await asyncio.to_thread(load_looks, path)
    app = DashboardApp(
        service,
        requests,
        source_title,
        exit_when_done=exit_when_done,
        looks=looks,
        chosen=None if given is None else given.dashboard(),
    )
    app.given = given
    if subscription is not None:
        app.main.bridge.listen_to(subscription)
    app.main.trouble = app.trouble or trouble
    app.main.intake.restore = restore
    app.main.leaving.resume_hint = resume_hint
    app.main.leaving.unsaved = unsaved
    status = await _run(app, aftermath)
    if app.looks != looks:
        # Nothing is left behind by somebody who only had a look.
        await asyncio.to_thread(save_looks, path, app.looks)
    if not app.has_lost_terminal:
        _say_farewell(app, service)
    detach_dead_streams()
    return exit_status(service.snapshot()) if status is None else status

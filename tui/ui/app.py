"""The dashboard as a Textual application: themes, keys, ASCII mode and the terminal.

``run_dashboard`` is all that the command line uses of this package.
"""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ScreenStackError
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.errors import NoWidget
from textual.events import Paste
from textual.widgets import Input
from textual.worker import WorkerFailed

from tui.config.precedence import DashboardSettings
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, View
from tui.core.rules.exit_status import INTERRUPTED
from tui.core.text.units import format_duration, use_units
from tui.messages import attachment_title, detached_text
from tui.ui.actions.batch_runner import finish
from tui.ui.exit import AfterExit, exit_status
from tui.ui.keys.keymap import Keymap, set_current
from tui.ui.main_screen import MainScreen
from tui.ui.panes.pane import Pane
from tui.ui.style.theme import DEFAULT_THEME, THEMES, colors_of, wrong_theme
from tui.ui.terminal.ascii_filter import AsciiFilter
from tui.ui.terminal.charset import wants_ascii
from tui.ui.terminal.driver import (
    PasteProblem,
    is_behind,
    is_too_late,
    take_losses,
    title_for,
    writing_together,
)
from tui.ui.terminal.exit_summary import COLUMNS, print_summary, summary_lines
from tui.ui.terminal.guarded_app import GuardedApp
from tui.ui.terminal.paste import INPUT_LIMIT, LIMIT, fit_input
from tui.ui.terminal.signals import StopSignals, detach_dead_streams
from tui.ui.ui_state import UIState, load_ui_state, save_ui_state, ui_state_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rich.console import RenderableType
    from textual.events import Event
    from textual.screen import Screen
    from textual.types import CSSPathType

    from tui.config.precedence import Resolved
    from tui.core.attachment import Attachment
    from tui.core.listing.history import SessionHistory
    from tui.core.listing.query import FailureGroup
    from tui.core.postprocess import PostProcessor
    from tui.core.request import DownloadRequest
    from tui.core.service import DashboardService, Subscription
    from tui.core.snapshot import EngineSnapshot
    from tui.ui.live_settings import LiveSettings
    from tui.ui.terminal.title import TerminalTitle

_CATCH_UP_S = 0.02
_SIGNAL_TURNS = 3
"""Turns of the loop from the arrival of a signal to its handler: one reads it from a
pipe, one runs the handler (uvloop 0.23)."""
_SHEETS_AFTER_S = 2.0
"""Delay before the style sheets of dialogs are read: a run that is over sooner, as one
of some thousand small files, needs none of them, and they take 10 ms."""
_IS_GONE = (NoMatches, NoScreen, NoWidget, ScreenStackError)
"""Errors of what looks for a widget or screen that has been removed."""
_SHEETS = Path(__file__).with_name("dialogs")
_HAS_NO_ANIMATIONS = os.environ.get("TEXTUAL_ANIMATIONS", "").lower() == "none"


class DashboardApp(GuardedApp[int]):
    """Shows the main screen and drops frames that the terminal cannot take."""

    TITLE = "fetchtui"
    # Textual does not read the style sheet of a default screen by itself.
    CSS_PATH: ClassVar[CSSPathType | None] = "main_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Bound to the application so that they work over dialogs as well.
        Binding("ctrl+c", "perform('interrupt')", show=False, priority=True),
        Binding("ctrl+q", "perform('quit')", show=False, priority=True),
    ]

    _has_theme = False
    """Whether the theme of this run has been set."""

    def __init__(
        self,
        service: DashboardService,
        requests: Sequence[DownloadRequest] = (),
        source_title: str = "",
        *,
        exit_when_done: bool = False,
        ui_state: UIState | None = None,
        chosen: DashboardSettings | None = None,
    ) -> None:
        """Show the downloads of ``service``.

        Args:
            service: the engine.
            requests: what to add once the first frame is drawn.
            source_title: name of the source, for the header.
            exit_when_done: quit when the last download has finished.
            ui_state: the look of the last run.
            chosen: dashboard settings from options and the settings file; they take
                precedence over ``ui_state``.
        """
        super().__init__()
        chosen = chosen or DashboardSettings()
        # No widget has a tooltip; Textual would mount one on each screen (8.2.8).
        self._disable_tooltips = True
        self.keymap = Keymap()
        self.keymap.apply(dict(chosen.keys))
        set_current(self.keymap)
        ui_state = ui_state or UIState()
        self._set_first_theme(chosen.theme or ui_state.theme)
        self.complaint = wrong_theme(chosen.theme)
        """What is wrong with settings that only the dashboard can check, or ""."""
        self._preset_theme = (self.theme, ui_state.theme) if chosen.theme else None
        """The theme set for this run, and the one that is kept for other runs."""
        self._ascii_filter = AsciiFilter(enabled=False)
        self._filters.append(self._ascii_filter)
        self.set_ascii(chosen.ascii)
        self.set_motion(is_on=chosen.motion)
        self.history: SessionHistory | None = None
        """The saved sessions; ``None`` for the demo."""
        self.is_switching = False
        """Whether another session is opened next."""
        self.columns: tuple[str, ...] = ()
        """Columns of the list; () for the usual ones."""
        self.main = MainScreen(
            self, service, requests, source_title, exit_when_done=exit_when_done
        )
        self.main.restore_ui_state(ui_state)
        use_units(chosen.units)
        self.set_columns(chosen.columns or ui_state.columns)
        self._preset_columns = (chosen.columns, ui_state.columns)
        """The columns set for this run, if any, and those that are kept for others."""
        self.main.start_message = self.complaint
        self.when_mounted: Callable[[], None] = _do_nothing
        """Called once the terminal accepts what the application writes."""
        self._is_stale = False
        self._suspended_at_s = 0.0
        self.settings: Resolved | None = None
        """All settings with their sources; ``None`` for the defaults."""
        self.terminal_title: TerminalTitle | None = None

    def get_default_screen(self) -> Screen[Any]:
        """Return the main screen."""
        return self.main

    # -- look and keys ---------------------------------------------------------------

    @property
    def is_ascii(self) -> bool:
        """Whether only ASCII characters are drawn."""
        return self._ascii_filter.enabled

    @is_ascii.setter
    def is_ascii(self, is_on: bool) -> None:
        self._ascii_filter.enabled = is_on
        if self._running:
            self.main.list.invalidate()
            self.refresh_css(animate=False)
            self.main.refresh_scheduler.refresh_all()

    def set_ascii(self, is_on: bool | None) -> None:
        """Draw in ASCII or not; ``None`` detects what the terminal can show."""
        self.is_ascii = wants_ascii() if is_on is None else is_on

    def set_theme(self, name: str) -> None:
        """Use a theme, or the default one if the name is unknown."""
        self.theme = name if name in THEMES else DEFAULT_THEME
        self.complaint = ""

    def _set_first_theme(self, name: str) -> None:
        self.set_theme(name)
        self._has_theme = True
        self.stylesheet.set_variables(self.get_css_variables())

    def get_css_variables(self) -> dict[str, str]:
        """Return the colors of the current theme for the style sheets."""
        if not self._has_theme:
            return {}  # Textual asks before there is a choice; mixing colors takes 1 ms
        theme = self.current_theme
        defaults = self.get_theme_variable_defaults()
        self.theme_variables = {**defaults, **colors_of(theme), **theme.variables}
        return self.theme_variables

    def refresh_css(self, animate: bool = True) -> None:
        """Apply the colors of a theme; nothing is to be done before the first screen.

        Textual would parse the style sheets with the colors of the first theme, and
        then parse them again when the screen is mounted (8.2.8).
        """
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def set_keys(self, overrides: Mapping[str, object]) -> None:
        """Bind other keys now."""
        self.keymap.apply(overrides)
        self.main.bind_keys()
        self.main.refresh_scheduler.refresh_all()
        for pane in self.main.query(Pane):
            pane.redraw()  # it may name a key

    @property
    def has_motion(self) -> bool:
        """Whether spinners are animated."""
        return self.animation_level != "none"

    def set_motion(self, *, is_on: bool) -> None:
        """Animate spinners or not."""
        self.animation_level = "full" if is_on and not _HAS_NO_ANIMATIONS else "none"

    @property
    def ui_state(self) -> UIState:
        """The look to keep for the next run."""
        theme = self.theme
        if self._preset_theme is not None and theme == self._preset_theme[0]:
            theme = self._preset_theme[1]  # not chosen in this run
        panes = dict(self.main.pane_layout.overrides)
        columns = self.columns
        if self._preset_columns[0] and columns == self._preset_columns[0]:
            columns = self._preset_columns[1]
        return UIState(theme, panes, columns)

    def set_columns(self, chosen: tuple[str, ...]) -> None:
        """Show these columns of the list, as far as they fit; () for the usual ones."""
        self.columns = chosen
        self.main.list.set_columns(chosen)
        self.main.heading.set_columns(chosen)

    def set_units(self, system: str) -> None:
        """Show sizes in decimal (``si``) or binary (``iec``) units."""
        use_units(system)
        if self._running:
            self.set_columns(self.columns)
            self.main.refresh_scheduler.refresh_all()

    def open_session(self, id: str) -> None:
        """Open a session of the history as soon as this dashboard has closed."""
        assert self.history is not None
        self.history.open_next(id)
        self.is_switching = True

    # -- actions ---------------------------------------------------------------------

    def perform(self, id: str) -> None:
        """Run an action, or show why it is disabled."""
        self.main.perform(id)

    def action_perform(self, id: str) -> None:
        """Run the action of a key."""
        self.perform(id)

    def set_concurrency(self, number: int) -> None:
        """Set the concurrency, as the palette asks for it."""
        self.main.actions.run.set_concurrency(number)
        self.refresh_now()

    def refresh_now(self) -> None:
        """Show changed totals now."""
        self.main.refresh_now()

    def live_settings(self) -> LiveSettings:
        """Return the settings, to show and change them."""
        from tui.ui.live_settings import AttachedSettings, LiveSettings

        service, attachment = self.main.service, self.main.attachment
        if attachment is None:
            return LiveSettings(self, service, self.settings, self.complaint)
        return AttachedSettings(
            self, service, self.settings, self.complaint, attachment
        )

    # -- the terminal ----------------------------------------------------------------

    @property
    def is_terminal_behind(self) -> bool:
        """Whether the terminal has not read the last frames yet."""
        return is_behind(self._driver)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Drop frames while the terminal is behind, then draw a whole one."""
        if self.is_terminal_behind or take_losses(self._driver):
            if not self._is_stale:
                self._is_stale = True
                self.set_timer(_CATCH_UP_S, self._catch_up)
            return
        with writing_together(self._driver):
            super()._display(screen, renderable)

    def _catch_up(self) -> None:
        if self.is_terminal_behind:
            self.set_timer(_CATCH_UP_S * 5, self._catch_up)
            return
        self._is_stale = False
        if self.screen_stack:  # empty while the application closes
            self.screen.refresh()

    async def on_event(self, event: Event) -> None:
        """Shorten a paste into an input line; drop input that comes too late."""
        if isinstance(event, Paste) and not is_too_late(self, event):
            focused = self.focused
            if isinstance(focused, Input):
                room = INPUT_LIMIT - len(focused.value)
                event.text = fit_input(event.text, room)
        await super().on_event(event)

    def on_paste_problem(self, problem: PasteProblem) -> None:
        """Say that a paste was cut, or how to end one without an end mark."""
        self.main.notify(
            "The paste has no end yet; press esc to end it"
            if problem.is_open
            else f"Only the first {LIMIT >> 20} MiB of the paste were kept",
            severity="warning",
        )

    def on_mount(self) -> None:
        """Show title and progress, and watch for suspensions."""
        self.terminal_title = title_for(self._driver)
        self.app_suspend_signal.subscribe(self, self._note_suspension, immediate=True)
        self.app_resume_signal.subscribe(self, self._report_suspension)
        self.set_timer(_SHEETS_AFTER_S, self._read_sheets)
        self.when_mounted()

    def _read_sheets(self) -> None:
        """Read the style sheets of the dialogs, one at a time.

        If a sheet is read only when its dialog opens, Textual parses all sheets again
        then, which blocks for 25 ms. What all dialogs share is read first, so that the
        rules of each dialog win over it.
        """
        shared = _SHEETS / "dialog.tcss"
        for path in (shared, *sorted(_SHEETS.glob("*.tcss"))):
            if not self.stylesheet.has_source(str(path)):
                self.stylesheet.read(path)
                self.stylesheet.parse()
                self.set_timer(_CATCH_UP_S, self._read_sheets)
                return

    @property
    def can_suspend(self) -> bool:
        """Whether a shell with job control started the program."""
        return self._driver is not None and self._driver.can_suspend

    def update_title(self, snapshot: EngineSnapshot) -> None:
        """Show title and progress in the terminal's window."""
        if self.terminal_title is not None and not self.is_terminal_behind:
            self.terminal_title.update(snapshot, snapshot.progress)

    def _note_suspension(self, _: object) -> None:
        self._suspended_at_s = time.monotonic()

    def _report_suspension(self, _: object) -> None:
        seconds = time.monotonic() - self._suspended_at_s
        self.main.service.note_suspension(seconds)
        if self.terminal_title is not None:
            self.terminal_title.invalidate()
        if self.main.exit_flow.is_attached:
            text = f"Back after {format_duration(seconds)}. Downloads continued."
        else:
            text = (
                f"Back after {format_duration(seconds)}. Downloads were suspended and"
                " have resumed."
            )
        self.main.notify(text)
        self.screen.refresh()

    def send(self, sequence: str) -> None:
        """Send a sequence that draws nothing: a bell, a desktop notification."""
        if self._driver is not None and not self.has_lost_terminal:
            self._driver.write(sequence)

    def stop(self) -> None:
        """Quit because of a signal; progress is saved."""
        self.main.exit_flow.resume_set_aside()
        self.exit(INTERRUPTED)

    @property
    def is_closing(self) -> bool:
        """Whether the application is about to close, or has begun to."""
        return self._exit or not self._running

    def _handle_exception(self, error: Exception) -> None:
        """Ignore failed look-ups of widgets while the application closes.

        Textual removes the widgets first, while timers, workers and waiting messages
        can still run and look for them (8.2.8).
        """
        cause = error.error if isinstance(error, WorkerFailed) else error
        if not (self.is_closing and isinstance(cause, _IS_GONE)):
            super()._handle_exception(error)


async def _print_summary(app: DashboardApp, service: DashboardService) -> None:
    now = service.snapshot()
    causes: list[FailureGroup] = []
    if now.counts[DownloadState.FAILED]:
        # A pass over all downloads, for which nobody should wait in vain.
        causes = await finish(service.by_cause_iter(DownloadQuery(View.FAILED)))
    actions = app.main.used_actions
    saved = None if actions is None else actions.export.path
    hint = app.main.exit_flow.hint
    width = max(COLUMNS, app.size.width)
    print_summary(summary_lines(now, causes, service.rows, saved, hint, width))


def _do_nothing() -> None:
    pass


async def _run(
    app: DashboardApp,
    loaded: UIState,
    post_processor: PostProcessor | None = None,
    is_interrupted: Callable[[], bool] = lambda: False,
) -> int | None:
    if post_processor is not None:
        # Not earlier: before there is a driver, ``send`` drops what it is given.
        app.when_mounted = partial(post_processor.use_terminal, app.send)
    # Textual never runs its watcher of a text selection on a screen that closes first,
    # and Python would print that into the terminal.
    warnings.filterwarnings("ignore", "coroutine 'Screen._watch_selections'")
    # A signal that came while the dashboard was loaded may still be in the loop: its
    # handler runs in one of the next turns, unless it is replaced before.
    for _ in range(_SIGNAL_TURNS):
        await asyncio.sleep(0)
    with StopSignals(asyncio.get_running_loop(), app.stop):
        if is_interrupted():
            return INTERRUPTED
        status = await app.run_async()
    if post_processor is not None:
        post_processor.use_terminal(None)
    if app.main.used_actions is not None:
        await app.main.used_actions.states.deletions.finish()
    if app.ui_state != loaded:
        # Leave no file behind if nothing was changed.
        await asyncio.to_thread(save_ui_state, ui_state_path(), app.ui_state)
    return status


async def run_dashboard(
    service: DashboardService,
    *,
    requests: Sequence[DownloadRequest],
    source_title: str,
    exit_when_done: bool,
    restore: Callable[[], Awaitable[str]] | None = None,
    expect: Callable[[int], None] | None = None,
    after_exit: AfterExit | None = None,
    history: SessionHistory | None = None,
    settings: Resolved | None = None,
    post_processor: PostProcessor | None = None,
    subscription: Subscription | None = None,
    is_interrupted: Callable[[], bool] = lambda: False,
) -> int:
    """Show the dashboard until the user quits, a signal arrives or all is done.

    Args:
        service: the engine; it is not closed here.
        requests: what to add once the first frame is drawn.
        source_title: name of the source, for the header.
        exit_when_done: quit when the last download has finished.
        restore: restores the last session, once the first frame is drawn; returns a
            message about it.
        expect: called with how many downloads the user adds, before the first of them.
        after_exit: what happens to the downloads after the dashboard has ended.
        history: the saved sessions; ``None`` if this run is not saved.
        settings: all settings with their sources; ``None`` for the defaults.
        post_processor: the post-processing, if any; the caller waits for it.
        subscription: has the events of earlier additions; ``None`` if there were none.
        is_interrupted: whether a signal came already; then the screen is not taken.

    Returns:
        The exit status: 0 all done, 1 at least one failed, 130 unfinished (saved).
    """
    ui_state, problem = await asyncio.to_thread(load_ui_state, ui_state_path())
    app = DashboardApp(
        service,
        requests,
        source_title,
        exit_when_done=exit_when_done,
        ui_state=ui_state,
        chosen=None if settings is None else settings.dashboard(),
    )
    app.settings = settings
    if subscription is not None:
        app.main.poller.listen_to(subscription)
    app.main.start_message = app.complaint or problem
    app.main.add_queue.restore, app.main.add_queue.expect = restore, expect
    app.main.exit_flow.after = after_exit or AfterExit()
    app.history = history
    status = await _run(app, ui_state, post_processor, is_interrupted)
    if is_interrupted():
        return INTERRUPTED
    if not (app.has_lost_terminal or app.is_switching):
        await _print_summary(app, service)
    detach_dead_streams()
    return exit_status(service.snapshot()) if status is None else status


async def run_attached(
    service: DashboardService,
    attachment: Attachment,
    *,
    settings: Resolved | None = None,
) -> int:
    """Show the downloads of another process until the user detaches.

    Args:
        service: the downloads; the connection is not closed here.
        attachment: the connection.
        settings: the settings of this terminal, of which the dashboard's are used.

    Returns:
        The exit status: 0, or 130 after a signal.
    """
    ui_state, problem = await asyncio.to_thread(load_ui_state, ui_state_path())
    app = DashboardApp(
        service,
        (),
        attachment_title(attachment),
        ui_state=ui_state,
        chosen=None if settings is None else settings.dashboard(),
    )
    app.settings = settings
    app.main.attach(attachment)
    app.main.start_message = app.complaint or problem
    status = await _run(app, ui_state)
    if not app.has_lost_terminal:
        print_summary([detached_text(attachment, service.snapshot())])
    detach_dead_streams()
    return 0 if status is None else status

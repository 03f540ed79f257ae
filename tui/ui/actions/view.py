"""What keys do to what is shown: views, order, filter, panes, cursor, dialogs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from textual.command import CommandPalette

from tui.core.listing.query import SortKey, View
from tui.ui.actions.palette import ActionProvider
from tui.ui.dialogs.choice import ThemeScreen
from tui.ui.dialogs.help import HelpScreen
from tui.ui.dialogs.settings import SettingsScreen
from tui.ui.keys.keymap import current, key_of
from tui.ui.live_settings import LiveSettings
from tui.ui.style.theme import THEMES

if TYPE_CHECKING:
    from tui.core.listing.query import DownloadQuery
    from tui.ui.main_screen import MainScreen


class ViewActions:
    """Handlers of ``actions.Group.VIEW``, ``MOVE`` and ``APP``."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen that shows things."""
        self._screen = screen
        self._list = screen.list

    # -- views and order -------------------------------------------------------------

    def view_all(self) -> None:
        """Every download."""
        self._view(View.ALL)

    def view_active(self) -> None:
        """Those in flight or about to be tried again."""
        self._view(View.ACTIVE)

    def view_queued(self) -> None:
        """Those that wait their turn."""
        self._view(View.QUEUED)

    def view_done(self) -> None:
        """The finished ones."""
        self._view(View.DONE)

    def view_failed(self) -> None:
        """Those that failed or were cancelled."""
        self._view(View.FAILED)

    def view_paused(self) -> None:
        """Those that a person paused."""
        self._view(View.PAUSED)

    def _view(self, view: View) -> None:
        self._show(self._list.model.query._replace(view=view))

    def _show(self, query: DownloadQuery) -> None:
        """List what another view, order or filter asks for."""
        self._list.set_query(query)
        self._screen.heading.show(query)
        self._screen.show_search()

    def sort(self) -> None:
        """The next order."""
        keys = list(SortKey)
        now = self._list.model.query.sort
        self.sort_by(keys[(keys.index(now) + 1) % len(keys)])

    def sort_by(self, key: SortKey) -> None:
        """Order by a key; the same key again turns the order round."""
        query = self._list.model.query
        if query.sort is key:
            query = query._replace(is_reversed=not query.is_reversed)
        else:
            query = query._replace(sort=key, is_reversed=False)
        self._show(query)

    def sort_reverse(self) -> None:
        """The order turned round."""
        query = self._list.model.query
        self._show(query._replace(is_reversed=not query.is_reversed))

    def filter(self) -> None:
        """Start typing a filter."""
        self._screen.filter_bar.open(self._list.model.query.text)

    def escape(self) -> None:
        """Peel off one layer: typing, the zoomed pane, the filter, the marks."""
        screen = self._screen
        if screen.filter_bar.is_open:
            screen.filter_bar.close()
            self.set_filter("")
        elif screen.board.zoomed:
            screen.board.zoom()
            screen.arrange_panes()
        elif self._list.model.query.text:
            self.set_filter("")
        elif self._list.model.marks:
            self._list.model.marks.clear()
            self._list.update_rows()
        self._list.focus()

    def set_filter(self, text: str) -> None:
        """List only what passes this filter."""
        query = self._list.model.query
        if text != query.text:
            self._show(query._replace(text=text))

    def tell_trouble(self) -> None:
        """Say what is wrong with the filter, if anything is."""
        model = self._list.model
        if model.trouble and not model.is_searching:
            if self._screen.filter_bar.is_open:
                self._screen.filter_bar.show_error(model.trouble)
            else:
                self._screen.tell(model.trouble, severity="warning")

    def follow(self) -> None:
        """Keep the cursor on what is being downloaded, or let it be."""
        if self._screen.following.toggle():
            self._screen.tell(
                "FollowMode what is active;"
                f" {key_of('follow')} or a move of yours ends it"
            )
        else:
            self._screen.tell("The cursor stays where it is")

    def freeze(self) -> None:
        """Let the list stand still, or move again."""
        painter = self._screen.painter
        painter.is_frozen = not painter.is_frozen
        if painter.is_frozen:
            self._screen.tell(
                f"The list stands still; downloads go on. {key_of('freeze')} ends it"
            )
        else:
            self._list.refresh_order()
            self._screen.tell("The list moves again")

    # -- panes -----------------------------------------------------------------------

    def disk(self) -> None:
        """The disk pane."""
        self._toggle("disk")

    def graph(self) -> None:
        """The throughput graph."""
        self._toggle("graph")

    def log(self) -> None:
        """The log."""
        self._toggle("log")

    def _toggle(self, pane: str) -> None:
        self._screen.board.toggle(pane, self._screen.room)
        self._screen.arrange_panes()

    def hosts(self) -> None:
        """The hosts; their keys act on them while they have the focus."""
        self._toggle("hosts")
        screen = self._screen
        (screen.hosts if screen.hosts.display else self._list).focus()

    def zoom(self) -> None:
        """The last pane, as large as it gets."""
        self._screen.board.zoom()
        self._screen.arrange_panes()

    # -- moving about ----------------------------------------------------------------

    def cursor_up(self) -> None:
        """One line up."""
        self._list.move_cursor(-1)

    def cursor_down(self) -> None:
        """One line down."""
        self._list.move_cursor(+1)

    def page_up(self) -> None:
        """One page up."""
        self._list.move_page(-1)

    def page_down(self) -> None:
        """One page down."""
        self._list.move_page(+1)

    def top(self) -> None:
        """To the first line."""
        self._list.put_cursor(0)

    def bottom(self) -> None:
        """To the last line."""
        self._list.put_cursor(len(self._list.model.ids) - 1)

    # -- the dashboard ---------------------------------------------------------------

    def help(self) -> None:
        """All keys; what is chosen there is run."""

        def run(chosen: str | None) -> None:
            if chosen is not None:
                self._screen.run_named(chosen)

        self._screen.app.push_screen(HelpScreen(current().actions), run)

    def palette(self) -> None:
        """Every action by name."""
        palette = CommandPalette(
            providers=[ActionProvider], placeholder="What to do, or a number…"
        )
        self._screen.app.push_screen(palette)

    def theme(self) -> None:
        """Other colours, shown while they are chosen."""
        app = self._screen.app
        app.push_screen(ThemeScreen(THEMES, app.theme))

    def settings(self) -> None:
        """Everything that can be set."""
        app = self._screen.app
        live = LiveSettings(app, app.given)  # type: ignore[arg-type,attr-defined]
        app.push_screen(SettingsScreen(live))

    def screenshot(self) -> None:
        """Save the screen as SVG in the output directory."""
        self._screen.run_worker(self._save_picture(), group="picture")

    async def _save_picture(self) -> None:
        screen = self._screen
        svg = screen.app.export_screenshot(title="fetchtui")
        folder = Path(screen.bridge.snapshot.output_dir)
        path = folder / time.strftime("fetchtui-%Y%m%d-%H%M%S.svg")
        try:
            await asyncio.to_thread(path.write_text, svg, "utf-8")
        except OSError as error:
            screen.tell(f"No picture: {error.strerror or error}", severity="error")
        else:
            screen.tell(f"Saved {path}")

    def suspend(self) -> None:
        """Give the terminal back to the shell until ``fg``."""
        if self._screen.app.can_suspend:  # type: ignore[attr-defined]
            self._screen.app.action_suspend_process()
        else:
            self._screen.tell("There is no shell to go back to", severity="warning")

    def quit(self) -> None:
        """Leave, after asking if something runs."""
        self._screen.leaving.ask()

    def interrupt(self) -> None:
        """Ask like ``q``; the second time leave at once."""
        self._screen.leaving.interrupt()

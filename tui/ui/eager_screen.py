"""A screen that is drawn as early, and as seldom, as Textual allows.

What is here reaches into Textual, whose version is fixed for it: how often it lays out
and draws the first frame, and how long it takes from a key press to the terminal.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.screen import UPDATE_PERIOD, Screen
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.geometry import Size
    from textual.messages import Layout, Update


class EagerScreen(Screen[None]):
    """The base of the main screen."""

    _has_early_requests = False
    """Whether messages are in the queue that ask for what the first frame shows."""
    _drawn_at_s = 0.0
    """When a key was drawn at once for the last time (monotonic seconds)."""

    # -- the first frame -------------------------------------------------------------

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Keep the styles that the widgets got a moment ago, when they were mounted."""
        if not self.outer_size:
            event.refresh_styles = False
            self.call_next(self._drop_early_requests)

    def _drop_early_requests(self) -> None:
        """Drop requests to lay out and to draw that the first frame has met.

        Widgets make them when they are mounted and when they get their sizes. Textual
        would lay out the screen again and draw all of it twice, at the next tick of its
        clock (8.2.8), and nothing would be added before that.
        """
        if not self.outer_size or self.app._batch_count:
            return  # it is not drawn yet
        if any(
            child.show_vertical_scrollbar and not child.vertical_scrollbar.size
            for child in self.children
        ):
            return  # the bar is placed only by another layout
        for widget in (self, *self.walk_children(Widget)):
            widget._layout_required = False
            widget._scroll_required = False
            widget._repaint_required = False
        self._dirty_widgets.clear()
        self._has_early_requests = True
        self.call_later(self._take_requests)  # behind those that are in the queue

    def _take_requests(self) -> None:
        self._has_early_requests = False

    def on_layout(self, message: Layout) -> None:
        """Ignore a request that the first frame has met."""
        if self._has_early_requests:
            message.prevent_default()

    def on_update(self, message: Update) -> None:
        """Ignore a request that the first frame has met."""
        if self._has_early_requests:
            message.prevent_default()

    def _screen_resized(self, size: Size) -> None:
        """Do nothing if the size is the same.

        At the start, Textual sends the size three times and would lay out and draw the
        screen each time (8.2.8).
        """
        if size != self.outer_size:
            super()._screen_resized(size)

    # -- keys ------------------------------------------------------------------------

    def draw_now(self, widgets: Sequence[Widget]) -> None:
        """Draw what a key has changed, if that moves and scrolls no widget.

        Textual passes it on as messages first, one of them through the queue of each
        widget and of the screen (8.2.8). That takes some turns of the loop, which are
        long while hundreds of connections are busy.

        Args:
            widgets: those that a key may have changed.
        """
        now_s = time.monotonic()
        if now_s - self._drawn_at_s < UPDATE_PERIOD:
            return  # keys that arrive together are drawn together
        if any(
            one._layout_required or one._scroll_required for one in (self, *widgets)
        ):
            return
        self._drawn_at_s = now_s
        visible = self._compositor.visible_widgets
        for widget in widgets:
            if widget._repaint_required and widget in visible:
                widget._repaint_required = False
                self._dirty_widgets.add(widget)
        self._on_timer_update()

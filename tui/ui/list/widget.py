"""The list widget: its cost depends on the visible rows only.

A ``ScrollView`` that draws lines itself. Each tick asks the service for the visible
rows and repaints those whose text changed. With 100,000 rows, Textual's own tables
needed 147 ms per frame; this widget needs less than 5 ms.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.core.listing.query import DownloadQuery, SortKey
from tui.ui.list.empty import empty_lines
from tui.ui.list.model import FinishedGroup, ListModel
from tui.ui.list.rows import PREFIX, Piece, RowWriter, changed_spans, columns_for
from tui.ui.panes.pane import bare_lines, drawn_line
from tui.ui.style.format import cells, fit, wrap
from tui.ui.style.theme import palette_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual import events
    from textual.worker import Worker

    from tui.core.download import DownloadId
    from tui.core.service import DashboardService
    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot

_WHEEL_ROWS = 3
_CURSOR = 1
"""Cells before the pieces of a row."""


_SEARCH_PAUSE_S = 0.004
"""Between two slices of a search: a key needs several loop iterations to be shown."""


class DownloadList(ScrollView, can_focus=True):
    """The rows, the cursor and the scrolling."""

    DEFAULT_CSS = """
    DownloadList {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        background: transparent;
    }
    """
    ALLOW_SELECT = False

    class Opened(Message):
        """The line under the cursor, a row or a heading, was double-clicked."""

    class Searched(Message):
        """A search by a key takes long or is complete, or the list is now empty."""

    class MarkPressed(Message):
        """The mark column of the cursor's row was clicked."""

    def __init__(self, service: DashboardService, **options: Any) -> None:
        """List the downloads of ``service``."""
        super().__init__(**options)
        self._service = service
        self.model = ListModel(
            service.select_iter,
            by_cause=service.by_cause_iter,
            by_activity=service.by_activity_iter,
        )
        self.model.query = DownloadQuery(sort=SortKey.ACTIVITY)
        self._writer = RowWriter(service, self.model)
        self._drawn: dict[DownloadId, tuple[Piece, ...]] = {}
        self._shown: tuple[int, int, list[int]] = (-1, -1, [])
        """First line, cursor and ids of the last complete redraw."""
        self._strips: dict[DownloadId, tuple[tuple[object, ...], Strip]] = {}
        self._background = Style()
        self._styles: dict[tuple[bool, bool], Mapping[str, Style]] = {}
        """Styles of rows: below the cursor or not, while the list has the focus."""
        self._columns: tuple[str, ...] = ()
        self._fitted = 0
        """The width that the columns were chosen for."""
        self._empty_lines: list[str] = []

    # -- content ---------------------------------------------------------------------

    def tick(
        self, snapshot: EngineSnapshot, *, is_moving: bool, is_flood: bool = False
    ) -> None:
        """Update the list from the engine: new rows, and changes in visible ones.

        Args:
            snapshot: of the engine.
            is_moving: whether a download is active.
            is_flood: whether rows change faster than they can be read.
        """
        self._writer.tick(is_moving=is_moving)
        anchor = self._anchor()
        was_searching = self.model.is_searching
        revision, total = snapshot.revision, snapshot.total
        if self.model.refresh(revision, total, is_flood=is_flood):
            self._show_ids(anchor)
        elif self.model.is_searching and not was_searching:
            self._start_search()
        self.update_rows()

    def set_query(self, query: DownloadQuery) -> None:
        """Show another view, filter or order as soon as the search is complete."""
        if self.model.set_query(query):
            self._show_ids(None)
            self._show_found()
            self.update_rows()
        else:
            self._start_search()

    def _start_search(self) -> None:
        """Continue the search beside keys and frames, replacing an earlier one."""
        # mypy infers the type of the result from here.
        _: Worker[None] = self.run_worker(self._search, group="search", exclusive=True)

    async def _search(self) -> None:
        model = self.model
        is_reported = False
        while model.is_searching:
            await asyncio.sleep(_SEARCH_PAUSE_S)
            is_over = self._continue_search()
            if model.is_asked and (is_over or (model.is_late and not is_reported)):
                is_reported = True
                self.post_message(self.Searched())

    def _continue_search(self) -> bool:
        """Search one more slice; once it is complete, show the result."""
        anchor = None if self.model.is_asked else self._anchor()
        is_over = self.model.work()
        if is_over:
            self._show_ids(anchor)
            if self.model.is_asked:
                self._show_found()
        return is_over

    def _show_found(self) -> None:
        """Show the cursor in the result of a search, and the start of its group."""
        if isinstance(self.model.cursor_group, FinishedGroup):
            self._scroll_to_third(self.model.cursor)
        else:
            self.show_cursor()

    @property
    def cursor_row(self) -> DownloadSnapshot | None:
        """Current snapshot of the download under the cursor."""
        id = self.model.cursor_id
        return None if id is None else next(iter(self._service.rows([id])), None)

    def _anchor(self) -> tuple[DownloadId, int] | None:
        """Return the download that keeps its line on the screen, and that line.

        This is the one under the cursor if it is visible, or else the top one.
        """
        ids = self.model.ids
        top = self.scroll_offset.y
        if not ids:
            return None
        index = self.model.cursor
        if not top <= index < top + self.size.height:
            index = min(top, len(ids) - 1)
        return ids[index], index - top

    def _show_ids(self, anchor: tuple[DownloadId, int] | None) -> None:
        """Show the model's new ids without moving the anchor's line."""
        ids = self.model.ids
        if not ids:
            self.post_message(self.Searched())  # the explanation may be another one now
        size = Size(self._width, len(ids))
        if size != self.virtual_size:
            # Assigning it would ask for a layout of the whole screen, but the number of
            # rows changes nothing outside this widget.
            self.set_reactive(Widget.virtual_size, size)
            if self._fitted:
                self._scroll_update(size)
        if not self.model.is_placed and self.model.cursor == 0:
            self.scroll_to(y=0, animate=False)
        elif anchor is not None:
            id, line = anchor
            index = self.model.cursor
            if self.model.cursor_id != id:
                index = self.model.line_of(id, index)
            self.scroll_to(y=max(0, index - line), animate=False)
        shown = (self.scroll_offset.y, self.model.cursor, self._visible_ids())
        if shown != self._shown:
            self._shown = shown
            self._drawn.clear()
            self.refresh()

    def _visible_ids(self) -> list[DownloadId]:
        top = self.scroll_offset.y
        return self.model.ids[top : top + self.size.height]

    def update_rows(self) -> None:
        """Get the visible rows and repaint those whose text changed."""
        ids = self._visible_ids()
        if not ids or not self.is_attached:
            return
        width = self._width
        drawn = self._write(ids)
        dirty = []
        for y, id in enumerate(ids):
            before, after = self._drawn.get(id), drawn.get(id, ())
            if not before or not after:
                dirty.append(Region(0, y, width, 1))
            elif before != after:
                spans = changed_spans(before, after)
                dirty += [Region(_CURSOR + x, y, span, 1) for x, span in spans]
        self._drawn = drawn
        if len(self._strips) > 8 * len(ids):
            self._strips = {id: self._strips[id] for id in ids if id in self._strips}
        if dirty:
            self.refresh(*dirty)

    def refresh_order(self) -> None:
        """Sort and write the rows immediately, after a key changed them."""
        self._writer.invalidate_all()
        self.set_query(self.model.query)

    def repaint(self, ids: Iterable[DownloadId]) -> None:
        """Show the new state of some downloads immediately, before the next tick."""
        self._writer.invalidate(ids)
        self.update_rows()

    def _write(self, ids: list[int]) -> dict[int, tuple[Piece, ...]]:
        self._writer.is_still = self.app.animation_level == "none"
        self._writer.is_ascii = self.is_ascii
        return self._writer.write(ids)

    @property
    def _width(self) -> int:
        """Width of a row: the widget without its scroll bar."""
        return self.scrollable_content_region.width

    @property
    def is_ascii(self) -> bool:
        """Whether the dashboard is drawn with characters below 0x80 only."""
        return bool(getattr(self.app, "is_ascii", False))

    # -- drawing ---------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines; a row has all of its styles, and Textual adds none."""
        strips = [self._kept_line(y) or self.render_line(y) for y in crop.line_range]
        return bare_lines(self, crop, strips)

    def _kept_line(self, y: int) -> Strip | None:
        """Return a line as it was drawn last, if its text and look are still those."""
        index = y + self.scroll_offset.y
        ids = self.model.ids
        if index >= len(ids):
            return None
        kept = self._strips.get(ids[index])
        pieces = self._drawn.get(ids[index])
        if kept is None or pieces is None or kept[0] != self._key(pieces, index):
            return None
        return kept[1]

    def _key(
        self, pieces: tuple[Piece, ...], index: int
    ) -> tuple[tuple[Piece, ...], bool, bool, int]:
        """Return what a row looks like; rows with equal keys have equal strips."""
        is_cursor = index == self.model.cursor
        # Not ``_width``, which takes as long as drawing the row.
        return pieces, is_cursor, is_cursor and self.has_focus, self._fitted

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        index = y + self.scroll_offset.y
        ids = self.model.ids
        if index >= len(ids):
            return self._blank(y)
        id = ids[index]
        pieces = self._drawn.get(id)
        if pieces is None:
            self._drawn = {**self._write(self._visible_ids()), **self._drawn}
            pieces = self._drawn.get(id, ())  # none after a change of the process
        key = self._key(pieces, index)
        styles = self._row_styles(*key[1:3])
        mark = " " if index != self.model.cursor else ">" if self.is_ascii else "▌"
        segments = [Segment(mark, styles["key"])]
        segments += [Segment(text, styles[style]) for text, style in pieces]
        row = Strip(segments).adjust_cell_length(self._fitted, styles[""])
        # Beside a row there is a column for the scroll bar.
        strip = drawn_line(row, self.outer_size.width, self._background)
        self._strips[id] = (key, strip)
        return strip

    def _row_styles(self, is_cursor: bool, has_focus: bool) -> Mapping[str, Style]:
        """Return the styles of a row by their names in the palette; "" for no text."""
        if (is_cursor, has_focus) not in self._styles:
            palette = palette_of(self.app)
            base = self._background
            if is_cursor:
                base += palette.cursor if has_focus else palette.cursor_blurred
            styles = {name: base + style for name, style in palette.items()}
            self._styles[is_cursor, has_focus] = {"": base, **styles}
        return self._styles[is_cursor, has_focus]

    def explain_if_empty(self, *, is_loading: bool) -> None:
        """Update the text of an empty list: no match, nothing yet, or loading."""
        snapshot = self._service.snapshot()
        if self.model.is_late:
            self._empty_lines = ["Searching…"]
        elif not self.model.is_searching:
            # Until the order of a long list is known, there are no rows to show.
            is_loading |= snapshot.total > 0
            self._empty_lines = empty_lines(
                self.model.query, snapshot.output_dir, is_loading=is_loading
            )
        self.refresh()

    def _blank(self, y: int) -> Strip:
        """Return a blank line, or in an empty list a line of its explanation."""
        width, full_width = self._width, self.outer_size.width
        if self.model.ids:
            return Strip.blank(full_width, self._background)
        palette = palette_of(self.app)
        lines = [
            text
            for line in self._empty_lines
            for text in (wrap(line, width - 2) or [""])
        ]
        first = max(0, (self.size.height - len(lines)) // 2)
        if not 0 <= y - first < len(lines):
            return Strip.blank(full_width, self._background)
        text = lines[y - first]
        indent = max(0, (width - cells(text)) // 2)
        style = self._background + (palette.strong if y == first else palette.dim)
        segment = Segment(fit(" " * indent + text, width), style)
        return drawn_line([segment], full_width, self._background)

    # -- navigation ------------------------------------------------------------------

    def move_cursor(self, by: int) -> None:
        """Move the cursor by lines."""
        self.put_cursor(self.model.cursor + by)

    def move_page(self, direction: int) -> None:
        """Move the cursor by a page."""
        self.move_cursor(direction * max(1, self.size.height - 1))

    def put_cursor(self, index: int) -> None:
        """Move the cursor to a line and scroll it into view."""
        before = self.model.cursor
        self.model.move_to(index)
        self._refresh_lines(before, self.model.cursor)
        self.show_cursor()

    def lead_cursor(self, index: int) -> None:
        """Move the cursor for the user, to the upper third of the list."""
        before = self.model.cursor
        self.model.move_to(index, is_key=False)
        self._refresh_lines(before, self.model.cursor)
        self._scroll_to_third(self.model.cursor)

    def show_cursor(self) -> None:
        """Scroll as little as needed to show the cursor."""
        top, height = self.scroll_offset.y, self.size.height
        index = self.model.cursor
        if index < top:
            self._scroll_rows(index)
        elif index >= top + height > 0:
            self._scroll_rows(index - height + 1)

    def _scroll_to_third(self, index: int) -> None:
        self._scroll_rows(max(0, index - self.size.height // 3))

    def _scroll_rows(self, top: int) -> None:
        self.scroll_to(y=top, animate=False)
        self.update_rows()

    def _refresh_lines(self, *indices: int) -> None:
        top = self.scroll_offset.y
        width = self._width
        self.refresh(*(Region(0, index - top, width, 1) for index in {*indices}))

    def _keep_cursor_in_view(self) -> None:
        """Move the cursor when scrolling: a key must never act on a hidden row."""
        top, height = self.scroll_offset.y, self.size.height
        before = self.model.cursor
        index = max(top, min(before, top + height - 1))
        if height > 0 and index != before and self.model.ids:
            self.model.move_to(index)
            self._refresh_lines(before, self.model.cursor)

    # -- Textual's events ------------------------------------------------------------

    def on_mount(self) -> None:
        """Redraw when the theme changes: strips contain its colors."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.invalidate())

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        """Choose the columns at once: the event comes after the first frame."""
        is_changed = super()._size_updated(size, virtual_size, container_size, layout)
        if self._width != self._fitted:
            self._fitted = self._width
            self._writer.columns = columns_for(self._width, self._columns)
            self.set_reactive(
                Widget.virtual_size, Size(self._width, len(self.model.ids))
            )
            self._forget_rows()
        return is_changed

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.model.resize(self.size.height)
        self.show_cursor()

    def set_columns(self, chosen: tuple[str, ...]) -> None:
        """Show these columns, if they fit; an empty tuple for the usual ones."""
        self._columns = chosen
        self._writer.columns = columns_for(self._width, chosen)
        self.invalidate()

    def invalidate(self) -> None:
        """Redraw everything: colors, glyphs or widths changed."""
        self._forget_rows()
        self.refresh()

    def _forget_rows(self) -> None:
        self._background = Style(bgcolor=self.background_colors[1].rich_color)
        self._styles.clear()
        self._drawn.clear()
        self._strips.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Keep the cursor visible, however the list was scrolled."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._keep_cursor_in_view()

    def on_focus(self) -> None:
        """Highlight the cursor."""
        self._refresh_lines(self.model.cursor)

    def on_blur(self) -> None:
        """Dim the cursor."""
        self._refresh_lines(self.model.cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll three rows without animation."""
        event.stop()
        event.prevent_default()
        self._scroll_rows(self.scroll_offset.y + _WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll three rows without animation."""
        event.stop()
        event.prevent_default()
        self._scroll_rows(self.scroll_offset.y - _WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; a double click opens its details."""
        index = event.y + self.scroll_offset.y
        if index < len(self.model.ids):
            self.put_cursor(index)
            if event.x < PREFIX:
                self.post_message(self.MarkPressed())
            elif event.chain == 2:
                self.post_message(self.Opened())

"""Actions on the view: filter, sort order, panes, cursor and marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.listing.query import SortKey, View
from tui.ui.keys.keymap import key_of
from tui.ui.style.sorting import reversed_order, sorted_by

if TYPE_CHECKING:
    from tui.core.listing.query import DownloadQuery
    from tui.ui.actions.context import ActionContext


class ViewActions:
    """Handlers of ``Group.VIEW`` and ``Group.MOVE``."""

    def __init__(self, context: ActionContext) -> None:
        """Change what the context shows."""
        self._context = context
        self._list = context.list

    # -- views, sort order and filter ------------------------------------------------

    def view_all(self) -> None:
        """List all downloads."""
        self._view(View.ALL)

    def view_active(self) -> None:
        """List active downloads, and those that wait for a retry."""
        self._view(View.ACTIVE)

    def view_queued(self) -> None:
        """List queued downloads."""
        self._view(View.QUEUED)

    def view_done(self) -> None:
        """List finished downloads."""
        self._view(View.DONE)

    def view_failed(self) -> None:
        """List failed downloads."""
        self._view(View.FAILED)

    def view_cancelled(self) -> None:
        """List cancelled downloads."""
        self._view(View.CANCELLED)

    def view_paused(self) -> None:
        """List paused downloads."""
        self._view(View.PAUSED)

    def _view(self, view: View) -> None:
        self._show(self._list.model.query._replace(view=view))

    def _show(self, query: DownloadQuery) -> None:
        self._list.set_query(query)
        self._context.show_query(query)

    def sort(self) -> None:
        """Choose what to sort by from a menu."""
        from tui.ui.dialogs.choice import SortScreen

        def chosen(sort: SortKey | None) -> None:
            if sort is not None:
                self.sort_by(sort)

        self._context.ask(SortScreen(self._list.model.query), chosen)

    def sort_by(self, key: SortKey) -> None:
        """Sort by a column, or reverse the order if it is sorted by that already."""
        self._show(sorted_by(self._list.model.query, key))

    def sort_reverse(self) -> None:
        """Reverse the sort order."""
        query = self._list.model.query
        if query.sort is SortKey.ACTIVITY:
            self._context.notify(
                "The order by activity cannot be reversed."
                f" {key_of('sort')} to sort by a column",
                severity="warning",
            )
        else:
            self._show(reversed_order(query))

    def list_order(self) -> None:
        """Switch between the order by activity and the order of the list."""
        query = self._list.model.query
        is_listed = query.sort is SortKey.ADDED and not query.is_reversed
        sort = SortKey.ACTIVITY if is_listed else SortKey.ADDED
        self._show(query._replace(sort=sort, is_reversed=False))

    def columns(self) -> None:
        """Choose the columns of the list."""
        from tui.ui.dialogs.choice import ColumnsScreen

        application = self._context.application

        def chosen(columns: tuple[str, ...] | None) -> None:
            if columns is not None:
                application.set_columns(columns)

        self._context.ask(ColumnsScreen(application.columns), chosen)

    def fold_done(self) -> None:
        """Show or hide finished downloads in the order by activity."""
        model = self._list.model
        query = model.query
        if query.view is not View.ALL or query.sort is not SortKey.ACTIVITY:
            query = query._replace(
                view=View.ALL, sort=SortKey.ACTIVITY, is_reversed=False
            )
            model.open_done()
        elif model.fold_done():
            model.is_placed = False  # back to what runs
        self._show(query)

    def filter(self) -> None:
        """Open the filter field."""
        self._context.filter_bar.open(self._list.model.query.text)

    def escape(self) -> None:
        """Undo one layer: the open field, the zoomed pane, the filter, the marks.

        Last of all, the wish to quit when running downloads have ended.
        """
        context = self._context
        if context.filter_bar.is_open:
            context.filter_bar.close()
            self.set_filter("")
        elif context.pane_layout.zoomed:
            context.pane_layout.zoom()
            context.arrange_panes()
        elif self._list.model.query.text:
            self.set_filter("")
        elif self._list.model.marks:
            self._list.model.marks.clear()
            self._list.update_rows()
        elif context.exit_flow.is_finishing:
            context.exit_flow.stay()
        self._list.focus()

    def set_filter(self, text: str) -> None:
        """List only the downloads that match a filter."""
        query = self._list.model.query
        if text != query.text:
            self._show(query._replace(text=text))

    def show_filter_error(self) -> None:
        """Show what is wrong with the filter, if anything."""
        model = self._list.model
        if not model.error or model.is_searching:
            return
        if self._context.filter_bar.is_open:
            self._context.filter_bar.show_error(model.error)
        else:
            self._context.notify(model.error, severity="warning")

    def follow(self) -> None:
        """Toggle follow mode."""
        if self._context.follow_mode.toggle():
            self._context.notify(
                f"Following active downloads ({key_of('follow')} or any cursor key"
                " stops)"
            )
        else:
            self._context.notify("No longer following active downloads")

    def freeze(self) -> None:
        """Freeze or unfreeze the list."""
        scheduler = self._context.refresh_scheduler
        scheduler.is_frozen = not scheduler.is_frozen
        if scheduler.is_frozen:
            self._context.notify(
                "List frozen (downloads continue)."
                f" Press {key_of('freeze')} to unfreeze."
            )
        else:
            self._list.refresh_order()
            self._context.notify("List unfrozen")

    # -- panes -----------------------------------------------------------------------

    def disk(self) -> None:
        """Toggle the disk pane."""
        self._toggle("disk")

    def graph(self) -> None:
        """Toggle the throughput graph."""
        self._toggle("graph")

    def log(self) -> None:
        """Toggle the log."""
        self._toggle("log")

    def _toggle(self, pane: str) -> None:
        self._context.pane_layout.toggle(pane, self._context.breakpoint)
        self._context.arrange_panes()

    def hosts(self) -> None:
        """Toggle the hosts; they have the focus while they are visible."""
        self._toggle("hosts")
        hosts = self._context.hosts
        if hosts.display:
            hosts.focus()
        else:
            self._list.focus()

    def zoom(self) -> None:
        """Zoom the last used pane, or return to the list."""
        self._context.pane_layout.zoom()
        self._context.arrange_panes()

    # -- navigation ------------------------------------------------------------------

    def cursor_up(self) -> None:
        """Move up by one row."""
        self._list.move_cursor(-1)

    def cursor_down(self) -> None:
        """Move down by one row."""
        self._list.move_cursor(+1)

    def page_up(self) -> None:
        """Move up by one page."""
        self._list.move_page(-1)

    def page_down(self) -> None:
        """Move down by one page."""
        self._list.move_page(+1)

    def top(self) -> None:
        """Move to the first row."""
        self._list.put_cursor(0)

    def bottom(self) -> None:
        """Move to the last row."""
        self._list.put_cursor(len(self._list.model.ids) - 1)


class SelectionActions:
    """Handlers of ``Group.MARK``."""

    def __init__(self, context: ActionContext) -> None:
        """Change the marks of the context's list."""
        self._context = context
        self._list = context.list
        self._model = context.list.model

    def mark(self) -> None:
        """Toggle the mark of the row and move to the next one."""
        self.toggle()
        self._list.move_cursor(+1)

    def toggle(self) -> None:
        """Toggle the mark of the row under the cursor, or of its group."""
        self._model.marks.toggle(self._model.at_cursor)
        self._list.update_rows()

    def mark_range(self) -> None:
        """Mark all rows from the last marked one to the cursor."""
        self._model.mark_to_cursor()
        self._list.update_rows()

    def mark_all(self) -> None:
        """Mark all listed rows, or unmark them if all of them are marked."""
        if self._model.is_searching and self._model.is_asked:
            # The list still shows the result of the previous filter.
            self._context.notify("Still searching; try again when it is done")
            return
        self._model.marks.toggle(self._model.listed)
        self._list.update_rows()

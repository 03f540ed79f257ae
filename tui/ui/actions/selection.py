"""Actions that mark downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.ui.actions.context import ActionContext


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

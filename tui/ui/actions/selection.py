"""What keys do to marks; one method an action."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.ui.main_screen import MainScreen


class MarkActions:
    """Handlers of ``actions.Group.MARK``."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen whose list has the marks."""
        self._screen = screen
        self._list = screen.list
        self._model = screen.list.model

    def mark(self) -> None:
        """Mark the row or take its mark away, and go on to the next."""
        self.toggle()
        self._list.move_cursor(+1)

    def toggle(self) -> None:
        """Mark the row under the cursor, or its group; or take the marks away."""
        self._model.marks.toggle(self._model.at_cursor)
        self._list.update_rows()

    def mark_range(self) -> None:
        """Mark all from the one marked last to the cursor."""
        self._model.mark_to_cursor()
        self._list.update_rows()

    def mark_all(self) -> None:
        """Mark all that the view and the filter show; again, none of them."""
        if self._model.is_searching and self._model.is_asked:
            # What is listed is not yet what the filter on the screen says.
            self._screen.tell("Still searching; mark all when it is over")
            return
        self._model.marks.toggle(self._model.listed)
        self._list.update_rows()

"""What keys do to the download under the cursor; one method an action.

Each calls the service in the same turn of the loop in which the key arrived, then
paints the row, so the answer is on the screen with the next frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.plain_text import plain, plain_url
from tui.core.service import Move
from tui.core.settings import MAX_SEGMENTS
from tui.ui.opener import open_path
from tui.ui.screens.detail import DetailScreen
from tui.ui.url_edit import ask_for_url

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.screens.main import MainScreen


class RowActions:
    """Handlers of ``actions.Group.ROW``."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen whose list has the cursor."""
        self._screen = screen
        self._service = screen.service
        self._undo = screen.undo_stack

    @property
    def _row(self) -> DownloadSnapshot:
        row = self._screen.list.cursor_row
        assert row is not None  # the actions' ``when`` asked for it
        return row

    def cancel(self) -> None:
        """End it at once; ``u`` brings it back as it was."""
        row = self._row
        if self._service.cancel([row.id]):
            name = plain(row.name)
            self._undo.push_states(f"cancelled {name}", [row])
            self._screen.tell(f"Cancelled {name}. u brings it back.")
        self._screen.list.repaint([row.id])

    def pause(self) -> None:
        """Pause it, or let it go on."""
        row = self._row
        name = plain(row.name)
        if row.state is DownloadState.PAUSED:
            if self._service.resume([row.id]):
                self._undo.push_states(f"resumed {name}", [row])
        elif self._service.pause([row.id]):
            self._undo.push_states(f"paused {name}", [row])
        self._screen.list.repaint([row.id])

    def retry(self) -> None:
        """Queue it again."""
        row = self._row
        if row.state is DownloadState.CANCELLED:
            self._service.resume([row.id])
        else:
            self._service.retry([row.id])
        self._screen.list.repaint([row.id])

    def details(self) -> None:
        """Open everything about it."""
        self.show_details(self._row.id)

    def show_details(self, id: int) -> None:
        """Open everything about a download."""
        self._screen.app.push_screen(DetailScreen(lambda: self._service.detail(id)))

    def connections_more(self) -> None:
        """One connection more."""
        self._change_connections(+1)

    def connections_fewer(self) -> None:
        """One connection less."""
        self._change_connections(-1)

    def _change_connections(self, by: int) -> None:
        id = self._row.id
        wanted = self._service.detail(id).connections_wanted or self._row.connections
        count = max(1, min(MAX_SEGMENTS, wanted + by))
        self._service.set_segments(count, id)
        plural = "s" if count != 1 else ""
        self._screen.tell(f"{count} connection{plural} for {plain(self._row.name)}")
        self._screen.list.repaint([id])

    def raise_in_queue(self) -> None:
        """One place up in the queue."""
        self._move(Move.UP, Move.DOWN)

    def lower_in_queue(self) -> None:
        """One place down in the queue."""
        self._move(Move.DOWN, Move.UP)

    def first_in_queue(self) -> None:
        """To the front of the queue."""
        row = self._row
        self._service.reorder([row.id], Move.TOP)
        self._screen.tell(f"{plain(row.name)} starts next")

    def _move(self, move: Move, back: Move) -> None:
        row = self._row
        self._service.reorder([row.id], move)
        name = plain(row.name)
        self._undo.push(
            f"moved {name}", [row.id], lambda: self._service.reorder([row.id], back)
        )
        self._screen.tell(f"{name} moved {move.value} in the queue")

    def copy_url(self) -> None:
        """Copy its URL; shown as well, since some terminals refuse the clipboard."""
        url = plain_url(self._row.url)
        self._screen.app.copy_to_clipboard(url)
        self._screen.tell(f"Copied {url}")

    def edit_url(self) -> None:
        """Ask for another URL of the one under the cursor."""
        ask_for_url(self._screen, self._row)

    def open_file(self) -> None:
        """Open the finished file, or give its path where there is no desktop."""
        path = self._service.detail(self._row.id).path
        self._screen.run_worker(self._open(path), group="open")

    async def _open(self, path: str) -> None:
        if await open_path(path):
            self._screen.tell(f"Opening {plain(path)}")
            return
        self._screen.app.copy_to_clipboard(path)
        self._screen.tell(f"No desktop to open it with. Copied {plain(path)}")

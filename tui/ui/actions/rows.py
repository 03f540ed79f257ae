"""What keys do to downloads: to the marked ones, or else to the one under the cursor.

One method an action. Each calls the service in the same turn of the loop in which the
key arrived, then paints the rows, so the answer is on the screen with the next frame.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.service import Move
from tui.core.settings import MAX_SEGMENTS
from tui.core.text.plain_text import plain, plain_url
from tui.ui.actions.prompts import ask_for_rate, ask_for_url
from tui.ui.actions.states import StateActions
from tui.ui.dialogs.detail import DetailScreen
from tui.ui.keys.keymap import key_of
from tui.ui.keys.registry import BY_ID
from tui.ui.style.format import count
from tui.ui.terminal.open_with_desktop import open_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.snapshot import DownloadSnapshot

_S = DownloadState
_COPIED_AT_MOST = 10_000


class RowActions(StateActions):
    """Handlers of ``actions.Group.ROW``."""

    @property
    def _row(self) -> DownloadSnapshot:
        row = self._screen.list.cursor_row
        if self._detailed is not None:
            (row,) = self._service.rows([self._detailed])
        assert row is not None  # the actions' ``when`` asked for it
        return row

    # -- one download ----------------------------------------------------------------

    def details(self) -> None:
        """Open everything about it; on the heading of a group, fold the group."""
        model = self._screen.list.model
        if model.cursor_cause is not None and self._screen.list.display:
            model.fold()
            self._screen.list.refresh_order()
            return
        self.show_details(self._row.id)

    def show_details(self, id: int) -> None:
        """Open everything about a download."""

        def change(action: str) -> None:
            self._detailed = id
            try:
                now = self._screen.situation()
                now = now._replace(row=self._row, many=0, is_heading=False)
                if BY_ID[action].when(now):
                    getattr(self, action)()
            finally:
                self._detailed = None

        detail = DetailScreen(lambda: self._service.detail(id), change)
        self._screen.app.push_screen(detail)

    def edit_url(self) -> None:
        """Ask for another URL of the one under the cursor."""
        ask_for_url(self._screen, self._row)

    def limit_row(self) -> None:
        """Ask for the rate limit of the one under the cursor."""
        ask_for_rate(self._screen, self._row)

    def open_file(self) -> None:
        """Open the finished file, or give its path where there is no desktop."""
        path = self._service.detail(self._row.id).path
        self._screen.run_worker(self._open(path), group="open")

    def open_folder(self) -> None:
        """Open the folder of the file, or give its path where there is no desktop."""
        folder = os.path.dirname(self._service.detail(self._row.id).path)
        self._screen.run_worker(self._open(folder), group="open")

    async def _open(self, path: str) -> None:
        if await open_path(path):
            self._screen.tell(f"Opening {plain(path)}")
            return
        self._screen.app.copy_to_clipboard(path)
        self._screen.tell(f"No desktop to open it with. Copied {plain(path)}")

    # -- connections -----------------------------------------------------------------

    def connections_more(self) -> None:
        """One connection more for each."""
        self._change_connections(+1)

    def connections_fewer(self) -> None:
        """One connection less for each."""
        self._change_connections(-1)

    def _change_connections(self, by: int) -> None:
        ids = self._having(self._chosen, _S.DOWNLOADING)
        wanted = 0
        for row in self._service.rows(ids):
            now = self._service.detail(row.id).connections_wanted or row.connections
            wanted = max(1, min(MAX_SEGMENTS, now + by))
            self._service.set_segments(wanted, row.id)
        if len(ids) == 1:
            plural = "s" if wanted != 1 else ""
            self._screen.tell(f"{wanted} connection{plural} for {self._called(ids)}")
        elif ids:
            less = "more" if by > 0 else "less"
            self._screen.tell(f"One connection {less} for each of {count(len(ids))}")
        else:
            self._say_nothing("give connections")
        self._screen.list.repaint(ids)

    # -- the queue -------------------------------------------------------------------

    def raise_in_queue(self) -> None:
        """One place up in the queue."""
        self._move(Move.UP, "moved up in the queue")

    def lower_in_queue(self) -> None:
        """One place down in the queue."""
        self._move(Move.DOWN, "moved down in the queue")

    def first_in_queue(self) -> None:
        """To the front of the queue."""
        self._move(Move.TOP, "moved to the front of the queue")

    def _move(self, move: Move, words: str) -> None:
        ids = self._having(self._chosen, _S.QUEUED)
        places = self._service.places(ids, move) if ids else {}
        if not places:
            self._say_nothing("move in the queue")
            return
        before: dict[int, float] = {}
        what = f"{self._called(ids)} {words}"

        def verb(some: Sequence[int]) -> list[int]:
            # Each stays where it is until its place is given, so a slice at a time.
            was = self._service.place({id: places[id] for id in some})
            before.update(was)
            return list(was)

        def done(_: object) -> None:
            self._undo.push_order(what, before)
            self._screen.tell(f"{what} · {key_of('undo')} takes it back")
            self._screen.list.refresh_order()

        self._screen.bulk.run("Moving", list(places), verb, done)

    # -- their URLs and paths --------------------------------------------------------

    def copy_url(self) -> None:
        """Copy their URLs; shown as well, since some terminals refuse the clipboard."""
        rows = self._service.rows(self._chosen[:_COPIED_AT_MOST])
        urls = [plain_url(row.url) for row in rows]
        self._screen.app.copy_to_clipboard("\n".join(urls))
        what = urls[0] if len(urls) == 1 else f"{count(len(urls))} URLs"
        self._screen.tell(f"Copied {what}")

    def copy_path(self) -> None:
        """Copy where their files are or will be; shown as well, for the same reason."""
        root = self._service.snapshot().output_dir
        rows = self._service.rows(self._chosen[:_COPIED_AT_MOST])
        paths = [os.path.join(root, row.directory, row.name) for row in rows]
        self._screen.app.copy_to_clipboard("\n".join(paths))
        what = plain(paths[0]) if len(paths) == 1 else f"{count(len(paths))} paths"
        self._screen.tell(f"Copied {what}")

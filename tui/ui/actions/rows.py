"""Actions on single rows: details, URL, rate limit, connections, queue, clipboard.

They act on the marked downloads, or on the one under the cursor, in the turn of the
loop in which the key arrived.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.service import Move, ServiceLost
from tui.core.settings import MAX_SEGMENTS
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.core.text.units import plural
from tui.messages import loss_text
from tui.ui.actions.prompts import ask_for_rate, ask_for_url
from tui.ui.keys.keymap import key_of
from tui.ui.keys.registry import BY_ID
from tui.ui.style.format import count
from tui.ui.terminal.open_with_desktop import is_runnable, open_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.download import DownloadId
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.actions.context import ActionContext
    from tui.ui.actions.scope import ActionScope

_S = DownloadState
_MAX_COPIED = 10_000


class RowActions:
    """Handlers of ``Group.ROW``, without those that change states."""

    def __init__(
        self,
        context: ActionContext,
        scope: ActionScope,
        handlers: Mapping[str, Callable[[], None]],
    ) -> None:
        """Act on ``scope``; the details run other ``handlers`` on their download."""
        self._context = context
        self._service = context.service
        self._scope = scope
        self._handlers = handlers

    def _reject(self, message: str) -> None:
        self._context.notify(message, severity="warning")

    # -- details and prompts ---------------------------------------------------------

    def details(self) -> None:
        """Show the details of a download, or fold the group under the cursor."""
        model = self._context.list.model
        if model.cursor_group is not None and self._context.list.display:
            model.fold()
            self._context.list.refresh_order()
            return
        self.show_details(self._scope.row.id)

    def show_details(self, id: DownloadId) -> None:
        """Show the details of a download."""
        from tui.ui.dialogs.detail import DetailScreen

        def run(action: str) -> None:
            with self._scope.only(id):
                state = self._context.action_state()._replace(
                    row=self._scope.row, many=0, is_heading=False
                )
                if BY_ID[action].can_run(state):
                    self._handlers[action]()

        self._context.open(DetailScreen(lambda: self._service.detail(id), run))

    def edit_url(self) -> None:
        """Ask for another URL of the download under the cursor."""
        ask_for_url(self._context, self._scope.row)

    def limit_row(self) -> None:
        """Ask for the rate limit of the download under the cursor."""
        ask_for_rate(self._context, self._scope.row)

    # -- files -----------------------------------------------------------------------

    def open_file(self) -> None:
        """Open the finished file; a program's folder instead of the program."""
        path = self._path(self._scope.row)
        if is_runnable(path):
            name = sanitize(os.path.basename(path))
            note = f"{name} might run as a program, so its folder is opened"
            self.open_in_desktop(os.path.dirname(path), note)
        else:
            self.open_in_desktop(path)

    def open_folder(self) -> None:
        """Open the folder of the file in the file manager."""
        self.open_in_desktop(os.path.dirname(self._path(self._scope.row)))

    def open_in_desktop(self, path: str, note: str = "") -> None:
        """Open a document or a folder, or copy its path if that is not possible.

        Args:
            path: absolute.
            note: message if it is opened; "" for the usual one.
        """

        async def open_it() -> None:
            if self._context.is_remote:
                reason = "it is on another machine"
            else:
                reason = await open_path(path)
            if not reason:
                self._context.notify(note or f"Opening {sanitize(path)}")
                return
            self._context.application.copy_to_clipboard(path)
            message = f"Cannot open it: {reason}; copied {sanitize(path)}"
            self._context.notify(message, severity="warning")

        self._context.run_in_background(open_it, group="open")

    def copy_url(self) -> None:
        """Copy URLs and show them, since some terminals refuse clipboard access."""
        self._copy(lambda row: sanitize_url(row.url), "URLs")

    def copy_path(self) -> None:
        """Copy the paths of files and show them, for the same reason."""
        self._copy(self._path, "paths")

    def _path(self, row: DownloadSnapshot) -> str:
        return os.path.join(
            self._service.snapshot().output_dir, row.directory, row.name
        )

    def _copy(self, text: Callable[[DownloadSnapshot], str], what: str) -> None:
        """Copy one text of each target, with their plural for the message."""
        ids = self._scope.ids[:_MAX_COPIED]

        async def copy() -> None:
            try:
                rows = await self._service.fetch_rows(ids)
            except ServiceLost as error:
                self._reject(loss_text(error, "nothing was copied"))
                return
            texts = [text(row) for row in rows]
            self._context.application.copy_to_clipboard("\n".join(texts))
            shown = (
                sanitize(texts[0]) if len(texts) == 1 else f"{count(len(texts))} {what}"
            )
            self._context.notify(f"Copied {shown}")

        self._context.run_in_background(copy, group="copy")

    # -- connections -----------------------------------------------------------------

    def connections_more(self) -> None:
        """Add a connection to each running target."""
        self._change_connections(+1)

    def connections_fewer(self) -> None:
        """Remove a connection from each running target."""
        self._change_connections(-1)

    def _change_connections(self, by: int) -> None:
        ids = self._scope.in_states(self._scope.ids, _S.DOWNLOADING)
        wanted = 0
        for row in self._service.rows(ids):
            now = self._service.detail(row.id).connections_wanted or row.connections
            wanted = max(1, min(MAX_SEGMENTS, now + by))
            self._service.set_segments(wanted, row.id)
        if len(ids) == 1:
            connections = plural(wanted, "connection")
            self._context.notify(f"{connections} for {self._scope.describe(ids)}")
        elif ids and by > 0:
            self._context.notify(
                f"One more connection for each of {count(len(ids))} downloads"
            )
        elif ids:
            self._context.notify(
                f"One fewer connection for each of {count(len(ids))} downloads"
            )
        else:
            self._reject("No selected download is running")
        self._context.list.repaint(ids)

    # -- the queue -------------------------------------------------------------------

    def raise_in_queue(self) -> None:
        """Move queued downloads up by one position."""
        self._move(Move.UP, "up in the queue")

    def lower_in_queue(self) -> None:
        """Move queued downloads down by one position."""
        self._move(Move.DOWN, "down in the queue")

    def first_in_queue(self) -> None:
        """Move queued downloads to the front of the queue."""
        self._move(Move.TOP, "to the front of the queue")

    def _move(self, move: Move, where: str) -> None:
        ids = self._scope.in_states(self._scope.ids, _S.QUEUED)

        def done(before: dict[DownloadId, float]) -> None:
            if not before:
                self._reject("No selected download can be moved in the queue")
                return
            what = self._scope.describe(ids)
            self._context.undo_stack.push_order(f"move of {what}", before)
            self._context.notify(f"Moved {what} {where} · {key_of('undo')} to undo")
            self._context.list.refresh_order()

        self._context.batches.run_steps(self._service.reorder_iter(ids, move), done)

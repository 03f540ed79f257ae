"""What keys do to downloads: to the marked ones, or else to the one under the cursor.

One method an action. Each calls the service in the same turn of the loop in which the
key arrived, then paints the rows, so the answer is on the screen with the next frame.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.core.download import ENDED, DownloadState
from tui.core.plain_text import plain, plain_url
from tui.core.query import DownloadQuery, View
from tui.core.service import Move
from tui.core.settings import MAX_SEGMENTS
from tui.ui.format import count
from tui.ui.keymap import key_of
from tui.ui.opener import open_path
from tui.ui.rate_prompt import ask_for_rate
from tui.ui.screens.confirm import ConfirmScreen
from tui.ui.screens.detail import DetailScreen
from tui.ui.undo import in_states
from tui.ui.url_edit import ask_for_url

if TYPE_CHECKING:
    from tui.core.download import DownloadId
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.screens.main import MainScreen

_S = DownloadState
_UNENDED = frozenset(_S) - ENDED
ASK_ABOVE = 20
"""Downloads that are cancelled at once without a question; an undo is one key away."""
_COPIED_AT_MOST = 10_000


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

    @property
    def _chosen(self) -> list[DownloadId]:
        """The marked ones, or else what is under the cursor."""
        model = self._screen.list.model
        if self._screen.list.display:
            return model.chosen
        return model.at_cursor

    def _having(self, ids: list[DownloadId], *states: DownloadState) -> list[int]:
        return in_states(self._service, ids, states)

    def _called(self, ids: list[DownloadId]) -> str:
        """Name one download, or say how many there are."""
        if len(ids) == 1:
            return plain(self._service.rows(ids)[0].name)
        return f"{count(len(ids))} downloads"

    def _say_nothing(self, verb: str) -> None:
        """Say that a key fits none of the chosen ones."""
        chosen = len(self._chosen)
        self._screen.tell(f"None of {count(chosen)} to {verb}", severity="warning")

    # -- ending and going on ---------------------------------------------------------

    def cancel(self) -> None:
        """End them at once; ``u`` brings them back as they were."""
        ids = self._having(self._chosen, *_UNENDED)
        if len(ids) > ASK_ABOVE:
            self.ask_to_cancel(ids, f"Cancel {count(len(ids))} downloads")
        elif ids:
            self._cancel(ids)
        else:
            self._say_nothing("cancel")

    def ask_to_cancel(self, ids: list[DownloadId], title: str) -> None:
        """Cancel many, after a question."""
        effect = (
            "They end now and their connections close. What they have on disk is"
            f" kept, and {key_of('undo')} brings all of them back in one step."
        )
        running = len(self._having(ids, _S.PROBING, _S.DOWNLOADING, _S.VERIFYING))
        if running:
            effect = f"{count(running)} of them are running. {effect}"
        ask = ConfirmScreen(title, effect, title, "Leave them as they are")

        def answer(is_wanted: bool | None) -> None:
            if is_wanted:
                self._cancel(ids)
                self._screen.show_now()

        self._screen.app.push_screen(ask, answer)

    def _cancel(self, ids: list[DownloadId]) -> None:
        paused = self._having(ids, _S.PAUSED)
        changed = self._service.cancel(ids)
        if changed:
            what = self._called(changed)
            self._undo.push_states(f"cancelled {what}", changed, paused)
            them = "it" if len(changed) == 1 else "them"
            shown = what if len(changed) == 1 else count(len(changed))
            self._screen.tell(
                f"Cancelled {shown} · {key_of('undo')} brings {them} back"
            )
        self._screen.list.repaint(changed)

    def pause(self) -> None:
        """Pause them; if all are paused, let them go on."""
        chosen = self._chosen
        ids = self._having(chosen, *_UNENDED - {_S.PAUSED})
        if ids:
            changed = self._service.pause(ids)
            self._tell_paused("Paused", changed, ())
        else:
            ids = self._having(chosen, _S.PAUSED)
            changed = self._service.resume(ids)
            self._tell_paused("Resumed", changed, ids)
        if not ids:
            self._say_nothing("pause")
        self._screen.list.repaint(changed)

    def _tell_paused(
        self, verb: str, changed: list[DownloadId], paused: list[DownloadId] | tuple[()]
    ) -> None:
        if changed:
            what = f"{verb} {self._called(changed)}"
            self._undo.push_states(what[0].lower() + what[1:], changed, paused)
            self._screen.tell(f"{what} · {key_of('undo')} takes it back")

    def retry(self) -> None:
        """Queue them again."""
        chosen = self._chosen
        cancelled = self._having(chosen, _S.CANCELLED)
        failed = self._having(chosen, _S.FAILED, _S.WAITING)
        queued = self._service.resume(cancelled)
        self.tell_retried(queued, self._service.retry(failed))
        if not (cancelled or failed):
            self._say_nothing("retry")

    def tell_retried(
        self, resumed: list[DownloadId], retried: list[DownloadId]
    ) -> None:
        """Say that downloads are queued again, and remember how to take that back.

        Args:
            resumed: those that had been cancelled.
            retried: those that had failed or were waiting.
        """
        changed = [*resumed, *retried]
        if not changed:
            return

        def take_back() -> None:
            self._service.cancel(resumed)
            self._service.unretry(retried)

        what = self._called(changed)
        self._undo.push(f"retried {what}", changed, take_back)
        self._screen.tell(f"Retrying {what} · {key_of('undo')} takes it back")
        self._screen.list.repaint(changed)

    def drop(self) -> None:
        """Take the ended ones out of the list; nothing on disk changes."""
        changed = self._service.drop(self._having(self._chosen, *ENDED))
        if not changed:
            self._say_nothing("drop; only what has ended can be")
            return
        marks = self._screen.list.model.marks
        marked = [id for id in changed if id in marks]
        marks.remove(changed)
        what = self._called(changed)

        def take_back() -> None:
            self._service.undrop(changed)
            marks.add(marked)

        self._undo.push(f"dropped {what}", changed, take_back)
        them = "it" if len(changed) == 1 else "them"
        self._screen.tell(
            f"Dropped {what} from the list · {key_of('undo')} brings {them} back"
        )
        self._screen.list.hurry()

    # -- one download ----------------------------------------------------------------

    def details(self) -> None:
        """Open everything about it; on the heading of a group, fold the group."""
        model = self._screen.list.model
        if model.cursor_cause is not None and self._screen.list.display:
            model.fold()
            self._screen.list.hurry()
            return
        self.show_details(self._row.id)

    def show_details(self, id: int) -> None:
        """Open everything about a download."""
        self._screen.app.push_screen(DetailScreen(lambda: self._service.detail(id)))

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
        if not ids:
            self._say_nothing("move in the queue")
            return
        before = self._service.select(DownloadQuery(View.QUEUED))
        self._service.reorder(ids, move)
        what = f"{self._called(ids)} {words}"
        self._undo.push_order(what, ids, before)
        self._screen.tell(f"{what} · {key_of('undo')} takes it back")
        self._screen.list.hurry()

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

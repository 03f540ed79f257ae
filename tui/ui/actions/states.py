"""What keys do to the states of downloads: cancel, pause, retry, drop; with undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, ENDED, DownloadState
from tui.core.text.plain_text import plain
from tui.ui.actions.batch_runner import SLICE
from tui.ui.actions.undo import in_states
from tui.ui.dialogs.confirm import ConfirmScreen
from tui.ui.keys.keymap import key_of
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.download import DownloadId
    from tui.ui.main_screen import MainScreen

_S = DownloadState
_UNENDED = frozenset(_S) - ENDED
ASK_ABOVE = 20
"""Downloads that are cancelled at once without a question; an undo is one key away."""


class StateActions:
    """Handlers that end downloads or let them go on."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen whose list has the cursor."""
        self._screen = screen
        self._service = screen.service
        self._undo = screen.undo_stack
        self._detailed: DownloadId | None = None
        """What a key in the details is about, in place of the chosen ones."""

    @property
    def _chosen(self) -> list[DownloadId]:
        """The marked ones, or else what is under the cursor."""
        if self._detailed is not None:
            return [self._detailed]
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

        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = self._called(changed)
                self._undo.push_states(f"cancelled {what}", changed, paused)
                them = "it" if len(changed) == 1 else "them"
                shown = what if len(changed) == 1 else count(len(changed))
                key = key_of("undo")
                self._screen.tell(f"Cancelled {shown} · {key} brings {them} back")
            self._screen.list.repaint(changed)

        ids = self._running_last(ids)
        self._screen.bulk.run("Cancelling", ids, self._service.cancel, done)

    def _running_last(self, ids: list[DownloadId]) -> list[DownloadId]:
        """Put what runs at the end: a slot that it left would start another one."""
        if len(ids) <= SLICE:
            return ids
        running = self._having(ids, *ACTIVE)
        known = set(running)
        return [id for id in ids if id not in known] + running

    def pause(self) -> None:
        """Pause them; if all are paused, let them go on."""
        chosen = self._chosen
        ids = self._having(chosen, *_UNENDED - {_S.PAUSED})
        if ids:
            ids = self._running_last(ids)
            self._bulk_pause("Paus", ids, self._service.pause, ())
            return
        ids = self._having(chosen, _S.PAUSED)
        if ids:
            self._bulk_pause("Resum", ids, self._service.resume, ids)
        else:
            self._say_nothing("pause")

    def _bulk_pause(
        self,
        stem: str,
        ids: list[DownloadId],
        verb: Callable[[Sequence[DownloadId]], list[DownloadId]],
        paused: Sequence[DownloadId],
    ) -> None:
        """Pause or resume, and remember how to take it back.

        Args:
            stem: of the words, such as ``Paus``.
            ids: the downloads.
            verb: does it.
            paused: those of them that were paused before.
        """

        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = f"{stem}ed {self._called(changed)}"
                self._undo.push_states(what[0].lower() + what[1:], changed, paused)
                self._screen.tell(f"{what} · {key_of('undo')} takes it back")
            self._screen.list.repaint(changed)

        self._screen.bulk.run(f"{stem}ing", ids, verb, done)

    def retry(self) -> None:
        """Queue them again."""
        chosen = self._chosen
        cancelled = self._having(chosen, _S.CANCELLED)
        failed = self._having(chosen, _S.FAILED, _S.WAITING)
        if cancelled or failed:
            self.retry_these(failed, cancelled)
        else:
            self._say_nothing("retry")

    def retry_these(
        self, failed: list[DownloadId], cancelled: list[DownloadId]
    ) -> None:
        """Queue downloads again, and remember how to take that back."""
        service, resumed = self._service, frozenset(cancelled)

        def verb(ids: Sequence[DownloadId]) -> list[DownloadId]:
            back = service.resume([id for id in ids if id in resumed])
            return [*back, *service.retry([id for id in ids if id not in resumed])]

        def take_back(ids: Sequence[DownloadId]) -> None:
            service.cancel([id for id in ids if id in resumed])
            service.unretry([id for id in ids if id not in resumed])

        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = self._called(changed)
                self._undo.push(f"retried {what}", changed, take_back)
                self._screen.tell(f"Retrying {what} · {key_of('undo')} takes it back")
            self._screen.list.repaint(changed)

        self._screen.bulk.run("Queueing", [*cancelled, *failed], verb, done)

    def drop(self) -> None:
        """Take the ended ones out of the list; nothing on disk changes."""
        ids = self._having(self._chosen, *ENDED)
        if ids:
            self._screen.bulk.run("Dropping", ids, self._service.drop, self._dropped)
        else:
            self._say_nothing("drop; only what has ended can be")

    def _dropped(self, changed: list[DownloadId]) -> None:
        marks = self._screen.list.model.marks
        marked = {id for id in changed if id in marks}
        marks.remove(changed)
        what = self._called(changed)

        def take_back(ids: Sequence[DownloadId]) -> None:
            self._service.undrop(ids)
            marks.add(id for id in ids if id in marked)

        self._undo.push(f"dropped {what}", changed, take_back)
        them = "it" if len(changed) == 1 else "them"
        self._screen.tell(
            f"Dropped {what} from the list · {key_of('undo')} brings {them} back"
        )
        self._screen.list.refresh_order()

"""Actions that change the state of downloads: cancel, pause, retry, remove.

Each calls the service in the turn of the loop in which the key arrived and repaints the
rows, so the next frame shows the result. Each can be undone in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, UNFINISHED, DownloadState
from tui.core.text.units import format_size, plural
from tui.ui.actions.batch_runner import SLICE
from tui.ui.actions.undo import UNDO_S, DeletionQueue
from tui.ui.keys.keymap import key_of
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from tui.core.download import DownloadId
    from tui.ui.actions.context import ActionContext
    from tui.ui.actions.scope import ActionScope
    from tui.ui.actions.undo import Step

_S = DownloadState
ASK_ABOVE = 20
"""Most downloads that are cancelled without a question; undo is one key away."""


class StateActions:
    """Handlers that stop, resume, retry and remove downloads."""

    def __init__(self, context: ActionContext, scope: ActionScope) -> None:
        """Act on ``scope``."""
        self._context = context
        self._service = context.service
        self._undo = context.undo_stack
        self.deletions = DeletionQueue(context, context.service, context.undo_stack)
        """Files to delete once the time for undo is over."""
        self._scope = scope

    def _reject(self, message: str) -> None:
        self._context.notify(message, severity="warning")

    def _keep_cursor(self) -> None:
        self._context.list.model.stay_on(self._scope.ids)

    # -- cancel ----------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel the chosen downloads, after a question if they are many."""
        self._keep_cursor()
        ids = self._scope.in_states(self._scope.ids, *UNFINISHED)
        if len(ids) > ASK_ABOVE:
            self.ask_to_cancel(ids, f"Cancel {count(len(ids))} downloads")
        elif ids:
            self._cancel(ids)
        else:
            self._reject("No selected download can be cancelled")

    def cancel_all(self) -> None:
        """Cancel every unfinished download, after a question."""
        ids = self._scope.unfinished()
        what = plural(len(ids), "unfinished download")
        self.ask_to_cancel(ids, f"Cancel {'all ' if len(ids) > 1 else ''}{what}")

    def ask_to_cancel(self, ids: list[DownloadId], title: str) -> None:
        """Cancel downloads after a question."""
        from tui.ui.dialogs.confirm import ConfirmScreen

        effect = (
            "They stop now and their connections close. Partial data is kept on disk,"
            f" and {key_of('undo')} restores all of them in one step."
        )
        running = self._scope.in_states(ids, _S.PROBING, _S.DOWNLOADING, _S.VERIFYING)
        if len(ids) == 1:
            effect = (
                f"{'It is running. ' if running else ''}It stops now. Partial data is"
                f" kept on disk, and {key_of('undo')} restores it."
            )
        elif running:
            verb = "is" if len(running) == 1 else "are"
            effect = f"{count(len(running))} of them {verb} running. {effect}"

        def answer(is_confirmed: bool | None) -> None:
            if is_confirmed:
                self._cancel(ids)
                self._context.refresh_now()

        self._context.ask(ConfirmScreen(title, effect, title, "Keep them"), answer)

    def _cancel(self, ids: list[DownloadId]) -> None:
        paused = self._scope.in_states(ids, _S.PAUSED)

        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = self._scope.describe(changed)
                self._undo.push_states(f"cancel of {what}", changed, paused)
                shown = what if len(changed) == 1 else count(len(changed))
                self._context.notify(f"Cancelled {shown} · {key_of('undo')} to restore")
            self._context.list.repaint(changed)

        ids = self._running_last(ids)
        self._context.batches.run("Cancelling", ids, self._service.cancel, done)

    def _running_last(self, ids: list[DownloadId]) -> list[DownloadId]:
        """Move running downloads to the end.

        Each frees a slot, and a queued one that is about to be stopped would start.
        """
        if len(ids) <= SLICE:
            return ids
        running = self._scope.in_states(ids, *ACTIVE)
        known = set(running)
        return [id for id in ids if id not in known] + running

    # -- pause and resume ------------------------------------------------------------

    def pause(self) -> None:
        """Pause the chosen downloads, or resume them if all are paused."""
        self._keep_cursor()
        chosen = self._scope.ids
        ids = self._scope.in_states(chosen, *UNFINISHED - {_S.PAUSED})
        if ids:
            self._pause(self._running_last(ids))
            return
        ids = self._scope.in_states(chosen, _S.PAUSED)
        if ids:
            self._resume(ids)
        else:
            self._reject("No selected download can be paused")

    def _pause(self, ids: list[DownloadId]) -> None:
        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = self._scope.describe(changed)
                self._undo.push_states(f"pause of {what}", changed, ())
                self._context.notify(f"Paused {what} · {key_of('undo')} to undo")
            self._context.list.repaint(changed)

        self._context.batches.run("Pausing", ids, self._service.pause, done)

    def _resume(self, ids: list[DownloadId]) -> None:
        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = self._scope.describe(changed)
                self._undo.push_states(f"resume of {what}", changed, ids)
                self._context.notify(f"Resumed {what} · {key_of('undo')} to undo")
            self._context.list.repaint(changed)

        self._context.batches.run("Resuming", ids, self._service.resume, done)

    # -- retry -----------------------------------------------------------------------

    def retry(self) -> None:
        """Queue failed, waiting and cancelled downloads again."""
        self._keep_cursor()
        chosen = self._scope.ids
        cancelled = self._scope.in_states(chosen, _S.CANCELLED)
        failed = self._scope.in_states(chosen, _S.FAILED, _S.WAITING)
        if cancelled or failed:
            self._retry(failed, cancelled)
        else:
            self._reject("No selected download can be retried")

    def retry_failed(self) -> None:
        """Queue every failed download again."""
        self._retry(self._scope.failed(), [])

    def _retry(self, failed: list[DownloadId], cancelled: list[DownloadId]) -> None:
        service, resumed = self._service, frozenset(cancelled)

        def retry(ids: Sequence[DownloadId]) -> list[DownloadId]:
            back = service.resume([id for id in ids if id in resumed])
            return [*back, *service.retry([id for id in ids if id not in resumed])]

        def undo(ids: Sequence[DownloadId]) -> list[DownloadId]:
            changed = service.cancel([id for id in ids if id in resumed])
            return changed + service.undo_retry([id for id in ids if id not in resumed])

        def done(changed: list[DownloadId]) -> None:
            if changed:
                what = self._scope.describe(changed)
                self._undo.push(f"retry of {what}", changed, undo)
                self._context.notify(f"Retrying {what} · {key_of('undo')} to undo")
            self._context.list.repaint(changed)

        self._context.batches.run("Queueing", [*cancelled, *failed], retry, done)

    # -- remove ----------------------------------------------------------------------

    def remove(self) -> None:
        """Remove the chosen downloads from the list; nothing on disk changes.

        Unfinished ones are cancelled first, after a question if they are many.
        """
        from tui.ui.dialogs.confirm import ConfirmScreen

        ids = self._scope.ids
        unfinished = self._scope.in_states(ids, *UNFINISHED)
        if len(unfinished) <= ASK_ABOVE:
            self._drop(ids, unfinished)
            return
        title = f"Remove {count(len(ids))} downloads"
        effect = (
            f"{count(len(unfinished))} of them are unfinished and will be cancelled."
            f" Partial data is kept on disk, and {key_of('undo')} restores all of them."
        )

        def answer(is_confirmed: bool | None) -> None:
            if is_confirmed:
                self._drop(ids, unfinished)
                self._context.refresh_now()

        self._context.ask(ConfirmScreen(title, effect, title, "Keep them"), answer)

    def remove_with_data(self) -> None:
        """Remove the chosen downloads and delete their files, after a question."""
        from tui.ui.dialogs.confirm import ConfirmScreen

        ids = self._scope.ids
        unfinished = self._scope.in_states(ids, *UNFINISHED)
        what = self._scope.describe(ids)
        title = f"Remove {what} and delete the data"
        effect = (
            f"Finished files and partial data are deleted{self._size_of(ids)} after"
            f" {UNDO_S:.0f} seconds, or when you quit; until then {key_of('undo')}"
            " restores everything. Files that existed before, or that have changed"
            " since, are kept."
        )
        if unfinished:
            effect = f"{count(len(unfinished))} unfinished will be cancelled. {effect}"

        def answer(is_confirmed: bool | None) -> None:
            if is_confirmed:
                self._drop(ids, unfinished, with_data=True)
                self._context.refresh_now()

        dialog = ConfirmScreen(title, effect, "Remove and delete", "Keep everything")
        self._context.ask(dialog, answer)

    def _size_of(self, ids: Sequence[DownloadId]) -> str:
        """Return the bytes on disk in parentheses; "" if counting them takes long."""
        if len(ids) > SLICE:
            return ""
        nbytes = sum(row.received for row in self._service.rows(ids))
        return f" ({format_size(nbytes)})" if nbytes else ""

    def _drop(
        self,
        ids: list[DownloadId],
        unfinished: list[DownloadId],
        *,
        with_data: bool = False,
    ) -> None:
        paused = frozenset(self._scope.in_states(unfinished, _S.PAUSED))
        to_cancel = frozenset(unfinished)
        cancelled: set[DownloadId] = set()

        def remove(some: Sequence[DownloadId]) -> list[DownloadId]:
            running = [id for id in some if id in to_cancel]
            cancelled.update(self._service.cancel(running))
            return self._service.remove(some)

        def done(changed: list[DownloadId]) -> None:
            step = self._removed(changed, cancelled, paused)
            undo = key_of("undo")
            what = self._scope.describe(changed)
            message = f"Removed {what} from the list · {undo} to restore"
            if with_data:
                self.deletions.add(step)
                message = (
                    f"Removed {what}; its data will be deleted in {UNDO_S:.0f}s"
                    f" · {undo} to keep it"
                )
            self._context.notify(message)

        self._context.batches.run("Removing", self._running_last(ids), remove, done)

    def _removed(
        self,
        changed: list[DownloadId],
        cancelled: Container[DownloadId],
        paused: Container[DownloadId],
    ) -> Step:
        """Let undo restore removed downloads, each in the state that it had."""
        marks = self._context.list.model.marks
        marked = {id for id in changed if id in marks}
        marks.remove(changed)

        def undo(ids: Sequence[DownloadId]) -> list[DownloadId]:
            self.deletions.keep(ids)
            restored = self._service.restore(ids)
            self._service.resume([id for id in ids if id in cancelled])
            self._service.pause([id for id in ids if id in paused])
            marks.add(id for id in ids if id in marked)
            return restored

        step = self._undo.push(
            f"removal of {self._scope.describe(changed)}", changed, undo
        )
        self._context.list.refresh_order()
        return step

    # -- undo ------------------------------------------------------------------------

    def undo(self) -> None:
        """Undo the last step."""
        if self._context.batches.is_busy:
            self._reject("Still working; undo will be available when it is done")
            return
        step = self._undo.pop()
        if step is None:
            return

        def done(changed: list[DownloadId]) -> None:
            if changed:
                self._context.notify(f"Undid: {step.text}")
            else:
                self._reject(f"Too late to undo: {step.text}")
            self._context.list.refresh_order()
            self._context.list.repaint(step.ids)

        self._context.batches.run("Undoing", step.ids, step.undo, done)

"""Quitting: on request, at once, after running downloads, or when all have finished."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from tui.core.download import ACTIVE, DownloadState
from tui.core.quick.named_tuple import NamedTuple
from tui.core.rules.exit_status import INTERRUPTED
from tui.ui.keys.keymap import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from textual.screen import Screen

    from tui.core.download import DownloadId
    from tui.core.snapshot import EngineSnapshot
    from tui.ui.poller import EnginePoller

T = TypeVar("T")
JUST_ENDED_S = 2.0
"""For so long after the last download has ended, quitting still asks."""
TWICE_S = 2.0
"""A second ctrl+c within this time quits without a question."""


def exit_status(snapshot: EngineSnapshot) -> int:
    """Return the exit status: 0 all done, 1 failures, 130 unfinished."""
    counts = snapshot.counts
    ended = (
        counts[DownloadState.DONE]
        + counts[DownloadState.FAILED]
        + counts[DownloadState.CANCELLED]
    )
    if ended < snapshot.total:
        return INTERRUPTED
    return 1 if counts[DownloadState.FAILED] else 0


class AfterExit(NamedTuple):
    """What happens to the downloads after the dashboard has ended."""

    resume_hint: str = ""
    """How to resume later, in one sentence."""
    unsaved: Callable[[], str] | None = None
    """Returns why this run cannot be resumed later, or "" if it can."""
    has_session: bool = True
    """Whether this run has a session to save; the demo has none."""
    hand_over: Callable[[], str] | None = None
    """Lets the downloads continue in the background; returns why that is impossible, or
    "". ``None`` if there is nothing to continue."""
    set_aside: Callable[[Collection[DownloadId]], None] | None = None
    """Called with the downloads that are paused only so that nothing new starts: after
    a kill of this process, the next run must find them queued."""


class ExitHost(Protocol):
    """The screen that is closed."""

    def notify(self, message: str) -> None:
        """Show a message."""
        ...

    def ask(self, dialog: Screen[T], answer: Callable[[T | None], None]) -> None:
        """Open a dialog and call ``answer`` with its result."""
        ...

    def tick(self) -> None:
        """Poll the engine now."""
        ...

    def is_all_added(self) -> bool:
        """Return True if no downloads are left to be added or restored."""
        ...

    def exit_app(self, status: int) -> None:
        """End the application with an exit status."""
        ...


class ExitFlow:
    """Decides when the dashboard ends and with which exit status."""

    def __init__(
        self, host: ExitHost, poller: EnginePoller, *, exit_when_done: bool
    ) -> None:
        """Close ``host``, if so wished as soon as all downloads have finished."""
        self._host = host
        self._poller = poller
        self._service = poller.service
        self._exit_when_done = exit_when_done
        self._interrupted_at_s = -TWICE_S
        self._busy_at_s = -JUST_ENDED_S
        self._is_asking = False
        self._set_aside: list[DownloadId] | None = None
        self._watch: asyncio.Future[None] | None = None
        self.after = AfterExit()
        self._is_detaching = False
        self._detaches_when_added = False
        self.is_attached = False
        """Whether the downloads continue in another process after quitting."""

    @property
    def hint(self) -> str:
        """How to resume after quitting now; promises nothing if state is not saved."""
        if self._is_detaching:
            return ""
        if self._is_unsaved:
            # At most 80 cells: the summary after the dashboard cuts longer lines.
            return (
                "Session not saved; partial files are kept."
                " Run the same URLs again to resume."
            )
        return self.after.resume_hint

    @property
    def _is_unsaved(self) -> bool:
        unsaved = self.after.unsaved
        return unsaved is not None and bool(unsaved())

    def quit(self) -> None:
        """Quit now; the caller of the dashboard saves the state."""
        self.resume_set_aside()
        status = 0 if self.is_attached else exit_status(self._service.snapshot())
        self._host.exit_app(status)

    def resume_set_aside(self) -> None:
        """Resume what was paused only so that nothing new starts.

        A later run must find these downloads queued.
        """
        set_aside, self._set_aside = self._set_aside, None
        if set_aside:
            self._service.resume(set_aside)
            self._note_set_aside(())

    def _note_set_aside(self, ids: Collection[DownloadId]) -> None:
        if self.after.set_aside is not None:
            self.after.set_aside(ids)

    @property
    def is_finishing(self) -> bool:
        """Whether the dashboard quits when the running downloads have ended."""
        return self._set_aside is not None

    def stay(self) -> None:
        """Do not quit when the running downloads have ended, and start others again."""
        self.resume_set_aside()
        self._host.notify("fetchtui stays open when running downloads finish")

    def ask(self) -> None:
        """Quit if nothing is running, else ask."""
        from tui.ui.dialogs.confirm import QuitScreen

        snapshot = self._service.snapshot()
        is_busy = any(snapshot.counts[state] for state in ACTIVE)
        # A user who has just seen downloads run expects the question and answers it.
        is_busy |= time.monotonic() - self._busy_at_s < JUST_ENDED_S
        if self.is_attached or not is_busy or self._set_aside is not None:
            self.quit()
        elif not self._is_asking:
            self._is_asking = True
            is_saved = self.after.has_session and not self._is_unsaved
            dialog = QuitScreen(
                snapshot,
                self.hint,
                is_saved=is_saved,
                keeps_files=self.after.has_session,
                can_detach=self.after.hand_over is not None,
            )
            self._host.ask(dialog, self._answer)

    def interrupt(self) -> None:
        """Ask; quit at once when called twice within two seconds."""
        now_s = time.monotonic()
        if now_s - self._interrupted_at_s < TWICE_S:
            self.quit()
            return
        self._interrupted_at_s = now_s
        self.ask()

    def _answer(self, answer: str | None) -> None:
        from tui.ui.dialogs.confirm import DETACH, FINISH, QUIT

        self._is_asking = False
        if answer == QUIT:
            self.quit()
        elif answer == FINISH:
            self._quit_when_idle()
        elif answer == DETACH:
            self.detach()

    def detach(self) -> None:
        """Quit and let a background process continue the downloads.

        A dashboard that is attached to one only has to quit. While downloads are being
        added, it waits for the last one.
        """
        if self.is_attached:
            self.quit()
            return
        hand_over = self.after.hand_over
        if hand_over is None:
            self._host.notify("These downloads cannot continue in the background")
            return
        if not self._host.is_all_added():
            self._detaches_when_added = True
            self._host.notify("Quits as soon as all downloads are added")
            return
        self._detaches_when_added = False
        reason = hand_over()
        if reason:
            self._host.notify(
                f"Cannot continue in the background, session not saved: {reason}"
            )
            return
        self._is_detaching = True
        self.resume_set_aside()
        self._host.exit_app(0)

    def _quit_when_idle(self) -> None:
        """Start nothing new, and quit when the running downloads have finished."""
        service = self._service
        waiting = (DownloadState.QUEUED, DownloadState.WAITING)
        self._set_aside = service.pause(service.in_states(waiting))
        self._note_set_aside(self._set_aside)
        self._host.notify(
            "Will quit when running downloads finish."
            f" Press {key_of('quit')} to quit now, {key_of('escape')} to stay."
        )

    def watch(self) -> None:
        """Poll as soon as the last download ends instead of with the next tick."""
        if self._exit_when_done:
            self.stop_watching()
            self._watch = asyncio.ensure_future(self._await_end())

    def stop_watching(self) -> None:
        """Cancel ``watch``."""
        if self._watch is not None:
            self._watch.cancel()

    async def _await_end(self) -> None:
        await self._service.wait_idle()
        self._host.tick()

    def check(self, *, is_all_added: bool) -> None:
        """Quit if the time has come; called on every tick."""
        if self._detaches_when_added and is_all_added:
            self.detach()
            return
        poller = self._poller
        if any(poller.snapshot.counts[state] for state in ACTIVE):
            self._busy_at_s = time.monotonic()
        is_paused = poller.snapshot.is_queue_paused
        if self._set_aside is not None and not poller.is_moving and not is_paused:
            self.quit()
        elif self._exit_when_done and is_all_added:
            is_empty = poller.snapshot.total == 0
            if poller.is_finished or is_empty:
                self.quit()

"""What keys do to the whole run: intake, concurrency, limits, writers, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, View
from tui.core.settings import MAX_CONCURRENCY, MAX_WRITERS
from tui.core.text.plain_text import plain_url
from tui.ui.actions.prompts import ask_for_rate
from tui.ui.dialogs.add import AddScreen
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.keys.keymap import key_of
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import DownloadId
    from tui.core.snapshot import OriginSnapshot
    from tui.ui.main_screen import MainScreen


class RunActions:
    """Handlers of ``actions.Group.RUN``."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen that shows the run."""
        self._screen = screen
        self._service = screen.service
        self._undo = screen.undo_stack

    # -- intake ----------------------------------------------------------------------

    def add(self, text: str = "") -> None:
        """Ask for URLs; ``text`` is what the editor starts with."""
        intake = self._screen.intake
        folder = self._screen.bridge.snapshot.output_dir
        screen = AddScreen(text, folder, known=intake.known())
        self._screen.app.push_screen(screen, intake.take)

    def open_list(self) -> None:
        """Ask for a list file to add."""
        self._screen.intake.open_list()

    def retry_failed(self) -> None:
        """Queue all that failed again."""
        failed = [
            row.id
            for row in self._service.rows(
                self._service.select(DownloadQuery(View.FAILED))
            )
            if row.state is DownloadState.FAILED
        ]
        self._screen.rows.retry_these(failed, [])

    def export_failed(self) -> None:
        """Save what failed as a list."""
        self._screen.run_worker(self._screen.failed_export.save(), group="export")

    def save_list(self) -> None:
        """Ask which downloads to save as a list, and how."""
        self._screen.failed_export.ask()

    def cancel_all(self) -> None:
        """Cancel everything that has not ended, after a question."""
        ids = self._service.select(DownloadQuery(text="is:unfinished"))
        title = f"Cancel all {count(len(ids))} that have not ended"
        self._screen.rows.ask_to_cancel(ids, title)

    def undo(self) -> None:
        """Take back the last step."""
        if self._screen.bulk.is_busy:
            self._screen.tell(
                "Still at it; then undo takes it back", severity="warning"
            )
            return
        step = self._undo.take()
        if step is None:
            return

        def done(_: object) -> None:
            self._screen.tell(f"Undone: {step.text}")
            self._screen.list.refresh_order()
            self._screen.list.repaint(step.ids)

        def verb(ids: Sequence[DownloadId]) -> list[DownloadId]:
            step.take_back(ids)
            return []

        self._screen.bulk.run("Undoing", step.ids, verb, done)

    def hold(self) -> None:
        """Stop everything, or let everything go on."""
        if self._service.snapshot().is_held:
            self._service.release()
            self._screen.tell("Everything goes on")
        else:
            self._service.hold()
            self._screen.tell(f"Everything is paused. {key_of('hold')} goes on.")
        self._screen.list.update_rows()

    # -- downloads at once -----------------------------------------------------------

    def more(self) -> None:
        """One more."""
        self._change_concurrency(+1)

    def fewer(self) -> None:
        """One less."""
        self._change_concurrency(-1)

    def more_16(self) -> None:
        """Sixteen more."""
        self._change_concurrency(+16)

    def fewer_16(self) -> None:
        """Sixteen less."""
        self._change_concurrency(-16)

    def _change_concurrency(self, by: int) -> None:
        self.set_concurrency(self._service.snapshot().concurrency + by)

    def set_concurrency(self, number: int) -> None:
        """Run this many downloads at once, as far as that is allowed."""
        # The totals show it in this turn; the rows it starts follow with the tick.
        number = max(1, min(MAX_CONCURRENCY, number))
        was_auto = self._service.snapshot().auto.is_on
        self._service.set_concurrency(number)
        if was_auto:
            again = f"{key_of('auto')} lets it choose again"
            self._screen.tell(f"{number} at once, pinned by hand; {again}")

    def set_number(self) -> None:
        """Ask how many downloads run at once."""

        def check(text: str) -> str | None:
            if text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_CONCURRENCY:
                return None
            return f"a number from 1 to {MAX_CONCURRENCY}"

        def use(text: str | None) -> None:
            if text is not None:
                self.set_concurrency(int(text))
                self._screen.show_now()

        now = str(self._service.snapshot().concurrency)
        prompt = PromptScreen("Downloads at once", now, check)
        self._screen.app.push_screen(prompt, use)

    def auto(self) -> None:
        """Let the engine choose, or not."""
        is_on = not self._service.snapshot().auto.is_on
        self._service.set_auto(is_on)
        self._screen.tell(
            "Downloads at once are chosen by what they bring; a number pins them"
            if is_on
            else "Downloads at once stay as they are"
        )

    def ask_cap(self, host: OriginSnapshot) -> None:
        """Ask how many downloads run at once from a host."""

        def check(text: str) -> str | None:
            if text.isdecimal() and len(text) < 6 and int(text) <= MAX_CONCURRENCY:
                return None
            return f"a number up to {MAX_CONCURRENCY}; 0 for no cap of its own"

        def use(text: str | None) -> None:
            if text is not None:
                self._service.set_origin_cap(host.origin, int(text))
                self._screen.tell(f"{name}: {text if int(text) else 'any'} at once")
                self._screen.painter.paint_hosts()

        name = plain_url(host.origin, 60)
        now = str(host.cap if host.cap_from == "set" else 0)
        hint = "0 leaves it to the cap of all"
        prompt = PromptScreen(f"At once from {name}", now, check, hint)
        self._screen.app.push_screen(prompt, use)

    # -- limits ----------------------------------------------------------------------

    def limit(self) -> None:
        """Ask for the rate limit."""
        ask_for_rate(self._screen)

    def writers_more(self) -> None:
        """One writer thread more."""
        self.change_writers(+1)

    def writers_fewer(self) -> None:
        """One writer thread less."""
        self.change_writers(-1)

    def change_writers(self, by: int) -> None:
        """Change the number of writer threads."""
        number = self._service.snapshot().disk.writers + by
        self._service.set_writers(max(1, min(MAX_WRITERS, number)))

    def inline_writes(self) -> None:
        """Write on the loop, or in the executor again."""
        is_inline = not self._service.snapshot().disk.is_inline
        self._service.set_inline_writes(is_inline)
        self._screen.tell(
            "Writes block the event loop now: watch its lag."
            f" {key_of('inline_writes')} ends it."
            if is_inline
            else "Writes are back in the executor"
        )

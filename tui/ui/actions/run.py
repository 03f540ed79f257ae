"""Actions on the whole run: adding, saving, pausing, concurrency, limits, writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.settings import MAX_CONCURRENCY, MAX_WRITERS
from tui.core.text.sanitize import sanitize_url
from tui.ui.actions.prompts import ask_for_rate
from tui.ui.keys.keymap import key_of

if TYPE_CHECKING:
    from tui.core.snapshot import OriginSnapshot
    from tui.ui.actions.context import ActionContext
    from tui.ui.actions.export import ListExport


SLOW_DISK_S = 0.05
"""How much longer each write takes on the simulated slow disk."""


class RunActions:
    """Handlers of ``Group.RUN``, without those that change states."""

    def __init__(self, context: ActionContext, export: ListExport) -> None:
        """Act on the run; save lists with ``export``."""
        self._context = context
        self._service = context.service
        self._export = export

    # -- lists -----------------------------------------------------------------------

    def add(self) -> None:
        """Ask for URLs."""
        self._context.add_queue.open_editor("")

    def open_list(self) -> None:
        """Ask for a list file to add."""
        self._context.add_queue.open_list()

    def export_failed(self) -> None:
        """Save the failed downloads as a list."""
        self._context.run_in_background(self._export.save_failed, group="export")

    def save_list(self) -> None:
        """Ask which downloads to save as a list, and in which format."""
        self._export.ask()

    def pause_all(self) -> None:
        """Pause everything, or resume it."""
        if self._service.snapshot().is_queue_paused:
            self._service.resume_all()
            self._context.notify("Resumed")
        else:
            self._service.pause_all()
            self._context.notify(f"All paused. Press {key_of('pause_all')} to resume.")
        self._context.list.update_rows()

    # -- concurrency -----------------------------------------------------------------

    def more(self) -> None:
        """Increase concurrency by one."""
        self._change_concurrency(+1)

    def fewer(self) -> None:
        """Decrease concurrency by one."""
        self._change_concurrency(-1)

    def more_16(self) -> None:
        """Increase concurrency by 16."""
        self._change_concurrency(+16)

    def fewer_16(self) -> None:
        """Decrease concurrency by 16."""
        self._change_concurrency(-16)

    def _change_concurrency(self, by: int) -> None:
        self.set_concurrency(self._service.snapshot().concurrency + by)

    def set_concurrency(self, number: int) -> None:
        """Set the concurrency, within its limits, and turn automatic tuning off.

        The totals show it in this turn; the rows that it starts follow with the tick.
        """
        number = max(1, min(MAX_CONCURRENCY, number))
        was_auto = self._service.snapshot().auto.is_on
        self._service.set_concurrency(number)
        hint = f"; press {key_of('auto')} for automatic" if was_auto else ""
        self._context.notify(f"Concurrency set to {number}{hint}")

    def set_number(self) -> None:
        """Ask for the concurrency."""
        from tui.ui.dialogs.prompt import PromptScreen

        def check(text: str) -> str | None:
            if text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_CONCURRENCY:
                return None
            return f"enter a number from 1 to {MAX_CONCURRENCY}"

        def apply(text: str | None) -> None:
            if text is not None:
                self.set_concurrency(int(text))
                self._context.refresh_now()

        now = str(self._service.snapshot().concurrency)
        self._context.ask(PromptScreen("Concurrency", now, check), apply)

    def auto(self) -> None:
        """Toggle automatic concurrency."""
        is_on = not self._service.snapshot().auto.is_on
        self._service.set_auto(is_on)
        if is_on:
            more, fewer, number = map(key_of, ("more", "fewer", "set_number"))
            self._context.notify(
                "Automatic concurrency is on."
                f" Press {more} {fewer} or {number} to set it yourself."
            )
        else:
            self._context.notify("Automatic concurrency is off")

    def ask_host_limit(self, host: OriginSnapshot) -> None:
        """Ask for the maximum number of concurrent downloads from a host."""
        from tui.ui.dialogs.prompt import PromptScreen

        name = sanitize_url(host.origin, 60)

        def check(text: str) -> str | None:
            if text.isdecimal() and len(text) < 6 and int(text) <= MAX_CONCURRENCY:
                return None
            return f"enter a number up to {MAX_CONCURRENCY}, or 0 for the global limit"

        def apply(text: str | None) -> None:
            if text is None:
                return
            self._service.set_origin_cap(host.origin, int(text))
            self._context.notify(
                f"Max downloads from {name}: {int(text)}"
                if int(text)
                else f"Max downloads from {name}: the global limit"
            )
            self._context.refresh_scheduler.refresh_hosts()

        now = str(host.cap if host.cap_from == "set" else 0)
        title, hint = f"Max downloads from {name}", "0 = use the global limit"
        self._context.ask(PromptScreen(title, now, check, hint), apply)

    # -- rate limit and disk ---------------------------------------------------------

    def limit(self) -> None:
        """Ask for the rate limit of all downloads together."""
        ask_for_rate(self._context)

    def writers_more(self) -> None:
        """Add a writer thread."""
        self.change_writers(+1)

    def writers_fewer(self) -> None:
        """Remove a writer thread."""
        self.change_writers(-1)

    def change_writers(self, by: int) -> None:
        """Change the number of writer threads."""
        number = max(1, min(MAX_WRITERS, self._service.snapshot().disk.writers + by))
        self._service.set_writers(number)
        self._context.notify(f"Writer threads: {number}")

    def inline_writes(self) -> None:
        """Toggle writing on the event loop."""
        is_inline = not self._service.snapshot().disk.is_inline
        self._service.set_inline_writes(is_inline)
        if is_inline:
            self._context.notify(
                "Writes now run on the event loop. Watch the lag;"
                f" press {key_of('inline_writes')} to stop."
            )
        else:
            self._context.notify("Writes run in threads again")

    def slow_disk(self) -> None:
        """Toggle the simulation of a slow disk."""
        disk = self._service.snapshot().disk
        is_slow = not disk.delay_s
        self._service.set_disk_delay(SLOW_DISK_S if is_slow else 0.0)
        if is_slow:
            key = key_of("inline_writes")
            where = "in threads again" if disk.is_inline else "on the event loop"
            self._context.notify(
                "Simulating a slow disk: each write takes 50 ms longer."
                f" Press {key} to write {where}."
            )
        else:
            self._context.notify("No longer simulating a slow disk")

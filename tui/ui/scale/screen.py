"""The screen: totals, a table of workers, shards or hosts, failures, and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.core.settings import MAX_CONCURRENCY
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_elapsed, format_rate, parse_size
from tui.ui.bars.key_footer import KeyFooter
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.panes.pane import Line, Pane, Span, justify
from tui.ui.scale.detail_dialog import DetailDialog
from tui.ui.scale.panes import FailurePane, JobTable, View
from tui.ui.style.format import bar, count, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

    from tui.scale.model import JobControl, JobSnapshot

_TICK_S = 0.25
_ASKING_S = 5.0
"""Seconds for which a second key ends a running job."""
_KEYS = (
    ("next_view", "tab", "view"),
    ("cancel", "x", "cancel"),
    ("retry", "r", "retry"),
    ("concurrency", "c", "concurrency"),
    ("rate", "b", "rate"),
    ("per_host", "h", "per host"),
    # In 80 columns, details do not fit.
    ("quit", "q", "quit"),
    ("details", "enter", "details"),
)


class JobHeader(Pane):
    """Three lines: the job, its progress, and the limits of all workers."""

    DEFAULT_CSS = "JobHeader { height: 3; }"
    has_frame = False

    def __init__(self, control: JobControl, title: str, **options: Any) -> None:
        """Describe a job."""
        super().__init__(**options)
        self.job_title = sanitize(title)
        self.snapshot = control.snapshot()

    def body(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        del height
        job = self.snapshot
        left = [Span(" fetchtui scale ", "title"), Span(self.job_title, "dim")]
        right = [Span(f"{self._state(job)}, {format_elapsed(job.elapsed_s)} ")]
        ended = job.rows_done + job.rows_failed
        fraction = ended / job.rows if job.rows else 1.0
        room = max(10, min(40, width - 70))
        filled, empty = bar(fraction, room, is_ascii=self.is_ascii)
        progress = [
            Span(" "),
            Span(filled, "active" if not job.is_over else "done"),
            Span(empty, "faint"),
            Span(f" {percent(fraction)}", "strong"),
            Span(f"  {count(job.rows_done)} of {count(job.rows)} done"),
        ]
        if job.rows_failed:
            progress.append(Span(f", {count(job.rows_failed)} failed", "failed"))
        shards = f"{count(job.shards_done)} of {count(job.shards)} shards "
        return [
            justify(left, right, width),
            justify(progress, [Span(shards)], width),
            justify([Span(" "), *self._limits(job)], [Span(_speed(job))], width),
        ]

    @staticmethod
    def _state(job: JobSnapshot) -> str:
        if job.is_over:
            return "all done" if job.shards_done == job.shards else "ended"
        running = sum(worker.state == "running" for worker in job.workers)
        if not job.workers:
            return "starting workers"
        lost = sum(worker.state == "lost" for worker in job.workers)
        text = f"{running} of {len(job.workers) - lost} workers busy"
        return f"{text}, {lost} lost" if lost else text

    @staticmethod
    def _limits(job: JobSnapshot) -> Line:
        active = sum(worker.status.active for worker in job.workers)
        limits = job.limits
        rate = "no rate limit" if limits.rate is None else format_rate(limits.rate)
        per_host = f"{limits.per_host} per host" if limits.per_host else "no host limit"
        return [
            Span("all workers  ", "dim"),
            Span(f"concurrency {active}/{limits.concurrency}  ", "text", "concurrency"),
            Span(f"{per_host}  ", "text", "per_host"),
            Span(rate, "text", "rate"),
        ]

    def pressed(self, action: str) -> None:
        """Run the action of the clicked limit."""
        self.screen.call_later(self.screen.run_action, action)


def _speed(job: JobSnapshot) -> str:
    if job.is_over:
        return ""
    eta = f", {format_elapsed(job.eta_s)} left" if job.eta_s is not None else ""
    return f"{format_rate(job.speed)}{eta} "


class ScaleScreen(Screen[None]):
    """Draws a job and handles its keys; the job itself runs independently."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False, priority=True),
        Binding("down,j", "move(1)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("home,g", "move(-99999)", show=False, priority=True),
        Binding("end,G", "move(99999)", show=False, priority=True),
        Binding("tab", "next_view", show=False, priority=True),
        Binding("1", "view('shards')", show=False, priority=True),
        Binding("2", "view('workers')", show=False, priority=True),
        Binding("3", "view('hosts')", show=False, priority=True),
        Binding("enter", "details", show=False, priority=True),
        Binding("x", "cancel", show=False, priority=True),
        Binding("r", "retry", show=False, priority=True),
        Binding("c", "concurrency", show=False, priority=True),
        Binding("plus,equals_sign", "step(1)", show=False, priority=True),
        Binding("minus", "step(-1)", show=False, priority=True),
        Binding("b", "rate", show=False, priority=True),
        Binding("h", "per_host", show=False, priority=True),
        Binding("q,ctrl+c,ctrl+q", "quit", show=False, priority=True),
    ]

    def __init__(self, control: JobControl, title: str) -> None:
        """Show a job."""
        super().__init__()
        self.control = control
        self.header = JobHeader(control, title)
        self.table = JobTable(control.snapshot())
        self.failures = FailurePane(control.snapshot())
        self.footer = KeyFooter(_KEYS)
        self._is_asking_to_quit = False

    def compose(self) -> ComposeResult:
        """Lay out the widgets."""
        yield self.header
        yield self.table
        yield self.failures
        yield self.footer

    def on_mount(self) -> None:
        """Start drawing."""
        self.table.focus()
        self.set_interval(_TICK_S, self.tick)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys to a dialog that is open."""
        del action, parameters
        return self.app.screen is self

    def tick(self) -> None:
        """Draw what changed."""
        if getattr(self.app, "has_lost_terminal", False):
            self.app.exit()
        if getattr(self.app, "is_terminal_behind", False):
            return
        snapshot = self.control.snapshot()
        for pane in (self.header, self.table, self.failures):
            pane.snapshot = snapshot
            pane.ticks += 1
            pane.redraw()
        self.failures.display = bool(snapshot.causes) and self.size.height >= 16
        self.footer.tick()

    def on_resize(self, event: events.Resize) -> None:
        """Hide what does not fit."""
        self.failures.display = event.size.height >= 16 and bool(
            self.failures.snapshot.causes
        )

    # -- keys ------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.table.move(step)

    def action_next_view(self) -> None:
        """Show the next table."""
        views = list(View)
        at = (views.index(self.table.view) + 1) % len(views)
        self.table.show_view(views[at])

    def action_view(self, name: str) -> None:
        """Show a table."""
        self.table.show_view(View(name))

    def action_details(self) -> None:
        """Show everything about the row under the cursor."""
        lines = self.table.details()
        if lines:
            self.app.push_screen(DetailDialog(*lines))

    def action_cancel(self) -> None:
        """Cancel the shard under the cursor."""
        shard = self.table.shard
        if shard is None:
            self.footer.show_message("Select a shard first (1 shows shards).")
        elif self.control.cancel_shard(shard):
            self.footer.show_message(f"Cancelling shard {shard}; its files are kept.")
        else:
            self.footer.show_message(f"Shard {shard} has ended.")

    def action_retry(self) -> None:
        """Run the shard under the cursor again."""
        shard = self.table.shard
        if shard is None:
            self.footer.show_message("Select a shard first (1 shows shards).")
        elif self.control.snapshot().is_over:
            self.footer.show_message("The run is over; start the command again.")
        elif self.control.retry_shard(shard):
            self.footer.show_message(f"Shard {shard} waits for a worker again.")
        else:
            self.footer.show_message(f"Shard {shard} has not failed.")

    def action_step(self, step: int) -> None:
        """Change the concurrency by one."""
        limits = self.control.snapshot().limits
        number = max(1, min(limits.concurrency + step, 100 * MAX_CONCURRENCY))
        self.control.set_limits(limits._replace(concurrency=number))
        self.footer.show_message(f"Concurrency of all workers: {number}")

    def action_concurrency(self) -> None:
        """Ask for the concurrency of all workers."""
        self._ask(
            "Concurrency of all workers",
            str(self.control.snapshot().limits.concurrency),
            _read_count(1, 100 * MAX_CONCURRENCY),
            lambda number: self._set(concurrency=number),
            "downloads at a time, divided among the workers",
        )

    def action_per_host(self) -> None:
        """Ask for the limit per host."""
        self._ask(
            "Max downloads per host",
            str(self.control.snapshot().limits.per_host),
            _read_count(0, MAX_CONCURRENCY),
            lambda number: self._set(per_host=number),
            "over all workers; 0 = no limit of its own",
        )

    def action_rate(self) -> None:
        """Ask for the rate limit."""
        rate = self.control.snapshot().limits.rate
        self._ask(
            "Rate limit of all workers",
            "0" if rate is None else str(rate),
            lambda text: parse_size(text, noun="rate"),
            lambda number: self._set(rate=number or None),
            "bytes per second, such as 500k or 10M; 0 = no limit",
        )

    def _set(self, **changes: Any) -> None:
        self.control.set_limits(self.control.snapshot().limits._replace(**changes))

    def _ask(
        self,
        title: str,
        value: str,
        read: Callable[[str], int],
        apply: Callable[[int], None],
        hint: str,
    ) -> None:
        def check(text: str) -> str | None:
            try:
                read(text)
            except ValueError as error:
                return str(error)
            return None

        def done(text: str | None) -> None:
            if text is not None:
                apply(read(text))

        self.app.push_screen(PromptScreen(title, value, check, hint), done)

    def action_quit(self) -> None:
        """Quit; a running job needs a second press."""
        if self.control.snapshot().is_over or self._is_asking_to_quit:
            self.app.exit()
            return
        self._is_asking_to_quit = True
        self.footer.show_message(
            "Press q again to stop the job. Finished shards are kept; the same command"
            " resumes."
        )
        self.set_timer(_ASKING_S, self._stop_asking)

    def _stop_asking(self) -> None:
        self._is_asking_to_quit = False


def _read_count(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal():
            raise ValueError("a whole number, please")
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(f"from {lowest:,} to {highest:,}")
        return number

    return read

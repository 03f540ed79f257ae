"""The race: run every strategy alone in a new process, for several shuffled rounds.

One at a time, because two strategies that run together would measure each other. If a
strategy crashes, hangs or is cancelled, only its own row is affected. However the race
ends, it leaves no process and no file behind.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_rate, format_size, plural
from tui.demo.tempdir import TemporaryDirectory
from tui.lab.catalog import BY_NAME, Entry, describe_stop
from tui.lab.job import Job, Target
from tui.lab.process import SILENCE_S, LabProcess
from tui.lab.report.figures import Figures, Record, disagreements, format_counts
from tui.lab.report.formatting import format_seconds
from tui.lab.server_process import ServerProfile, to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

STOP_LIMIT_S = 10.0
"""Seconds that a strategy has to stop by itself before its process is killed."""
_CANCEL_FRACTION = 4
"""The cancel round cancels after this fraction of the files (1/n)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, on which files, how often."""

    entries: tuple[Entry, ...]
    targets: tuple[Target, ...] = ()
    """The user's list; empty for the demo server."""
    profile: ServerProfile = field(default_factory=ServerProfile)
    """Files and speed of the demo server."""
    rounds: int = 3
    concurrency: int = 8
    timeout_s: float = 30.0
    disk_latency_s: float = 0.0
    has_cancel_round: bool = True
    """After the rounds, cancel each strategy once and measure how long it takes."""


class State(Enum):
    """State of one strategy in the race."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True, eq=False)
class Entrant:
    """One strategy in the race."""

    entry: Entry
    record: Record = field(default_factory=Record)
    state: State = State.WAITING
    progress: dict[str, Any] = field(default_factory=dict)
    """Latest progress from its process; {} before the first run."""
    note: str = ""
    """What happened last; safe to display."""
    lags: list[float] = field(default_factory=list)
    """Worst loop lag in each tenth of a second of the latest run, in seconds."""
    has_failed: bool = False
    """One of its runs ended without figures."""
    is_withdrawn: bool = False
    """The user cancelled it, or it failed: it takes no further part."""
    process: LabProcess | None = None
    """Set while it runs."""


class Race:
    """Runs a plan. Front ends may read ``entrants`` at any time.

    Args:
        plan: what to do.
        on_run_ended: called after each run of an entrant.
        rng: shuffles the order; seeded in tests.
    """

    def __init__(
        self,
        plan: Plan,
        on_run_ended: Callable[[Entrant], object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.plan = plan
        self.entrants = [Entrant(entry) for entry in plan.entries]
        self.round = 0
        """The current round, from 1; ``plan.rounds + 1`` is the cancel round."""
        self.total = len(plan.targets) or plan.profile.files
        """Number of files in the list."""
        self.problem = ""
        """What is wrong with the race as a whole, "" for nothing."""
        self.started_at = 0.0
        self.elapsed_s = 0.0
        self.is_over = False
        self.server: LabProcess | None = None
        """The demo server, while it runs."""
        self._on_run_ended = on_run_ended
        self._rng = rng or random.Random()
        self._root = Path()
        self._runs = 0

    # -- for front ends --------------------------------------------------------------

    @property
    def rows(self) -> list[tuple[Entry, Record]]:
        """Each strategy with its results so far."""
        return [(entrant.entry, entrant.record) for entrant in self.entrants]

    @property
    def is_cancel_round(self) -> bool:
        """True during the round that measures cancelling."""
        return self.round > self.plan.rounds

    @property
    def is_clean(self) -> bool:
        """True if no strategy failed and all results agree."""
        runs = [(e.title, run) for e, record in self.rows for run in record.rounds]
        return not (
            self.problem
            or any(entrant.has_failed for entrant in self.entrants)
            or disagreements(runs)
        )

    def cancel(self, entrant: Entrant) -> None:
        """Withdraw an entrant: cancel its run in its own way, and make no other."""
        entrant.is_withdrawn = True
        if entrant.state is State.RUNNING:
            self._stop(entrant)
        elif entrant.state is State.WAITING:
            entrant.state = State.CANCELLED
            entrant.note = "withdrawn"

    @staticmethod
    def end_at_once() -> None:
        """Kill every process and remove every file, without waiting."""
        LabProcess.kill_all()
        TemporaryDirectory.remove_all()

    # -- the race --------------------------------------------------------------------

    async def run(self) -> None:
        """Run all rounds.

        Raises:
            OSError: the temporary directory or a process cannot be created.
        """
        self.started_at = time.monotonic()
        with TemporaryDirectory("lab") as self._root:
            try:
                async with self._server() as targets:
                    await self._rounds(targets)
            finally:
                self.is_over = True
                self.elapsed_s = time.monotonic() - self.started_at
                for entrant in self.entrants:
                    if entrant.state is State.WAITING:
                        entrant.state = (
                            State.DONE if entrant.record.rounds else entrant.state
                        )

    async def _rounds(self, targets: tuple[Target, ...]) -> None:
        last = self.plan.rounds + self.plan.has_cancel_round
        for self.round in range(1, last + 1):
            order = [entrant for entrant in self.entrants if not entrant.is_withdrawn]
            self._rng.shuffle(order)
            for entrant in order:
                entrant.state = State.WAITING
            for entrant in order:
                if not entrant.is_withdrawn:
                    await self._run_one(entrant, targets)
        self.round = last

    async def _run_one(self, entrant: Entrant, targets: tuple[Target, ...]) -> None:
        """Run one strategy once; a failure affects only its row."""
        self._runs += 1
        folder = self._root / f"run-{self._runs}"
        folder.mkdir()
        cancel_after = (
            max(1, self.total // _CANCEL_FRACTION) if self.is_cancel_round else 0
        )
        job = Job(
            strategy=entrant.entry.name,
            targets=targets,
            folder=folder,
            concurrency=self.plan.concurrency,
            timeout_s=self.plan.timeout_s,
            is_local=not self.plan.targets,
            cancel_after=cancel_after,
            disk_latency_s=self.plan.disk_latency_s,
        )
        path = folder.with_suffix(".json")
        path.write_text(job.to_json(), "utf-8")
        entrant.state, entrant.progress, entrant.note = State.RUNNING, {}, ""
        entrant.lags = []
        try:
            errors = folder.with_suffix(".err")
            entrant.process = await LabProcess.start(
                "tui.lab.worker.child", str(path), errors
            )
            await self._follow(entrant, entrant.process)
        finally:
            if entrant.process is not None:
                await entrant.process.end()
            entrant.process = None
            await asyncio.to_thread(_remove, folder)
        if self._on_run_ended is not None:
            self._on_run_ended(entrant)

    async def _follow(self, entrant: Entrant, process: LabProcess) -> None:
        figures = None
        reason = ""
        try:
            async with aclosing(process.lines()) as lines:
                async for line in lines:
                    match line["event"]:
                        case "progress":
                            entrant.progress = line
                            if line["lag_now_s"] is not None:
                                entrant.lags.append(line["lag_now_s"])
                        case "figures":
                            figures = Figures.from_fields(line["figures"])
                        case "died":
                            reason = line["reason"]
        except TimeoutError:
            reason = f"no output for {SILENCE_S:.0f} s"
        if figures is not None:
            self._record(entrant, figures)
            return
        if entrant.state is State.CANCELLED:
            limit = format_seconds(STOP_LIMIT_S)
            entrant.note = f"did not stop within {limit}; process killed"
            return
        entrant.has_failed = entrant.is_withdrawn = True
        entrant.state = State.FAILED
        exit_text = "" if reason else await process.describe_exit()
        entrant.note = sanitize(f"failed: {reason or exit_text}", 300)

    def _record(self, entrant: Entrant, figures: Figures) -> None:
        """Record the figures of a finished run."""
        entrant.progress["ended"] = sum(figures.counts.values())
        if figures.stop is not None:
            entrant.record.stops.append(figures.stop)
            entrant.state = State.CANCELLED if entrant.is_withdrawn else State.DONE
            entrant.note = describe_stop(entrant.entry, figures.stop)
            if not entrant.is_withdrawn:  # the cancel round, after all others
                entrant.progress["ended"] = self.total
            return
        entrant.state = State.DONE
        if not self.is_cancel_round:  # there, it was too fast to be cancelled
            entrant.record.rounds.append(figures)
        entrant.note = format_counts(figures.counts)
        if figures.first_error:
            entrant.note += f" ({figures.first_error})"

    def _stop(self, entrant: Entrant) -> None:
        if entrant.process is None:
            return
        entrant.state = State.STOPPING
        entrant.note = "stopping"
        entrant.process.send("cancel")
        # Kill it if it does not stop; ``lines`` then ends.
        asyncio.get_running_loop().call_later(
            STOP_LIMIT_S, _kill, entrant, entrant.process
        )

    # -- the server ------------------------------------------------------------------

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[tuple[Target, ...]]:
        """Run the demo server while the block lasts, unless there is a user's list."""
        if self.plan.targets:
            yield self.plan.targets
            return
        argument = to_json(self.plan.profile)
        errors = self._root / "server.err"
        server = await LabProcess.start("tui.lab.server_process", argument, errors)
        self.server = server
        watch = None
        try:
            async with aclosing(server.lines()) as lines:
                # None: with a tuple as default, CPython 3.11 raises SystemError.
                urls: Sequence[str] | None = await anext(lines, None)
            if not urls:
                raise OSError(f"demo server {await server.describe_exit()}")
            watch = asyncio.create_task(self._watch_server(server))
            yield tuple(Target(url, url.rpartition("/")[2]) for url in urls)
        finally:
            if watch is not None:
                watch.cancel()
            await server.end()
            self.server = None

    async def _watch_server(self, server: LabProcess) -> None:
        await server.wait()
        self.problem = f"demo server stopped ({await server.describe_exit()})"


def facts(plan: Plan) -> list[str]:
    """Return what a race is about, the most important first."""
    concurrency = f"concurrency {plan.concurrency}"
    if plan.targets:
        found = [f"your list, {plural(len(plan.targets), 'file')}", concurrency]
    else:
        profile = plan.profile
        size = format_size(profile.size)
        found = [
            f"demo server, {plural(profile.files, 'file')} of about {size}",
            concurrency,
            f"latency {format_seconds(profile.latency_s)}",
        ]
        if profile.rate:
            found.append(f"{format_rate(profile.rate)} per connection")
    if plan.disk_latency_s:
        found.append(f"fsync delay {format_seconds(plan.disk_latency_s)}")
    return found


def describe(plan: Plan) -> str:
    """Return the files, server and settings of a plan in one line."""
    return ", ".join(facts(plan))


def plan_for(names: Sequence[str] = (), **options: Any) -> Plan:
    """Return a plan for the named strategies; for all, without names."""
    return Plan(tuple(BY_NAME[name] for name in names or BY_NAME), **options)


def _kill(entrant: Entrant, process: LabProcess) -> None:
    if entrant.process is process:
        entrant.state = State.CANCELLED
        process.kill()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)

"""The race: every strategy alone in a fresh process, several rounds, shuffled.

One at a time, because two that run together would measure each other. What dies, hangs
or is cancelled loses its own row only; and whatever ends the race, no process and no
file is left behind.
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

from tui.core.text.plain_text import plain
from tui.core.text.units import format_rate, format_size
from tui.demo.tempdir import TemporaryDirectory
from tui.lab.catalog import BY_NAME, Entry, say_stop
from tui.lab.job import Job, Target
from tui.lab.process import SILENCE_S, LabProcess
from tui.lab.report.figures import Figures, Record, disagreements, say_counts
from tui.lab.report.formatting import say_s
from tui.lab.server_process import ServerProfile, to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

STOP_LIMIT_S = 10.0
"""What a strategy gets to stop by itself; then its process is ended."""
_CANCEL_PART = 4
"""In the round that measures cancelling it comes after one part in this many."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to race, on what, how often."""

    entries: tuple[Entry, ...]
    targets: tuple[Target, ...] = ()
    """A list of one's own; none means the demo's server."""
    course: ServerProfile = field(default_factory=ServerProfile)
    """What that server has."""
    rounds: int = 3
    concurrency: int = 8
    timeout_s: float = 30.0
    disk_latency_s: float = 0.0
    has_cancel_round: bool = True
    """Cancel each strategy once, after the rounds, and measure how it takes that."""


class State(Enum):
    """Where a lane stands."""

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
    """The newest that its process told; {} before the first run."""
    note: str = ""
    """What happened last, in words; safe to show."""
    lags: list[float] = field(default_factory=list)
    """Worst lag of the loop in each tenth of a second of the newest run, in seconds."""
    has_failed: bool = False
    """A run of it ended without figures."""
    is_out: bool = False
    """Somebody cancelled it: it takes no further part."""
    process: LabProcess | None = None
    """While it runs."""


class Race:
    """Runs a plan; whoever draws reads ``lanes`` at any time.

    Args:
        plan: what to do.
        heard: called when a run of a lane has ended.
        chance: shuffles; seeded in tests.
    """

    def __init__(
        self,
        plan: Plan,
        heard: Callable[[Entrant], object] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.plan = plan
        self.lanes = [Entrant(entry) for entry in plan.entries]
        self.round = 0
        """The one that runs, from 1; one more than ``plan.rounds`` when cancelling is
        measured."""
        self.total = len(plan.targets) or plan.course.files
        """Files of the list."""
        self.trouble = ""
        """What is wrong with the race as a whole."""
        self.began_at = 0.0
        self.elapsed_s = 0.0
        self.is_over = False
        self.server: LabProcess | None = None
        """The demo's, while it runs."""
        self._heard = heard
        self._chance = chance or random.Random()
        self._root = Path()
        self._runs = 0

    # -- what a face asks ------------------------------------------------------------

    @property
    def rows(self) -> list[tuple[Entry, Record]]:
        """What is known about each strategy."""
        return [(lane.entry, lane.record) for lane in self.lanes]

    @property
    def is_cancel_round(self) -> bool:
        """Whether it is being measured how each is cancelled."""
        return self.round > self.plan.rounds

    @property
    def is_clean(self) -> bool:
        """Whether every strategy ran and all agree."""
        runs = [(e.title, run) for e, record in self.rows for run in record.rounds]
        return not (
            self.trouble
            or any(lane.has_failed for lane in self.lanes)
            or disagreements(runs)
        )

    def cancel(self, lane: Entrant) -> None:
        """Take a lane out: stop its run in its own way, and make no other."""
        lane.is_out = True
        if lane.state is State.RUNNING:
            self._stop(lane)
        elif lane.state is State.WAITING:
            lane.state = State.CANCELLED
            lane.note = "taken out of the race"

    @staticmethod
    def end_at_once() -> None:
        """End every process and remove every file, without waiting for anything."""
        LabProcess.kill_all()
        TemporaryDirectory.remove_all()

    # -- the race --------------------------------------------------------------------

    async def run(self) -> None:
        """Run all rounds.

        Raises:
            OSError: there is no room for files, or processes cannot be started.
        """
        self.began_at = time.monotonic()
        with TemporaryDirectory("lab") as self._root:
            try:
                async with self._stand() as targets:
                    await self._rounds(targets)
            finally:
                self.is_over = True
                self.elapsed_s = time.monotonic() - self.began_at
                for lane in self.lanes:
                    if lane.state is State.WAITING:
                        lane.state = State.DONE if lane.record.rounds else lane.state

    async def _rounds(self, targets: tuple[Target, ...]) -> None:
        last = self.plan.rounds + self.plan.has_cancel_round
        for self.round in range(1, last + 1):
            order = [lane for lane in self.lanes if not lane.is_out]
            self._chance.shuffle(order)
            for lane in order:
                lane.state = State.WAITING
            for lane in order:
                if not lane.is_out:
                    await self._run_one(lane, targets)
        self.round = last

    async def _run_one(self, lane: Entrant, targets: tuple[Target, ...]) -> None:
        """Run one strategy once; its failure is its own."""
        self._runs += 1
        folder = self._root / f"run-{self._runs}"
        folder.mkdir()
        cancel_after = max(1, self.total // _CANCEL_PART) if self.is_cancel_round else 0
        job = Job(
            strategy=lane.entry.name,
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
        lane.state, lane.progress, lane.note = State.RUNNING, {}, ""
        lane.lags = []
        try:
            errors = folder.with_suffix(".err")
            lane.process = await LabProcess.start(
                "tui.lab.worker.child", str(path), errors
            )
            await self._follow(lane, lane.process)
        finally:
            if lane.process is not None:
                await lane.process.end()
            lane.process = None
            await asyncio.to_thread(_remove, folder)
        if self._heard is not None:
            self._heard(lane)

    async def _follow(self, lane: Entrant, process: LabProcess) -> None:
        figures = None
        reason = ""
        try:
            async with aclosing(process.lines()) as lines:
                async for line in lines:
                    match line["event"]:
                        case "progress":
                            lane.progress = line
                            if line["lag_now_s"] is not None:
                                lane.lags.append(line["lag_now_s"])
                        case "figures":
                            figures = Figures.from_fields(line["figures"])
                        case "died":
                            reason = line["reason"]
        except TimeoutError:
            reason = f"said nothing for {SILENCE_S:.0f} s"
        if figures is not None:
            self._book(lane, figures)
            return
        if lane.state is State.CANCELLED:
            lane.note = (
                f"did not stop within {say_s(STOP_LIMIT_S)}; its process was ended"
            )
            return
        lane.has_failed = lane.is_out = True
        lane.state = State.FAILED
        end = "" if reason else await process.say_end()
        lane.note = plain(f"died: {reason or end}", 300)

    def _book(self, lane: Entrant, figures: Figures) -> None:
        """Take in what a run came to."""
        lane.progress["ended"] = sum(figures.counts.values())
        if figures.stop is not None:
            lane.record.stops.append(figures.stop)
            lane.state = State.CANCELLED if lane.is_out else State.DONE
            lane.note = say_stop(lane.entry, figures.stop)
            if not lane.is_out:  # a measurement: it has been through all rounds
                lane.progress["ended"] = self.total
            return
        lane.state = State.DONE
        if not self.is_cancel_round:  # there it was only too quick to be cancelled
            lane.record.rounds.append(figures)
        lane.note = say_counts(figures.counts)
        if figures.trouble:
            lane.note += f" ({figures.trouble})"

    def _stop(self, lane: Entrant) -> None:
        if lane.process is None:
            return
        lane.state = State.STOPPING
        lane.note = "stopping"
        lane.process.say("cancel")
        # Whoever does not stop is stopped; the end of its lines is then its end.
        asyncio.get_running_loop().call_later(STOP_LIMIT_S, _kill, lane, lane.process)

    # -- the server ------------------------------------------------------------------

    @asynccontextmanager
    async def _stand(self) -> AsyncIterator[tuple[Target, ...]]:
        """Serve the demo's list while the block lasts, if there is no other."""
        if self.plan.targets:
            yield self.plan.targets
            return
        argument = to_json(self.plan.course)
        errors = self._root / "stand.err"
        stand = await LabProcess.start("tui.lab.server_process", argument, errors)
        self.server = stand
        watch = None
        try:
            async with aclosing(stand.lines()) as lines:
                urls: Sequence[str] = await anext(lines, ())
            if not urls:
                raise OSError(f"the demo's server {await stand.say_end()}")
            watch = asyncio.create_task(self._watch_stand(stand))
            yield tuple(Target(url, url.rpartition("/")[2]) for url in urls)
        finally:
            if watch is not None:
                watch.cancel()
            await stand.end()
            self.server = None

    async def _watch_stand(self, stand: LabProcess) -> None:
        await stand.wait()
        self.trouble = f"the demo's server is gone ({await stand.say_end()})"


def describe(plan: Plan) -> str:
    """Return what is raced on, in one line."""
    if plan.targets:
        where = f"your list, {_files(len(plan.targets))}"
    else:
        course = plan.course
        where = (
            f"demo server, {_files(course.files)} of about {format_size(course.size)},"
            f" {say_s(course.latency_s)} away"
        )
        if course.rate:
            where += f", {format_rate(course.rate)} a connection"
    told = f"{where}; {plan.concurrency} at once"
    if plan.disk_latency_s:
        told += f"; disk {say_s(plan.disk_latency_s)} a sync"
    return told


def _files(number: int) -> str:
    return f"{number:,} file" + ("" if number == 1 else "s")


def plan_for(names: Sequence[str] = (), **options: Any) -> Plan:
    """Return a plan for strategies by name; all of them for no names."""
    return Plan(tuple(BY_NAME[name] for name in names or BY_NAME), **options)


def _kill(lane: Entrant, process: LabProcess) -> None:
    if lane.process is process:
        lane.state = State.CANCELLED
        process.kill()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)

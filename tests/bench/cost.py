"""Measure one piece: CPU time of the loop and of the process, and wall time."""

from __future__ import annotations

import gc
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report import table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

REPEATS = 5
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per unit: the best of several runs.

    The best rather than the median, because the work is always the same and noise can
    only add to it.
    """

    piece: str
    unit: str
    loop_us: float
    """CPU time of the calling thread, which runs the event loop."""
    process_us: float
    """CPU time of all threads."""
    wall_us: float


class Meter:
    """Collects measurements."""

    def __init__(self) -> None:
        self.costs: list[Cost] = []

    def call(
        self,
        piece: str,
        unit: str,
        count: int,
        work: Callable[[], object],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        """Measure a call that does ``count`` units of work, without ``prepare``."""
        found = []
        for _ in range(REPEATS):
            prepare()
            with _Quiet():
                before = _clocks()
                work()
                found.append(_since(before))
        self._keep(piece, unit, count, found)

    def start(self, piece: str, command: list[str]) -> None:
        """Measure a short run of a program; its time counts as the process's."""
        found = []
        for _ in range(REPEATS):
            before = _children_s(), time.perf_counter()
            subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
            wall_s = time.perf_counter() - before[1]
            found.append((0.0, _children_s() - before[0], wall_s))
        self._keep(piece, "start", 1, found)

    async def wait(
        self,
        piece: str,
        unit: str,
        count: int,
        work: Callable[[], Awaitable[object]],
        repeats: int = REPEATS,
    ) -> None:
        """Measure an awaitable that does ``count`` units of work."""
        found = []
        for _ in range(repeats):
            with _Quiet():
                before = _clocks()
                await work()
                found.append(_since(before))
        self._keep(piece, unit, count, found)

    def _keep(
        self, piece: str, unit: str, count: int, found: Sequence[tuple[float, ...]]
    ) -> None:
        best = [min(column) for column in zip(*found, strict=True)]
        loop, process, wall = (seconds / count * 1e6 for seconds in best)
        self.costs.append(Cost(piece, unit, loop, process, wall))
        print(f"{piece}: {wall:,.1f} us per {unit}", flush=True)

    def table(self) -> str:
        """Return all measurements as a Markdown table."""
        header = ["piece", "per", "loop thread us", "process us", "wall us"]
        rows = [
            [c.piece, c.unit, *map(_shown, (c.loop_us, c.process_us, c.wall_us))]
            for c in self.costs
        ]
        return table(header, rows)


def _shown(us: float) -> str:
    return f"{us:,.1f}" if us else "-"


class _Quiet:
    """Disables the garbage collector while measuring, as the program does."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _clocks() -> tuple[float, ...]:
    return time.thread_time(), time.process_time(), time.perf_counter()


def _since(before: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(now - then for now, then in zip(_clocks(), before, strict=True))

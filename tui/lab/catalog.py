"""The catalog of strategies: names, titles and explanations.

Nothing here imports a strategy: text and code are read from its file, so that a front
end can use the catalog without loading what the strategies need.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from tui.core.text.units import plural
from tui.lab.report.formatting import format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.lab.report.figures import Stop

Unit: TypeAlias = Literal["file", "thread", "task", "process"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One strategy."""

    name: str
    """Name of its module in ``tui.lab.strategies``."""
    title: str
    """At most ``TITLE_WIDTH`` cells."""
    unit: Unit
    """What runs concurrently in it."""
    is_cpu_bound: bool = False
    """It processes files that are fetched before its clock starts."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation and code of a strategy, read from its file."""

    headline: str
    paragraphs: tuple[str, ...]
    """``What runs where: ...`` and ``What to learn: ...``."""
    code: str
    """The file from its first function on."""


ENTRIES = (
    Entry("one_by_one", "one after another", "file"),
    Entry("thread_map", "threads, map", "thread"),
    Entry("as_completed", "threads, as_completed", "thread"),
    Entry("asyncio_blocking_save", "asyncio, blocking save", "task"),
    Entry("asyncio_executor_save", "asyncio, executor save", "task"),
    Entry("two_requests", "asyncio, two requests", "task"),
    Entry("engine", "fetchtui's engine", "task"),
    Entry("threads_cpu", "CPU work in threads", "thread", is_cpu_bound=True),
    Entry("processes_cpu", "CPU work in processes", "process", is_cpu_bound=True),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}
TITLE_WIDTH = max(len(entry.title) for entry in ENTRIES)


def choose(names: Iterable[str]) -> tuple[Entry, ...]:
    """Return the named entries in catalog order; all, without names.

    Raises:
        ValueError: there is no such strategy; the message lists them all.
    """
    wanted = list(names)
    for name in wanted:
        if name not in BY_NAME:
            raise ValueError(
                f"unknown strategy {name!r}; available: {', '.join(BY_NAME)}"
            )
    return tuple(entry for entry in ENTRIES if not wanted or entry.name in wanted)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def explain(name: str) -> Explanation:
    """Return the explanation and code in a strategy's file."""
    path = Path(__file__).with_name("strategies") / f"{name}.py"
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    first, *rest = (ast.get_docstring(tree) or "").split("\n\n")
    begin = next(node.lineno for node in tree.body if isinstance(node, _FUNCTIONS))
    lines = text.splitlines()[begin - 1 :]
    return Explanation(
        headline=first,
        paragraphs=tuple(" ".join(one.split()) for one in rest),
        code="\n".join(lines).strip() + "\n",
    )


def describe_stop(entry: Entry, stop: Stop) -> str:
    """Return in one sentence how a strategy reacted to being cancelled."""
    took = format_seconds(stop.took_s)
    interrupted = max(0, stop.running - stop.finished)
    match entry.unit:
        case "task":
            running = f"{plural(interrupted, 'running task')} interrupted"
            if stop.finished:
                running += f", {stop.finished} just finished"
            waiting = f"{plural(stop.waiting, 'waiting task')} cancelled"
        case "file":
            running = "the file in progress had to finish"
            waiting = f"{stop.waiting} not started"
        case "process":
            running = (
                f"{plural(stop.running, 'future')} sent to a process could not be"
                " cancelled"
            )
            waiting = f"{plural(stop.waiting, 'waiting future')} cancelled"
        case unit:
            running = f"{plural(stop.running, f'running {unit}')} could not be stopped"
            waiting = f"{plural(stop.waiting, 'waiting future')} cancelled"
    return f"cancelled in {took}: {running}; {waiting}"

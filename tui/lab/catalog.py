"""Who races: names, titles, and what each row can say about itself.

Nothing here imports a strategy: its text and code are read from its file, so a face may
use this without loading what the strategies need.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from tui.lab.report.formatting import say_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.lab.report.figures import Stop

Unit: TypeAlias = Literal["file", "thread", "task", "process"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One strategy."""

    name: str
    """Its module in ``tui.lab.strategies``."""
    title: str
    """At most ``TITLE_WIDTH`` cells."""
    unit: Unit
    """What runs side by side in it."""
    is_computing: bool = False
    """It works on files that were fetched before its clock started."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a strategy is, read from its own file."""

    headline: str
    paragraphs: tuple[str, ...]
    """``What runs where: ...`` and ``What to learn: ...``."""
    code: str
    """What it does: the file from its first function on."""


ENTRIES = (
    Entry("one_by_one", "one after another", "file"),
    Entry("thread_map", "threads, map", "thread"),
    Entry("as_completed", "threads, as_completed", "thread"),
    Entry("asyncio_blocking_save", "asyncio, blocking save", "task"),
    Entry("asyncio_executor_save", "asyncio, executor save", "task"),
    Entry("two_requests", "asyncio, two requests", "task"),
    Entry("engine", "fetchtui's engine", "task"),
    Entry("threads_cpu", "computing in threads", "thread", is_computing=True),
    Entry("processes_cpu", "computing in processes", "process", is_computing=True),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}
TITLE_WIDTH = max(len(entry.title) for entry in ENTRIES)


def choose(names: Iterable[str]) -> tuple[Entry, ...]:
    """Return the entries with these names in the catalog's order; all for no names.

    Raises:
        ValueError: there is no such strategy; the message says which there are.
    """
    wanted = list(names)
    for name in wanted:
        if name not in BY_NAME:
            raise ValueError(f"no strategy {name!r}; there are {', '.join(BY_NAME)}")
    return tuple(entry for entry in ENTRIES if not wanted or entry.name in wanted)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def explain(name: str) -> Explanation:
    """Return what stands in a strategy's file."""
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


def say_stop(entry: Entry, stop: Stop) -> str:
    """Return how a strategy took it to be cancelled, in one sentence."""
    took = say_s(stop.took_s)
    cut = max(0, stop.running - stop.finished)
    match entry.unit:
        case "task":
            told = f"{_some(cut, 'running task')} cut off at once"
            if stop.finished:
                told += f", {stop.finished} just finished"
            rest = f"{_some(stop.waiting, 'waiting task')} cancelled"
        case "file":
            told = "the file on its way had to finish"
            rest = f"{stop.waiting} not begun"
        case "process":
            told = (
                f"{_some(stop.running, 'future')} a process had could not be cancelled"
            )
            rest = f"{_some(stop.waiting, 'waiting one')} could"
        case unit:
            told = f"{_some(stop.running, f'running {unit}')} could not be cancelled"
            rest = f"{_some(stop.waiting, 'waiting future')} cancelled"
    return f"cancelled in {took}: {told}; {rest}"


def _some(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number} {noun}" + ("" if number == 1 else plural)

"""The event loop that the program runs on, and its memory settings."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Coroutine


def run_loop(run: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on a new loop; return its result, an exit status."""
    from asyncio import Runner

    with Runner(loop_factory=_new_loop) as runner:
        return runner.run(run)


def freeze_memory() -> None:
    """Enable garbage collection, but exclude all objects that exist now.

    They live until the end of the run. Collections also become rarer: Python's default
    of one per 700 objects takes a tenth of the time of a small file.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def _new_loop() -> AbstractEventLoop:
    """Return a loop that ignores requests for an eager task factory.

    On Python 3.12 and later, Textual would make tasks eager: they would run before
    ``create_task`` returns, so in a different order on each Python version. Also,
    uvloop 0.23 passes the eager factory an argument that Python 3.13.0 rejects.
    """
    from uvloop import Loop

    class PlainTaskLoop(Loop):
        def set_task_factory(self, factory: object) -> None:
            """Keep the loop's default tasks."""

    return PlainTaskLoop()

"""The race without a screen: one line per run on stderr, the table on stdout."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from tui.core.rules.exit_status import INTERRUPTED
from tui.lab.race import Race, State
from tui.lab.report.export import report_of
from tui.lab.report.formatting import format_seconds
from tui.lab.report.table import remarks, text_lines

if TYPE_CHECKING:
    from tui.lab.race import Entrant, Plan


async def run_plainly(plan: Plan, interrupted: asyncio.Event) -> tuple[Race, bool]:
    """Run a race and print the results.

    Args:
        plan: what to run.
        interrupted: set to end the race early; the results so far are printed.

    Returns:
        The race, and True if it ran to its end.

    Raises:
        OSError: the temporary directory or a process cannot be created.
    """
    race = Race(plan, lambda entrant: _report_run(race, entrant))
    runner = asyncio.create_task(race.run())
    stop = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait([runner, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_complete = runner.done()
        runner.cancel()
        stop.cancel()
        await asyncio.wait([runner, stop])
    if is_complete:
        runner.result()
    report = report_of(race)
    lines = [report.caption, "", *text_lines(race.rows), ""]
    lines += [*report.notes, *remarks(race.rows)]
    print("\n".join(lines), flush=True)  # noqa: T201
    return race, is_complete


def _report_run(race: Race, entrant: Entrant) -> None:
    if race.is_cancel_round:
        what = "cancel"
    else:
        what = f"round {race.round}/{race.plan.rounds}"
    took = ""
    if entrant.state is State.DONE and not race.is_cancel_round and entrant.record.last:
        took = f"{format_seconds(entrant.record.last.wall_s)}, "
    _print(f"{what}  {entrant.entry.title}: {took}{entrant.note}")


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # stderr is closed; the race continues
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def exit_status(race: Race, *, is_complete: bool) -> int:
    """Return 0; 1 if a strategy failed or results differ; 130 if interrupted."""
    if not is_complete:
        return INTERRUPTED
    return 0 if race.is_clean else 1

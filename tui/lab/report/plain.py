"""The race without a screen: a line a run on stderr, the table on stdout."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from tui.lab.race import Race, State
from tui.lab.report.export import report_of
from tui.lab.report.formatting import say_s
from tui.lab.report.table import remarks, text_lines

if TYPE_CHECKING:
    from tui.lab.race import Entrant, Plan


async def run_plainly(plan: Plan, interrupted: asyncio.Event) -> tuple[Race, bool]:
    """Run a race and print what comes out.

    Args:
        plan: what to race.
        interrupted: set by whoever wants it to end; what is known then is printed.

    Returns:
        The race, and whether it came to its end.

    Raises:
        OSError: there is no room for files, or processes cannot be started.
    """
    race = Race(plan, lambda lane: _tell(race, lane))
    runner = asyncio.create_task(race.run())
    stop = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait([runner, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_whole = runner.done()
        runner.cancel()
        stop.cancel()
        await asyncio.wait([runner, stop])
    if is_whole:
        runner.result()
    report = report_of(race)
    told = [report.caption, "", *text_lines(race.rows), ""]
    told += [*report.notes, *remarks(race.rows)]
    print("\n".join(told), flush=True)  # noqa: T201  # this is what it was asked for
    return race, is_whole


def _tell(race: Race, lane: Entrant) -> None:
    if race.is_cancel_round:
        what = "cancel"
    else:
        what = f"round {race.round}/{race.plan.rounds}"
    took = ""
    if lane.state is State.DONE and not race.is_cancel_round and lane.record.last:
        took = f"{say_s(lane.record.last.wall_s)}, "
    _say(f"{what}  {lane.entry.title}: {took}{lane.note}")


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens; the race goes on
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def exit_status(race: Race, *, is_whole: bool) -> int:
    """Return 0, 1 if a strategy failed or they disagree, 130 if it was interrupted."""
    if not is_whole:
        return 130
    return 0 if race.is_clean else 1

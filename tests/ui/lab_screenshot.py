"""Draw the race screen in one fixed state: ``python -m tests.ui.lab_screenshot DIR``.

Without DIR, update the picture of the documentation. The medians are those of its
table; the state of the running row is invented.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tui.lab.race import Race, State, plan_for
from tui.lab.report.figures import Figures, Stop
from tui.ui.lab.app import LabApp

PICTURE = Path(__file__).parent / "pictures" / "lab.svg"
SIZES = ((120, 36), (80, 24), (60, 15))
_COUNTS = {"ok": 35, "not found": 2, "error": 3}
_NBYTES = 4_310_000
_MEASURED = {
    # name: wall, CPU, memory in MB, first result, lag p99 and max, time to cancel
    "one_by_one": (4.96, 0.126, 39.7, 0.248, None, None, 0.094),
    "thread_map": (0.735, 0.123, 42.9, 0.266, None, None, 0.118),
    "as_completed": (0.733, 0.123, 42.9, 0.074, None, None, 0.135),
    "asyncio_blocking_save": (1.19, 0.184, 41.1, 0.073, 0.115, 0.125, 0.010),
    "asyncio_executor_save": (0.743, 0.191, 41.4, 0.069, 0.0042, 0.0042, 0.020),
    "two_requests": (0.891, 0.263, 45.3, 0.070, 0.0048, 0.0048, 0.019),
    "engine": (1.03, 0.076, 37.7, 0.060, 0.0025, 0.0025, 0.233),
    "threads_cpu": (1.28, 1.23, 43.9, 0.204, None, None, 0.249),
    "processes_cpu": (0.718, 1.27, 77.4, 0.111, None, None, 0.101),
}
_FREEZES = (0.01, 0.125, 0.11, 0.09, 0.12, 0.105, 0.118, 0.08, 0.115, 0.1, 0.12, 0.06)


def frozen_race() -> Race:
    """Return a race in its third round, while the blocking save runs."""
    race = Race(plan_for(rounds=5, disk_latency_s=0.02))
    race.round = 3
    race.elapsed_s = 34.0
    for entrant in race.entrants:
        wall, cpu, memory, first, p99, worst, took = _MEASURED[entrant.entry.name]
        figures = Figures(
            wall, cpu, int(memory * 1e6), first, p99, worst, _COUNTS, _NBYTES, "same"
        )
        entrant.record.rounds += [figures, figures]
        entrant.record.stops.append(Stop(took, 8, 19, 0))
        entrant.state = State.DONE
        entrant.progress = {"ended": race.total}
    entrant = race.entrants[3]
    entrant.state = State.RUNNING
    entrant.lags = list(_FREEZES)
    entrant.progress = {
        "ended": 26,
        "counts": {"ok": 24, "not found": 1, "error": 1},
        "received": 2_900_000,
        "elapsed_s": 0.81,
        "beats": 20,
        "lag_max_s": 0.125,
        "lag_now_s": 0.06,
    }
    race.entrants[5].state = race.entrants[8].state = State.WAITING
    return race


async def picture(width: int, height: int, *keys: str) -> str:
    """Return the race at a size as SVG, after some keys."""
    race = frozen_race()
    app = LabApp(race.plan)
    screen = app.race_screen
    screen.race = screen.header.race = screen.table.race = screen.chart.race = race
    screen.begin = lambda: None
    screen.table.cursor = 3
    async with app.run_test(size=(width, height)) as pilot:
        screen.tick()
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title="fetchtui lab")


def main() -> None:
    """Write the pictures."""
    if len(sys.argv) < 2:
        PICTURE.write_text(asyncio.run(picture(*SIZES[0])), "utf-8")
        return
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        for scene, keys in (("race", ()), ("explain", ("enter",))):
            svg = asyncio.run(picture(width, height, *keys))
            (folder / f"{scene}-{width}x{height}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()

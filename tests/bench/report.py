"""Format runs as a Markdown table: medians, spread and ratios; no I/O."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.measure import Run
    from tests.bench.programs import Contender
    from tests.bench.work import Work

BASE = "aria2c"
_MANY_FILES = 1000
"""From this number on, files per second are reported instead of bytes per second."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all but the first column are right-aligned."""
    line = "|".join([" --- ", *(" ---: " for _ in header[1:])])
    lines = [f"| {' | '.join(header)} |", f"|{line}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def ratio(base: Sequence[Run], other: Sequence[Run]) -> float | None:
    """Return how many times as fast ``other`` was: the median of good rounds.

    Runs of one round had the same conditions, so they are compared in pairs.
    """
    pairs = [
        theirs.wall_s / ours.wall_s
        for theirs, ours in zip(base, other, strict=False)
        if not (theirs.problem or ours.problem)
    ]
    return median(pairs) if pairs else None


def best_peer(
    runs: Mapping[str, Sequence[Run]], contenders: Sequence[Contender]
) -> str | None:
    """Return the label of the fastest peer."""
    medians = {
        row.label: median(run.wall_s for run in runs[row.label])
        for row in contenders
        if row.is_peer and _is_good(runs.get(row.label, ()))
    }
    return min(medians, key=medians.__getitem__, default=None)


def results(
    work: Work,
    contenders: Sequence[Contender],
    runs: Mapping[str, Sequence[Run]],
    commands: Mapping[str, str],
) -> str:
    """Return the section of one work.

    Args:
        work: what was fetched.
        contenders: the rows, in their order.
        runs: by label, one a round.
        commands: exact command lines, by label.
    """
    present = [row for row in contenders if runs.get(row.label)]
    best = best_peer(runs, present)
    lines = [_row(work, row, runs, best) for row in present]
    unit = "files/s" if work.count >= _MANY_FILES else "MB/s"
    header = ["program", "connections", "median s", "min-max s", unit]
    header += ["CPU s", "peak MB", f"x {BASE}", f"x best: {best or 'none'}"]
    rounds = max((len(done) for done in runs.values()), default=0)
    busy = [run.busy for done in runs.values() for run in done]
    parts = [f"## {work.title}\n\n", table(header, lines), "\n"]
    parts.append(_beside_headless(present, runs))
    parts.append(f"{rounds} rounds. ")
    if busy:
        parts.append(
            "Taken by other programs meanwhile: median"
            f" {median(busy):.0%} of the machine, {max(busy):.0%} at most.\n"
        )
    wrong = {
        f"{row.label}: {run.problem}"
        for row in present
        for run in runs[row.label]
        if run.problem
    }
    parts += [f"- **WRONG** {words}\n" for words in sorted(wrong)]
    told = "".join(f"{commands[row.label]}\n" for row in present)
    parts.append(f"\n<details><summary>commands</summary>\n\n```\n{told}```\n")
    parts.append("</details>\n")
    return "".join(parts)


def _row(
    work: Work,
    row: Contender,
    runs: Mapping[str, Sequence[Run]],
    best: str | None,
) -> list[str]:
    mine = runs[row.label]
    good = [run for run in mine if not run.problem]
    if not good:
        return [row.label, row.connections(work), *["wrong"] * 7]
    times = [run.wall_s for run in good]
    middle = median(times)
    if work.count >= _MANY_FILES:
        pace = f"{work.count / middle:,.0f}"
    else:
        pace = f"{work.nbytes / middle / 1e6:,.0f}"
    mark = "" if len(good) == len(mine) else f" ({len(mine) - len(good)} wrong)"
    return [
        row.label + mark,
        row.connections(work),
        f"{middle:.2f}",
        f"{min(times):.2f}-{max(times):.2f}",
        pace,
        f"{median(run.cpu_s for run in good):.2f}",
        f"{median(run.peak for run in good) / 1e6:.0f}",
        _times(ratio(runs.get(BASE, ()), mine)),
        _times(ratio(runs[best], mine) if best else None),
    ]


def _beside_headless(
    present: Sequence[Contender], runs: Mapping[str, Sequence[Run]]
) -> str:
    told = []
    for row in present:
        plain = row.label.removesuffix(", dashboard")
        found = ratio(runs.get(plain, ()), runs[row.label])
        if row.in_terminal and found is not None:
            told.append(f"{row.label}: {found:.2f} x headless. ")
    return "".join(told)


def _is_good(runs: Sequence[Run]) -> bool:
    return bool(runs) and not any(run.problem for run in runs)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

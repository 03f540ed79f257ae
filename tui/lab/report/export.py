"""Export results: Markdown to read, JSON for programs, SVG for web pages."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tui import __version__
from tui.lab.race import describe
from tui.lab.report.formatting import NONE, format_seconds
from tui.lab.report.table import COLUMNS, HEADINGS, remarks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tui.lab.catalog import Entry
    from tui.lab.race import Plan, Race
    from tui.lab.report.figures import Record


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a race, complete or so far."""

    plan: Plan
    rows: Sequence[tuple[Entry, Record]]
    notes: Sequence[str] = ()
    """What went wrong."""

    @property
    def caption(self) -> str:
        """How the figures were measured, in one sentence."""
        rounds = max((len(record.rounds) for _, record in self.rows), default=0)
        what = f"medians of {rounds} rounds" if rounds > 1 else f"{rounds} round"
        return f"{describe(self.plan)}; {what}; {machine()}"


def machine() -> str:
    """Return interpreter, system and number of cores."""
    cores = os.cpu_count() or 1
    return (
        f"{platform.python_implementation()} {platform.python_version()},"
        f" {platform.system()} {platform.machine()}, {cores} cores"
    )


def report_of(race: Race) -> Report:
    """Return the results of a race so far."""
    notes = [race.problem] if race.problem else []
    notes += [f"{x.entry.title}: {x.note}" for x in race.entrants if x.has_failed]
    return Report(race.plan, race.rows, notes)


def to_markdown(report: Report) -> str:
    """Return the table, the conditions and the remarks as Markdown."""
    heads = ["", *(column.heading for column in COLUMNS)]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * len(COLUMNS) + "|"]
    for is_cpu_bound, heading in HEADINGS.items():
        group = [row for row in report.rows if row[0].is_cpu_bound == is_cpu_bound]
        if group:
            lines.append(f"| *{heading}* " + "| " * len(COLUMNS) + "|")
        for entry, record in group:
            cells = [entry.title, *(column.format(record) for column in COLUMNS)]
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"{report.caption}.", ""]
    lines += [f"- {remark}" for remark in (*report.notes, *remarks(report.rows))]
    return "\n".join(lines) + "\n"


def to_json(report: Report) -> str:
    """Return every run of every strategy, and the conditions, as JSON."""
    plan = report.plan
    document: dict[str, Any] = {
        "fetchtui": __version__,
        "machine": machine(),
        "settings": {
            "server": None if plan.targets else asdict(plan.profile),
            "files": len(plan.targets) or plan.profile.files,
            "concurrency": plan.concurrency,
            "timeout_s": plan.timeout_s,
            "disk_latency_s": plan.disk_latency_s,
        },
        "strategies": [
            {
                "name": entry.name,
                "rounds": [asdict(figures) for figures in record.rounds],
                "cancelled": [asdict(stop) for stop in record.stops],
            }
            for entry, record in report.rows
        ],
        "notes": [*report.notes, *remarks(report.rows)],
    }
    return json.dumps(document, indent=1) + "\n"


_ROW, _LEFT, _WIDE = 26, 200, 380
_STYLE = (
    "text{font:13px ui-monospace,monospace;fill:#d5dbe6}.dim{fill:#8b95a7}"
    ".io{fill:#5ab0f6}.cpu{fill:#8ec7c0}.spread{stroke:#f0a35e;stroke-width:2}"
)


def to_svg(report: Report) -> str:
    """Return a chart of wall times as SVG: medians as bars, extremes as lines."""
    walls = [(*row, row[1].spread(lambda f: f.wall_s)) for row in report.rows]
    longest = max((wall.high for _, _, wall in walls if wall), default=0.0) or 1.0
    parts = [_text(16, 28, "fetchtui lab: wall time")]
    y = 46
    for entry, record, wall in walls:
        parts.append(_text(16, y + 14, entry.title))
        kind = "cpu" if entry.is_cpu_bound else "io"
        if wall is None:
            parts.append(_text(_LEFT, y + 14, NONE, "dim"))
        else:
            at = [_LEFT + value / longest * _WIDE for value in wall]
            parts.append(
                f'<rect class="{kind}" x="{_LEFT}" y="{y + 3}" rx="2" height="14"'
                f' width="{max(1.0, at[0] - _LEFT):.1f}"/>'
                f'<line class="spread" x1="{at[1]:.1f}" x2="{at[2]:.1f}"'
                f' y1="{y + 10}" y2="{y + 10}"/>'
            )
            lag = record.spread(lambda f: f.lag_max_s)
            label = f", loop lag up to {format_seconds(lag.median)}" if lag else ""
            parts.append(_text(at[2] + 10, y + 14, format_seconds(wall.median) + label))
        y += _ROW
    for line in _wrapped(report.caption, 96):
        y += 18
        parts.append(_text(16, y, line, "dim"))
    width, height = _LEFT + _WIDE + 230, y + 18
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" rx="8" fill="#12151c"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    look = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{escape(text)}</text>'


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


WRITERS: dict[str, Callable[[Report], str]] = {
    ".md": to_markdown,
    ".json": to_json,
    ".svg": to_svg,
}
"""The export format for each file suffix."""


def check_export(path: Path) -> Path:
    """Return the path if a report can be written to it.

    Raises:
        ValueError: the suffix is not in ``WRITERS``, or the path is not writable.
    """
    if path.suffix.lower() not in WRITERS:
        raise ValueError(f"{path.name} must end in {', '.join(WRITERS)}")
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent} is not a directory")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} is not writable")
    return path


def write(report: Report, path: Path) -> None:
    """Write a report in the format given by the suffix.

    Raises:
        OSError: it cannot be written.
    """
    path.write_text(WRITERS[path.suffix.lower()](report), "utf-8")


def write_beside(report: Report, folder: Path) -> list[Path]:
    """Write a report in every format, under an unused name.

    Returns:
        The paths of the files.

    Raises:
        OSError: they cannot be written.
    """
    number = 1
    while True:
        paths = [folder / f"fetchtui-lab-{number}{suffix}" for suffix in WRITERS]
        if not any(path.exists() for path in paths):
            break
        number += 1
    for path in paths:
        write(report, path)
    return paths

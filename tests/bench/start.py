"""Measure start-up, and how much of it each import takes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tests.bench.cost import ROOT
from tests.bench.report import table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.cost import Meter


def start_up(meter: Meter, url: str, home: Path) -> str:
    """Measure whole short runs; return the import time of each package."""
    tell = ["--version"]
    fetch = [url, "--headless", "-o", str(home / "start"), "--on-exists", "overwrite"]
    bare = [sys.executable, "-c", "pass"]
    ours = [sys.executable, "-m", "tui"]
    for name, command in (
        ("interpreter alone", bare),
        ("--version", [*ours, *tell]),
        ("--headless, one file of 10 KiB", [*ours, *fetch]),
    ):
        meter.start(name, command)
    parts = ["\n## Imports\n\n"]
    for flags in (tell, fetch):
        rows = _imports(flags)
        total = sum(us for _, us in rows)
        shown = [[name, f"{us / 1000:.1f}"] for name, us in rows[:14]]
        parts.append(f"`fetchtui {flags[0] if flags is tell else '--headless'}`: ")
        parts.append(f"{total / 1000:.0f} ms in all (while each import is timed).\n\n")
        parts += [table(["package", "ms of its own"], shown), "\n"]
    return "".join(parts)


def _imports(flags: list[str]) -> list[tuple[str, int]]:
    """Return microseconds of import time by package, slowest first."""
    command = [sys.executable, "-X", "importtime", "-m", "tui", *flags]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stderr
    own: Counter[str] = Counter()
    for line in told.splitlines():
        if not line.startswith("import time:") or "[us]" in line:
            continue
        spent, _, name = line.removeprefix("import time:").split("|")
        package = name.strip().split(".")
        deep = 2 if package[0] == "tui" else 1
        own[".".join(package[:deep])] += int(spent)
    return own.most_common()

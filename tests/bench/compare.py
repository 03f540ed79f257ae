"""Compare versions or options of fetchtui with each other, in interleaved rounds.

``python -m tests.bench.compare 'old=OTHER/bin/python' 'new=python' --work small,mib``
takes one ``NAME=PYTHON [OPTION ...]`` per row: the interpreter that has that version
installed, and options of fetchtui. CPU time (user and system) is what to trust on a
machine that does other work. Compile the byte code of all versions first
(``python -m compileall``), or the start of each run depends on how much text it has.
"""

from __future__ import annotations

import argparse
import random
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.machine import describe, scratch
from tests.bench.measure import Run, run
from tests.bench.report import table
from tests.bench.server import Server
from tests.bench.work import KIB, MIB, Data, Work, works

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEED = 11
_TOTAL_BYTES = 256 * MIB
"""Of a work that is given as a size."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table per work; return 1 if any output was wrong."""
    options = _options(arguments)
    chosen = [_work(name) for name in options.work]
    needed = 2 * sum(work.disk_bytes for work in chosen)
    is_wrong = False
    base = scratch(options.dir, needed)
    print(describe(base), flush=True)
    with tempfile.TemporaryDirectory(prefix="fetchtui-bench-", dir=base) as folder:
        home = Path(folder)
        data = Data(home / "data")
        with Server(home / "server", data.root) as server:
            for work in chosen:
                data.make(work)
                runs = _measure(work, options, home, server, data)
                print(_report(work, runs), flush=True)
                wrong = {r.problem for done in runs.values() for r in done} - {""}
                for problem in sorted(wrong):
                    print(f"- **WRONG** {problem}")
                is_wrong = is_wrong or bool(wrong)
    return int(is_wrong)


def _measure(
    work: Work,
    options: argparse.Namespace,
    home: Path,
    server: Server,
    data: Data,
) -> dict[str, list[Run]]:
    list_file = home / "list.txt"
    work.write_list(list_file, server)
    runs: dict[str, list[Run]] = {name: [] for name in options.rows}
    for number in range(-1, options.runs):  # the first round warms the caches up
        order = list(options.rows.items())
        random.Random(_SEED + number).shuffle(order)
        for name, (python, *flags) in order:
            output = home / "out"
            line = [python, "-m", "tui", str(list_file), "-o", str(output)]
            line += ["-c", str(work.at_once), "-s", "1", *flags]
            line += ["--exit-when-done"] if options.dashboard else ["--headless", "-q"]
            line += ["--ca-file", str(server.ca_file)] if work.is_tls else []
            # Not in a folder with a package of the same name as an installed one.
            done = run(
                line, cwd=home, limit_s=work.limit_s, in_terminal=options.dashboard
            )
            problem = f"{name}: exit status {done.status} {done.output[-300:]}"
            if not done.status:
                problem = data.problem(work, output)
            if number >= 0:
                runs[name].append(
                    Run(done.wall_s, done.cpu_s, done.peak, 0, "", 0.0, problem)
                )
            shutil.rmtree(output, ignore_errors=True)
    return runs


def _report(work: Work, runs: dict[str, list[Run]]) -> str:
    base = next(iter(runs.values()))
    rows = []
    for name, done in runs.items():
        cpus = [one.cpu_s for one in done]
        walls = [one.wall_s for one in done]
        rows.append(
            [
                name,
                f"{median(walls):.3f}",
                f"{min(walls):.3f}",
                _against(walls, [one.wall_s for one in base]),
                f"{median(cpus):.3f}",
                f"{min(cpus):.3f}",
                _against(cpus, [one.cpu_s for one in base]),
                f"{median(cpus) / work.count * 1e6:,.0f}",
                f"{median(one.peak for one in done) / 1e6:.0f}",
            ]
        )
    header = ["version", "median s", "min s", "x first", "CPU s", "min", "x first"]
    header += ["CPU us/file", "peak MB"]
    return f"## {work.title}\n\n{table(header, rows)}"


def _against(mine: Sequence[float], base: Sequence[float]) -> str:
    return f"{median(a / b for a, b in zip(mine, base, strict=True)):.3f}"


def _work(name: str) -> Work:
    known = works(is_quick=False)
    if name in known:
        return known[name]
    text, _, tls = name.partition(":")
    size, at_once = (int(part) for part in text.split("/"))
    count = max(1, _TOTAL_BYTES // (size * KIB))
    return Work(
        text, f"k{size}", count, size * KIB, min(at_once, count), is_tls=bool(tls)
    )


def _row(text: str) -> tuple[str, list[str]]:
    name, _, command = text.partition("=")
    words = shlex.split(command)
    if not words:
        raise argparse.ArgumentTypeError("give NAME=PYTHON [OPTION ...]")
    # The working folder is another one, and links of environments must stay links.
    program = shutil.which(words[0]) or words[0]
    return name, [str(Path(program).absolute()), *words[1:]]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.compare", description=__doc__
    )
    parser.add_argument("rows", nargs="+", type=_row, metavar="NAME=PYTHON [OPTION]")
    parser.add_argument(
        "--work",
        type=lambda text: text.split(","),
        default=["small", "1024/16", "many", "small-tls", "many-tls"],
        help="names of tests.bench, or KIB/CONCURRENCY[:tls]",
    )
    parser.add_argument("--runs", type=int, default=7, help="rounds (7)")
    parser.add_argument("--dir", type=Path, help="for data and output (a tmpfs)")
    parser.add_argument("--dashboard", action="store_true", help="with the dashboard")
    options = parser.parse_args(arguments)
    options.rows = dict(options.rows)
    return options


if __name__ == "__main__":
    sys.exit(main())

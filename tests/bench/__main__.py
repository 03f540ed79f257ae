"""Compare whole programs: ``python -m tests.bench --help``."""

from __future__ import annotations

import argparse
import platform
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import programs
from tests.bench.machine import describe, is_memory, scratch
from tests.bench.measure import Run, run
from tests.bench.report import results
from tests.bench.server import NoServer, Server
from tests.bench.work import Data, Work, works

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.programs import Contender

ROOT = Path(__file__).parents[2]
_SEED = 8


class Bench:
    """Runs the rounds: one program at a time, in a different order each round."""

    def __init__(self, home: Path, server: Server, data: Data, deadline: float) -> None:
        self._home = home
        self._server = server
        self._data = data
        self._deadline = deadline

    def measure(self, work: Work, rows: Sequence[Contender], rounds: int) -> str:
        """Run all rows for one work; return its section of the report."""
        self._data.make(work)
        rows = [row for row in rows if not row.only or work.name in row.only]
        list_file = self._home / f"{work.name}.txt"
        urls = tuple(work.write_list(list_file, self._server))
        runs: dict[str, list[Run]] = {row.label: [] for row in rows}
        commands: dict[str, str] = {}
        for number in range(rounds):
            if time.monotonic() > self._deadline:
                break
            order = list(rows)
            random.Random(_SEED + number).shuffle(order)
            for row in order:
                if any(done.wall_s > work.limit_s for done in runs[row.label]):
                    continue  # it had its chance
                output = self._home / "out"
                output.mkdir()
                ca_file = self._server.ca_file
                job = programs.Job(work, list_file, urls, output, ca_file)
                command = row.command(job)
                commands[row.label] = self._shown(command)
                runs[row.label].append(self._run(work, row, command, output))
                shutil.rmtree(output)
        return results(work, rows, runs, commands)

    def _shown(self, command: list[str]) -> str:
        """Return a command line without the paths of this machine."""
        line = shlex.join(["python", *command[1:]])
        if command[0] != sys.executable:
            line = shlex.join([Path(command[0]).name, *command[1:]])
        return line.replace(str(self._home), "$DIR")

    def _run(self, work: Work, row: Contender, command: list[str], output: Path) -> Run:
        done = run(
            command,
            cwd=ROOT,
            limit_s=work.limit_s,
            in_terminal=row.in_terminal,
            server_s=self._server.processor_s,
        )
        if done.wall_s > work.limit_s:
            problem = f"killed after {work.limit_s:.0f} s, not run again"
        elif done.status:
            last = done.output.splitlines()[-1:] or [""]
            problem = f"exit status {done.status} {last[0]}".strip()
        else:
            problem = self._data.problem(work, output)
        print(
            f"{work.name:9} {row.label:36} {done.wall_s:7.2f} s {problem}",
            file=sys.stderr,
            flush=True,
        )
        return replace(done, problem=problem)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen works; return 1 if any output was wrong."""
    options = _options(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # Otherwise the first run of ours would write the caches.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "tui"], cwd=ROOT)
    offered = works(is_quick=options.quick)
    chosen = [offered[name] for name in options.work]
    peers = [name for name in options.peers if programs.find(name)]
    for name in options.peers:
        if name not in peers:
            print(f"without {name}: {programs.INSTALL[name]}", file=sys.stderr)
    try:
        report = _measure(options, chosen, peers)
    except NoServer as reason:
        print(reason, file=sys.stderr)
        return 2
    print(report)
    if options.out is not None:
        options.out.write_text(report)
    return int("**WRONG**" in report)


def _measure(options: argparse.Namespace, chosen: list[Work], peers: list[str]) -> str:
    needed = sum({w.folder: w.nbytes for w in chosen}.values())
    needed += max(work.disk_bytes for work in chosen)
    base = scratch(options.dir, needed)
    fsync_off = not is_memory(base)
    rows = programs.contenders(peers, fsync_off=fsync_off)
    deadline = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="fetchtui-bench-", dir=base) as folder:
        home = Path(folder)
        data = Data(home / "data")
        with Server(home / "server", data.root) as server:
            versions = [programs.version(name) for name in ("fetchtui", *peers)]
            versions += [server.version(), f"Python {platform.python_version()}"]
            parts = ["# Side by side\n\n", describe(base), "; ".join(versions), ".\n\n"]
            bench = Bench(home, server, data, deadline)
            for work in chosen:
                parts.append(bench.measure(work, rows, options.runs) + "\n")
    return "".join(parts)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = list(works(is_quick=False))
    parser.add_argument(
        "--work", type=_names(names), default=names, help=f"of {','.join(names)}"
    )
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument(
        "--peers",
        type=_names(programs.PEERS),
        default=list(programs.PEERS),
        help=f"of {','.join(programs.PEERS)}; none for ours alone",
    )
    parser.add_argument("--out", type=Path, help="write the report there as well")
    parser.add_argument("--dir", type=Path, help="for data and output (a tmpfs)")
    parser.add_argument("--minutes", type=float, default=60, help="stop then (60)")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work")
    return parser.parse_args(arguments)


def _names(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        chosen = [name for name in text.split(",") if name and name != "none"]
        for name in chosen:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name} is none of {list(allowed)}")
        return chosen

    return read


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

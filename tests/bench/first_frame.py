"""Measure what a user waits for: the first frame, ``--version``, and one small file.

``python -m tests.bench.first_frame`` runs each program in a terminal (a pty) and reads
the time until its first frame is drawn: wall time, and CPU time of the process until
then, which other work on the machine disturbs less. An empty Textual program is the
measure for the dashboard. Rounds are interleaved, after one to warm up; medians and
minima.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.machine import describe, scratch
from tests.bench.measure import open_terminal, terminal_environment
from tests.bench.report import table
from tests.bench.server import Server
from tests.bench.work import KIB, Data, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

_EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("fetchtui")
Empty().run()
"""
_FRAME = re.compile(rb"fetchtui")
"""Both programs draw this word in their first frame."""
_ENTERS_SCREEN = b"\x1b[?1049h"
_ASKS_SYNC, _ANSWER_SYNC = b"?2026$p", b"\x1b[?2026;2$y"
_LIMIT_S = 30.0
_FILE = Work("one", "one", 1, 10 * KIB, 1, is_tls=True)


class Wait(NamedTuple):
    """How long something took."""

    wall_s: float
    cpu_s: float


def frame(command: Sequence[str]) -> Wait:
    """Run a program in a terminal until its first frame, then kill it.

    Raises:
        RuntimeError: it ended or drew nothing for half a minute.
    """
    reader, writer = open_terminal()
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=writer,
        stdout=writer,
        stderr=writer,
        env=terminal_environment(),
        start_new_session=True,
    )
    os.close(writer)
    seen = b""
    try:
        while True:
            if not select.select([reader], [], [], _LIMIT_S)[0]:
                raise RuntimeError(f"no frame from {command}")
            try:
                data = os.read(reader, 1 << 16)
            except OSError:
                raise RuntimeError(f"no frame: {seen.decode()[-2000:]}") from None
            if _ASKS_SYNC in data:
                os.write(reader, _ANSWER_SYNC)
            seen += data
            # Before, the title of the window may have the word as well.
            drawn = seen.partition(_ENTERS_SCREEN)[2]
            if _FRAME.search(drawn) is not None:
                return Wait(time.perf_counter() - began, _cpu_s(process.pid))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(reader)


def whole(command: Sequence[str]) -> Wait:
    """Run a program to its end."""
    before, began = _children_s(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return Wait(time.perf_counter() - began, _children_s() - before)


def _cpu_s(pid: int) -> float:
    """CPU time of all threads of a process so far."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.is_dir():
        return 0.0
    return sum(
        int((task / "schedstat").read_text().split()[0]) / 1e9
        for task in tasks.iterdir()
    )


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.first_frame", description=__doc__
    )
    parser.add_argument("--runs", type=int, default=9, help="rounds (9)")
    parser.add_argument("--python", default=sys.executable, help="that runs fetchtui")
    options = parser.parse_args(arguments)
    base = scratch(None, 1 << 20)
    print(describe(base))
    with tempfile.TemporaryDirectory(prefix="fetchtui-bench-", dir=base) as folder:
        home = Path(folder)
        # Neither settings nor a session of the user.
        os.environ["HOME"] = str(home)
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            os.environ[f"XDG_{name}_HOME"] = str(home / name.lower())
        data = Data(home / "data")
        data.make(_FILE)
        with Server(home / "server", data.root) as server:
            print(_report(options, home, server))


def _report(options: argparse.Namespace, home: Path, server: Server) -> str:
    url = _FILE.write_list(home / "list.txt", server)[0]
    ours = [options.python, "-m", "tui"]
    plain = server.url("one/000000.bin")
    fetch = ["-o", str(home / "out"), "--on-exists", "overwrite"]
    trust = ["--ca-file", str(server.ca_file)]
    rows = {
        "python -c pass": lambda: whole([options.python, "-c", "pass"]),
        "--version": lambda: whole([*ours, "--version"]),
        "one file of 10 KiB, --headless": lambda: whole(
            [*ours, plain, "--headless", *fetch]
        ),
        "the same over https": lambda: whole(
            [*ours, url, "--headless", *fetch, *trust]
        ),
        "first frame, empty Textual program": lambda: frame(
            [options.python, "-c", _EMPTY]
        ),
        "first frame, dashboard": lambda: frame([*ours, plain, *fetch]),
        "first frame, dashboard without a list": lambda: frame([*ours, *fetch]),
    }
    waits: dict[str, list[Wait]] = {name: [] for name in rows}
    for number in range(-1, options.runs):
        for name, measure in rows.items():
            found = measure()
            if number >= 0:
                waits[name].append(found)
    empty = waits["first frame, empty Textual program"]
    lines = []
    for name, found in waits.items():
        line = [name]
        for column in (0, 1):
            mine = [wait[column] for wait in found]
            theirs = [wait[column] for wait in empty]
            ratio = median(a / b for a, b in zip(mine, theirs, strict=True))
            line += [f"{median(mine):.3f}", f"{min(mine):.3f}", f"{ratio:.2f}"]
        lines.append(line)
    header = ["what", "median s", "min s", "x empty", "CPU s", "min CPU", "x empty"]
    return table(header, lines)


if __name__ == "__main__":
    main()

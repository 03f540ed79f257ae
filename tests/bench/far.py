"""Compare whole programs on a server that is far away: ``python -m tests.bench.far``.

nginx on loopback behind a relay (``tests.bench.relay``): 60 ms round trip, 2 MB/s for
each connection, 25 MB/s for all. fetchtui runs at its defaults; aria2c, curl and wget2
at theirs and with their best flags. Rounds are interleaved, every output is hashed, and
the relay counts connections and refusals, and nginx handshakes. ``--scale`` shortens
the works, ``--trace`` shows where the time goes, and ``--capacity 10`` makes the server
answer 429 beyond 10 connections (http only).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.machine import describe, scratch
from tests.bench.measure import run
from tests.bench.programs import find
from tests.bench.relay import Counts, Link, Relay
from tests.bench.report import table
from tests.bench.server import Handshakes, NoServer, Server
from tests.bench.traffic import describe as describe_traffic
from tests.bench.work import write_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
LIMIT_S = 300.0
BIG, MEDIUM, SMALL = 157_000_000, 2_100_000, 20_000
WORKS = {
    "big": ((1, BIG),),
    "medium": ((60, MEDIUM),),
    "small": ((1500, SMALL),),
    "mixed": ((1, BIG), (20, MEDIUM), (600, SMALL)),
}
"""Number and size of files, by work."""


class Files(NamedTuple):
    """The files of one work."""

    name: str
    parts: tuple[tuple[int, int], ...]

    @property
    def title(self) -> str:
        """Return a description."""
        parts = (f"{count:,} x {size / 1e6:g} MB" for count, size in self.parts)
        return " + ".join(parts)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(count * size for count, size in self.parts)

    def names(self) -> list[tuple[str, int]]:
        """Return names and sizes, in the order of the list."""
        return [
            (f"{size}-{number:05d}.bin", size)
            for count, size in self.parts
            for number in range(count)
        ]


@dataclass(frozen=True, slots=True)
class Job:
    """Values that a command line is built from."""

    list_file: Path
    output: Path
    ca_file: Path
    is_tls: bool


class Contender(NamedTuple):
    """One row of the table."""

    label: str
    program: str
    command: Callable[[Job], list[str]]


@dataclass(frozen=True, slots=True)
class Result:
    """One run: its time, what the relay counted, and what is wrong with the output."""

    wall_s: float
    first_s: float
    """Until the first connection: the start of the program."""
    counts: Counts
    handshakes: Handshakes
    missing: int


def scaled(name: str, scale: float) -> Files:
    """Return a work with its largest file, or the number of its files, scaled."""
    parts = tuple(
        (count, max(1, int(size * scale)))
        if count == 1
        else (max(1, int(count * scale)), size)
        for count, size in WORKS[name]
    )
    return Files(name, parts)


def contenders(peers: Sequence[str], flags: Sequence[str]) -> list[Contender]:
    """Return the rows: fetchtui at its defaults and with ``flags``, and the peers."""

    def fetchtui(*extra: str) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            line = [sys.executable, "-m", "tui", str(job.list_file), "--headless"]
            line += ["-o", str(job.output), *extra]
            return line + (["--ca-file", str(job.ca_file)] if job.is_tls else [])

        return build

    def aria2c(*extra: str) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            line = ["aria2c", "-q", "--no-conf", "--file-allocation=none", *extra]
            line += ["-i", str(job.list_file), "-d", str(job.output)]
            return line + ([f"--ca-certificate={job.ca_file}"] if job.is_tls else [])

        return build

    def curl(*extra: str) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            config = job.list_file.with_suffix(".curl")
            urls = job.list_file.read_text().splitlines()
            config.write_text("".join(f'url = "{url}"\n' for url in urls))
            line = ["curl", "-sS", "-Z", "--fail", "--remote-name-all", *extra]
            line += ["--output-dir", str(job.output), "-K", str(config)]
            return line + (["--cacert", str(job.ca_file)] if job.is_tls else [])

        return build

    def wget2(*extra: str) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            line = ["wget2", "-q", "--no-config", "--no-xattr", *extra]
            line += ["-i", str(job.list_file), "-P", str(job.output)]
            return line + ([f"--ca-certificate={job.ca_file}"] if job.is_tls else [])

        return build

    rows = [Contender("fetchtui", "fetchtui", fetchtui())]
    rows += [
        Contender(f"fetchtui {extra}", "fetchtui", fetchtui(*extra.split()))
        for extra in flags
    ]
    peer_rows: dict[str, tuple[Callable[..., Callable[[Job], list[str]]], str]] = {
        "aria2c": (aria2c, "-j16 -x16 -s16 -k1M"),
        "curl": (curl, "--parallel-immediate --parallel-max 64"),
        "wget2": (wget2, "--max-threads=16"),
    }
    for name in peers:
        build, best = peer_rows[name]
        label = "curl -Z" if name == "curl" else name
        rows.append(Contender(label, name, build()))
        rows.append(Contender(f"{label} {best}", name, build(*best.split())))
    return rows


class Far:
    """Runs the rounds of one work over one scheme."""

    def __init__(
        self, home: Path, server: Server, relay: Relay, *, traces: bool = False
    ) -> None:
        self._home = home
        self._server = server
        self._relay = relay
        self._traces = traces
        self._digests: dict[str, str] = {}

    def measure(
        self, work: Files, rows: Sequence[Contender], rounds: int, *, is_tls: bool
    ) -> str:
        """Run all rows, in another order each round; return the table."""
        self._make(work)
        host = "https://localhost" if is_tls else "http://127.0.0.1"
        base = f"{host}:{self._relay.ports[is_tls]}/far"
        list_file = self._home / "list.txt"
        urls = [f"{base}/{name}\n" for name, _ in work.names()]
        random.Random(4).shuffle(urls)
        list_file.write_text("".join(urls))
        results: dict[str, list[Result]] = {row.label: [] for row in rows}
        for number in range(rounds):
            order = list(rows)
            random.Random(number).shuffle(order)
            for row in order:
                result = self._run(work, row, list_file, is_tls=is_tls)
                results[row.label].append(result)
                print(
                    f"{work.name:7} {row.label:44} {result.wall_s:7.2f} s"
                    f" {result.counts} {result.missing or ''}",
                    file=sys.stderr,
                    flush=True,
                )
        return self._table(rows, results)

    def _make(self, work: Files) -> None:
        folder = self._home / "data" / "far"
        folder.mkdir(parents=True, exist_ok=True)
        for number, (name, size) in enumerate(work.names()):
            if name not in self._digests:
                path = folder / name
                write_noise(path, number, size)
                self._digests[name] = _digest(path)

    def _run(
        self, work: Files, row: Contender, list_file: Path, *, is_tls: bool
    ) -> Result:
        output = self._home / "out"
        output.mkdir()
        # Limits learned for hosts in other runs must not help this one.
        os.environ["XDG_STATE_HOME"] = str(self._home / "state")
        shutil.rmtree(self._home / "state", ignore_errors=True)
        self._relay.take_counts()
        self._relay.take_traffic()
        self._server.take_handshakes()
        job = Job(list_file, output, self._server.ca_file, is_tls)
        command = row.command(job)
        began_s = time.monotonic()
        done = run(command, cwd=ROOT, limit_s=LIMIT_S)
        found = {path.name: _digest(path) for path in output.iterdir()}
        missing = sum(
            found.get(name) != self._digests[name] for name, _ in work.names()
        )
        shutil.rmtree(output)
        traffic = self._relay.take_traffic()
        if self._traces:
            print(describe_traffic(traffic, began_s, done.wall_s), file=sys.stderr)
        return Result(
            wall_s=done.wall_s,
            first_s=traffic[0].opened_at - began_s if traffic else 0.0,
            counts=self._relay.take_counts(),
            handshakes=self._server.take_handshakes(),
            missing=missing,
        )

    def _table(
        self, rows: Sequence[Contender], results: dict[str, list[Result]]
    ) -> str:
        walls = {
            label: median(result.wall_s for result in done)
            for label, done in results.items()
        }
        whole = [
            row.label
            for row in rows
            if row.program != "fetchtui"
            and not any(result.missing for result in results[row.label])
        ]
        best = min((walls[label] for label in whole), default=walls[rows[0].label])
        lines = []
        for row in rows:
            done = results[row.label]
            counts = done[-1].counts
            handshakes = done[-1].handshakes
            figures = (counts.opened, counts.most, counts.refused, *handshakes)
            missing = max(result.missing for result in done)
            lines.append(
                [
                    row.label,
                    f"{walls[row.label]:.2f}",
                    f"{walls[row.label] / best:.2f}",
                    f"{median(result.first_s for result in done):.2f}",
                    *map(str, figures),
                    str(missing),
                ]
            )
        head = ["program", "median s", "x best peer", "s to connect"]
        head += ["connections", "most at once"]
        head += ["refused", "full handshakes", "resumed", "files missing or wrong"]
        return table(head, lines)


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(options: argparse.Namespace) -> None:
    """Measure the chosen works over the chosen schemes and print the tables."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "tui"], cwd=ROOT)
    works = [scaled(name, options.scale) for name in options.work.split(",")]
    peers = [name for name in options.peers.split(",") if name and find(name)]
    rows = contenders(peers, options.flags)
    base = scratch(options.dir, 2 * sum(work.nbytes for work in works))
    link = Link(
        options.round_trip_ms / 1e3,
        options.rate * 1e6,
        options.link * 1e6,
        options.capacity,
    )
    with tempfile.TemporaryDirectory(prefix="fetchtui-far-", dir=base) as folder:
        home = Path(folder)
        (home / "data").mkdir()
        with (
            Server(home / "server", home / "data") as server,
            Relay(link, server.ports) as relay,
        ):
            print(f"{describe(base)}{link}; {options.runs} rounds.")
            far = Far(home, server, relay, traces=options.trace)
            for scheme in options.schemes.split(","):
                for work in works:
                    is_tls = scheme == "https"
                    found = far.measure(work, rows, options.runs, is_tls=is_tls)
                    print(f"\n## {scheme}: {work.title}\n\n{found}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.far")
    parser.description = __doc__
    parser.add_argument("--work", default=",".join(WORKS), help="comma-separated")
    parser.add_argument("--schemes", default="http,https")
    parser.add_argument("--peers", default="aria2c,curl,wget2")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="shorten the works")
    parser.add_argument("--round-trip-ms", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=2.0, help="MB/s per connection")
    parser.add_argument("--link", type=float, default=25.0, help="MB/s in total")
    parser.add_argument("--capacity", type=int, default=0, help="429 beyond")
    parser.add_argument("--dir", type=Path, help="where to work")
    parser.add_argument(
        "--trace",
        action="store_true",
        help="print for each run when connections were opened, idle times and speeds",
    )
    parser.add_argument(
        "--flags",
        action="append",
        default=[],
        help="another row of fetchtui, with these options",
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main(_options())
    except NoServer as reason:
        sys.exit(str(reason))

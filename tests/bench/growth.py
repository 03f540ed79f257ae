"""Measure cost against list length, concurrency and file size.

``python -m tests.bench.growth`` runs the engine in a separate process for every point
and prints tables; where a column bends, something grows faster than the work.
``--huge`` adds a file of 4 GiB, ``--quick`` stops early. ``--tls`` fetches over https;
``--at-once 200,500`` measures only these numbers of downloads of 5 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from tests.bench.cost import ROOT
from tests.bench.machine import describe, scratch
from tests.bench.measure import run
from tests.bench.report import table
from tests.bench.server import Server
from tests.bench.work import GIB, KIB, MIB
from tui.core.download import DownloadState
from tui.core.settings import Settings
from tui.engine import open_engine
from tui.sources.load import load_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMIT_S = 300.0
_LOOK_S = 0.2
_SLICE = 1000
"""Requests per call of ``add``, as front ends do."""
_LENGTHS = (1_000, 10_000, 100_000)
_AT_ONCE = (1, 4, 16, 64, 200, 500)
_SIZES = (1 * KIB, 10 * KIB, 100 * KIB, 1 * MIB, 10 * MIB, 100 * MIB, 1 * GIB)
_TOTAL = 1 * GIB
"""Maximum bytes of one point, unless a single file is larger."""


# -- one point, in a process of its own ----------------------------------------------


async def probe(
    list_file: str, output: str, at_once: int, *, is_paused: bool, ca_file: str
) -> None:
    """Run the engine on a list; print time and memory as JSON."""
    began = time.perf_counter()
    requests, problems = load_sources([list_file], None)
    assert not problems, problems[0]
    read_s = time.perf_counter() - began
    settings = Settings(output_dir=Path(output), concurrency=at_once)
    engine = await open_engine(settings._replace(ca_file=Path(ca_file)))
    if is_paused:
        engine.pause_all()
    began, spent_s = time.perf_counter(), time.process_time()
    add_s = 0.0
    for at in range(0, len(requests), _SLICE):
        before = time.perf_counter()
        engine.add(requests[at : at + _SLICE])
        add_s += time.perf_counter() - before
        await asyncio.sleep(0)
    lags: list[float] = []
    if not is_paused:
        ending = asyncio.ensure_future(engine.wait_idle())
        while not ending.done():
            await asyncio.wait([ending], timeout=_LOOK_S)
            lags.append(engine.snapshot().loop.p99_s)
    wall_s = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    told = {
        "read_s": read_s,
        "add_s": add_s,
        "wall_s": wall_s,
        "cpu_s": time.process_time() - spent_s,
        "lag_s": max(lags, default=0.0),
        "done": engine.snapshot().counts[DownloadState.DONE],
        "peak": peak,
    }
    await engine.close()
    print(json.dumps(told))


# -- the points ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Points:
    """Runs points one by one, in one folder with one server."""

    home: Path
    server: Server
    is_quick: bool
    is_tls: bool

    def lengths(self) -> str:
        """Return time and memory against list length."""
        rows = []
        none = self._held(1)
        for count in _LENGTHS[: 2 if self.is_quick else None]:
            held = self._held(count)
            urls = self._urls(KIB, count)
            whole = self._fetch(urls, 16)
            memory = (held["peak"] - none["peak"]) / count
            rows.append(
                [
                    f"{count:,}",
                    f"{held['read_s'] / count * 1e6:.1f}",
                    f"{held['add_s'] / count * 1e6:.1f}",
                    f"{memory:,.0f}",
                    f"{count / whole['wall_s']:,.0f}",
                    f"{(whole['peak'] - none['peak']) / count:,.0f}",
                    f"{whole['peak'] / 1e6:.0f}",
                ]
            )
        header = ["lines", "read us/line", "add us/line", "bytes/line held"]
        header += ["files/s (1 KiB, 16 at once)", "bytes/line fetched", "peak MB"]
        return f"## List length\n\n{table(header, rows)}\n"

    def at_once(self, size: int, files: int, numbers: Sequence[int] = _AT_ONCE) -> str:
        """Return speed, lag and memory against concurrency."""
        rows = []
        for count in numbers[: 3 if self.is_quick else None]:
            total = max(files, 2 * count if size < MIB else count)
            rows.append([str(count), *self._paces(size, total, count)])
        title = f"## Downloads at once, {_short(size)} each\n\n"
        return f"{title}{table(['at once', *_PACES], rows)}\n"

    def sizes(self, *, is_huge: bool) -> str:
        """Return speed, lag and memory against file size."""
        rows = []
        sizes = _SIZES[:4] if self.is_quick else _SIZES
        for size in (*sizes, *([4 * GIB] if is_huge else [])):
            count = max(1, min(3000, _TOTAL // size))
            rows.append([_short(size), str(count), *self._paces(size, count, 16)])
        return f"## Bytes of a file\n\n{table(['size', 'files', *_PACES], rows)}\n"

    def _paces(self, size: int, count: int, at_once: int) -> list[str]:
        self._make(size)
        told = self._fetch(self._urls(size, count), at_once)
        wall_s = told["wall_s"]
        return [
            f"{count / wall_s:,.0f}",
            f"{count * size / wall_s / 1e6:,.0f}",
            f"{told['cpu_s'] / count * 1e6:,.0f}",
            f"{told['lag_s'] * 1000:.1f}",
            f"{told['peak'] / 1e6:.0f}",
        ]

    def _urls(self, size: int, count: int) -> list[str]:
        return [
            self.server.url(f"same/{size}/{number:06d}.bin", is_tls=self.is_tls)
            for number in range(count)
        ]

    def _make(self, size: int) -> None:
        path = self.home / "data" / "one" / f"{size}.bin"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            with path.open("wb") as file:
                for start in range(0, size, MIB):
                    file.write(os.urandom(min(MIB, size - start)))

    def _held(self, count: int) -> dict[str, Any]:
        urls = [f"http://127.0.0.1:9/files/{n:06d}.bin" for n in range(count)]
        return self._point(urls, 1, is_paused=True)

    def _fetch(self, urls: list[str], at_once: int) -> dict[str, Any]:
        self._make(KIB)
        told = self._point(urls, at_once, is_paused=False)
        if told["done"] != len(urls):
            sys.exit(f"only {told['done']} of {len(urls)} came")
        return told

    def _point(
        self, urls: list[str], at_once: int, *, is_paused: bool
    ) -> dict[str, Any]:
        list_file = self.home / "list.txt"
        list_file.write_text("".join(f"{url}\n" for url in urls))
        output = self.home / "out"
        output.mkdir()
        command = [sys.executable, "-m", "tests.bench.growth", "--probe"]
        command += [str(list_file), str(output), str(at_once), str(int(is_paused))]
        command.append(str(self.server.ca_file))
        done = run(command, cwd=ROOT, limit_s=_LIMIT_S)
        shutil.rmtree(output)
        if done.status:
            sys.exit(f"a point failed ({done.status}): {done.output[-300:]}")
        told: dict[str, Any] = json.loads(done.output.splitlines()[-1])
        # Its own figure would count what it had of us before it began.
        told["peak"] = min(told["peak"], done.peak)
        print(f"{len(urls):7,} urls, {at_once:3} at once: {told}", file=sys.stderr)
        return told


_PACES = ("files/s", "MB/s", "CPU us/file", "loop lag p99 ms", "peak MB")


def _short(size: int) -> str:
    for unit, word in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {word}"
    return f"{size} B"


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Read the options, measure, print, clean up."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.growth", description=__doc__
    )
    parser.add_argument("--dir", type=Path, help="for data and output (a tmpfs)")
    parser.add_argument("--out", type=Path, help="write the report there as well")
    parser.add_argument("--quick", action="store_true", help="the first points only")
    parser.add_argument("--huge", action="store_true", help="also a file of 4 GiB")
    parser.add_argument("--tls", action="store_true", help="over https")
    parser.add_argument(
        "--at-once", type=_numbers, help="only these, separated by commas"
    )
    parser.add_argument("--probe", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        list_file, output, count, held, ca_file = options.probe
        is_paused = held == "1"
        uvloop.run(
            probe(list_file, output, int(count), is_paused=is_paused, ca_file=ca_file)
        )
        return
    base = scratch(options.dir, (12 if options.huge else 4) * GIB)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fetchtui-bench-", dir=base) as folder:
        home = Path(folder)
        (home / "data").mkdir()
        with Server(home / "server", home / "data") as server:
            points = Points(home, server, options.quick, options.tls)
            report = f"# Growth\n\n{describe(base)}\n\n"
            if options.at_once:
                report += points.at_once(5 * MIB, 100, options.at_once)
            else:
                report += points.lengths()
                report += points.at_once(10 * KIB, 4000)
                report += points.at_once(5 * MIB, 100)
                report += points.sizes(is_huge=options.huge)
    report += f"Took {time.monotonic() - began:.0f} s.\n"
    print(report)
    if options.out is not None:
        options.out.write_text(report)


if __name__ == "__main__":
    main()

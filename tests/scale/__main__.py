"""Measurements and trials of ``fetchtui scale``, too long for the check.

::

    python -m tests.scale plan [--rows 10000000]     plan Parquet and .txt.zst
    python -m tests.scale hosts [--rows 200000]      300 hosts, one of them with half
    python -m tests.scale kills [--runs 20]          SIGKILL of all kinds of processes
    python -m tests.scale parts [--rows 4000]        --shard 0/4 .. 3/4 against Dask
    python -m tests.scale overhead                   1 and 2 workers against one engine
    python -m tests.scale simulate [--rows 1e9]      leases of 100 workers, no network

All servers are on this machine, on many addresses of 127.0.0.0/8.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.scale import simulate
from tests.scale.server import content
from tui.scale import manifest
from tui.scale.plan import job_paths

_FETCHTUI = (sys.executable, "-m", "tui")
_ENV = {**os.environ, "FETCHTUI_FSYNC": "off"}


class Server:
    """``tests.scale.server`` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scale.server", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def log(self) -> dict:
        """Return the server's log."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def url(self, host: int, path: str) -> str:
        """Return a URL of a host."""
        return f"http://127.{1 + host // 250}.0.{1 + host % 250}:{self.port}{path}"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def sizes_of(hosts: int, rows: int) -> list[int]:
    """Return how many rows each host has: half for the first, a power law below."""
    weights = [1 / (rank + 1) for rank in range(hosts - 1)]
    scale = (rows / 2) / sum(weights)
    sizes = [max(1, int(weight * scale)) for weight in weights]
    return [rows - sum(sizes), *sizes]


def write_list(path: Path, server: Server, rows: int, hosts: int, size: int) -> set:
    """Write a shuffled list; return its URLs."""
    urls = [
        server.url(host, f"/{size + n % 100}/{host}-{n}.bin")
        for host, count in enumerate(sizes_of(hosts, rows))
        for n in range(count)
    ]
    random.Random(1).shuffle(urls)
    path.write_text("".join(f"{url}\n" for url in urls))
    return set(urls)


def check(out: Path, urls: set[str]) -> str:
    """Compare manifests with the list, and digests with the contents."""
    paths = job_paths(out / ".fetchtui-scale")
    rows = [
        row
        for path in manifest.listed(paths).values()
        for row in manifest.read_rows(path)
    ]
    counts = Counter(row.url for row in rows)
    lost = urls - set(counts)
    twice = sum(count - 1 for count in counts.values())
    wrong = sum(
        row.state != "done"
        or row.sha256
        != hashlib.sha256(content("/" + row.url.split("/", 3)[3])).hexdigest()
        or (out / row.path).stat().st_size != row.bytes
        for row in rows
    )
    parts = sum(1 for _ in out.glob("0*/*.part*"))
    return (
        f"{len(rows):,} rows in manifests, {len(lost)} lost, {twice} twice,"
        f" {wrong} wrong, {parts} part files left"
    )


def hosts(options: argparse.Namespace) -> None:
    """Download from 300 hosts, and compare the server's log with the limit."""
    server = Server("--delay", "0.002")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        urls = write_list(folder / "l.txt", server, options.rows, 300, 1000)
        command = [*_FETCHTUI, "scale", "l.txt", "-o", "out", "--per-host", "4"]
        command += ["-c", "64", "--headless", "--scheduler", options.scheduler]
        took = []
        for _ in range(2):
            started = time.monotonic()
            status = subprocess.run(command, cwd=folder, env=_ENV, check=False)
            took.append(time.monotonic() - started)
        log = server.log()
        server.close()
        print(
            f"{options.rows:,} URLs, 300 hosts, {options.scheduler}:"
            f" {took[0]:.0f} s, status {status.returncode}; the same command again"
            f" {took[1]:.1f} s; {check(folder / 'out', urls)};"
            f" {log['repeated']} files sent twice"
        )
        busiest = sorted(log["by_host"].items(), key=lambda pair: -pair[1])[:10]
        print("| host | requests | most at a time (limit 4) |\n|---|---|---|")
        for host, number in busiest:
            print(f"| {host} | {number:,} | {log['highest'][host]} |")
        print(f"highest of all hosts: {max(log['highest'].values())}")


def plan(options: argparse.Namespace) -> None:
    """Measure planning, in a process of its own per format."""
    import pyarrow
    from pyarrow import parquet

    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        schema = pyarrow.schema([("url", pyarrow.string())])
        table = folder / "l.parquet"
        zst = folder / "l.txt.zst"
        with (
            parquet.ParquetWriter(table, schema) as writer,
            pyarrow.CompressedOutputStream(str(zst), "zstd") as text,
        ):
            chance = random.Random(1)
            for at in range(0, options.rows, 100_000):
                urls = [
                    f"https://h{int(chance.paretovariate(0.7)) % 100_000}.example.org"
                    f"/images/{n:09d}.jpg"
                    for n in range(at, min(at + 100_000, options.rows))
                ]
                writer.write_batch(pyarrow.record_batch([urls], schema=schema))
                text.write("".join(f"{url}\n" for url in urls).encode())
        for path in (table, zst):
            out = folder / f"out-{path.suffix[1:]}"
            command = [
                sys.executable,
                "-m",
                "tests.scale",
                "_plan",
                str(path),
                str(out),
            ]
            started = time.monotonic()
            result = subprocess.run(command, check=True, capture_output=True, text=True)
            took = time.monotonic() - started
            size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
            print(
                f"{options.rows:,} rows from {path.name}"
                f" ({path.stat().st_size / 1e6:,.0f} MB): {took:.0f} s,"
                f" {result.stdout.strip()}, {size / 1e6:,.0f} MB on disk"
            )


def _plan(options: argparse.Namespace) -> None:
    from tui.core.settings import Settings
    from tui.scale.job import JobOptions, open_job

    chosen = JobOptions(
        (options.list,), Path(options.out), Path(options.out), "files", 5000, 100
    )
    job = open_job(chosen, Settings(), None, lambda _rows, _bad: None)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{usage.ru_utime + usage.ru_stime:.0f} s of CPU, {job.plan.shards:,} shards,"
        f" {usage.ru_maxrss / 1024:.0f} MB of memory at most"
    )


def kills(options: argparse.Namespace) -> None:
    """Kill workers, the scheduler and the command at random, until all is done."""
    chance = random.Random(options.seed)
    total: Counter[str] = Counter()
    lines = []
    for number in range(options.runs):
        server = Server("--delay", "0.01")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            urls = write_list(folder / "l.txt", server, 6000, 30, 3000)
            started = time.monotonic()
            is_killed = _kill_planner(folder, chance)
            used = _run_with_kills(folder, chance)
            used["planner"] += is_killed
            took = time.monotonic() - started
            log = server.log()
            server.close()
            result = check(folder / "out", urls)
            total.update(used)
            lines.append(result)
            print(
                f"run {number + 1}: {dict(used)}, {took:.0f} s, {result};"
                f" {log['repeated']} files sent twice,"
                f" most requests of a host {max(log['highest'].values())} (limit 3)",
                flush=True,
            )
    print(f"{options.runs} runs, {dict(total)}: {dict(Counter(lines))}")


def _kill_planner(folder: Path, chance: random.Random) -> bool:
    """Kill a command while it plans; return False if it was faster."""
    root = folder / "out" / ".fetchtui-scale"
    options = ("--shard-size", "100", "--per-host", "3", "--headless", "-q")
    process = subprocess.Popen(
        # Nothing listens there, so it does not go further than its plan.
        [
            *(*_FETCHTUI, "scale", "l.txt", "-o", "out", *options),
            *("--scheduler", "tcp://127.0.0.1:9"),
        ],
        cwd=folder,
        env=_ENV,
        stderr=subprocess.DEVNULL,
    )
    while not (root / "buckets").exists():
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))
    is_planned = (root / "plan.json").exists()
    process.kill()
    process.wait()
    return not is_planned


def _run_with_kills(folder: Path, chance: random.Random) -> Counter[str]:
    """Run a cluster and the command; return how many of each were killed."""
    used: Counter[str] = Counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    port = chance.randrange(20_000, 30_000)
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli.dask_"]

    def start(kind: str) -> subprocess.Popen[bytes]:
        commands = {
            "scheduler": [*dask[:2], f"{dask[2]}scheduler", "--port", str(port)],
            "worker": [*dask[:2], f"{dask[2]}worker", address, "--nthreads", "4"],
            "client": [
                *(*_FETCHTUI, "scale", "l.txt", "-o", "out", "--headless", "-q"),
                *("--scheduler", address, "--shard-size", "100", "--per-host", "3"),
                *("-c", "16"),
            ],
        }
        if kind != "client":
            commands[kind] += ["--no-dashboard"]
        if kind == "worker":
            commands[kind] += ["--no-nanny", "--death-timeout", "5"]
        return subprocess.Popen(commands[kind], cwd=folder, env=_ENV, **quiet)

    running = {"scheduler": start("scheduler")}
    running |= {f"worker{n}": start("worker") for n in range(2)}
    running["client"] = start("client")
    left = 3
    deadline = time.monotonic() + 240
    pause = time.monotonic() + chance.uniform(4, 9)
    try:
        while time.monotonic() < deadline:
            for name, process in list(running.items()):
                if process.poll() is not None:
                    if name == "client" and process.returncode == 0:
                        return used
                    running[name] = start(name.rstrip("01"))
            if left and time.monotonic() > pause:
                victim = chance.choice(list(running))
                running[victim].send_signal(signal.SIGKILL)
                used[victim.rstrip("01")] += 1
                left -= 1
                pause = time.monotonic() + chance.uniform(2, 6)
            time.sleep(0.2)
        used["not finished"] += 1
        return used
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def parts(options: argparse.Namespace) -> None:
    """Compare the manifests of four plain processes with those of Dask."""
    server = Server("--delay", "0.005")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        urls = write_list(folder / "l.txt", server, options.rows, 30, 3000)
        with open(folder / "l.txt", "a", encoding="utf-8") as file:
            file.writelines(f"{server.url(n, '/missing')}\n" for n in range(10))
        command = [*_FETCHTUI, "scale", "l.txt", "--headless", "-q", "-c", "16"]
        command += ["--shard-size", "200", "--per-host", "4"]
        started = time.monotonic()
        dask = [*command, "-o", "dask", "--scheduler", "local:2"]
        subprocess.run(dask, cwd=folder, env=_ENV, check=False)
        first = time.monotonic() - started
        before = server.log()["requests"]
        started = time.monotonic()
        processes = [
            subprocess.Popen(
                [*command, "-o", "parts", "--shard", f"{number}/4"],
                cwd=folder,
                env=_ENV,
            )
            for number in range(4)
        ]
        statuses = [process.wait() for process in processes]
        second = time.monotonic() - started
        log = server.log()
        found = [_facts(folder / out) for out in ("dask", "parts")]
        done = sum(row[2] == "done" for row in found[1])
        print(
            f"local:2 {first:.1f} s, four processes {second:.1f} s (status {statuses}):"
            f" {len(found[0]):,} and {len(found[1]):,} rows, {done:,} done,"
            f" {len(set(found[0]) ^ set(found[1]))} differ; {before:,} and"
            f" {log['requests'] - before:,} requests; most requests of a host"
            f" {max(log['highest'].values())} (limit 4);"
            f" {len(urls - {row[0] for row in found[1]})} URLs lost"
        )
    server.close()


def _facts(out: Path) -> list[tuple]:
    """Return the rows of all manifests, without times, paths and positions."""
    paths = job_paths(out / ".fetchtui-scale")
    return sorted(
        (
            *(row.url, row.final_url, row.state, row.status, row.error_kind),
            *(row.bytes, row.sha256, row.etag),
        )
        for path in manifest.listed(paths).values()
        for row in manifest.read_rows(path)
    )


def overhead(options: argparse.Namespace) -> None:
    """Compare ``scale`` with the plain engine, at equal total slots."""
    for rows, size in ((options.rows, 1000), (40, 20_000_000)):
        for label, more in (
            ("plain engine", None),
            ("scale, one process", ()),
            ("scale, local:1", ("--scheduler", "local:1")),
            ("scale, local:2", ("--scheduler", "local:2")),
        ):
            server = Server()
            with tempfile.TemporaryDirectory(dir=options.folder) as name:
                folder = Path(name)
                write_list(folder / "l.txt", server, rows, 20, size)
                command = [*_FETCHTUI, "l.txt", "--headless", "-q", "-c", "32"]
                if more is not None:
                    command[3:3] = ["scale"]
                    command += more
                started = time.monotonic()
                subprocess.run(
                    [*command, "-o", "out"], cwd=folder, env=_ENV, check=True
                )
                took = time.monotonic() - started
                print(f"{rows:,} files of {size:,} bytes, {label}: {took:.1f} s")
                shutil.rmtree(folder / "out")
            server.close()


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, rows in (
        ("plan", 10_000_000),
        ("hosts", 200_000),
        ("overhead", 10_000),
        ("parts", 4000),
    ):
        command = commands.add_parser(name)
        command.add_argument("--rows", type=int, default=rows)
        command.add_argument("--folder", default=None)
        command.add_argument("--scheduler", default="local:2")
    command = commands.add_parser("kills")
    command.add_argument("--runs", type=int, default=20)
    command.add_argument("--seed", type=int, default=1)
    command = commands.add_parser("simulate")
    command.add_argument("--rows", type=float, default=1e9)
    command.add_argument("--workers", type=int, default=100)
    command.add_argument("--losses", type=int, default=20)
    command.add_argument("--per-host", type=int, default=100)
    command = commands.add_parser("_plan")
    command.add_argument("list")
    command.add_argument("out")
    options = parser.parse_args()
    if options.command == "simulate":
        simulate.report(
            int(options.rows), options.workers, options.losses, options.per_host
        )
        return
    run = {
        "plan": plan,
        "hosts": hosts,
        "kills": kills,
        "overhead": overhead,
        "parts": parts,
        "_plan": _plan,
    }
    run[options.command](options)


if __name__ == "__main__":
    main()

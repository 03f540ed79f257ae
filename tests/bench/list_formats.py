"""Read a list of 100,000 lines per format: ``python -m tests.bench.list_formats``.

Each format is read in a separate process, so that its memory can be measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LINES = 100_000
RUNS = 3
BASE = "https://files.example/sets/"


def _url(number: int) -> str:
    return f"{BASE}part-{number % 64:02}/file-{number:06}.bin"


def _digest(number: int) -> str:
    return f"{number:064x}"


FORMATS: dict[str, tuple[str, str, Callable[[int], str]]] = {
    "text": ("a.txt", "", _url),
    "aria2, 3 options": (
        "b.txt",
        "",
        lambda n: (
            f"{_url(n)}\n  out=file-{n}.bin\n  dir=part-{n % 64}\n"
            f"  checksum=sha-256={_digest(n)}"
        ),
    ),
    "aria2 session": (
        "c.txt",
        "",
        lambda n: f"{_url(n)}\t\n gid={n:016x}\n dir=/home/ada/x\n max-tries=1",
    ),
    "CSV, 4 columns": (
        "d.csv",
        "url,out,dir,sha256\n",
        lambda n: f"{_url(n)},file-{n}.bin,part-{n % 64},{_digest(n)}",
    ),
    "JSON Lines": (
        "e.jsonl",
        "",
        lambda n: json.dumps({"url": _url(n), "out": f"file-{n}.bin", "size": n}),
    ),
    "SHA256SUMS": ("SHA256SUMS", "", lambda n: f"{_digest(n)}  part-{n}/x.bin"),
    "curl commands": ("f.txt", "", lambda n: f"curl -H 'accept: */*' -O {_url(n)}"),
    "a page's links": ("g.html", "<html>", lambda n: f'<a href="{_url(n)}">{n}</a>'),
    "one pattern": ("h.txt", "", lambda n: ""),
}
"""File name, first line and line pattern of each format."""


def write(path: Path, head: str, lines: Iterable[str]) -> None:
    """Write the list."""
    with path.open("w") as file:
        file.write(head)
        file.writelines(f"{line}\n" for line in lines)


def read(path: str) -> None:
    """Read the list in this process; print CPU seconds, megabytes and requests."""
    from tui.sources.load import load_sources

    start_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gc.disable()
    before = time.process_time()
    requests, problems = load_sources([path], None, links="*", base_url=BASE)
    seconds = time.process_time() - before
    assert problems == []
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds, peak_mb - start_mb, len(requests)]))


def main() -> None:
    """Measure every format and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--read", help="(inner) read this list and tell")
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    rows = []
    with tempfile.TemporaryDirectory() as home:
        for name, (file, head, line) in FORMATS.items():
            path = Path(home) / file
            if name == "one pattern":
                write(path, head, [f"{BASE}file-{{000001..{LINES}}}.bin"])
            else:
                write(path, head, map(line, range(LINES)))
            command = [sys.executable, "-m", "tests.bench.list_formats", "--read"]
            found = [
                json.loads(subprocess.check_output([*command, str(path)]))
                for _ in range(RUNS)
            ]
            seconds, megabytes, count = min(found)
            assert count == LINES, (name, count)
            size = f"{path.stat().st_size / 1e6:.1f}"
            rows.append([name, size, f"{seconds:.2f}", f"{megabytes:.0f}"])
    print(
        table(["100,000 downloads as", "MB", "processor seconds", "MB of memory"], rows)
    )


if __name__ == "__main__":
    main()

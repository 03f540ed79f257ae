"""Attacks on lists, pages and commands: each must end soon, in bounded memory.

``python -m tests.fuzz attacks`` runs them at full size in a process each, with a limit
of time and memory. The test suite runs the same at a tenth of the size.
"""

from __future__ import annotations

import io
import itertools
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.sources.list_file import load_stream
from tui.sources.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20.0
"""CPU time at which an attack has succeeded; the slowest takes a quarter of it."""
MEGABYTES = 1024


@dataclass(frozen=True)
class Attack:
    """Text whose size grows with a number, read as a list of some format."""

    build: Callable[[int], str]
    size: int
    """Of the long form."""
    suffix: str = ""


class Endless:
    """A stream that repeats itself without end, as ``yes | fetchtui -`` does."""

    def __init__(self, start: str, repeated: str) -> None:
        self._next = itertools.chain(
            [start.encode()], itertools.repeat(repeated.encode() * 4096)
        )

    def read(self, _: int, /) -> bytes:
        return next(self._next)


def _metalink(files: str) -> str:
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{files}</metalink>'


_FILE = '<file name="f{}"><size>1</size><url>http://a/{}</url></file>'
ATTACKS = {
    "letters": Attack(lambda n: "a" * n, 65_535),
    "letters and URL": Attack(lambda n: "a" * n + " b://c", 65_000),
    "dots": Attack(lambda n: "a." * n, 32_000),
    "backslashes": Attack(lambda n: "http://a/{" + "\\" * n, 65_000),
    "backslashes and braces": Attack(lambda n: "http://a/" + "\\{" * n, 32_000),
    "open braces": Attack(lambda n: "http://a/" + "{a," * n, 21_000),
    "words in a query": Attack(lambda n: "http://a/?" + "{a,b}" * n, 13_000),
    "spans": Attack(lambda n: "http://a/" + "{1..2}" * n, 10_000),
    "headers": Attack(lambda n: "http://a/\n" + " header=A: b\n" * n, 50_000),
    "names": Attack(lambda n: "http://a/\n" + " out=a\n" * n, 500_000),
    "options without URL": Attack(lambda n: " out=a\n" * n, 500_000),
    "blank lines": Attack(lambda n: "\n" * n, 5_000_000),
    "mirrors": Attack(lambda n: "http://a/\t" * n, 6_000),
    "wrapped command": Attack(lambda n: "sudo " + "-u " * n, 20_000),
    "command of quotes": Attack(lambda n: "curl " + "\"\\$\"'a'" * n, 8_000),
    "command of carets": Attack(lambda n: 'curl ^"' + '\\^"' * n, 20_000),
    "command of operators": Attack(lambda n: "curl " + "2>" * n, 30_000),
    "many commands": Attack(lambda n: "curl a.b; " * n, 6_000),
    "continued lines": Attack(lambda n: "curl \\\n" + "\\\n" * n, 500_000),
    "digests": Attack(lambda n: f"{'a' * 64}  x\n" * n, 100_000),
    "parentheses": Attack(lambda n: "SHA256 (" + ")" * n, 65_000),
    "nested elements": Attack(lambda n: "<div>" * n, 100_000, ".html"),
    "nested links": Attack(lambda n: "<a href=x.zip><b>" * n, 100_000, ".html"),
    "unclosed quotes": Attack(lambda n: '<a href="' * n, 500_000, ".html"),
    "unclosed comments": Attack(lambda n: "<!--" * n, 1_000_000, ".html"),
    "attributes": Attack(lambda n: "<a " + "x " * n, 2_000_000, ".html"),
    "references": Attack(lambda n: "<a href='" + "&" * n + "'>", 4_000_000, ".html"),
    "Metalink files": Attack(
        lambda n: _metalink("".join(_FILE.format(i, i) for i in range(n))),
        200_000,
        ".meta4",
    ),
    "Metalink depth": Attack(lambda n: _metalink("<a>" * n), 1_000_000, ".meta4"),
    "JSON depth": Attack(lambda n: "[" * n, 1_000_000, ".json"),
    "CSV quotes": Attack(lambda n: "url\n" + '"' * n, 1_000_000, ".csv"),
}
ENDLESS = {
    "options": ("http://a/\n", " out=a\n"),
    "options without URL": ("", " out=a\n"),
    "comments": ("", "#\n"),
    "a line": ("", "a"),
    "commands": ("", "curl \\\n"),
    "rows": ("url\n", ",\n"),
    "digests": (f"{'a' * 64}  x\n", "a\n"),
}
"""Starts and repeated parts of endless streams."""
_OPTIONS = ReadOptions([], links="*.zip", base_url="https://a/")


def run(name: str, share: float = 1.0) -> int:
    """Read an attack at a share of its size; returns the number of items."""
    attack = ATTACKS[name]
    text = attack.build(max(1, int(attack.size * share)))
    stream = io.BytesIO(text.encode())
    return _count(load_stream(stream, "list", _OPTIONS, attack.suffix))


def run_endless(name: str) -> int:
    """Read an endless stream; like ``load_sources``, stop after a million items."""
    stream = Endless(*ENDLESS[name])
    try:
        return _count(load_stream(stream, "list", _OPTIONS))
    except ValueError:
        # Too long; the callers of ``load_stream`` report it.
        return 0


def _count(items: Iterator[object]) -> int:
    return sum(1 for _ in itertools.islice(items, 1_000_000))


def _run_alone(name: str, kind: str) -> str:
    """Run one attack in a process of its own; returns "" or what went wrong."""
    code = f"from tests.fuzz import attacks; attacks.{kind}({name!r})"

    def limit() -> None:
        size = MEGABYTES << 20
        resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) * 4, int(SECONDS) * 4))
        resource.setrlimit(resource.RLIMIT_AS, (size * 4, size * 4))

    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-c", code], check=False, preexec_fn=limit)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    megabytes = end.ru_maxrss >> 10
    print(f"{kind:12} {name:24} {seconds:6.1f} s CPU, largest so far {megabytes} MB")
    if result.returncode:
        return f"{name}: status {result.returncode}"
    if seconds > SECONDS or megabytes > MEGABYTES:
        return f"{name}: {seconds:.1f} s, {megabytes} MB"
    return ""


def main() -> int:
    """Run all attacks at full size; returns the exit status."""
    start = time.monotonic()
    failures = [_run_alone(name, "run") for name in ATTACKS]
    failures += [_run_alone(name, "run_endless") for name in ENDLESS]
    wrong = [failure for failure in failures if failure]
    print(f"{len(failures)} attacks in {time.monotonic() - start:.0f} s")
    for failure in wrong:
        print(f"FAILED {failure}")
    return 1 if wrong else 0

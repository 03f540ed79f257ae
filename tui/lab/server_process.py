"""Run the demo's server as a process: ``python -m tui.lab.server_process COURSE``.

So that its work does not show in anybody's figures. Takes a ``ServerProfile`` as JSON,
writes the list as a line of JSON to standard output, and serves until standard input
ends.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What the demo's server has, and how far away it is."""

    files: int = 40
    size: int = 120_000
    """Bytes of a file on average; they differ by half of it, by rule."""
    latency_s: float = 0.05
    """Before each answer."""
    rate: int = 2_000_000
    """Bytes per second and connection; 0 for as fast as it goes."""


def scripts(course: ServerProfile) -> Iterator[tuple[str, ResponseScript]]:
    """Return each path with what answers it; the same for the same course.

    The first file is four times as far away as the others, so that it shows who waits
    for it. Of forty, two are not there, and of three more one is forbidden, one fails
    and one ends in the middle.
    """
    missing = {number * 20 + 7 for number in range(-(-course.files // 20))}
    for number in range(course.files):
        size = course.size // 2 + course.size * (number * 7 % 11) // 10
        script = ResponseScript(
            Pattern(size, 500 + number),
            latency_s=course.latency_s * (4 if number == 0 else 1),
            rate=course.rate or None,
        )
        if number in missing:
            script = ResponseScript(b"not here\n", 404, latency_s=course.latency_s)
        elif number % 40 == 13:
            script = ResponseScript(b"not for you\n", 403, latency_s=course.latency_s)
        elif number % 40 == 22:
            script = ResponseScript(b"broken\n", 500, latency_s=course.latency_s)
        elif number % 40 == 31:
            script.cut_after = size // 2
        yield f"/lab/file-{number:03d}.bin", script


async def serve(course: ServerProfile) -> None:
    """Serve a course until standard input ends."""
    async with ScriptedServer() as server:
        urls = [server.add(path, script) for path, script in scripts(course)]
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        await reader.read()


def to_json(course: ServerProfile) -> str:
    """Return what the process takes for its argument."""
    return json.dumps(asdict(course))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    asyncio.run(serve(ServerProfile(**json.loads(sys.argv[1]))))

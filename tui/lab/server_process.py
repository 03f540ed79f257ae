"""The demo server as a process: ``python -m tui.lab.server_process PROFILE``.

In its own process, its work does not affect anyone's figures. It takes a
``ServerProfile`` as JSON, writes the list of URLs as a line of JSON to standard output,
and serves until standard input is closed.
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
    """Files, latency and speed of the demo server."""

    files: int = 40
    size: int = 120_000
    """Average bytes per file; sizes differ deterministically by up to half of it."""
    latency_s: float = 0.05
    """Delay before each response."""
    rate: int = 2_000_000
    """Bytes per second and connection; 0 for no limit."""


def scripts(profile: ServerProfile) -> Iterator[tuple[str, ResponseScript]]:
    """Yield each path with its script; the same for the same profile.

    The first file has four times the latency of the others, which shows who waits for
    it. Of forty files, two are missing, one is forbidden, one fails with a server error
    and one is cut off in the middle.
    """
    missing = {number * 20 + 7 for number in range(-(-profile.files // 20))}
    for number in range(profile.files):
        size = profile.size // 2 + profile.size * (number * 7 % 11) // 10
        script = ResponseScript(
            Pattern(size, 500 + number),
            latency_s=profile.latency_s * (4 if number == 0 else 1),
            rate=profile.rate or None,
        )
        if number in missing:
            script = ResponseScript(b"not here\n", 404, latency_s=profile.latency_s)
        elif number % 40 == 13:
            script = ResponseScript(b"not for you\n", 403, latency_s=profile.latency_s)
        elif number % 40 == 22:
            script = ResponseScript(b"broken\n", 500, latency_s=profile.latency_s)
        elif number % 40 == 31:
            script.cut_after = size // 2
        yield f"/lab/file-{number:03d}.bin", script


async def serve(profile: ServerProfile) -> None:
    """Serve a profile until standard input is closed."""
    async with ScriptedServer() as server:
        urls = [server.add(path, script) for path, script in scripts(profile)]
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        await reader.read()


def to_json(profile: ServerProfile) -> str:
    """Return the argument for the process."""
    return json.dumps(asdict(profile))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    asyncio.run(serve(ServerProfile(**json.loads(sys.argv[1]))))

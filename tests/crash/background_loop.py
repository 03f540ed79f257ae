"""Kill what surrounds a background process, and the process itself.

``python -m tests.crash.background_loop`` downloads a throttled list in the background.
Meanwhile, dashboards on terminals, verbs and bridges (what ssh runs on the other
machine) are killed at random moments: no request that the server sees may break. Then
the process itself is killed several times and started again without its list. At the
end, every file must have the right digest.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import termios
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tui.background.address import Address, address_of, running
from tui.background.client import connect
from tui.core.text.units import format_size
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

NAME = "crash-test"
START_LIMIT_S = 60.0
RUN_LIMIT_S = 900.0
_COMMAND = (sys.executable, "-P", "-m", "tui")


@dataclass(slots=True)
class Result:
    """What happened."""

    client_kills: Counter[str] = field(default_factory=Counter)
    """Killed clients by what they were."""
    process_kills: int = 0
    broken_by_clients: int = 0
    """Requests that ended early while only clients were killed."""
    broken_by_process: int = 0
    """Requests that ended early in the rest of the run: those of killed processes."""
    sent: int = 0
    """Bytes that the server sent."""
    size: int = 0
    """Bytes of all files."""
    wrong: list[str] = field(default_factory=list)
    """Names of files that are missing or have the wrong digest."""
    leftovers: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.broken_by_clients or self.wrong or self.leftovers)


class Trial:
    """One list in one background process."""

    def __init__(
        self, server: ScriptedServer, folder: Path, rng: random.Random, files: int
    ) -> None:
        self._server = server
        self._folder = folder
        self._rng = rng
        self._out = folder / "out"
        self._out.mkdir()
        self.result = Result()
        self._bodies = {
            f"{number}.bin": Pattern(rng.randrange(20_000, 400_000), number)
            for number in range(files)
        }
        self.result.size = sum(body.size for body in self._bodies.values())

    @property
    def address(self) -> Address:
        """The address of the process."""
        return address_of(NAME)

    def throttle(self, rate: int, connections: int) -> None:
        """Serve the files at ``rate`` bytes per second in total."""
        for name, body in self._bodies.items():
            script = ResponseScript(
                body, etag=f'"{body.seed}"', rate=rate / connections
            )
            self._server.add(f"/{name}", script)

    async def start(self, *arguments: str) -> None:
        """Start the process; raise if that fails."""
        process = await asyncio.create_subprocess_exec(
            *(*_COMMAND, "-b", "--name", NAME, "-c", "16", *arguments),
            *("-o", str(self._out)),
            cwd=self._folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        if await process.wait():
            raise RuntimeError("the background process did not start")

    async def start_with_list(self) -> None:
        """Start the process with all files."""
        path = self._folder / "list.txt"
        urls = (self._server.url(f"/{name}") for name in self._bodies)
        path.write_text("\n".join(urls) + "\n")
        await self.start(str(path))

    # -- clients ---------------------------------------------------------------------

    async def kill_client(self) -> None:
        """Start a client of a random kind, and kill it after a random time."""
        kind = self._rng.choice(("dashboard", "dashboard", "verb", "bridge"))
        if kind == "dashboard":
            await self._kill_dashboard()
        elif kind == "verb":
            verb = self._rng.choice((("ls",), ("wait",), ("limit",), ("ls", "--json")))
            await self._kill_piped(*verb, "--name", NAME)
        else:
            await self._kill_piped("bridge", NAME)
        self.result.client_kills[kind] += 1

    async def _kill_dashboard(self) -> None:
        """Kill a dashboard, or close the terminal under it."""
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (30, 100))
        process = await asyncio.create_subprocess_exec(
            *(*_COMMAND, "attach", NAME),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(slave)
        loop = asyncio.get_running_loop()

        def read() -> None:
            try:
                os.read(master, 65536)
            except OSError:
                loop.remove_reader(master)

        loop.add_reader(master, read)
        # Sometimes it stops reading first.
        await asyncio.sleep(self._rng.uniform(0.1, 4.0))
        if self._rng.random() < 0.3:
            loop.remove_reader(master)
            await asyncio.sleep(self._rng.uniform(0.1, 1.0))
        closes_terminal = self._rng.random() < 0.5
        if closes_terminal:
            loop.remove_reader(master)
            os.close(master)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGHUP)
        else:
            process.kill()
        await asyncio.wait_for(process.wait(), START_LIMIT_S)
        if not closes_terminal:
            loop.remove_reader(master)
            os.close(master)

    async def _kill_piped(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(*_COMMAND, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if arguments[0] == "bridge":
            assert process.stdin is not None
            hello = {"protocol": 1, "client": "crash"}
            messages = [("hello", hello), ("attach", {}), ("view.set", {"ids": [0, 1]})]
            for id, (method, params) in enumerate(messages):
                message = {"jsonrpc": "2.0", "id": id, "method": method}
                process.stdin.write(json.dumps(message | {"params": params}).encode())
                process.stdin.write(b"\n")
        await asyncio.sleep(self._rng.uniform(0.0, 1.5))
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    # -- the process -----------------------------------------------------------------

    async def kill_process(self) -> None:
        """Kill the process itself, and start it again without its list."""
        record = running(self.address)
        assert record is not None
        os.kill(record.pid, signal.SIGKILL)
        await self._wait_end()
        self.result.process_kills += 1
        await self.start()

    async def _wait_end(self) -> None:
        while running(self.address) is not None:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.02)

    @property
    def broken(self) -> int:
        """Requests that ended before everything was sent."""
        return sum(
            request.ended in ("gone", "cut") for request in self._server.requests
        )

    async def finish(self) -> None:
        """Wait until all downloads have ended, stop the process and check the files."""
        async with asyncio.timeout(RUN_LIMIT_S):
            async with await connect(self.address) as connection:
                await connection.greet("crash")
                await connection.request("wait")
                await connection.request("stop")
                await connection.closed
            await self._wait_end()
        result = self.result
        result.sent = sum(request.bytes_sent for request in self._server.requests)
        for name, body in self._bodies.items():
            path = self._out / name
            content = path.read_bytes() if path.exists() else b""
            if hashlib.sha256(content).hexdigest() != body.sha256():
                result.wrong.append(name)
        result.leftovers = sorted(set(os.listdir(self._out)) - set(self._bodies))

    async def left(self) -> int:
        """Return the number of unfinished downloads."""
        async with await connect(self.address) as connection:
            await connection.greet("crash")
            counts = (await connection.request("status"))["counts"]
        ended = ("done", "failed", "cancelled")
        return sum(count for state, count in counts.items() if state not in ended)


async def run(options: argparse.Namespace) -> Result:
    """Run the whole trial."""
    rng = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="fetchtui-background-"))
    os.environ["FETCHTUI_STATE_DIR"] = str(folder / "state")
    trial = None
    try:
        async with ScriptedServer() as server:
            trial = Trial(server, folder, rng, options.files)
            trial.throttle(options.rate, 16)
            await trial.start_with_list()
            while sum(trial.result.client_kills.values()) < options.client_kills:
                count = min(4, options.client_kills)
                await asyncio.gather(*(trial.kill_client() for _ in range(count)))
                print(
                    f"{sum(trial.result.client_kills.values())} clients killed,"
                    f" {await trial.left()} downloads left, {trial.broken} broken",
                    file=sys.stderr,
                )
            trial.result.broken_by_clients = trial.broken
            for _ in range(options.process_kills):
                await asyncio.sleep(rng.uniform(0.5, 3.0))
                await trial.kill_process()
                print(f"killed; {await trial.left()} downloads left", file=sys.stderr)
            trial.throttle(options.rate * 20, 16)
            await trial.finish()
            trial.result.broken_by_process = (
                trial.broken - trial.result.broken_by_clients
            )
            return trial.result
    finally:
        if trial is not None and (record := running(trial.address)) is not None:
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def table(result: Result) -> str:
    """Return the figures as a table."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in result.client_kills.items())
    rows = {
        "clients killed": f"{sum(result.client_kills.values())} ({kinds})",
        "requests broken meanwhile": str(result.broken_by_clients),
        "kills of the process": str(result.process_kills),
        "requests broken by those": str(result.broken_by_process),
        "files": format_size(result.size),
        "sent by the server": format_size(result.sent),
        "wrong files": ", ".join(result.wrong) or "none",
        "leftover files": ", ".join(result.leftovers) or "none",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def main() -> int:
    """Run; return 0 if nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--client-kills", type=int, default=50)
    parser.add_argument("--process-kills", type=int, default=5)
    parser.add_argument("--rate", type=int, default=600_000, help="bytes/s in total")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    result = asyncio.run(run(options))
    print(table(result))
    print(f"took {time.monotonic() - started:.0f} s")
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Run a command, kill it at random moments, and measure what each kill costs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tui.disk.folders import NEW_RECORD, PART, RECORD
from tui.disk.resume_record import parse

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tui.demo.pattern import Pattern
    from tui.demo.server import ScriptedServer

Started: TypeAlias = "tuple[asyncio.subprocess.Process, Callable[[], None]]"
"""A process, and what to call when it has ended."""
RUN_LIMIT_S = 150.0
ROOT = __file__.rpartition("/tests/")[0]


@dataclass(slots=True)
class Batch:
    """Files that one command downloads, and its options."""

    bodies: dict[str, Pattern]
    """By name, which is also the path of the URL."""
    options: Sequence[str]
    has_checksums: bool = False
    """The list states the digest of each file."""
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(body.size for body in self.bodies.values())

    def digest(self, name: str) -> str:
        """Return the SHA-256 of the server's data."""
        if name not in self.digests:
            self.digests[name] = self.bodies[name].sha256()
        return self.digests[name]

    def is_correct(self, path: Path) -> bool:
        """Return True if a finished file has exactly the server's data."""
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return found == self.digest(path.name)

    def lines(self, server: ScriptedServer) -> str:
        """Return the list of files."""
        lines = []
        for name in self.bodies:
            lines.append(server.url(f"/{name}"))
            if self.has_checksums:
                lines.append(f"  checksum=sha-256={self.digest(name)}")
        return "\n".join(lines)


@dataclass(slots=True)
class Tally:
    """Totals over all runs."""

    kills: int = 0
    runs: int = 0
    batches: int = 0
    wrong: list[str] = field(default_factory=list)
    """Final names with wrong data, missing names and unexpected names."""
    failures: list[str] = field(default_factory=list)
    """Runs that ended by themselves with an error."""
    lost: list[int] = field(default_factory=list)
    """For each kill, bytes that were sent but are in no file or record."""
    leftovers: list[str] = field(default_factory=list)
    """Names left over when a batch is complete."""


class Killer:
    """Runs a batch to its end, with kills at random moments."""

    def __init__(
        self,
        server: ScriptedServer,
        directory: Path,
        rng: random.Random,
        *,
        has_dashboard: bool = False,
    ) -> None:
        self._server = server
        self._directory = directory
        self._rng = rng
        self._has_dashboard = has_dashboard

    async def run(self, batch: Batch, kills: int, mean_bytes: int) -> Tally:
        """Download ``batch`` with at most ``kills`` kills, until it is complete.

        Args:
            batch: the files; their scripts are on the server already.
            kills: after so many, the command may run to its end.
            mean_bytes: mean of the bytes that a run receives before it is killed.
        """
        tally = Tally(batches=1)
        while True:
            kept = self.kept(batch)
            sent = self._sent()
            after = None
            if tally.kills < kills:
                after = sent + int(self._rng.expovariate(1 / mean_bytes))
            status = await self.once(batch, after)
            tally.runs += 1
            self._check(batch, tally)
            if status == -9:
                tally.kills += 1
                gained = self.kept(batch) - kept
                tally.lost.append(max(0, self._sent() - sent - gained))
                continue
            if status != 0:
                tally.failures.append(f"exit status {status}")
            break
        present = set(os.listdir(self._directory))
        tally.leftovers = sorted(present - set(batch.bodies))
        tally.wrong += sorted(set(batch.bodies) - present)
        return tally

    async def once(self, batch: Batch, kill_at: int | None) -> int:
        """Run the command; kill it when the server has sent ``kill_at`` bytes."""
        urls = batch.lines(self._server)
        start = self._start_dashboard if self._has_dashboard else self._start_headless
        process, close = await start(batch, urls)
        ended = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(RUN_LIMIT_S):
                if kill_at is not None:
                    # Sometimes later, so that kills happen between two chunks, in
                    # syncs and renames, and at the start of the next file.
                    late_s = self._rng.choice((0.0, 0.0, self._rng.random()))
                    await self._wait(lambda: self._sent() >= kill_at, ended)
                    await asyncio.wait([ended], timeout=late_s)
                    if not ended.done():
                        process.kill()
                return await asyncio.shield(ended)
        finally:
            if not ended.done():
                process.kill()
                await ended
            close()
            # Data still being sent belongs to the run that was killed.
            await self._server.until(lambda: not self._server.connections)

    async def _start_headless(self, batch: Batch, urls: str) -> Started:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", "--headless", "--json"),
            *("-o", str(self._directory), *batch.options, "-"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdin is not None
        process.stdin.write(urls.encode())
        process.stdin.close()
        return process, lambda: None

    async def _start_dashboard(self, batch: Batch, urls: str) -> Started:
        """Start the dashboard on a terminal whose output nobody looks at."""
        state = self._directory.with_name(f"{self._directory.name}-state")
        state.mkdir(exist_ok=True)
        (state / "list.txt").write_text(urls)
        master, slave = os.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", str(state / "list.txt")),
            *("-o", str(self._directory), *batch.options),
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={
                **os.environ,
                "FETCHTUI_STATE_DIR": str(state),
                "FETCHTUI_EXIT_WHEN_DONE": "true",
                "TERM": "xterm-256color",
            },
        )
        os.close(slave)
        loop = asyncio.get_running_loop()

        def read() -> None:
            try:
                os.read(master, 65536)
            except OSError:  # the process has ended
                loop.remove_reader(master)

        def close() -> None:
            loop.remove_reader(master)
            os.close(master)

        loop.add_reader(master, read)
        return process, close

    @staticmethod
    async def _wait(is_true: Callable[[], bool], ended: asyncio.Future[int]) -> None:
        while not (is_true() or ended.done()):
            await asyncio.wait([ended], timeout=0.002)

    def _sent(self) -> int:
        return sum(request.bytes_sent for request in self._server.requests)

    def kept(self, batch: Batch) -> int:
        """Return the bytes that the next run need not download."""
        kept = 0
        for name, body in batch.bodies.items():
            if (self._directory / name).exists():
                kept += body.size
                continue
            record = self._directory / (name + RECORD)
            if record.exists() and (self._directory / (name + PART)).exists():
                parsed = parse(record.read_bytes())
                ranges = parsed.ranges if parsed is not None else ()
                kept += sum(end - start for start, end in ranges)
        return kept

    def _check(self, batch: Batch, tally: Tally) -> None:
        """Check every name in the directory."""
        for path in sorted(self._directory.iterdir()):
            if path.name in batch.bodies:
                if not batch.is_correct(path):
                    tally.wrong.append(path.name)
            elif not path.name.endswith((PART, RECORD, NEW_RECORD)):
                tally.wrong.append(path.name)

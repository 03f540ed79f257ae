"""SIGTERM, and Ctrl+C typed at a real terminal, during downloads."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.killing import ROOT
from tests.support.command import fetchtui
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk.folders import RECORD
from tui.disk.resume_record import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.demo.server import ScriptedServer

BODIES = [Pattern(6_000_000, seed) for seed in range(3)]


class Terminal:
    """A pseudo-terminal for a process; records its output."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        self.shown = bytearray()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        slave = self._slave

        def take_terminal() -> None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", *arguments),
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,
            env={**os.environ, "COLUMNS": "80", "LINES": "24"},
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self.master, self._read)
        return process

    def _read(self) -> None:
        try:
            self.shown += os.read(self.master, 65536)
        except OSError as error:
            assert error.errno == errno.EIO  # noqa: PT017  # closed by the other side
            asyncio.get_running_loop().remove_reader(self.master)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        with suppress(OSError):
            os.close(self.master)


def bytes_in_sockets(port: int) -> int:
    """Return how many bytes of local connections to a port nobody has read yet.

    0 where the system does not say so (only Linux does).
    """
    table = Path("/proc/net/tcp")
    total = 0
    for line in table.read_text().splitlines()[1:] if table.exists() else []:
        _, local, remote, _, queues, *_ = line.split()
        if f"{port:04X}" in (local[9:], remote[9:]):
            unsent, unread = queues.split(":")
            total += int(unsent, 16) + int(unread, 16)
    return total


def saved_bytes(out: Path) -> int:
    """Return how many bytes of unfinished files their resume records have."""
    records = [parse(path.read_bytes()) for path in out.glob(f"*{RECORD}")]
    ranges = [one for record in records if record for one in record.ranges]
    return sum(end - start for start, end in ranges)


async def interrupted_then_finished(
    server: ScriptedServer, out: Path, options: Sequence[str], how: str
) -> None:
    """Interrupt a run, then run the same command to its end."""
    is_interrupted = False
    urls = []
    for n, body in enumerate(BODIES):
        # However late the signal is handled, no file can be complete by then.
        cut = ResponseScript(body, etag=f'"{n}"', rate=1_000_000, stall_after=600_000)
        whole = ResponseScript(body, etag=f'"{n}"', rate=1_000_000)
        whole.answer = lambda _, cut=cut: None if is_interrupted else cut
        urls.append(server.add(f"/{n}.bin", whole))
    arguments = (*options, "-o", str(out), "-s", "4", *urls)
    terminal = Terminal()
    try:
        process = await terminal.start(*arguments)
        await server.until(
            lambda: sum(request.bytes_sent for request in server.requests) > 6_000_000
        )
        # On a busy machine, the process may not have read most of it yet.
        await server.until(lambda: bytes_in_sockets(server.port) < 600_000)
        if how == "ctrl+c":
            terminal.type(b"\x03")
        else:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            status = await process.wait()
    finally:
        terminal.close()
    assert status == 130, terminal.shown[-2000:]
    await server.until(lambda: not server.connections)
    assert not [name for name in os.listdir(out) if name.endswith(".bin")]
    # At most the buffers of twelve connections are lost.
    sent = sum(request.bytes_sent for request in server.requests)
    assert sent - saved_bytes(out) < 12 * 256_000
    count = len(server.requests)
    is_interrupted = True
    ended = await fetchtui("--headless", *arguments[len(options) :], cwd=out.parent)
    assert ended.status == 0
    for number, body in enumerate(BODIES):
        assert (out / f"{number}.bin").read_bytes() == body.read()
    assert len(os.listdir(out)) == len(BODIES)
    assert any(request.range is not None for request in server.requests[count:])
    # No file was started over.
    ranges = [request.range for request in server.requests[count:]]
    assert all(first > 0 for first, _ in filter(None, ranges))


@pytest.mark.parametrize("how", ["ctrl+c", "SIGTERM"])
async def test_an_interrupt_keeps_the_data(
    server: ScriptedServer, tmp_path: Path, how: str
) -> None:
    await interrupted_then_finished(server, tmp_path / "out", ["--headless"], how)


async def test_sigterm_to_a_dashboard_keeps_the_data(
    server: ScriptedServer, tmp_path: Path
) -> None:
    await interrupted_then_finished(server, tmp_path / "out", [], "SIGTERM")

"""Attaching to a background process with very many downloads.

``python -m tests.bench.attach`` starts a background process with a list (``--lines
1000000``) of which nothing finishes. Through a terminal, as a user sees it, it measures
the time from starting ``fetchtui attach`` to a screen full of rows; then, without a
dashboard, what a client waits for: connecting, order by activity, by name, a filter,
and rows that were not shown before. Beside each time is the processor time of both
processes, which shows on a busy machine what a quiet one would take. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tests.ui.latency import Terminal
from tui.background.address import address_of, running
from tui.background.attach.link import Link
from tui.background.attach.replica import Replica
from tui.background.client import connect
from tui.core.listing.query import DownloadQuery, SortKey
from tui.ui.actions.batch_runner import finish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.background.client import Connection
    from tui.background.protocol import Notification

T = TypeVar("T")
NAME = "bench"
PROGRAM = [sys.executable, "-m", "tui"]
_LAST_ROW = re.compile("file-0000015")
"""A row in the lower half of the first screen, without the panes."""


def memory_mb(pid: int | str = "self") -> float:
    """Return the resident memory of a process in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1000


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Meter:
    """Times what a client waits for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    async def time(self, name: str, work: Awaitable[T]) -> T:
        """Wait for ``work`` and print how long that took."""
        start, server = time.perf_counter(), processor_s(self._pid)
        client = time.process_time()
        result = await work
        spent = (time.perf_counter() - start) * 1000
        server_ms = (processor_s(self._pid) - server) * 1000
        client_ms = (time.process_time() - client) * 1000
        print(
            f"{name}: {spent:.0f} ms"
            f" (processor: process {server_ms:.0f}, client {client_ms:.0f} ms)"
        )
        return result


async def measure_client(pid: int) -> None:
    """Print what a client waits for, and its memory without a dashboard."""
    replica, meter = Replica(), Meter(pid)
    address = address_of(NAME)

    async def open_connection(
        on_notification: Callable[[Notification], None],
    ) -> Connection:
        return await connect(address, on_notification)

    link = Link(replica, open_connection, NAME)
    before = memory_mb()
    await meter.time("attach", link.start())
    by_activity = DownloadQuery(sort=SortKey.ACTIVITY)
    await meter.time("order by activity", finish(replica.by_activity_iter(by_activity)))
    by_name = DownloadQuery(sort=SortKey.NAME, is_reversed=True)
    ids = await meter.time("order by name", finish(replica.select_iter(by_name)))
    print(f"memory of a client with both lists: {memory_mb() - before:.0f} MB more")
    wanted = DownloadQuery(text="file-00001")
    await meter.time("filter of a text", finish(replica.select_iter(wanted)))
    arrived = asyncio.Event()
    replica.on_change = arrived.set
    middle = len(ids) // 2  # the first ones have come with the answer
    replica.rows(ids[middle : middle + 30])
    await meter.time("30 rows not shown before", arrived.wait())
    await link.close()


def measure_terminal(environment: dict[str, str]) -> None:
    """Print the time to the first screen, as a user sees it."""
    terminal = Terminal([*PROGRAM, "attach", NAME], environment)
    filled = terminal.wait_for(_LAST_ROW, 60)
    used = terminal.processor_s()
    shown = "never" if filled is None else f"{filled:.2f} s"
    print(
        f"start of fetchtui attach to a full screen: {shown} (processor {used:.2f} s)"
    )
    terminal.drain(3)
    print(f"memory of the dashboard: {memory_mb(terminal.process.pid):.0f} MB")
    terminal.press("q")
    terminal.process.wait(10)
    terminal.close()


def main() -> None:
    """Start the process, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fetchtui-attach-"))
    os.environ["FETCHTUI_STATE_DIR"] = str(folder / "state")
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        port = silent.getsockname()[1]
        wanted = folder / "list.txt"
        with wanted.open("w") as file:
            for number in range(options.lines):
                file.write(f"http://127.0.0.1:{port}/file-{number:07d}.bin\n")
        start = [*PROGRAM, "-b", "--name", NAME, str(wanted), "-o", str(folder / "out")]
        try:
            began = time.perf_counter()
            subprocess.run([*start, "-c", "1"], env=environment, check=True)
            print(f"start of the process: {time.perf_counter() - began:.0f} s")
            record = running(address_of(NAME))
            assert record is not None
            print(f"memory of the process: {memory_mb(record.pid):.0f} MB")
            measure_terminal(environment)
            asyncio.run(measure_client(record.pid))
            print(f"memory of the process: {memory_mb(record.pid):.0f} MB")
        finally:
            subprocess.run([*PROGRAM, "stop", "--name", NAME], env=environment)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""A second Ctrl+C exits without waiting."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

_HANGS_WHEN_CLOSED = """
import asyncio, os
from tests.support.fake_service import FakeService
from tui.core.request import DownloadRequest
from tui.headless.run import run_headless

class Hanging(FakeService):
    async def close(self):
        print("closing", flush=True)
        await asyncio.Event().wait()

asyncio.run(run_headless(
    Hanging(),
    [DownloadRequest(("http://127.0.0.1/f",))],
    is_json=True,
    on_forced_exit=lambda: os.write(1, b"at once\\n"),
))
"""


async def test_second_interrupt_exits_immediately() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _HANGS_WHEN_CLOSED,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert b"queued" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"closing\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.read() == b"at once\n"
        assert await process.wait() == 130

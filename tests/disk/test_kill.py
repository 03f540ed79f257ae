"""Ranges in the resume record are in the part file after a SIGKILL."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from tui.core.clock import SystemClock
from tui.disk.folders import OutputFolders
from tui.disk.resume_record import load_record
from tui.disk.writer import DiskWriter

WRITE_FOREVER = """
import asyncio, itertools, sys
from pathlib import Path
from tui.core.clock import SystemClock
from tui.disk.folders import OutputFolders
from tui.disk.resume_record import ResumeRecord
from tui.disk.writer import DiskWriter

async def main():
    writer = DiskWriter(
        writers=4, in_flight_limit=1 << 20, fsync=False, clock=SystemClock()
    )
    folder = await OutputFolders(Path(sys.argv[1]), writer).folder("")
    size = 1 << 26
    part = await writer.open_part(folder, "x", size=size)
    record = ResumeRecord(url="https://example.org/x", validator="", size=size)
    # Two segments, so that one is always ahead of the contiguous start.
    for step in itertools.count():
        for start in (0, size // 2):
            offset = start + step % 512 * 65536
            await writer.write(part, offset, [bytes([step % 251 + 1]) * 65536], 65536)
        if step % 3 == 0:
            await writer.checkpoint(part, record)
            print(step, flush=True)

asyncio.run(main())
"""


def folder_at(path):
    async def open_it():
        writer = DiskWriter(
            writers=1, in_flight_limit=1, fsync=False, clock=SystemClock()
        )
        folder = await OutputFolders(path, writer).folder("")
        await writer.close()
        return folder

    return asyncio.run(open_it())


def test_recorded_ranges_survive_a_kill(tmp_path):
    folder = folder_at(tmp_path)
    for lines in (1, 2, 9, 30, 60):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
        record = load_record(folder, "x")
        assert record is not None
        assert sum(end - start for start, end in record.ranges) >= lines * 65536
        data = (tmp_path / "x.part").read_bytes()
        for start, end in record.ranges:
            for offset in range(start, end, 65536):
                value = offset % (1 << 25) // 65536 % 251 + 1
                assert data[offset : offset + 65536] == bytes([value]) * 65536
        assert not (tmp_path / "x").exists()
        for path in tmp_path.iterdir():
            path.unlink()

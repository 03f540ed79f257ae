from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tui.core.clock import SystemClock
from tui.disk.folders import OutputFolders
from tui.disk.writer import DiskWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tui.disk.folders import Folder
    from tui.disk.part_file import PartFile


@pytest.fixture
async def writer() -> AsyncIterator[DiskWriter]:
    writer = DiskWriter(
        writers=2, in_flight_limit=1 << 20, fsync=True, clock=SystemClock()
    )
    yield writer
    await writer.close()


@pytest.fixture
async def folders(tmp_path: Path, writer: DiskWriter) -> AsyncIterator[OutputFolders]:
    folders = OutputFolders(tmp_path, writer)
    yield folders
    await folders.close()


@pytest.fixture
async def folder(folders: OutputFolders) -> Folder:
    return await folders.folder("")


@pytest.fixture
async def part(lone: DiskWriter, folder: Folder) -> AsyncIterator[PartFile]:
    """An open part file of the module's writer ``lone``."""
    part = await lone.open_part(folder, "x", size=None)
    yield part
    await lone.close_part(part)


@pytest.fixture
def event() -> Iterator[threading.Event]:
    """An event for threads to wait on; set at the end, so that no thread remains."""
    event = threading.Event()
    yield event
    event.set()

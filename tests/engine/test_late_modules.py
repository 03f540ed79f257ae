"""When the modules are loaded that only some downloads use."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from tui.core.settings import Settings
from tui.engine import factory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("limit", [64, 65_536])
async def test_they_wait_only_while_descriptors_cannot_run_out(
    monkeypatch, tmp_path: Path, limit: int
) -> None:
    is_loaded = threading.Event()
    monkeypatch.setattr(factory, "raise_descriptor_limit", lambda: limit)
    monkeypatch.setattr(factory, "_load_late_modules", is_loaded.set)
    engine = await factory.open_engine(Settings(output_dir=tmp_path))
    assert is_loaded.is_set() == (limit == 64)
    await engine.close()


async def test_they_are_not_loaded_once_the_engine_has_closed(
    monkeypatch, tmp_path: Path
) -> None:
    """The loop may end then: without its threads, it logged a traceback."""
    loop = asyncio.get_running_loop()
    problems: list[object] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    engine = await factory.open_engine(Settings(output_dir=tmp_path))
    await engine.close()
    await loop.shutdown_default_executor()
    later = loop.time() + 3600
    monkeypatch.setattr(loop, "time", lambda: later)
    for _ in range(3):  # turns of the loop, in which its timers are due
        await asyncio.sleep(0)
    assert problems == []

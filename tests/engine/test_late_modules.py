"""When the modules are loaded that only some downloads use."""

from __future__ import annotations

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

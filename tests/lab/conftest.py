"""A finished race for many tests, and a check that nothing is left behind."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from tui.lab.process import LabProcess
from tui.lab.race import Race, plan_for
from tui.lab.server_process import ServerProfile

PROFILE = ServerProfile(files=24, size=40_000, latency_s=0.03, rate=0)


@pytest.fixture(scope="session")
def finished_race():
    """Run every strategy once and cancel it once, on the demo server."""
    race = Race(plan_for(rounds=1, concurrency=4, profile=PROFILE))
    asyncio.run(race.run())
    return race


@pytest.fixture(autouse=True)
def temp_dir(monkeypatch, tmp_path):
    """Yield a separate directory for temporary files; check that it ends up empty."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    assert not LabProcess._alive


def is_alive(pid: int) -> bool:
    """Return True if a process runs; zombies do not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"

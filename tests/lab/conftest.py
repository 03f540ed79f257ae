"""One race that many tests look at, and what must not be left of any."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from tui.lab.process import LabProcess
from tui.lab.race import Race, plan_for
from tui.lab.server_process import ServerProfile

COURSE = ServerProfile(files=24, size=20_000, latency_s=0.03, rate=0)


@pytest.fixture(scope="session")
def finished_race():
    """Every strategy once, and cancelled once, on the demo's server."""
    race = Race(plan_for(rounds=1, concurrency=4, course=COURSE))
    asyncio.run(race.run())
    return race


@pytest.fixture(autouse=True)
def stage(monkeypatch, tmp_path):
    """Give a test temporary files of its own; yields where they are."""
    folder = tmp_path / "stage"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    assert not LabProcess._alive


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that waits to be collected does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"

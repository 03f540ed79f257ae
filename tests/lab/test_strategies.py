"""Every strategy: data, counts, figures and cancellation."""

from __future__ import annotations

import hashlib
import threading

import pytest

from tests.lab.conftest import PROFILE
from tui.lab.catalog import BY_NAME, ENTRIES
from tui.lab.job import Job, Target
from tui.lab.race import State
from tui.lab.report.figures import Status, disagreements
from tui.lab.server_process import scripts
from tui.lab.strategies import as_completed, thread_map
from tui.lab.worker.instrumentation import Instrumentation

NAMES = list(BY_NAME)
FETCHING = [entry.name for entry in ENTRIES if not entry.is_cpu_bound]
POOLED = ["thread_map", "as_completed", "threads_cpu"]
TASKED = ["asyncio_blocking_save", "asyncio_executor_save", "two_requests", "engine"]


def entrant_of(race, name):
    return next(entrant for entrant in race.entrants if entrant.entry.name == name)


def figures_of(race, name):
    entrant = entrant_of(race, name)
    assert entrant.record.rounds, entrant.note
    return entrant.record.rounds[0]


def expected_fingerprint():
    whole = hashlib.sha256()
    for path, script in scripts(PROFILE):
        name = path.rpartition("/")[2]
        is_whole = script.status == 200 and script.cut_after is None
        digest = script.body.sha256() if is_whole else "-"
        whole.update(f"{name} {digest}\n".encode())
    return whole.hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_it_fetches_the_right_bytes(finished_race, name):
    figures = figures_of(finished_race, name)
    assert figures.fingerprint == expected_fingerprint()
    whole = [s for _, s in scripts(PROFILE) if s.status == 200 and s.cut_after is None]
    assert figures.nbytes == sum(len(script.body) for script in whole)


@pytest.mark.parametrize("name", NAMES)
def test_it_counts_every_status(finished_race, name):
    figures = figures_of(finished_race, name)
    assert figures.counts == {"ok": 21, "not found": 1, "error": 2}
    assert "403" in figures.first_error or "500" in figures.first_error


def test_all_agree(finished_race):
    runs = [(e.title, run) for e, record in finished_race.rows for run in record.rounds]
    assert len(runs) == len(ENTRIES)
    assert disagreements(runs) == []
    assert finished_race.is_clean


@pytest.mark.parametrize("name", NAMES)
def test_its_figures_are_plausible(finished_race, name):
    figures = figures_of(finished_race, name)
    assert 0 < figures.first_s <= figures.wall_s
    assert figures.cpu_s > 0
    assert 5e6 < figures.peak_memory < 1e9
    assert (figures.lag_max_s is not None) == (name in TASKED)


@pytest.mark.alone
def test_one_after_another_is_the_slowest(finished_race):
    walls = {name: figures_of(finished_race, name).wall_s for name in FETCHING}
    assert max(walls, key=walls.get) == "one_by_one"


class SlowFirst(Instrumentation):
    """Fetches nothing; the first file takes until ``release`` is set."""

    def __init__(self, job: Job) -> None:
        super().__init__(len(job.targets))
        self.job = job
        self._first = job.targets[0]
        self._others_left = len(job.targets) - 1
        self._lock_left = threading.Lock()
        self.others_fetched = threading.Event()
        self.one_counted = threading.Event()
        self.release = self.others_fetched
        self.counted_before_first = -1

    def get(self, _client: object, target: Target, _stats: Instrumentation) -> bytes:
        """Return no bytes, for the first file as the last one."""
        if target is self._first:
            assert self.release.wait(30)
            self.counted_before_first = sum(self.counts.values())
            return b""
        with self._lock_left:
            self._others_left -= 1
            if not self._others_left:
                self.others_fetched.set()
        return b""

    def count(self, status: Status, error: BaseException | str | None = None) -> None:
        """Count, and remember that something was counted."""
        super().count(status, error)
        self.one_counted.set()


@pytest.fixture
def slow_first(tmp_path):
    """Three files whose first one is fetched last."""
    names = ("first", "second", "third")
    targets = tuple(Target(f"http://127.0.0.1:9/{name}", name) for name in names)
    return SlowFirst(Job("fake", targets, tmp_path, concurrency=3))


def test_map_waits_for_the_first_file(slow_first, monkeypatch):
    monkeypatch.setattr(thread_map, "get", slow_first.get)
    thread_map.run(slow_first.job, slow_first)
    assert slow_first.counted_before_first == 0
    assert slow_first.counts["ok"] == 3


def test_as_completed_does_not_wait_for_the_first_file(slow_first, monkeypatch):
    monkeypatch.setattr(as_completed, "get", slow_first.get)
    slow_first.release = slow_first.one_counted
    as_completed.run(slow_first.job, slow_first)
    assert slow_first.counted_before_first >= 1
    assert slow_first.counts["ok"] == 3


def stop_of(race, name):
    (stop,) = entrant_of(race, name).record.stops
    return stop


@pytest.mark.parametrize("name", TASKED)
def test_running_tasks_are_interrupted(finished_race, name):
    stop = stop_of(finished_race, name)
    assert stop.finished < stop.running
    assert "interrupted" in entrant_of(finished_race, name).note


@pytest.mark.parametrize("name", POOLED)
def test_running_threads_finish_and_waiting_futures_are_cancelled(finished_race, name):
    stop = stop_of(finished_race, name)
    assert 0 < stop.running <= 4
    assert stop.finished == stop.running
    assert stop.waiting > 0
    assert "could not be stopped" in entrant_of(finished_race, name).note


def test_a_process_finishes_what_it_has(finished_race):
    stop = stop_of(finished_race, "processes_cpu")
    assert stop.running > 0
    assert stop.waiting > 0


def test_the_loop_stops_between_two_files(finished_race):
    stop = stop_of(finished_race, "one_by_one")
    assert (stop.running, stop.finished) == (1, 1)
    assert stop.waiting > 0


def test_every_entrant_is_done(finished_race):
    assert {entrant.state for entrant in finished_race.entrants} == {State.DONE}
    assert all(entrant.process is None for entrant in finished_race.entrants)

"""Every strategy: data, counts, figures and cancellation."""

from __future__ import annotations

import hashlib

import pytest

from tests.lab.conftest import PROFILE
from tui.lab.catalog import BY_NAME, ENTRIES
from tui.lab.race import State
from tui.lab.report.figures import disagreements
from tui.lab.server_process import scripts

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


def test_one_after_another_is_the_slowest(finished_race):
    walls = {name: figures_of(finished_race, name).wall_s for name in FETCHING}
    assert max(walls, key=walls.get) == "one_by_one"


def test_map_waits_for_the_first_file_and_as_completed_does_not(finished_race):
    first = figures_of(finished_race, "thread_map").first_s
    assert first >= 4 * PROFILE.latency_s
    assert first > figures_of(finished_race, "as_completed").first_s


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

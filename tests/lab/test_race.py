"""A failing strategy affects only its row, and a race leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from tests.lab.conftest import is_alive
from tests.support.until import until
from tui.demo.server import Pattern, ResponseScript, ScriptedServer
from tui.lab.job import Job, Target
from tui.lab.process import LabProcess
from tui.lab.race import Race, State, describe, plan_for
from tui.lab.server_process import ServerProfile

SLOW = ServerProfile(files=30, size=20_000, latency_s=0.1, rate=0)
FAST = ServerProfile(files=4, size=5_000, latency_s=0, rate=0)


def plan(*names, **options):
    return plan_for(names, **{"rounds": 1, "has_cancel_round": False, **options})


def entrant_of(race, name):
    return next(entrant for entrant in race.entrants if entrant.entry.name == name)


async def started(race, entrant):
    """Wait until an entrant runs; return its process."""
    await until(lambda: entrant.progress.get("received", 0) > 0, 20)
    return entrant.process


async def ended(race, runner):
    async with asyncio.timeout(30):
        await runner


async def test_a_killed_strategy_does_not_stop_the_others():
    race = Race(plan("one_by_one", "as_completed", profile=SLOW, concurrency=10))
    runner = asyncio.create_task(race.run())
    entrant = entrant_of(race, "one_by_one")
    process = await started(race, entrant)
    os.kill(process.pid, signal.SIGKILL)
    await ended(race, runner)
    assert entrant.state is State.FAILED
    assert entrant.note == "failed: killed by SIGKILL"
    assert entrant_of(race, "as_completed").record.rounds
    assert not race.is_clean


async def test_a_strategy_that_cannot_start_shows_the_reason(monkeypatch):
    broken = plan("one_by_one", profile=FAST)
    # An entry whose module does not exist fails in its own process, at the import.
    entry = type(broken.entries[0])("no_such_strategy", "no such strategy", "file")
    race = Race(type(broken)((entry, *broken.entries), profile=FAST, rounds=1))
    await race.run()
    assert "No module named" in race.entrants[0].note
    assert race.entrants[1].record.rounds


async def test_a_dead_server_is_reported_and_counted_as_errors():
    race = Race(plan("one_by_one", "engine", profile=SLOW))
    runner = asyncio.create_task(race.run())
    await until(
        lambda: any(entrant.progress.get("received") for entrant in race.entrants), 20
    )
    race.server.kill()
    await ended(race, runner)
    assert race.problem == "demo server stopped (killed by SIGKILL)"
    for entrant in race.entrants:
        figures = entrant.record.last
        assert sum(figures.counts.values()) == SLOW.files
        assert figures.counts["error"] > 0
        assert figures.first_error
    assert not race.is_clean


async def test_an_interrupted_race_leaves_no_process_and_no_file(temp_dir):
    race = Race(plan("processes_cpu", profile=SLOW, rounds=2))
    runner = asyncio.create_task(race.run())
    process = await started(race, race.entrants[0])
    pids = [process.pid, race.server.pid]
    assert all(map(is_alive, pids))
    runner.cancel()
    await asyncio.wait([runner])
    assert not any(map(is_alive, pids))
    assert list(temp_dir.iterdir()) == []


async def test_cancelling_a_running_strategy_withdraws_it():
    race = Race(plan("asyncio_executor_save", profile=SLOW, rounds=3, concurrency=2))
    runner = asyncio.create_task(race.run())
    (entrant,) = race.entrants
    await started(race, entrant)
    race.cancel(entrant)
    assert entrant.state is State.STOPPING
    await ended(race, runner)
    assert entrant.state is State.CANCELLED
    (stop,) = entrant.record.stops
    assert stop.running - stop.finished > 0
    assert entrant.record.rounds == []


async def test_cancelling_a_waiting_strategy_withdraws_it():
    race = Race(plan("one_by_one", "thread_map", profile=FAST))
    entrant = race.entrants[1]
    race.cancel(entrant)
    await race.run()
    assert entrant.state is State.CANCELLED
    assert entrant.note == "withdrawn"
    assert entrant.record.rounds == []
    assert race.entrants[0].record.rounds


async def test_all_strategies_count_failing_urls_alike(server):
    good = server.add("/good", ResponseScript(Pattern(50_000, 1)))
    moved = server.add("/moved", ResponseScript(status=301, redirect="/good"))
    cut = server.add("/cut", ResponseScript(Pattern(50_000, 2), cut_after=20_000))
    missing = server.url("/missing")
    gone = server.add("/gone", ResponseScript(status=410))
    refused = "http://127.0.0.1:9/none"
    urls = (good, moved, cut, missing, gone, refused)
    targets = tuple(Target(url, f"file-{at}") for at, url in enumerate(urls))
    race = Race(plan("thread_map", "two_requests", "engine", targets=targets))
    await race.run()
    for entrant in race.entrants:
        assert entrant.record.last.counts == {"ok": 2, "not found": 2, "error": 2}
    assert race.is_clean
    assert race.server is None
    assert describe(race.plan).startswith("your list, 6 files")


async def test_headers_of_the_list_are_sent_but_not_to_another_origin(server):
    names = "one_by_one", "asyncio_blocking_save", "two_requests", "engine"
    async with ScriptedServer() as other:
        end = other.add("/end", ResponseScript(b"yes"))
        url = server.add("/away", ResponseScript(status=302, headers={"Location": end}))
        targets = (Target(url, "file", (("X-Key", "abc"), ("Cookie", "s=1"))),)
        race = Race(plan(*names, targets=targets))
        await race.run()
        assert len(server.requests_for("/away")) >= len(names)
        assert {seen.headers.get("x-key") for seen in server.requests} == {"abc"}
        assert len(other.requests_for("/end")) >= len(names)
        for seen in other.requests:
            assert not {"x-key", "cookie"} & set(seen.headers)


async def test_a_strategy_that_hangs_is_killed(monkeypatch, server):
    monkeypatch.setattr("tui.lab.race.STOP_LIMIT_S", 0.3)
    stall = server.add("/stall", ResponseScript(Pattern(50_000, 1), stall_after=10_000))
    race = Race(plan("one_by_one", targets=(Target(stall, "file"),)))
    runner = asyncio.create_task(race.run())
    (entrant,) = race.entrants
    await started(race, entrant)
    race.cancel(entrant)
    await ended(race, runner)
    assert entrant.state is State.CANCELLED
    assert entrant.note == "did not stop within 300 ms; process killed"


_ORPHAN = """
import asyncio, sys
from tui.lab.race import Race, plan_for
from tui.lab.server_process import ServerProfile
race = Race(plan_for(["one_by_one"], profile=ServerProfile(files=200, latency_s=0.1)))
async def main():
    runner = asyncio.create_task(race.run())
    while not race.entrants[0].progress.get("received"):
        await asyncio.sleep(0.01)
    print(race.entrants[0].process.pid, race.server.pid, flush=True)
    await runner
asyncio.run(main())
"""


async def test_processes_end_when_the_lab_itself_is_killed(temp_dir):
    lab = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ORPHAN, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        pids = [int(pid) for pid in (await lab.stdout.readline()).split()]
    assert len(pids) == 2
    assert list(temp_dir.iterdir()) != []
    lab.kill()
    await lab.wait()
    await until(lambda: not any(map(is_alive, pids)), 20)
    await until(lambda: not list(temp_dir.iterdir()), 20)


async def test_a_job_outside_a_race_removes_no_folder(server, tmp_path):
    stall = server.add("/stall", ResponseScript(Pattern(50_000, 1), stall_after=10_000))
    mine = tmp_path / "mine"
    (mine / "files").mkdir(parents=True)
    job = Job("one_by_one", (Target(stall, "file"),), mine / "files", 1)
    (mine / "job.json").write_text(job.to_json())
    child = await LabProcess.start(
        "tui.lab.worker.child", str(mine / "job.json"), tmp_path / "errors"
    )
    child.send("an unknown command")
    await server.until(lambda: server.requests)
    child._process.stdin.close()
    assert await child.describe_exit() == "killed by SIGKILL"
    assert (mine / "job.json").exists()
    child.kill()

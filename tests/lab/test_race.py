"""What goes wrong in a race costs one row, and leaves nothing behind."""

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


def lane_of(race, name):
    return next(lane for lane in race.lanes if lane.entry.name == name)


async def begun(race, lane):
    """Wait until a lane runs, and return its process."""
    await until(lambda: lane.progress.get("received", 0) > 0, 20)
    return lane.process


async def ended(race, runner):
    async with asyncio.timeout(30):
        await runner


async def test_a_strategy_that_dies_loses_its_row_and_the_others_go_on():
    race = Race(plan("one_by_one", "as_completed", course=SLOW, concurrency=10))
    runner = asyncio.create_task(race.run())
    lane = lane_of(race, "one_by_one")
    process = await begun(race, lane)
    os.kill(process.pid, signal.SIGKILL)
    await ended(race, runner)
    assert lane.state is State.FAILED
    assert lane.note == "died: killed by SIGKILL"
    assert lane_of(race, "as_completed").record.rounds
    assert not race.is_clean


async def test_a_strategy_that_cannot_start_says_why(monkeypatch):
    broken = plan("one_by_one", course=FAST)
    # An entry whose module does not exist dies in its own process, at the import.
    entry = type(broken.entries[0])("no_such_way", "no such way", "file")
    race = Race(type(broken)((entry, *broken.entries), course=FAST, rounds=1))
    await race.run()
    assert "No module named" in race.lanes[0].note
    assert race.lanes[1].record.rounds


async def test_a_server_that_is_gone_is_told_and_counted_as_errors():
    race = Race(plan("one_by_one", "engine", course=SLOW))
    runner = asyncio.create_task(race.run())
    await until(lambda: any(lane.progress.get("received") for lane in race.lanes), 20)
    race.server.kill()
    await ended(race, runner)
    assert race.trouble == "the demo's server is gone (killed by SIGKILL)"
    for lane in race.lanes:
        figures = lane.record.last
        assert sum(figures.counts.values()) == SLOW.files
        assert figures.counts["error"] > 0
        assert figures.trouble
    assert not race.is_clean


async def test_a_race_that_is_interrupted_leaves_no_process_and_no_file(stage):
    race = Race(plan("processes_cpu", course=SLOW, rounds=2))
    runner = asyncio.create_task(race.run())
    process = await begun(race, race.lanes[0])
    pids = [process.pid, race.server.pid]
    assert all(map(is_alive, pids))
    runner.cancel()
    await asyncio.wait([runner])
    assert not any(map(is_alive, pids))
    assert list(stage.iterdir()) == []


async def test_cancelling_a_row_that_runs_stops_it_and_keeps_it_out():
    race = Race(plan("asyncio_executor_save", course=SLOW, rounds=3, concurrency=2))
    runner = asyncio.create_task(race.run())
    (lane,) = race.lanes
    await begun(race, lane)
    race.cancel(lane)
    assert lane.state is State.STOPPING
    await ended(race, runner)
    assert lane.state is State.CANCELLED
    (stop,) = lane.record.stops
    assert stop.took_s < 1
    assert stop.running - stop.finished > 0
    assert lane.record.rounds == []


async def test_cancelling_a_row_that_waits_takes_it_out_of_the_race():
    race = Race(plan("one_by_one", "thread_map", course=FAST))
    lane = race.lanes[1]
    race.cancel(lane)
    await race.run()
    assert lane.state is State.CANCELLED
    assert lane.note == "taken out of the race"
    assert lane.record.rounds == []
    assert race.lanes[0].record.rounds


async def test_a_list_with_failing_urls_counts_the_same_for_all(server):
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
    for lane in race.lanes:
        assert lane.record.last.counts == {"ok": 2, "not found": 2, "error": 2}
    assert race.is_clean
    assert race.server is None
    assert describe(race.plan).startswith("your list, 6 files")


async def test_headers_of_the_list_are_sent(server):
    url = server.add("/secret", ResponseScript(b"yes"))
    targets = (Target(url, "file", (("X-Key", "abc"),)),)
    race = Race(plan("one_by_one", "asyncio_blocking_save", "engine", targets=targets))
    await race.run()
    assert len(server.requests_for("/secret")) == 3
    assert {seen.headers.get("x-key") for seen in server.requests} == {"abc"}


async def test_headers_of_the_list_follow_no_redirect_to_another_server(server):
    names = "one_by_one", "asyncio_blocking_save", "two_requests", "engine"
    async with ScriptedServer() as other:
        end = other.add("/end", ResponseScript(b"yes"))
        url = server.add("/away", ResponseScript(status=302, headers={"Location": end}))
        targets = (Target(url, "file", (("X-Key", "abc"), ("Cookie", "s=1"))),)
        race = Race(plan(*names, targets=targets))
        await race.run()
        assert {seen.headers.get("x-key") for seen in server.requests} == {"abc"}
        assert len(other.requests_for("/end")) >= len(names)
        for seen in other.requests:
            assert not {"x-key", "cookie"} & set(seen.headers)


async def test_a_strategy_that_hangs_is_ended(monkeypatch, server):
    monkeypatch.setattr("tui.lab.race.STOP_LIMIT_S", 0.3)
    stall = server.add("/stall", ResponseScript(Pattern(50_000, 1), stall_after=10_000))
    race = Race(plan("one_by_one", targets=(Target(stall, "file"),)))
    runner = asyncio.create_task(race.run())
    (lane,) = race.lanes
    await begun(race, lane)
    race.cancel(lane)
    await ended(race, runner)
    assert lane.state is State.CANCELLED
    assert lane.note == "did not stop within 300 ms; its process was ended"


_ORPHAN = """
import asyncio, sys
from tui.lab.race import Race, plan_for
from tui.lab.server_process import ServerProfile
race = Race(plan_for(["one_by_one"], course=ServerProfile(files=200, latency_s=0.1)))
async def main():
    runner = asyncio.create_task(race.run())
    while not race.lanes[0].progress.get("received"):
        await asyncio.sleep(0.01)
    print(race.lanes[0].process.pid, race.server.pid, flush=True)
    await runner
asyncio.run(main())
"""


async def test_when_the_lab_itself_is_killed_its_processes_end_by_themselves(stage):
    lab = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ORPHAN, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        pids = [int(pid) for pid in (await lab.stdout.readline()).split()]
    assert len(pids) == 2
    assert list(stage.iterdir()) != []
    lab.kill()
    await lab.wait()
    await until(lambda: not any(map(is_alive, pids)), 20)
    await until(lambda: not list(stage.iterdir()), 20)


async def test_a_job_outside_of_a_race_removes_nobodys_folder(server, tmp_path):
    stall = server.add("/stall", ResponseScript(Pattern(50_000, 1), stall_after=10_000))
    mine = tmp_path / "mine"
    (mine / "files").mkdir(parents=True)
    job = Job("one_by_one", (Target(stall, "file"),), mine / "files", 1)
    (mine / "job.json").write_text(job.to_json())
    child = await LabProcess.start(
        "tui.lab.worker.child", str(mine / "job.json"), tmp_path / "errors"
    )
    child.say("nothing that it knows")
    await server.until(lambda: server.requests)
    child._process.stdin.close()
    assert await child.say_end() == "killed by SIGKILL"
    assert (mine / "job.json").exists()
    child.kill()

"""Whole runs of ``fetchtui scale`` against servers with many hosts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import threading

import pytest

from tests.cloud.s3 import S3Server
from tests.scale.server import HostServer, content
from tests.support.command import finish, start
from tests.support.until import until
from tui.core.settings import Settings
from tui.scale import manifest, remote
from tui.scale import worker as worker_module
from tui.scale.job import JobOptions, open_job
from tui.scale.plan import job_paths
from tui.scale.worker import JobSpec, Lease, ShardWorker, WorkerLimits

KEEP = {"FETCHTUI_FSYNC": "off"}


@pytest.fixture
async def hosts():
    server = HostServer()
    await server.start()
    yield server
    await server.close()


def write_list(path, server, count, *, hosts=12, size=300):
    """Write a list; half of its URLs are of one host."""
    urls = [
        server.url(0 if n % 2 else 1 + n % hosts, f"/{size + n}/{n}.bin")
        for n in range(count)
    ]
    path.write_text("".join(f"{url}\n" for url in urls))
    return urls


async def scale(tmp_path, *arguments):
    process = await start("scale", "-o", "out", *arguments, cwd=tmp_path, env=KEEP)
    return await finish(process)


def rows_of(tmp_path):
    paths = job_paths(tmp_path / "out" / ".fetchtui-scale")
    found = manifest.listed(paths)
    return [row for path in found.values() for row in manifest.read_rows(path)]


def check_files(tmp_path, urls):
    """Check that manifests have each URL once, and files the right contents."""
    rows = rows_of(tmp_path)
    assert sorted(row.url for row in rows) == sorted(urls)
    for row in rows:
        expected = content("/" + row.url.split("/", 3)[3])
        assert row.state == "done"
        assert row.bytes == len(expected)
        assert row.sha256 == hashlib.sha256(expected).hexdigest()
        assert (tmp_path / "out" / row.path).read_bytes() == expected
    assert list(tmp_path.glob("out/**/*.part*")) == []


async def test_a_run_in_this_process(tmp_path, hosts):
    urls = write_list(tmp_path / "l.txt", hosts, 200)
    ended = await scale(tmp_path, "l.txt", "--shard-size", "40", "--per-host", "2")
    assert ended.status == 0, ended.err
    assert "200 done, 0 failed · " in ended.err
    check_files(tmp_path, urls)
    for row in rows_of(tmp_path):
        path = "/" + row.url.split("/", 3)[3]
        assert row.etag == f'"{hashlib.md5(path.encode()).hexdigest()}"'
    assert max(hosts.highest.values()) <= 2
    # The same command again asks no server.
    before = hosts.requests.total()
    again = await scale(tmp_path, "l.txt", "--shard-size", "40")
    assert again.status == 0, again.err
    assert hosts.requests.total() == before
    # Without the list, the plan is enough.
    assert (await scale(tmp_path)).status == 0


async def test_failed_downloads_are_listed_and_can_run_again(tmp_path, hosts):
    urls = write_list(tmp_path / "l.txt", hosts, 30)
    missing = hosts.url(3, "/missing")
    path = tmp_path / "l.txt"
    path.write_text(f"{path.read_text()}{missing}\nnonsense\n")
    ended = await scale(tmp_path, "l.txt", "--json")
    assert ended.status == 1
    assert "1 row cannot be downloaded" in ended.err
    (summary,) = ended.of("summary")
    assert (summary["done"], summary["failed"]) == (30, 1)
    assert summary["causes"] == [{"error_kind": "not_found", "status": 404, "count": 1}]
    (failed,) = (tmp_path / "out").glob("failed.*")
    before = hosts.requests.total()
    again = await scale(tmp_path, "--retry-failed")
    assert again.status == 1
    assert hosts.requests.total() == before + 1
    assert sorted(row.url for row in rows_of(tmp_path)) == sorted([*urls, missing])
    other = await start("scale", "-o", "other", str(failed), cwd=tmp_path, env=KEEP)
    assert "0 done, 1 failed" in (await finish(other)).err


@pytest.mark.parametrize("format", ["tar", "parquet"])
async def test_packed_output(tmp_path, hosts, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    write_list(tmp_path / "l.txt", hosts, 40)
    ended = await scale(tmp_path, "l.txt", "--shard-size", "20", "--format", format)
    assert ended.status == 0, ended.err
    names = {entry.name for entry in (tmp_path / "out").iterdir()}
    shards = {f"{n:06d}.{format}" for n in range(len(names) - 1)}
    assert names == {".fetchtui-scale", *shards}
    assert {row.path.partition("/")[0] for row in rows_of(tmp_path)} == shards
    staging = tmp_path / "out" / ".fetchtui-scale" / "staging"
    assert list(staging.iterdir()) == []


async def test_a_killed_run_continues(tmp_path, hosts):
    urls = write_list(tmp_path / "l.txt", hosts, 150)
    hosts.delay_s = 0.02
    for _ in range(2):
        process = await start(
            *("scale", "-o", "out", "l.txt", "--shard-size", "25", "-c", "4"),
            cwd=tmp_path,
            env=KEEP,
        )
        before = hosts.requests.total()
        await until(lambda: hosts.requests.total() > before + 40)  # noqa: B023
        process.kill()
        await process.communicate()
    hosts.delay_s = 0
    ended = await scale(tmp_path, "l.txt", "--shard-size", "25")
    assert ended.status == 0, ended.err
    check_files(tmp_path, urls)
    # Not all is requested again: what ran at the time of a kill, and what ended
    # within the last batch.
    assert hosts.log()["repeated"] < 100


async def test_ctrl_c_ends_with_130_and_keeps_what_is_done(tmp_path, hosts):
    urls = write_list(tmp_path / "l.txt", hosts, 150)
    hosts.delay_s = 0.02
    process = await start(
        *("scale", "-o", "out", "l.txt", "--shard-size", "25", "-c", "4"),
        cwd=tmp_path,
        env=KEEP,
    )
    await until(lambda: hosts.requests.total() > 40)
    process.send_signal(signal.SIGINT)
    ended = await finish(process)
    assert ended.status == 130, ended.err
    assert "interrupted: " in ended.err
    assert "run the same command to resume" in ended.err
    hosts.delay_s = 0
    assert (await scale(tmp_path, "l.txt", "--shard-size", "25")).status == 0
    check_files(tmp_path, urls)


async def test_parts_without_a_scheduler(tmp_path, hosts):
    urls = write_list(tmp_path / "l.txt", hosts, 200)
    common = ("l.txt", "--shard-size", "20", "--per-host", "3")
    parts = [scale(tmp_path, *common, "--shard", f"{n}/3") for n in range(3)]
    for ended in await asyncio.gather(*parts):
        assert ended.status == 0, ended.err
    check_files(tmp_path, urls)
    assert max(hosts.highest.values()) <= 3


async def test_a_lost_worker_of_dask(tmp_path, hosts):
    """Its shards run again on the others; manifests have each URL once."""
    pytest.importorskip("distributed")
    urls = write_list(tmp_path / "l.txt", hosts, 300)
    hosts.delay_s = 0.05
    process = await start(
        *("scale", "-o", "out", "l.txt", "--shard-size", "30", "-c", "8"),
        *("--per-host", "2", "--scheduler", "local:2", "--json"),
        cwd=tmp_path,
        env=KEEP,
    )
    await until(lambda: hosts.requests.total() > 60, timeout_s=40)
    victim = _worker_of(process.pid)
    os.kill(victim, signal.SIGKILL)
    hosts.delay_s = 0
    ended = await finish(process)
    assert ended.status == 0, ended.err
    assert ended.of("worker_lost")
    check_files(tmp_path, urls)
    assert max(hosts.highest.values()) <= 2


def _worker_of(pid: int) -> int:
    """Return the id of a worker process, which is a grandchild below a nanny."""
    psutil = pytest.importorskip("psutil")
    for child in psutil.Process(pid).children(recursive=True):
        threads = child.num_threads()
        if any("spawn_main" in word for word in child.cmdline()) and threads > 4:
            return int(child.pid)
    raise AssertionError("no worker process")


async def test_a_lane_that_moves_to_another_worker_takes_its_part_of_the_limit_along(
    tmp_path, hosts
):
    """The other lane of the first worker used both parts until then."""
    hosts.delay_s = 0.01
    urls = [hosts.url(1, f"/{100 + n}/{n}.bin") for n in range(60)]
    path = tmp_path / "l.txt"
    path.write_text("".join(f"{url}\n" for url in urls))
    out = tmp_path / "out"
    root = out / ".fetchtui-scale"
    options = JobOptions((str(path),), out, root, "files", 20, 2)
    settings = Settings()._replace(per_host=2, fsync=False)
    job = open_job(options, settings, None, lambda *_: None)
    assert {lane.of for lane in job.layout.lanes} == {2}
    first, other, next_of_first = job.layout.shards
    assert first.lane == next_of_first.lane != other.lane
    spec = JobSpec("1", str(root), str(out), "files", settings)
    limits = WorkerLimits(8, None, 2)
    workers = [ShardWorker(spec, name, limits) for name in ("a", "b")]

    async def run(shard, worker):
        generation = manifest.next_generation(job.paths, shard.id)
        lease = Lease(shard, job.layout.lanes[shard.lane], generation)
        assert (await worker.run(lease)).outcome == "done"

    async def run_lane():
        await run(first, workers[0])
        await run(next_of_first, workers[1])

    await asyncio.gather(run_lane(), run(other, workers[0]))
    for worker in workers:
        await worker.close()
    assert max(hosts.highest.values()) == 2
    check_files(tmp_path, urls)


def leased(tmp_path, hosts):
    """A job with one download, and the lease of its only shard."""
    path = tmp_path / "l.txt"
    path.write_text(f"{hosts.url(1, '/100/1.bin')}\n")
    root = tmp_path / "out" / ".fetchtui-scale"
    options = JobOptions((str(path),), tmp_path / "out", root, "files", 10, 1)
    job = open_job(options, Settings(), None, lambda *_: None)
    (shard,) = job.layout.shards
    generation = manifest.next_generation(job.paths, shard.id)
    spec = JobSpec("old", str(root), str(tmp_path / "out"), "files", Settings())
    return spec, Lease(shard, job.layout.lanes[shard.lane], generation)


async def test_a_new_run_stops_shards_of_a_killed_one(tmp_path, hosts):
    """A Dask worker goes on with its task when the command that gave it is killed."""
    hosts.delay_s = 60
    spec, lease = leased(tmp_path, hosts)
    limits = WorkerLimits(1, None, 0)
    old = asyncio.ensure_future(
        asyncio.to_thread(remote.run_shard, spec, "a", limits, lease)
    )
    await until(lambda: hosts.active.total() == 1)
    answer = await remote.hello(spec.root, "new")
    assert (answer["sees_job"], answer["can_write"]) == (True, True)
    assert (await old).outcome == "cancelled"
    assert await remote.status("old") is None


async def test_a_shard_that_was_leased_again_stops(tmp_path, hosts, monkeypatch):
    """Its worker was cut off from the scheduler and does not know it."""
    monkeypatch.setattr(worker_module, "_FENCE_INTERVAL_S", 0.01)
    hosts.delay_s = 60
    spec, lease = leased(tmp_path, hosts)
    worker = ShardWorker(spec, "a", WorkerLimits(1, None, 0))
    task = asyncio.ensure_future(worker.run(lease))
    await until(lambda: hosts.active.total() == 1)
    manifest.next_generation(spec.paths, lease.shard.id)
    async with asyncio.timeout(20):
        assert (await task).outcome == "superseded"
    assert worker.status().shards == ()
    await worker.close()


@pytest.mark.parametrize("verb", ["cancel", "close"])
async def test_a_shard_can_be_cancelled_while_it_is_read(
    tmp_path, hosts, monkeypatch, verb
):
    reading, may_go_on = threading.Event(), threading.Event()
    read = worker_module.read_shard

    def read_slowly(*arguments):
        reading.set()
        assert may_go_on.wait(20)
        return read(*arguments)

    monkeypatch.setattr(worker_module, "read_shard", read_slowly)
    spec, lease = leased(tmp_path, hosts)
    worker = ShardWorker(spec, "a", WorkerLimits(1, None, 0))
    task = asyncio.ensure_future(worker.run(lease))
    await until(reading.is_set)
    if verb == "cancel":
        worker.cancel(lease.shard.id)
    else:
        await worker.close()
    may_go_on.set()
    async with asyncio.timeout(20):
        assert (await task).outcome == "cancelled"
    assert manifest.listed(spec.paths) == {}
    assert not hosts.active
    await worker.close()


@pytest.mark.parametrize("format", ["files", "tar"])
async def test_failed_downloads_run_again_with_a_bucket(tmp_path, hosts, format):
    pytest.importorskip("obstore")
    urls = [*write_list(tmp_path / "l.txt", hosts, 20), hosts.url(3, "/missing")]
    (tmp_path / "l.txt").write_text("".join(f"{url}\n" for url in urls))
    with S3Server() as store:
        env = {
            **KEEP,
            "AWS_ENDPOINT_URL": store.endpoint,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
        }

        async def run(*arguments):
            process = await start(
                *("scale", *arguments, "-o", "s3://bucket/x", "--job", "job"),
                cwd=tmp_path,
                env=env,
            )
            ended = await finish(process)
            assert ended.status == 1, ended.err
            assert "20 done, 1 failed · 1 of 1 shard ·" in ended.err

        await run("l.txt", "--format", format)
        before, names = hosts.requests.total(), sorted(store.objects)
        store.put("x/of others", b"")
        await run("--retry-failed")
        repeated = hosts.requests.total() - before
        assert repeated == (1 if format == "files" else 21)
        assert sorted(store.objects) == sorted([*names, "x/of others"])
        assert len(names) == (20 if format == "files" else 1)
    found = manifest.listed(job_paths(tmp_path / "job"))
    rows = [row for path in found.values() for row in manifest.read_rows(path)]
    assert sorted(row.url for row in rows) == sorted(urls)
    assert {row.path.rpartition(".tar/")[0] for row in rows if row.path} <= {
        "",
        "x/000000",
    }
    assert list((tmp_path / "job" / "partial").iterdir()) == []


async def test_hosts_do_not_see_both_workers_of_a_shard_that_was_leased_again(
    tmp_path, hosts, monkeypatch
):
    monkeypatch.setattr(worker_module, "_FENCE_INTERVAL_S", 0.3)
    hosts.delay_s = 0.02
    urls = [hosts.url(1, f"/{100 + n}/{n}.bin") for n in range(60)]
    (tmp_path / "l.txt").write_text("".join(f"{url}\n" for url in urls))
    out = tmp_path / "out"
    root = out / ".fetchtui-scale"
    settings = Settings()._replace(per_host=1, fsync=False)
    lists = (str(tmp_path / "l.txt"),)
    options = JobOptions(lists, out, root, "files", 100, 1)
    job = open_job(options, settings, None, lambda *_: None)
    (shard,) = job.layout.shards
    spec = JobSpec("1", str(root), str(out), "files", settings)
    workers = [ShardWorker(spec, name, WorkerLimits(8, None, 1)) for name in "ab"]
    runs = []
    for number, worker in enumerate(workers):
        generation = manifest.next_generation(job.paths, shard.id)
        lane = job.layout.lanes[shard.lane]
        lease = Lease(shard, lane, generation, was_leased=number > 0)
        runs.append(asyncio.ensure_future(worker.run(lease)))
        if number == 0:
            await until(lambda: hosts.requests.total() > 3)
    outcomes = [result.outcome for result in await asyncio.gather(*runs)]
    for worker in workers:
        await worker.close()
    assert outcomes == ["superseded", "done"]
    assert max(hosts.highest.values()) == 1
    check_files(tmp_path, urls)

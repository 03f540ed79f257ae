"""What the coordinator decides, with a pool whose workers the test moves."""

from __future__ import annotations

import asyncio
import errno
import sys
import threading

import pytest

from tests.support.until import until
from tui.cloud.errors import CloudError
from tui.core.settings import Settings
from tui.headless.scale import summary_lines
from tui.scale import coordinator, manifest
from tui.scale.coordinator import Coordinator
from tui.scale.errors import ScaleError
from tui.scale.job import JobOptions, open_job
from tui.scale.lanes import Lane, Layout, Piece, Shard
from tui.scale.manifest import Counts
from tui.scale.model import HostStatus, Limits, ShardState, WorkerStatus
from tui.scale.plan import job_paths
from tui.scale.pool import Ended, LocalPool
from tui.scale.worker import JobSpec, Lease, ShardResult, ShardWorker, WorkerLimits

_NO_RETRIES = Settings()._replace(retries=0)


class FakePool:
    """Workers that end their leases when the test says so."""

    shards_at_once = 2

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.rejected: dict[str, str] = {}
        self.leases: list = []
        """(worker, lease)"""
        self.sent: list[tuple] = []
        self.reports: dict[str, WorkerStatus] = {}
        self._ended: list[Ended] = []
        self.looks = 0
        """How often the coordinator looked for leases that ended."""

    async def start(self):
        return None

    async def workers(self):
        return list(self.names)

    def submit(self, worker, lease, limits):
        self.leases.append((worker, lease))
        self.sent.append(("limits", worker, *limits))

    def end(self, shard, outcome="done", **values):
        worker, lease = next(
            pair for pair in reversed(self.leases) if pair[1].shard.id == shard
        )
        counts = Counts(lease.shard.rows) if outcome == "done" else Counts()
        result = ShardResult(shard, lease.generation, outcome, counts, **values)
        self._ended.append(Ended(worker, lease, result))

    def ended(self):
        self.looks += 1
        ended, self._ended = self._ended, []
        return ended

    def drop(self, worker):
        self.sent.append(("drop", worker))

    async def statuses(self):
        return self.reports

    def set_limits(self, worker, limits):
        self.sent.append(("limits", worker, *limits))

    def slow_down(self, worker, origin, cap, blocked_s):
        self.sent.append(("slow", worker, origin, cap, blocked_s))

    def cancel(self, worker, shard):
        self.sent.append(("cancel", worker, shard))
        self.end(shard, "cancelled")

    async def close(self):
        self.sent.append(("close",))

    def worker_of(self, shard):
        return [worker for worker, lease in self.leases if lease.shard.id == shard]


def layout_of(count: int, *, is_split: bool = False) -> Layout:
    """Return shards of ten rows, each in a lane of its own."""
    shards = [Shard(n, n, (Piece(n, 0, 0, 10),)) for n in range(count)]
    lanes = [Lane(n, count, 0) if is_split else Lane(bucket=-1) for n in range(count)]
    return Layout(shards, lanes)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a coordinator; end it after the test."""
    monkeypatch.setattr(coordinator, "_TICK_S", 0.005)
    monkeypatch.setattr(coordinator, "_STATUS_S", 0.005)
    tasks = []
    stop = asyncio.Event()

    def begin(pool, layout, limits=Limits(8, 0, None)):  # noqa: B008
        events = []
        job = Coordinator(
            job_paths(tmp_path), layout, pool, limits, on_event=events.append
        )
        task = asyncio.get_running_loop().create_task(job.run(stop))
        tasks.append(task)
        return job, task, events

    yield begin
    for task in tasks:
        task.cancel()


async def test_all_shards_are_leased_once_and_end(start):
    pool = FakePool("a", "b")
    job, task, events = start(pool, layout_of(5))
    await until(lambda: len(pool.leases) == 4)
    assert sorted(worker for worker, _ in pool.leases) == ["a", "a", "b", "b"]
    pool.end(0)
    await until(lambda: len(pool.leases) == 5)
    for shard in range(1, 5):
        pool.end(shard)
    assert await task
    snapshot = job.snapshot()
    assert (snapshot.shards_done, snapshot.rows_done, snapshot.is_over) == (5, 50, True)
    assert [event["event"] for event in events].count("shard_done") == 5
    assert pool.sent[-1] == ("close",)


@pytest.mark.parametrize("has_pyarrow", [True, False])
async def test_the_list_of_failed_downloads_is_named_as_it_will_be_written(
    start, monkeypatch, tmp_path, has_pyarrow
):
    if has_pyarrow:
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    job, _, _ = start(FakePool("a"), layout_of(1))
    path, _ = manifest.write_failed(job_paths(tmp_path), tmp_path / "failed")
    assert job.snapshot().failed_list == path.name


async def test_nothing_is_active_after_the_end(start):
    pool = FakePool("a")
    job, task, _ = start(pool, layout_of(1))
    pool.reports = {"a": WorkerStatus("a", active=3, speed=5.0, received=70)}
    await until(lambda: pool.leases and job.snapshot().speed)
    pool.end(0)
    assert await task
    snapshot = job.snapshot()
    assert [worker.status.active for worker in snapshot.workers] == [0]
    assert (snapshot.speed, snapshot.received) == (0, 70)


async def test_what_a_short_run_received_counts(start, monkeypatch):
    monkeypatch.setattr(coordinator, "_STATUS_S", 60)
    pool = FakePool("a")
    job, task, _ = start(pool, layout_of(1))
    await until(lambda: pool.leases)
    pool.reports = {"a": WorkerStatus("a", received=70)}
    pool.end(0)
    assert await task
    assert job.snapshot().received == 70


async def test_the_shards_of_a_lost_worker_get_a_higher_generation(start, tmp_path):
    pool = FakePool("a", "b")
    job, _, events = start(pool, layout_of(4))
    await until(lambda: len(pool.leases) == 4)
    lost = [lease.shard.id for worker, lease in pool.leases if worker == "a"]
    pool.names.remove("a")
    for shard in {0, 1, 2, 3} - set(lost):
        pool.end(shard)
    await until(lambda: len(pool.leases) == 6)
    assert [lease.was_leased for _, lease in pool.leases] == 4 * [False] + 2 * [True]
    for shard in lost:
        assert pool.worker_of(shard) == ["a", "b"]
        assert manifest.current_generation(job_paths(tmp_path), shard) == 2
    assert ("drop", "a") in pool.sent
    assert any(event["event"] == "worker_lost" for event in events)
    # What the lost worker still reports does not count.
    _, lease = pool.leases[0]
    pool._ended.append(Ended("a", lease, ShardResult(lease.shard.id, 1, "done")))
    await until(lambda: not pool._ended)
    assert job.snapshot().shards_done == 2


async def test_a_worker_with_a_full_disk_gets_no_more_shards(start):
    pool = FakePool("a", "b")
    job, task, _ = start(pool, layout_of(4))
    await until(lambda: len(pool.leases) == 4)
    mine = [lease.shard.id for worker, lease in pool.leases if worker == "a"]
    for shard in mine:
        pool.end(shard, "failed", reason="disk full", is_workers_fault=True)
    for shard in {0, 1, 2, 3} - set(mine):
        pool.end(shard)
    await until(lambda: len(pool.leases) == 6)
    assert [pool.worker_of(shard)[-1] for shard in mine] == ["b", "b"]
    stopped = [worker for worker in job.snapshot().workers if worker.note]
    assert [(worker.name, worker.state) for worker in stopped] == [("a", "stopped")]
    for shard in mine:
        pool.end(shard)
    assert await task


async def test_a_worker_that_cannot_do_the_job_is_named_and_not_used(start):
    pool = FakePool("a")
    pool.rejected = {"b": "the worker b has fetchtui 9.9"}
    job, task, events = start(pool, layout_of(2))
    await until(lambda: len(pool.leases) == 2)
    assert {worker for worker, _ in pool.leases} == {"a"}
    assert {"worker_rejected", "worker_joined"} <= {event["event"] for event in events}
    stopped = [(w.name, w.state, w.note) for w in job.snapshot().workers if w.note]
    assert stopped == [("b", "stopped", "the worker b has fetchtui 9.9")]
    lines = summary_lines(job.snapshot(), False)
    assert "  the worker b has fetchtui 9.9" in lines
    pool.end(0)
    pool.end(1)
    assert await task
    assert not any(event["event"] == "worker_lost" for event in events)


async def test_without_a_usable_worker_the_run_ends_with_the_reason(start):
    pool = FakePool("a")
    _, task, _ = start(pool, layout_of(3))
    await until(lambda: len(pool.leases) == 2)
    pool.end(0, "failed", reason="disk full", is_workers_fault=True)
    pool.end(1)
    with pytest.raises(ScaleError, match="no worker can continue: disk full"):
        await task


async def test_a_shard_that_fails_says_why_while_others_go_through(start):
    pool = FakePool("a")
    job, task, _ = start(pool, layout_of(2))
    await until(lambda: len(pool.leases) == 2)
    pool.end(0, "failed", reason="its plan is damaged")
    pool.end(1)
    assert not await task
    (row,) = job.snapshot().shown
    assert (row.id, row.state, row.note) == (
        0,
        ShardState.FAILED,
        "its plan is damaged",
    )


async def test_a_shard_can_be_cancelled_and_run_again(start):
    pool = FakePool("a")
    job, task, _ = start(pool, layout_of(3))
    await until(lambda: len(pool.leases) == 2)
    running = pool.leases[0][1].shard.id
    waiting = ({0, 1, 2} - {lease.shard.id for _, lease in pool.leases}).pop()
    assert job.cancel_shard(waiting)
    assert job.cancel_shard(running)
    await until(
        lambda: (
            [row.state for row in job.snapshot().shown].count(ShardState.CANCELLED) == 2
        )
    )
    assert not job.retry_shard(pool.leases[1][1].shard.id)
    assert job.retry_shard(running)
    await until(lambda: len(pool.leases) == 3)
    assert pool.leases[2][1].generation == 2
    # Its first lease certainly ended.
    assert not pool.leases[2][1].was_leased
    pool.end(pool.leases[1][1].shard.id)
    pool.end(running)
    assert not await task  # one shard stays cancelled
    assert job.snapshot().shards_done == 2


@pytest.mark.parametrize("is_leased", [False, True])
async def test_a_retried_shard_waits_for_its_lane(start, is_leased):
    shards = [Shard(n, 0, (Piece(0, 0, 0, 10),)) for n in range(2)]
    pool = FakePool("a", "b")
    job, task, _ = start(pool, Layout(shards, [Lane()]))
    await until(lambda: pool.leases)
    cancelled, other = (0, 1) if is_leased else (1, 0)
    assert job.cancel_shard(cancelled)
    if is_leased:
        await until(lambda: len(pool.leases) == 2)
    assert job.retry_shard(cancelled)
    number, looks = len(pool.leases), pool.looks
    await until(lambda: pool.looks > looks + 2)
    assert len(pool.leases) == number, "its host was requested twice at a time"
    pool.end(other)
    await until(lambda: len(pool.leases) == number + 1)
    pool.end(cancelled)
    assert await task


async def test_a_shard_is_cancelled_while_its_generation_is_written(start, monkeypatch):
    pool = FakePool("a")
    is_asked, may_go_on = threading.Event(), threading.Event()
    write = manifest.next_generations

    def wait_and_write(paths, shards):
        is_asked.set()
        assert may_go_on.wait(20)
        return write(paths, shards)

    monkeypatch.setattr(manifest, "next_generations", wait_and_write)
    job, task, _ = start(pool, layout_of(2))
    await until(is_asked.is_set)
    assert job.cancel_shard(1)
    may_go_on.set()
    await until(lambda: pool.leases)
    pool.end(0)
    assert not await task
    assert [lease.shard.id for _, lease in pool.leases] == [0]
    (row,) = job.snapshot().shown
    assert (row.id, row.state) == (1, ShardState.CANCELLED)


async def test_a_job_directory_that_cannot_be_written_ends_the_run(start, monkeypatch):
    def fail(paths, shards):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest, "next_generations", fail)
    _, task, _ = start(FakePool("a"), layout_of(1))
    with pytest.raises(ScaleError, match=r"cannot write to .*: No space left"):
        await task


async def test_the_loop_waits_for_no_disk(start, monkeypatch, tmp_path):
    """Fences are synced, and manifests may be on a slow network file system."""
    threads: dict[str, set[str]] = {}

    def watched(name):
        function = getattr(manifest, name)

        def record(*arguments):
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return function(*arguments)

        return record

    for name in ("current_generation", "find", "read_counts", "replace_file"):
        monkeypatch.setattr(manifest, name, watched(name))
    pool = FakePool("a")
    _, task, _ = start(pool, layout_of(1))
    await until(lambda: pool.leases)
    manifest.publish(job_paths(tmp_path), 0, 1, [])
    threads.pop("find")  # of the line above
    threads.pop("current_generation")
    pool.end(0, "superseded")
    assert await task
    assert set(threads) == {"find", "read_counts", "replace_file"}
    assert threading.main_thread().name not in set().union(*threads.values())


async def test_a_worker_reads_its_generation_in_a_thread(tmp_path, monkeypatch):
    threads = []
    monkeypatch.setattr(
        manifest,
        "current_generation",
        lambda *_: threads.append(threading.current_thread().name) or 2,
    )
    path = tmp_path / "l.txt"
    path.write_text("http://127.0.0.1:9/x\n")
    options = JobOptions((str(path),), tmp_path, tmp_path, "files", 10, 1)
    job = open_job(options, Settings(), None, lambda *_: None)
    (shard,) = job.layout.shards
    spec = JobSpec("1", str(tmp_path), str(tmp_path / "out"), "files", _NO_RETRIES)
    worker = ShardWorker(spec, "a", WorkerLimits(1, None, 0))
    result = await worker.run(Lease(shard, job.layout.lanes[shard.lane], 1))
    await worker.close()
    assert result.outcome == "superseded"
    assert threads
    assert threading.main_thread().name not in threads


async def test_a_damaged_fence_is_an_error_with_its_name(tmp_path):
    paths = job_paths(tmp_path)
    (tmp_path / "fences" / "000003").write_text("x")
    with pytest.raises(ScaleError, match="fences/000003 is damaged"):
        manifest.next_generations(paths, [3])


async def test_a_manifest_of_another_process_is_taken_over(start, tmp_path):
    pool = FakePool("a")
    job, task, _ = start(pool, layout_of(1))
    await until(lambda: pool.leases)
    manifest.publish(job_paths(tmp_path), 0, 1, [])
    pool.end(0, "superseded")
    assert await task
    assert job.snapshot().shards_done == 1


async def test_limits_are_shared_and_shared_again(start):
    pool = FakePool("a", "b")
    job, _, _ = start(pool, layout_of(6), Limits(5, 2, 1000))
    await until(lambda: len(pool.leases) == 4)
    limits = {sent[1]: sent[2:] for sent in pool.sent if sent[0] == "limits"}
    assert sorted(limits.values()) == [(2, 500, 2), (3, 500, 2)]
    job.set_limits(Limits(20, 3, None))
    limits = {sent[1]: sent[2:] for sent in pool.sent if sent[0] == "limits"}
    assert set(limits.values()) == {(10, None, 3)}
    pool.names.remove("a")
    await until(
        lambda: (
            [s for s in pool.sent if s[0] == "limits"][-1]
            == ("limits", "b", 20, None, 3)
        )
    )


async def test_a_part_of_a_limit_that_is_zero_is_not_used(start):
    pool = FakePool("a", "b")
    start(pool, layout_of(4, is_split=True), Limits(8, 3, None))
    await until(lambda: len(pool.leases) == 3)
    assert sorted(lease.lane.slot for _, lease in pool.leases) == [0, 1, 2]


async def test_a_refusal_seen_by_one_worker_slows_the_others(start):
    pool = FakePool("a", "b")
    start(pool, layout_of(4, is_split=True), Limits(8, 8, None))
    await until(lambda: len(pool.leases) == 4)
    busy = HostStatus("http://h", active=2, cap=4)
    pool.reports = {
        "a": WorkerStatus("a", hosts=(busy._replace(is_limiting=True, cap=2),)),
        "b": WorkerStatus("b", hosts=(busy,)),
    }
    await until(lambda: ("slow", "b", "http://h", 2, 0.0) in pool.sent)
    pool.reports["a"] = WorkerStatus("a", hosts=(busy._replace(blocked_s=9.0),))
    await until(lambda: ("slow", "b", "http://h", 1, 9.0) in pool.sent)
    pool.reports["a"] = WorkerStatus("a", hosts=(busy,))
    await until(lambda: ("slow", "b", "http://h", 0, 0.0) in pool.sent)
    assert all(sent[1] != "a" for sent in pool.sent if sent[0] == "slow")


async def test_a_bug_in_the_worker_of_this_process_fails_its_shard(
    start, tmp_path, monkeypatch
):
    async def run(_worker, lease):
        raise KeyError("\x1b[31m")

    monkeypatch.setattr(ShardWorker, "run", run)
    spec = JobSpec("1", str(tmp_path), str(tmp_path), "files", _NO_RETRIES)
    job, task, _ = start(LocalPool(spec, "here"), layout_of(1))
    async with asyncio.timeout(20):
        assert not await task
    (row,) = job.snapshot().shown
    assert row.state is ShardState.FAILED
    assert row.note.startswith("KeyError: ")
    assert "\x1b" not in row.note


async def test_credentials_that_only_one_worker_lacks_are_its_fault(
    tmp_path, monkeypatch
):
    def refuse(*_arguments):
        raise CloudError("no credentials; set AWS_ACCESS_KEY_ID")

    monkeypatch.setattr("tui.scale.worker.open_uploader", refuse)
    monkeypatch.setattr("tui.scale.worker.read_shard", lambda *_: [])
    manifest.next_generation(job_paths(tmp_path), 0)
    spec = JobSpec(
        "1", str(tmp_path), str(tmp_path), "files", _NO_RETRIES, "s3://bucket"
    )
    worker = ShardWorker(spec, "a", WorkerLimits(1, None, 0))
    result = await worker.run(Lease(layout_of(1).shards[0], Lane(), 1))
    await worker.close()
    assert (result.outcome, result.is_workers_fault) == ("failed", True)
    assert "AWS_ACCESS_KEY_ID" in result.reason

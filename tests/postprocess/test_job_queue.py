"""``JobQueue`` runs every job, within its limit."""

from __future__ import annotations

import asyncio

from tui.postprocess.job_queue import JobQueue


async def test_job_pushed_at_the_end_of_the_last_one_runs() -> None:
    loop = asyncio.get_running_loop()
    done: list[int] = []

    async def run(job: int) -> None:
        done.append(job)
        if job < 3:
            # Runs after the worker's last look, and before the loop tells of its end.
            loop.call_soon(turns.push, job + 1)

    turns: JobQueue[int] = JobQueue(1, run)
    turns.push(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert done == [1, 2, 3]
    assert not len(turns)


async def test_concurrency_is_limited_and_errors_are_isolated() -> None:
    most = running = 0
    done: list[int] = []

    async def run(job: int) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(job)
        if job == 1:
            raise ValueError("a fault of ours")

    turns: JobQueue[int] = JobQueue(2, run)
    for job in range(6):
        turns.push(job)
    await turns.idle()
    assert (most, sorted(done)) == (2, list(range(6)))

"""asyncio as it should be: run_in_executor takes the blocking save off the loop.

What runs where: requests and answers on the event loop, in one thread; each save in a
thread of the loop's own pool. The task awaits it as it awaits the network, and the loop
turns meanwhile.

What to learn: one line is the difference to the row above; compare the loop lag. Tasks
are stopped at their next await, in the middle of a body if need be, and the TaskGroup
sees to it that none is left behind. What the executor has begun it ends: a save that
runs in a thread cannot be cancelled either, so stopping may take as long as one save.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import (
    FETCH_ERRORS,
    get_async,
    new_async_client,
    save,
    status_of,
)

if TYPE_CHECKING:
    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


async def run(job: Job, probe: Instrumentation) -> None:
    """Fetch with tasks, save in the executor."""
    loop = asyncio.get_running_loop()
    semaphore = asyncio.Semaphore(min(job.concurrency, len(job.targets)))

    async def download_one(target: Target) -> Exception | None:
        try:
            async with semaphore:
                with probe.download():
                    data = await get_async(client, target, probe)
                    path = job.folder / target.name
                    await loop.run_in_executor(None, save, path, data)
        except FETCH_ERRORS as error:
            return error
        return None

    async with new_async_client(job) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(download_one(target)) for target in job.targets]
        for next_done in asyncio.as_completed(tasks):
            error = await next_done
            probe.count(status_of(error) if error else Status.OK, error)

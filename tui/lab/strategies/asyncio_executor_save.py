"""asyncio done right: run_in_executor moves the blocking save off the loop.

What runs where: requests and responses are handled on the event loop, in one thread;
each save runs in a thread of the loop's default pool. The task awaits it just as it
awaits the network, and the loop keeps running meanwhile.

What to learn: it differs from the row above by one line; compare the loop lag. Tasks
are stopped at their next await, even in the middle of a body, and the TaskGroup makes
sure that none is left behind. A save that the executor has started is finished: it runs
in a thread and cannot be cancelled either, so stopping may take as long as one save.
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


async def run(job: Job, stats: Instrumentation) -> None:
    """Fetch with tasks, save in the executor."""
    loop = asyncio.get_running_loop()
    semaphore = asyncio.Semaphore(min(job.concurrency, len(job.targets)))

    async def download_one(target: Target) -> Exception | None:
        try:
            async with semaphore:
                with stats.download():
                    data = await get_async(client, target, stats)
                    path = job.folder / target.name
                    await loop.run_in_executor(None, save, path, data)
        except FETCH_ERRORS as error:
            return error
        return None

    async with new_async_client(job) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(download_one(target)) for target in job.targets]
        for next_done in asyncio.as_completed(tasks):
            error = await next_done
            stats.count(status_of(error) if error else Status.OK, error)

"""asyncio with the mistake that is easiest to make: saving on the event loop.

What runs where: everything runs in one thread. The loop switches between downloads
whenever one of them awaits the network. But save() awaits nothing: while a file is
written and synced, no other download is read, no timer fires, no key press is handled.

What to learn: watch the loop lag, and the spinner of this row, which is driven by the
strategy's own loop: it freezes during every save. The slower the disk, the worse it
gets (--disk-latency). A task is cancelled at its next await, so cancelling is
immediate, but only once the loop is free to notice it. The semaphore limits how many
downloads run, as the size of a pool does for threads.
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
    """Fetch with tasks, save on the event loop."""
    semaphore = asyncio.Semaphore(min(job.concurrency, len(job.targets)))

    async def download_one(target: Target) -> Exception | None:
        try:
            async with semaphore:
                with stats.download():
                    data = await get_async(client, target, stats)
                    save(job.folder / target.name, data)  # blocks the whole loop
        except FETCH_ERRORS as error:
            return error
        return None

    async with new_async_client(job) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(download_one(target)) for target in job.targets]
        for next_done in asyncio.as_completed(tasks):
            error = await next_done
            stats.count(status_of(error) if error else Status.OK, error)

"""asyncio with the mistake that is easiest to make: saving on the event loop.

What runs where: everything in one thread. The loop switches between downloads wherever
one of them awaits the network. But save() awaits nothing: while a file is written and
synced, no other download is read, no timer runs, no key is looked at.

What to learn: look at the loop lag, and at the spinner of this row, which its own loop
turns: it stands still with every save. The slower the disk, the worse (--disk-latency).
A task is cancelled at its next await, so cancelling works at once, but only as soon as
the loop is free to hear of it. The semaphore limits what is under way, as the size of a
pool does for threads.
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
    """Fetch with tasks, save in between."""
    semaphore = asyncio.Semaphore(min(job.concurrency, len(job.targets)))

    async def download_one(target: Target) -> Exception | None:
        try:
            async with semaphore:
                with probe.download():
                    data = await get_async(client, target, probe)
                    save(job.folder / target.name, data)  # the whole loop waits here
        except FETCH_ERRORS as error:
            return error
        return None

    async with new_async_client(job) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(download_one(target)) for target in job.targets]
        for next_done in asyncio.as_completed(tasks):
            error = await next_done
            probe.count(status_of(error) if error else Status.OK, error)

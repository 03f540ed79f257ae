"""Two requests per download: the file, then its metadata with HEAD.

What runs where: the same as with the save in the executor. Each of the two requests
acquires the same semaphore and releases it in between, so that never more requests run
than allowed, and a finished file does not block others while its second request waits.

What to learn: the semaphore is fair, so second requests queue behind all first ones,
and the first result comes late. The second await costs one line of code. It also costs
a round trip per file; concurrency hides the latency, but not the queue: with small
files this takes about twice as long. Whatever a program needs to know about a file is
better taken from the headers of the first response, as fetchtui does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import (
    FETCH_ERRORS,
    get_async,
    new_async_client,
    request_options,
    save,
    status_of,
)

if TYPE_CHECKING:
    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


async def run(job: Job, stats: Instrumentation) -> None:
    """Fetch a file and its metadata, save in the executor."""
    loop = asyncio.get_running_loop()
    semaphore = asyncio.Semaphore(min(job.concurrency, len(job.targets)))

    async def download_one(target: Target) -> Exception | None:
        try:
            async with semaphore:
                with stats.download():
                    data = await get_async(client, target, stats)
            async with semaphore:
                with stats.download():
                    metadata = await client.head(target.url, **request_options(target))
                    metadata.raise_for_status()
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

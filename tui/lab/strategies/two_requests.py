"""Two requests a download: the file, then what the server says about it (HEAD).

What runs where: as with the save in the executor. Each of the two requests takes a
place in the same semaphore and gives it back in between, so that never more requests
are under way than allowed, and a finished file does not hold a place while its second
request waits.

What to learn: the semaphore is fair, so second requests queue behind all first ones,
and the first result comes late. The second await costs a line. It also costs a round
trip for every file; concurrency hides the latency, but not the queue: with small files
this takes about twice as long. What a program needs to know about a file it had better
take from the first answer's headers, as fetchtui does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import (
    FETCH_ERRORS,
    asked,
    get_async,
    new_async_client,
    save,
    status_of,
)

if TYPE_CHECKING:
    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


async def run(job: Job, probe: Instrumentation) -> None:
    """Fetch a file and its metadata, save in the executor."""
    loop = asyncio.get_running_loop()
    semaphore = asyncio.Semaphore(min(job.concurrency, len(job.targets)))

    async def download_one(target: Target) -> Exception | None:
        try:
            async with semaphore:
                with probe.download():
                    data = await get_async(client, target, probe)
            async with semaphore:
                with probe.download():
                    about = await client.head(target.url, **asked(target))
                    about.raise_for_status()
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

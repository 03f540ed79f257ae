"""submit and as_completed: threads, with each result as soon as it is available.

What runs where: each download runs in a thread of the pool, which fetches and saves it,
as with map. The main thread waits for whichever future is done next.

What to learn: a future represents a call that is queued, running or done, and stores
its result or exception until somebody asks for it. So each failure is handled where its
future is, with try and except, and the first result is that of the fastest file, not of
the first. future.cancel() returns True for waiting futures and False for running ones:
those continue, and leaving the with block waits for them.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, stats: Instrumentation) -> None:
    """Fetch and save in threads; read the results as they arrive."""

    def download_one(target: Target) -> None:
        with stats.download():
            save(job.folder / target.name, get(client, target, stats))

    workers = min(job.concurrency, len(job.targets))
    with new_client(job) as client, ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(download_one, target) for target in job.targets]
        # Not shutdown(cancel_futures=True): as_completed would never yield those.
        stats.on_cancel(lambda: sum(future.cancel() for future in futures))
        for future in as_completed(futures):
            try:
                future.result()
            except CancelledError:
                continue
            except FETCH_ERRORS as error:
                stats.count(status_of(error), error)
            else:
                stats.count(Status.OK)

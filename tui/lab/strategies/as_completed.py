"""submit and as_completed: threads, with each result as soon as it is there.

What runs where: each download in a thread of the pool, fetching and saving, as with
map. The main thread waits for whichever future is done next.

What to learn: a future stands for a call that is queued, running or done, and keeps its
result or its exception until somebody asks. So every failure is met where its future
is, with try and except, and the first result comes with the fastest file, not with the
first. future.cancel() returns True for futures that wait and False for those that run:
these go on, and leaving the with block waits for them.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, probe: Instrumentation) -> None:
    """Fetch and save in threads; take the results as they come."""

    def download_one(target: Target) -> None:
        with probe.download():
            save(job.folder / target.name, get(client, target, probe))

    workers = min(job.concurrency, len(job.targets))
    with new_client(job) as client, ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(download_one, target) for target in job.targets]
        # Not shutdown(cancel_futures=True): as_completed would never hear of those.
        probe.on_cancel(lambda: sum(future.cancel() for future in futures))
        for future in as_completed(futures):
            try:
                future.result()
            except CancelledError:
                continue
            except FETCH_ERRORS as error:
                probe.count(status_of(error), error)
            else:
                probe.count(Status.OK)

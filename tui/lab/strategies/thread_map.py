"""ThreadPoolExecutor.map: threads, with the results in the order of the calls.

What runs where: each download runs in a thread of the pool, which fetches and saves it.
The main thread iterates over the results in the order of the list. Blocking calls
(recv, write, fsync) release the GIL while they wait, so the other threads continue.

What to learn: three lines turn a loop into a concurrent program. But the first result
arrives only when the first file is done, however many others were faster; and an
exception would be raised by the iteration and end it, so each call has to return its
error instead. Cancelling removes the futures that are still waiting. A running call
continues to its end: a thread cannot be stopped from outside.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, stats: Instrumentation) -> None:
    """Fetch and save in threads; read the results in order."""

    def download_one(target: Target) -> Exception | None:
        try:
            with stats.download():
                save(job.folder / target.name, get(client, target, stats))
        except FETCH_ERRORS as error:
            return error
        return None

    workers = min(job.concurrency, len(job.targets))
    with new_client(job) as client, ThreadPoolExecutor(workers) as pool:
        results = pool.map(download_one, job.targets)
        stats.on_cancel(lambda: pool.shutdown(wait=False, cancel_futures=True))
        with suppress(CancelledError):  # raised for a cancelled call
            for error in results:
                stats.count(status_of(error) if error else Status.OK, error)

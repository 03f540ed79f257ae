"""ThreadPoolExecutor.map: threads, with the results in the order of the calls.

What runs where: each download in a thread of the pool, fetching and saving. The main
thread goes through the results in the order of the list. Blocking calls (recv, write,
fsync) release the GIL while they wait, so the others go on.

What to learn: three lines turn a loop into a concurrent program. But the first result
is only there when the first file is, however many others were faster; and an exception
would come out of the iteration and end it, so each call has to return its error
instead. Cancelling cancels the futures that wait. A call that runs goes on to its end:
there is no way to stop a thread from outside.
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


def run(job: Job, probe: Instrumentation) -> None:
    """Fetch and save in threads; take the results in order."""

    def download_one(target: Target) -> Exception | None:
        try:
            with probe.download():
                save(job.folder / target.name, get(client, target, probe))
        except FETCH_ERRORS as error:
            return error
        return None

    workers = min(job.concurrency, len(job.targets))
    with new_client(job) as client, ThreadPoolExecutor(workers) as pool:
        results = pool.map(download_one, job.targets)
        probe.on_cancel(lambda: pool.shutdown(wait=False, cancel_futures=True))
        with suppress(CancelledError):  # raised where a cancelled call's turn comes
            for error in results:
                probe.count(status_of(error) if error else Status.OK, error)

"""One file after another: the plain loop that everything else is compared with.

What runs where: everything runs in the main thread. While a file is being received, the
program waits, and all files behind it wait too; while a file is being saved, the
network is idle.

What to learn: with latency, the total time is the sum of all waits. The processor does
next to nothing (compare CPU time with wall time), so there is nothing to speed up but
the waiting. To cancel, the program checks a flag between two files, so the file in
progress is always finished first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from tui.lab.job import Job
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, stats: Instrumentation) -> None:
    """Fetch and save each file before the next one."""
    with new_client(job) as client:
        for target in job.targets:
            if stats.is_cancelled:
                break
            try:
                with stats.download():
                    save(job.folder / target.name, get(client, target, stats))
            except FETCH_ERRORS as error:
                stats.count(status_of(error), error)
            else:
                stats.count(Status.OK)

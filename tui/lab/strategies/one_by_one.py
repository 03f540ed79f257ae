"""One file after another: the plain loop that everything else is measured against.

What runs where: all of it in the main thread. While a file is on its way the program
waits, and so do all the files behind it; while it is saved, the line is idle.

What to learn: with latency the time is the sum of all waits. The processor does next to
nothing (compare CPU with wall time), so there is nothing to make faster but the
waiting. To cancel means to look at a flag between two files: the file in progress is in
the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from tui.lab.job import Job
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, probe: Instrumentation) -> None:
    """Fetch and save each file before the next."""
    with new_client(job) as client:
        for target in job.targets:
            if probe.is_cancelled:
                break
            try:
                with probe.download():
                    save(job.folder / target.name, get(client, target, probe))
            except FETCH_ERRORS as error:
                probe.count(status_of(error), error)
            else:
                probe.count(Status.OK)

"""Work for the processor in processes: the fetched files, unpacked and hashed.

What runs where: the files are fetched before the clock starts. Then each is unpacked
and hashed by the same code as above, in processes with an interpreter and a GIL of
their own. Only the file's path goes over the pipe, and a few numbers come back.

What to learn: this is the one thing that processes are for. All cores work, so wall
time is less than CPU time. They pay for it before the first file: each starts an
interpreter and imports its modules, and each has its own memory. So never more
processes than files, nor than cores: min(os.cpu_count(), concurrency, files). A future
that waits can be cancelled; what runs in a process runs on, as in a thread.
"""

from __future__ import annotations

import os
from concurrent.futures import CancelledError, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.cpu_work import hash_and_unpack
from tui.lab.worker.prefetch import prefetch

if TYPE_CHECKING:
    from tui.lab.job import Job
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, probe: Instrumentation) -> None:
    """Fetch, start the clock, compute in processes."""
    paths = prefetch(job, probe)
    probe.start_clock()
    workers = min(os.cpu_count() or 1, job.concurrency, len(job.targets))
    # Spawned, not forked: a fork copies locks that threads hold at that moment.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(hash_and_unpack, path) for path in paths]
        probe.on_cancel(lambda: sum(future.cancel() for future in futures))
        for future in as_completed(futures):
            try:
                worked = future.result()
            except CancelledError:
                continue
            probe.took(worked.size)
            probe.worker(worked.pid, worked.peak)
            probe.count(Status.OK)

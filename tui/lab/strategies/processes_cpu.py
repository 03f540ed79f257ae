"""CPU-bound work in processes: unpack and hash the fetched files.

What runs where: the files are fetched before the clock starts. Then each is unpacked
and hashed by the same code as above, in processes that each have an interpreter and a
GIL. Only the path of the file is sent to the process, and a few numbers come back.

What to learn: this is what processes are for. All cores are used, so wall time is less
than CPU time. The cost comes before the first file: each process starts an interpreter,
imports its modules and needs its own memory. So never start more processes than files,
or than cores: min(os.cpu_count(), concurrency, files). A waiting future can be
cancelled; what runs in a process continues, as in a thread.
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


def run(job: Job, stats: Instrumentation) -> None:
    """Fetch, start the clock, compute in processes."""
    paths = prefetch(job, stats)
    stats.start_clock()
    workers = min(os.cpu_count() or 1, job.concurrency, len(job.targets))
    # Spawn, not fork: a fork copies locks that threads have at that moment.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(hash_and_unpack, path) for path in paths]
        stats.on_cancel(lambda: sum(future.cancel() for future in futures))
        for future in as_completed(futures):
            try:
                worked = future.result()
            except CancelledError:
                continue
            stats.add_bytes(worked.size)
            stats.worker(worked.pid, worked.peak)
            stats.count(Status.OK)
